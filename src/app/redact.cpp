#include "app/redact.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/json.hpp"
#include "content/text/text.hpp"

namespace castiel::app {
namespace {

constexpr std::size_t kMaxSearchedBytes = 64 * 1024;

bool names_a_secret(std::string_view name) {
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; });
  static constexpr std::array<std::string_view, 6> kWords{"password", "passwd",  "secret",
                                                          "token",    "api_key", "authorization"};
  return std::ranges::any_of(kWords, [&](auto word) { return lower.find(word) != std::string::npos; });
}

std::string redacted(std::string_view text) {
  if (text.size() > kMaxSearchedBytes) return fmt::format("[{} bytes]", text.size());
  auto found = content::text::find_personal_data(text);
  // Longer ones first, so that an address goes as a whole and not by the name in it.
  std::ranges::stable_sort(found, std::ranges::greater(), [](const auto& p) { return p.text.size(); });
  std::string out(text);
  for (const auto& personal : found) {
    if (personal.text.empty()) continue;
    const std::string mask = fmt::format("[{}]", personal.type);
    for (auto at = out.find(personal.text); at != std::string::npos;
         at = out.find(personal.text, at + mask.size()))
      out.replace(at, personal.text.size(), mask);
  }
  return out;
}

void redact(json::value& value) {
  if (value.is_string()) {
    value = redacted(value.get_string());
  } else if (auto* list = value.if_array()) {
    for (auto& item : *list) redact(item);
  } else if (auto* object = value.if_object()) {
    for (auto& [name, member] : *object) {
      if (names_a_secret(name)) {
        member = "[SECRET]";
      } else {
        redact(member);
      }
    }
  }
}

}  // namespace

std::string redact_message(std::string_view message) {
  auto event = parse_json(message);
  auto* object = event ? event->if_object() : nullptr;
  if (object == nullptr) return fmt::format("[{} bytes]", message.size());
  if (auto* data = object->if_contains("data")) redact(*data);
  return json::serialize(*object);
}

}  // namespace castiel::app
