#include "storage/records.hpp"

#include "base/json.hpp"

namespace castiel::storage {

std::string import_lease(const CorrelationId& correlation) {
  return "import/" + correlation.str();
}

std::string failures_to_json(std::span<const Failure> failures) {
  json::array array;
  for (const auto& f : failures)
    array.push_back({{"at", to_string(f.at)}, {"code", f.code}, {"message", f.message}});
  return json::serialize(array);
}

std::vector<Failure> failures_from_json(std::string_view text) {
  std::vector<Failure> failures;
  const auto value = parse_json(text.empty() ? "[]" : text);
  if (!value || !value->is_array()) return failures;
  for (const auto& item : value->get_array()) {
    const auto* object = item.if_object();
    if (object == nullptr) continue;
    failures.push_back({parse_timestamp(string_or(*object, "at")).value_or(Timestamp{}),
                        string_or(*object, "code"), string_or(*object, "message")});
  }
  return failures;
}

}  // namespace castiel::storage
