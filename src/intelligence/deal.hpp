#pragma once
// A deal as the analytics read it: current values plus the history of its fields. A plain value filled by the
// caller from shards and their history; no function here changes one.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/decimal.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "intelligence/shared_text.hpp"

namespace castiel::intelligence {

enum class Status { open, won, lost };
std::string_view to_string(Status status);
// "won", "lost", anything else is open.
Status parse_status(std::string_view text);

// Canonical names of the fields whose history is read. A change of any other field counts as activity only.
namespace field {
inline constexpr std::string_view kStage = "stage";
inline constexpr std::string_view kStatus = "status";
inline constexpr std::string_view kAmount = "amount";
inline constexpr std::string_view kCloseDate = "closeDate";
inline constexpr std::string_view kOwnerId = "ownerId";
inline constexpr std::string_view kOwnerName = "ownerName";
inline constexpr std::string_view kProbability = "probability";
inline constexpr std::string_view kNextStep = "nextStep";
}  // namespace field

// One change of one field. Values are text as stored: amounts as decimal strings, dates as YYYY-MM-DD.
struct Change {
  std::string field;
  std::optional<std::string> old_value;  // nothing for null
  std::optional<std::string> new_value;
  Timestamp effective_at;  // at the source
  Timestamp recorded_at;   // when Castiel stored it
  CorrelationId correlation;
  std::string origin;  // "import", "history_export", "sync", "webhook", "user"
};

struct DealContact {
  ShardId id;
  std::string name;
  std::string title;
  std::string role;
  std::string email;
};

struct Deal {
  ShardId id;
  std::string external_id;
  SharedText integration;
  std::string name;
  std::optional<Decimal> amount;
  SharedText currency;  // ISO 4217; empty or "unknown" counts as the tenant's base currency
  SharedText stage;
  Status status = Status::open;
  SharedText pipeline;
  std::optional<Date> created;
  std::optional<Date> close_date;  // expected while open, actual once closed
  SharedText owner;
  SharedText owner_id;
  SharedText team;
  SharedText account;
  SharedText account_id;
  std::vector<DealContact> contacts;
  SharedText type;
  SharedText lead_source;
  SharedText product;
  SharedText next_step;
  std::optional<double> source_probability;  // 0..1, as the source states it
  std::optional<Date> last_activity;
  std::optional<Timestamp> last_stage_change;
  Timestamp recorded_at;  // when Castiel first stored it
  // From when on the current values are known to hold at the source. Without it: recorded_at. For an old
  // export stored today this is the newest instant in that export (see date_states in as_of.hpp).
  std::optional<Timestamp> state_at;
  std::vector<Change> history;  // sorted by effective_at
};

// The sales process a deal goes through: pipelines of one source have their own stages, and sources too.
std::string process_of(const Deal& deal);

// The same for the same record of the same source, in every store and after every import: what is sampled by
// it is sampled again alike.
std::uint64_t sampling_hash(const Deal& deal);

// Sorts a history by effective_at, recorded_at; keeps the given order among equals.
void sort_history(Deal& deal);

}  // namespace castiel::intelligence
