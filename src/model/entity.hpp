#pragma once
// The canonical model of sales data: which kinds of shard there are and which typed fields each has.
// Connectors map onto these names, stages read them, interface.md shows them. Constant data; any thread.

#include <span>
#include <string_view>

namespace castiel::model {

// Shard types. Plain text in storage and on the wire, so that a new kind needs no migration.
namespace type {
inline constexpr std::string_view kAccount = "account";
inline constexpr std::string_view kContact = "contact";
inline constexpr std::string_view kOpportunity = "opportunity";
inline constexpr std::string_view kProduct = "product";
inline constexpr std::string_view kUser = "user";  // a person of the selling organisation: owner, agent
inline constexpr std::string_view kContactRole = "contact_role";  // who plays which part in an opportunity
inline constexpr std::string_view kEmail = "email";
inline constexpr std::string_view kMessage = "message";  // chat
inline constexpr std::string_view kDocument = "document";
inline constexpr std::string_view kMeeting = "meeting";
inline constexpr std::string_view kEvent = "event";  // of a calendar
inline constexpr std::string_view kTask = "task";    // a request or commitment somebody made
inline constexpr std::string_view kActivity =
    "activity";  // that something happened with what it is linked to
// A raw record kind, never a shard: past values of an opportunity's fields, which become its history.
inline constexpr std::string_view kOpportunityChange = "opportunity_change";
}  // namespace type

enum class FieldKind {
  text,
  money,     // decimal string; the currency is in the field `currency`
  decimal,   // decimal string without a currency
  integer,   // JSON integer
  fraction,  // 0..1 as a decimal string; "75%" and 75 read as 0.75
  boolean,
  date,      // YYYY-MM-DD
  time,      // RFC 3339 UTC
  status,    // open, won or lost
  currency,  // ISO 4217, or "unknown"
  email,
  url,
  reference,       // another shard, given by its external id
  name_reference,  // another shard, given by its name
};

struct Field {
  std::string_view name;  // camelCase, as in a shard's data
  FieldKind kind;
  std::string_view target;  // shard type a reference points at, else empty
};

struct Entity {
  std::string_view type;
  std::span<const Field> fields;
  // The fields that identify a record of a source without an id column, best first ("name" for accounts).
  std::span<const std::string_view> natural_keys;
};

// Every canonical entity. Field `id` (the source's own identifier), `createdAt`, `modifiedAt` and `isDeleted`
// belong to all of them.
std::span<const Entity> entities();
const Entity* find_entity(std::string_view type);
const Field* find_field(const Entity& entity, std::string_view name);

// The stage names that close a deal in the tools in use: "Closed Won", "closedwon", "Lost", ….
// Returns "won", "lost" or "open"; compares letters only, without case.
std::string_view status_of_stage(std::string_view stage);

}  // namespace castiel::model
