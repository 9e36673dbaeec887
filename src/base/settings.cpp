#include "base/settings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/exchange_rate.hpp"
#include "base/json.hpp"
#include "base/utf8.hpp"

namespace castiel {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t size;
};
// Smallest first; format_setting takes the largest that divides the value.
constexpr Unit kDurationUnits[] = {
    {"ms", 1'000}, {"s", 1'000'000}, {"m", 60'000'000}, {"h", 3'600'000'000}, {"d", 86'400'000'000}};
constexpr Unit kByteUnits[] = {{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
  return out;
}

template <class T>
std::optional<T> whole_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

// "30s" with the units given; a bare number only where `bare` says how large one is.
std::optional<std::int64_t> with_unit(std::string_view text, std::span<const Unit> units, std::int64_t bare) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = whole_number<std::int64_t>(text.substr(0, digits));
  if (!number) return {};
  const std::string name = lower(trimmed(text.substr(digits)));
  std::int64_t size = name.empty() ? bare : 0;
  for (const Unit& unit : units)
    if (name == lower(unit.name)) size = unit.size;
  if (size == 0 || *number > std::numeric_limits<std::int64_t>::max() / size) return {};
  return *number * size;
}

std::string with_unit(std::int64_t value, std::span<const Unit> units, std::string_view otherwise) {
  for (std::size_t i = units.size(); i-- > 0;)
    if (value != 0 && value % units[i].size == 0)
      return fmt::format("{}{}", value / units[i].size, units[i].name);
  return fmt::format("{}{}", value, otherwise);
}

// "host:port" or "[v6]:port".
bool is_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
  const auto number = whole_number<std::uint16_t>(port);
  if (!number || !is_digit(port.front())) return false;
  if (host.front() == '[') {
    return host.size() > 3 && host.back() == ']' &&
           host.substr(1, host.size() - 2).find_first_not_of("0123456789abcdefABCDEF:.") ==
               std::string_view::npos;
  }
  return std::ranges::all_of(host, [](char c) {
    return is_lower(c) || is_upper(c) || is_digit(c) || c == '.' || c == '-' || c == '_';
  });
}

// The form of an IANA name; whether there is such a zone only the zone database knows.
bool is_time_zone(std::string_view text) {
  if (text == "UTC") return true;
  const std::size_t slash = text.find('/');
  return slash != std::string_view::npos && slash > 0 && text.back() != '/' && is_upper(text.front()) &&
         std::ranges::all_of(text, [](char c) {
           return is_lower(c) || is_upper(c) || is_digit(c) || c == '/' || c == '_' || c == '-' || c == '+';
         });
}

bool is_domain(std::string_view text) {
  if (text.size() > 253 || text.find('.') == std::string_view::npos) return false;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::string_view label = text.substr(begin, text.find('.', begin) - begin);
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    if (!std::ranges::all_of(label, [](char c) { return is_lower(c) || is_digit(c) || c == '-'; }))
      return false;
    begin += label.size() + 1;
  }
  return true;
}

bool has_shape(SettingShape shape, std::string_view text) {
  switch (shape) {
    case SettingShape::any:
      return true;
    case SettingShape::address:
      return is_address(text);
    case SettingShape::time_zone:
      return is_time_zone(text);
    case SettingShape::currency:
      return text == "auto" || (text.size() == 3 && std::ranges::all_of(text, is_upper));
    case SettingShape::language:
      return text.size() == 2 && std::ranges::all_of(text, is_lower);
    case SettingShape::domain:
      return is_domain(text);
    case SettingShape::exchange_rate:
      return parse_exchange_rate(text).has_value();
  }
  return false;
}

std::string_view shape_words(SettingShape shape) {
  switch (shape) {
    case SettingShape::any:
      return "a text";
    case SettingShape::address:
      return "host:port, such as 127.0.0.1:8080 or [::1]:8080";
    case SettingShape::time_zone:
      return "UTC or an IANA time zone such as Europe/Berlin";
    case SettingShape::currency:
      return "auto or a currency code such as EUR";
    case SettingShape::language:
      return "a language code of two letters such as en";
    case SettingShape::domain:
      return "domain names such as example.com";
    case SettingShape::exchange_rate:
      return "rates such as USD 2026-01-01 0.92";
  }
  return "a text";
}

// Items between commas, or a JSON array of texts where an item has a comma itself.
std::optional<std::vector<std::string>> parse_list(std::string_view text) {
  std::vector<std::string> items;
  text = trimmed(text);
  if (text.starts_with('[')) {
    const auto parsed = parse_json(text);
    if (!parsed || !parsed->is_array()) return {};
    for (const json::value& item : parsed->get_array()) {
      if (!item.is_string()) return {};
      items.emplace_back(trimmed(item.get_string()));
    }
  } else if (!text.empty()) {
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t comma = std::min(text.find(',', begin), text.size());
      items.emplace_back(trimmed(text.substr(begin, comma - begin)));
      begin = comma + 1;
    }
  }
  if (items.size() > kMaxSettingListItems || std::ranges::any_of(items, &std::string::empty)) return {};
  return items;
}

std::optional<SettingValue> parse_value(const SettingSpec& spec, std::string_view text) {
  switch (spec.kind) {
    case SettingKind::text:
      if (text.empty() || !has_shape(spec.shape, text)) return {};
      return std::string(text);
    case SettingKind::choice:
      if (std::ranges::find(spec.choices, text) == spec.choices.end()) return {};
      return std::string(text);
    case SettingKind::integer: {
      const auto number = whole_number<std::int64_t>(text);
      if (!number) return {};
      return *number;
    }
    case SettingKind::fraction: {
      double number = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) return {};
      return number;
    }
    case SettingKind::boolean:
      if (text == "true") return true;
      if (text == "false") return false;
      return {};
    case SettingKind::duration: {
      const auto micros = with_unit(text, kDurationUnits, 0);
      if (!micros) return {};
      return Duration(*micros);
    }
    case SettingKind::bytes: {
      const auto size = with_unit(text, kByteUnits, 1);
      if (!size) return {};
      return *size;
    }
    case SettingKind::list: {
      auto items = parse_list(text);
      if (!items) return {};
      for (const std::string& item : *items)
        if (!has_shape(spec.shape, item)) return {};
      return *std::move(items);
    }
  }
  return {};
}

// Values of one kind compare as variants do: by their alternative's own order.
bool within_bounds(const SettingSpec& spec, const SettingValue& value) {
  if (!spec.minimum.empty() && value < *parse_value(spec, spec.minimum)) return false;
  return spec.maximum.empty() || value <= *parse_value(spec, spec.maximum);
}

// Damerau-Levenshtein distance, the variant with adjacent transpositions only; keys are short.
std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

const SettingValues& defaults() {
  static const SettingValues values;
  return values;
}

}  // namespace

const SettingSpec* find_setting(std::string_view key) {
  const auto found = std::ranges::find(setting_specs(), key, &SettingSpec::key);
  return found == setting_specs().end() ? nullptr : &*found;
}

std::string_view nearest_setting(std::string_view key) {
  constexpr std::size_t kLongest = 100;  // nobody mistypes a key of this length
  if (key.empty() || key.size() > kLongest) return {};
  const std::string typed = lower(key);
  std::string_view nearest;
  std::size_t best = std::max<std::size_t>(2, typed.size() / 4) + 1;
  for (const SettingSpec& spec : setting_specs()) {
    // The name without its group is a slip as well; it counts as one edit.
    const std::string_view last = spec.key.substr(spec.key.rfind('.') + 1);
    const std::size_t distance = std::min(edits(typed, spec.key), edits(typed, last) + 1);
    if (distance < best) {
      best = distance;
      nearest = spec.key;
    }
  }
  return nearest;
}

Error unknown_setting(std::string_view key) {
  const std::string_view nearest = nearest_setting(key);
  std::string message = fmt::format("{}: no such setting", utf8_prefix(key, 100));
  if (!nearest.empty()) message += fmt::format("; did you mean {}?", nearest);
  return {
      .code = "unknown_setting", .message = std::move(message), .cls = ErrorClass::permanent, .cause = {}};
}

std::string allowed_values(const SettingSpec& spec) {
  const std::string unit = spec.unit.empty() ? "" : fmt::format(" ({})", spec.unit);
  switch (spec.kind) {
    case SettingKind::text:
      return std::string(shape_words(spec.shape));
    case SettingKind::choice:
      return fmt::format("one of {}", fmt::join(spec.choices, ", "));
    case SettingKind::integer:
      return fmt::format("a whole number from {} to {}{}", spec.minimum, spec.maximum, unit);
    case SettingKind::fraction:
      return fmt::format("a number from {} to {}{}", spec.minimum, spec.maximum, unit);
    case SettingKind::boolean:
      return "true or false";
    case SettingKind::duration:
      return fmt::format("a time from {} to {}, a whole number with ms, s, m, h or d", spec.minimum,
                         spec.maximum);
    case SettingKind::bytes:
      return fmt::format("a size from {} to {}, a whole number with KiB, MiB or GiB, or of bytes",
                         spec.minimum, spec.maximum);
    case SettingKind::list:
      return fmt::format("a list of {}, at most {}",
                         spec.shape == SettingShape::any ? "texts" : shape_words(spec.shape),
                         kMaxSettingListItems);
  }
  return {};
}

Result<SettingValue> parse_setting(const SettingSpec& spec, std::string_view text) {
  constexpr std::size_t kShown = 80;  // of a refused value in a message
  std::optional<SettingValue> value;
  if (text.size() <= kMaxSettingBytes && is_utf8(text)) value = parse_value(spec, trimmed(text));
  if (!value || !within_bounds(spec, *value)) {
    const std::string_view shown = spec.secret     ? "(not shown)"
                                   : is_utf8(text) ? utf8_prefix(text, kShown)
                                                   : "(not UTF-8)";
    return permanent("invalid_setting",
                     fmt::format("{} = {}{}: allowed is {}", spec.key, shown.empty() ? "(nothing)" : shown,
                                 !spec.secret && shown.size() < text.size() && is_utf8(text) ? "…" : "",
                                 allowed_values(spec)));
  }
  return *std::move(value);
}

std::string format_setting(const SettingSpec& spec, const SettingValue& value) {
  switch (spec.kind) {
    case SettingKind::text:
    case SettingKind::choice:
      return std::get<std::string>(value);
    case SettingKind::integer:
      return fmt::format("{}", std::get<std::int64_t>(value));
    case SettingKind::fraction:
      return fmt::format("{}", std::get<double>(value));
    case SettingKind::boolean:
      return std::get<bool>(value) ? "true" : "false";
    case SettingKind::duration:
      return with_unit(std::get<Duration>(value).count(), kDurationUnits, "us");
    case SettingKind::bytes:
      return with_unit(std::get<std::int64_t>(value), kByteUnits, "");
    case SettingKind::list:
      break;
  }
  const auto& items = std::get<std::vector<std::string>>(value);
  const bool plain = std::ranges::none_of(items, [](const std::string& item) {
    return item.find(',') != std::string::npos || item.starts_with('[');
  });
  if (plain) return fmt::format("{}", fmt::join(items, ", "));
  std::string out = "[";
  for (const std::string& item : items) {
    if (out.size() > 1) out += ", ";
    append_json_string(out, item);
  }
  return out + "]";
}

std::string environment_name(std::string_view key) {
  std::string name = "CASTIEL_";
  for (const char c : key) name += is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c == '.' ? '_' : c;
  return name;
}

std::string_view to_string(SettingOrigin origin) {
  switch (origin) {
    case SettingOrigin::built_in:
      return "default";
    case SettingOrigin::file:
      return "file";
    case SettingOrigin::environment:
      return "environment";
    case SettingOrigin::command_line:
      return "command line";
    case SettingOrigin::tenant:
      return "tenant";
  }
  return "default";
}

SettingValues::SettingValues() {
  static const auto built_in = [] {
    auto rows = std::make_shared<std::vector<Row>>();
    for (const SettingSpec& spec : setting_specs())
      rows->push_back({parse_value(spec, spec.default_text).value(), {}});
    return std::shared_ptr<const std::vector<Row>>(std::move(rows));
  }();
  rows_ = built_in;
}

std::string SettingValues::text(const SettingSpec& spec) const {
  return format_setting(spec, (*rows_)[static_cast<std::size_t>(&spec - setting_specs().data())].value);
}

std::optional<std::string> SettingValues::text(std::string_view key) const {
  const SettingSpec* spec = find_setting(key);
  if (!spec) return {};
  return text(*spec);
}

SettingOrigin SettingValues::origin(const SettingSpec& spec) const {
  return (*rows_)[static_cast<std::size_t>(&spec - setting_specs().data())].origin;
}

SettingValues SettingValues::with(const SettingSpec& spec, SettingValue value, SettingOrigin origin) const {
  auto rows = std::make_shared<std::vector<Row>>(*rows_);
  (*rows)[static_cast<std::size_t>(&spec - setting_specs().data())] = {std::move(value), origin};
  SettingValues copy;
  copy.rows_ = std::move(rows);
  return copy;
}

std::string settings_page() {
  std::string out =
      "# Settings\n\n"
      "<!-- Generated from src/base/setting_table.hpp; edit there, then: castiel_settings_doc > "
      "docs/settings.md -->\n\n"
      "A value comes from the first of these that has one: the tenant (where it may have its own), the "
      "command line,\n"
      "the environment, `castiel.yaml`, the default. In `castiel.yaml` keys are nested or dotted:\n\n"
      "```yaml\n"
      "mapping:\n"
      "  page_records: 100\n"
      "server.listen: 127.0.0.1:9000\n"
      "tenant.mail_domains: [example.com, example.org]\n"
      "```\n\n"
      "An unknown key, a value of the wrong kind or one out of bounds stops the start; everything that is "
      "wrong is\n"
      "named at once. Times are written 500ms, 30s, 5m, 2h or 1d, sizes 64KiB, 32MiB or 1GiB. A list in a "
      "variable has\n"
      "commas between its items; where an item has a comma itself, it is a JSON array.\n\n";
  for (const SettingScope scope : {SettingScope::global, SettingScope::tenant}) {
    out += scope == SettingScope::global ? "## Of the program\n\nA change takes effect at the next start.\n\n"
                                         : "## Of each tenant\n\nWhat is set for the program is the default "
                                           "of all tenants and changes at the next "
                                           "start. A tenant's own\nvalue takes effect within seconds, "
                                           "without restart, and is recorded in its "
                                           "audit.\n\n";
    out += "| Setting | Default | Allowed | What it does | Variable |\n|---|---|---|---|---|\n";
    for (const SettingSpec& spec : setting_specs()) {
      if (spec.scope != scope) continue;
      const std::string value = defaults().text(spec);
      out += fmt::format("| `{}` | {} | {} | {} | `{}` |\n", spec.key,
                         value.empty() ? "(none)" : fmt::format("`{}`", value), allowed_values(spec),
                         spec.words, environment_name(spec.key));
    }
    out += "\n";
  }
  out.pop_back();
  return out;
}

}  // namespace castiel
