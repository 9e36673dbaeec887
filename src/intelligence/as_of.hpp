#pragma once
// The state of a deal at an earlier instant, from its history only: nothing that took effect after `as_of` or
// was recorded after `known_at` has any influence. Pure functions; any thread.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "intelligence/deal.hpp"
#include "intelligence/facts.hpp"

namespace castiel::intelligence {

// A deal as of an instant. Text and change pointers point into the Deal, which must outlive the view.
struct DealView {
  const Deal* deal = nullptr;  // identity, for rendering; scoring reads the fields below
  Timestamp as_of;
  Timestamp known_at;

  bool exists = false;   // false where the deal was created later
  bool current = false;  // the deal's present values hold at as_of
  Status status = Status::open;
  std::optional<Timestamp> closed_at;

  // Nothing means unknown at that time.
  std::optional<std::string_view> stage;
  std::optional<Decimal> amount;
  std::optional<Date> close_date;
  std::optional<std::string_view> owner;
  std::optional<std::string_view> next_step;  // empty text: known to be empty
  std::optional<double> source_probability;

  // Set when a deal is created and not used as outcomes: safe at any time.
  std::string_view account, type, lead_source, product, team, pipeline;
  std::optional<Date> created;

  bool contacts_known = false;
  std::span<const DealContact> contacts;

  std::optional<int> age_days;  // since creation; until closing for closed deals
  std::optional<Timestamp> stage_since;
  std::optional<int> stage_age_days;
  std::optional<Timestamp> last_change;  // newest recorded change or activity
  std::optional<int> silence_days;       // nothing where the history cannot tell
  std::optional<int> days_to_close;      // close_date - as_of, negative when past

  int pushes = 0;     // times the close date moved out
  int push_days = 0;  // their sum, days
  int pulls = 0;      // times it moved in
  int amount_cuts = 0;
  int amount_raises = 0;
  double amount_cut_share = 0;  // largest amount so far to the present one, 0..1; 0 when not below it
  int stage_steps = 0;          // moves forward
  int skips = 0;                // open stages jumped over
  int regressions = 0;          // moves back
  int owner_changes = 0;
  std::optional<Timestamp> last_step;  // last move forward
  std::optional<Timestamp> last_owner_change;
  int changes = 0;  // all changes in view

  std::vector<const Change*> push_changes;
  std::vector<const Change*> cut_changes;
  std::vector<const Change*> skip_changes;
  std::vector<const Change*> regression_changes;
  std::vector<const Change*> stage_changes;  // all of them, oldest first
  const Change* owner_change = nullptr;      // the last
};

// What is read from where, for each field:
// 1. the last change in view gives its new value;
// 2. otherwise the first change out of view gives its old value, which is the value of the time before it;
// 3. otherwise the present value, if it is known to hold (as_of >= state_at), or if the tenant tracks changes
// of the
//    field and this deal's history reaches back, so that no change means the same value all along;
// 4. otherwise unknown. So the final amount or close date of a closed deal never shows up in its past.
DealView view_as_of(const Deal& deal, Timestamp as_of, Timestamp known_at,
                    const TenantFacts* facts = nullptr);

// The instant a deal was won or lost: its last change of status or stage into it, else the close date of a
// deal that is closed now (at the end of that day), never later than state_at; nothing for an open deal.
std::optional<Timestamp> closed_at(const Deal& deal);

// The newest instant the data itself shows: creation, closing of closed deals, activity, changes. Expected
// close dates of open deals say nothing. Nothing for no deals or no dates.
std::optional<Timestamp> newest_source_change(std::span<const Deal> deals);

// Sets state_at of each deal without one to the newest instant of its integration's data, never later than
// recorded_at.
void date_states(std::span<Deal> deals);

struct AsOfChoice {
  Timestamp as_of;
  std::string reason;  // "now" or "newest_change"
};
// Now, unless the newest change at the source is more than `stale_days` old: then that instant, so that an
// old export is judged at its own time.
AsOfChoice choose_as_of(std::optional<Timestamp> newest_source_change, Timestamp now, int stale_days = 90);

}  // namespace castiel::intelligence
