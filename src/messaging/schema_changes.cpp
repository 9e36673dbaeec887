// What a schema may not do within a major version: refuse what it took before.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "messaging/schema_registry.hpp"

namespace castiel::messaging {
namespace {

std::set<std::string> words(const json::object& schema, std::string_view member) {
  std::set<std::string> all;
  const auto* value = schema.if_contains(member);
  if (value == nullptr) return all;
  if (const auto* list = value->if_array()) {
    for (const auto& item : *list) all.insert(json::serialize(item));
  } else {
    all.insert(json::serialize(*value));
  }
  return all;
}

class Comparison {
 public:
  std::vector<std::string> found;

  void compare(const json::value& before, const json::value& next, const std::string& at) {
    const auto *old = before.if_object(), *now = next.if_object();
    if (old == nullptr || now == nullptr) return;
    narrowed(*old, *now, "type", at, "takes fewer types");
    narrowed(*old, *now, "enum", at, "takes fewer values");
    for (const auto& name : words(*now, "required")) {
      if (!words(*old, "required").contains(name)) say(at, fmt::format("requires {} now", name));
    }
    for (const auto* bound : {"minimum", "minLength", "minItems"}) raised(*old, *now, bound, at, true);
    for (const auto* bound : {"maximum", "maxLength", "maxItems"}) raised(*old, *now, bound, at, false);
    for (const auto* rule : {"pattern", "format", "const"}) {
      const auto* is = now->if_contains(rule);
      const auto* was = old->if_contains(rule);
      if (is != nullptr && (was == nullptr || *was != *is)) say(at, fmt::format("has another {}", rule));
    }
    if (closed(*now) && !closed(*old)) say(at, "refuses unknown fields now");
    properties(*old, *now, at);
    const auto *old_items = old->if_contains("items"), *now_items = now->if_contains("items");
    if (old_items != nullptr && now_items != nullptr) compare(*old_items, *now_items, at + "/items");
  }

 private:
  void say(const std::string& at, std::string what) {
    found.push_back(fmt::format("{}: {}", at.empty() ? "/" : at, std::move(what)));
  }
  static bool closed(const json::object& schema) {
    const auto* additional = schema.if_contains("additionalProperties");
    return additional != nullptr && additional->is_bool() && !additional->get_bool();
  }
  void narrowed(const json::object& old, const json::object& now, const char* member, const std::string& at,
                const char* what) {
    if (!now.contains(member)) return;
    const auto was = words(old, member), is = words(now, member);
    const bool less = was.empty() || !std::ranges::includes(is, was);
    if (less) say(at, what);
  }
  void raised(const json::object& old, const json::object& now, const char* bound, const std::string& at,
              bool lower) {
    const auto *was = old.if_contains(bound), *is = now.if_contains(bound);
    if (is == nullptr || !is->is_number()) return;
    const double b = is->to_number<double>();
    const bool stricter = was == nullptr || !was->is_number() ||
                          (lower ? b > was->to_number<double>() : b < was->to_number<double>());
    if (stricter) say(at, fmt::format("has a stricter {}", bound));
  }
  void properties(const json::object& old, const json::object& now, const std::string& at) {
    const auto *was = get_object(old, "properties"), *is = get_object(now, "properties");
    if (was == nullptr) return;
    for (const auto& [name, schema] : *was) {
      const auto* next = is == nullptr ? nullptr : is->if_contains(name);
      if (next == nullptr) {
        say(at, fmt::format("does not tell of {} any more", std::string_view(name)));
      } else {
        compare(schema, *next, fmt::format("{}/{}", at, std::string_view(name)));
      }
    }
  }
};

}  // namespace

std::vector<std::string> breaking_changes(const json::value& before, const json::value& next) {
  Comparison comparison;
  comparison.compare(before, next, "");
  return std::move(comparison.found);
}

}  // namespace castiel::messaging
