#pragma once
// TenantFacts: what a tenant's deals can tell at all (does any carry contacts? does history reach back?) and
// how its won deals usually behave. Factors about things a source never carries stay silent because of it. A
// value type; computed from all deals of a tenant, read from any thread.

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "intelligence/deal.hpp"

namespace castiel::intelligence {

// One open or closing stage, over all pipelines of the tenant.
struct StageFact {
  std::string name;
  int order = 0;                  // 1 for the first
  double position = 0.5;          // 0 for a fresh lead, 1 for a deal about to close
  std::optional<Status> closing;  // won or lost for a stage that ends a deal
  // Sales processes (process_of) in which most won deals pass through it, or in which it occurs while too few
  // are known to tell. Other processes have stages of their own and skip nothing by leaving this one out.
  std::vector<std::string> usual_in;
  int won_visits = 0;                 // completed visits of deals that were won in the end
  std::optional<double> median_days;  // median length of those visits, days
  std::optional<double> p80_days;
  std::optional<double> p95_days;
};

// Quantiles of a sample, days or counts; `n` tells how far they carry.
struct Spread {
  int n = 0;
  double p25 = 0, p50 = 0, p75 = 0, p90 = 0, max = 0;
};

struct TenantFacts {
  Timestamp as_of;
  int deals = 0, open = 0, won = 0, lost = 0;

  bool has_created = false;
  bool has_close_date = false;  // open deals carry expected close dates
  bool has_amount = false;      // open deals carry amounts
  bool has_next_step = false;
  bool has_activity = false;  // last activity dates
  bool has_source_probability = false;
  bool has_contacts = false;
  bool has_contact_titles = false;
  // Whether the history carries changes of a field, and whether it does so for the time before Castiel knew
  // the deals (a history export): then no change means the same value all along.
  struct Tracking {
    bool any = false;
    bool reaches_back = false;
  };
  Tracking stage_history, amount_history, close_date_history, owner_history, probability_history,
      next_step_history;
  bool has_history = false;           // of any field
  bool history_reaches_back = false;  // of any field

  std::vector<StageFact> stages;  // by order
  Spread won_cycle;               // created to won, days
  Spread lost_cycle;
  Spread won_pushes;   // number of times the close date moved out, per won deal
  Spread won_silence;  // longest gap without any recorded change, days, per won deal
  Spread won_amount;

  const StageFact* stage(std::string_view name) const;
  // Position 0..1 of a stage by its name where the tenant's own deals do not tell.
  double position_of(std::string_view stage_name) const;
};

// Facts as they could be known at `as_of` from what was recorded until `known_at`. `stage_order`: the
// tenant's own order of open stages, first to last, where it is known; otherwise it is learnt from the
// sequence of stages in the history, then from the source's probabilities, then from the usual names.
TenantFacts observe(std::span<const Deal> deals, Timestamp as_of, Timestamp known_at,
                    std::span<const std::string> stage_order = {});

// 0..1 from the words in a stage's name ("Qualification" .2, "Proposal/Price Quote" .6, …); nothing if none
// is known.
std::optional<double> usual_position(std::string_view stage_name);

}  // namespace castiel::intelligence
