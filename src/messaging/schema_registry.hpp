#pragma once
// The schemas of all events by type and major version (FLOW-4). Loaded once, immutable after; any thread.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "messaging/event.hpp"

namespace castiel::messaging {

struct SchemaText {
  std::string_view type;
  int major;
  std::string_view text;  // JSON Schema, draft 7 keywords
};

// The files of schemas/, built into the program.
std::span<const SchemaText> builtin_schemas();
// Events as they were sent, whole, by the version they were sent in: schemas/samples/.
std::span<const SchemaText> builtin_samples();

// A failed check: where in the data, and what was expected there.
struct SchemaViolation {
  std::string pointer;  // JSON pointer into the event's data
  std::string message;
};

// Turns data of one major version into the next; how consumers read version N-1.
struct Upcaster {
  std::string_view type;
  int from;
  void (*apply)(json::object& data);
};
std::span<const Upcaster> upcasters();

// Why events that fit `before` might not fit `next`, where both say they are the same major version: a change
// there may only add. One line for each place; empty when it only adds.
std::vector<std::string> breaking_changes(const json::value& before, const json::value& next);

class SchemaRegistry {
 public:
  // Registers the schemas, each type's versions in order. Errors: invalid_schema; incompatible_schema when a
  // version is missing between others or cannot be reached by an upcaster, when a sample does not fit the
  // version it was sent in, or when, lifted step by step, it does not fit the newest one.
  static Result<std::unique_ptr<SchemaRegistry>> create(std::span<const SchemaText> schemas,
                                                        std::span<const SchemaText> samples = {},
                                                        std::span<const Upcaster> lifts = upcasters());
  ~SchemaRegistry();

  // The newest major version of a type, 0 when the type is unknown.
  int current(std::string_view type) const;
  // Nothing when the data fits. An unknown type or version is a violation too.
  std::optional<SchemaViolation> check(std::string_view type, int major, const json::value& data) const;
  // Lifts an event of version N-1 to N; fields nobody knows stay. Error unsupported_schema for anything older
  // or newer.
  Result<> upcast(Event& event) const;

 private:
  struct Impl;
  explicit SchemaRegistry(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace castiel::messaging
