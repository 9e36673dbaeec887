#include "content/documents/impl/number_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "base/time.hpp"

namespace castiel::content::documents::impl {
namespace {

constexpr double kSecondsPerDay = 86'400;
constexpr double kLastDay = 2'958'465;  // 9999-12-31
constexpr int kMaxDecimals = 20;

// The sections of a format, at ';' outside quotes and brackets.
std::vector<std::string_view> sections(std::string_view code) {
  std::vector<std::string_view> result;
  std::size_t from = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (code[i] == '\\')
      ++i;
    else if (code[i] == '"')
      quoted = !quoted;
    else if (code[i] == ';' && !quoted) {
      result.push_back(code.substr(from, i - from));
      from = i + 1;
    }
  }
  result.push_back(code.substr(from));
  return result;
}

// One section taken apart: what stands around the digits, and how many of those.
struct Parts {
  std::string before, after;
  int whole = 0, decimals = 0, least_decimals = 0, scale = 0, percents = 0;
  bool grouped = false, digits = false, exponent = false, fraction = false, text = false;
};

Parts parse_section(std::string_view code) {
  Parts parts;
  bool point = false, ended = false;
  int commas = 0;
  const auto put = [&](std::string_view text) { (parts.digits ? parts.after : parts.before) += text; };
  for (std::size_t i = 0; i < code.size(); ++i) {
    const char c = code[i];
    if (c == '"') {
      const auto close = std::min(code.find('"', i + 1), code.size());
      put(code.substr(i + 1, close - i - 1));
      i = close;
    } else if (c == '\\') {
      if (++i < code.size()) put(code.substr(i, 1));
    } else if (c == '_') {
      ++i;
      if (!parts.digits || ended) put(" ");
    } else if (c == '*') {
      ++i;
    } else if (c == '[') {
      const auto close = std::min(code.find(']', i), code.size());
      const auto inside = code.substr(i + 1, close - i - 1);
      if (inside.starts_with('$')) put(inside.substr(1, inside.find('-') - 1));
      i = close;
    } else if (c == '0' || c == '#' || c == '?') {
      if (ended) continue;
      parts.digits = true;
      if (commas > 0) parts.grouped = true;
      commas = 0;
      if (point) {
        ++parts.decimals;
        if (c == '0') parts.least_decimals = parts.decimals;
      } else if (c == '0') {
        ++parts.whole;
      }
    } else if (c == '.' && parts.digits && !point) {
      point = true;
    } else if (c == '.' && !parts.digits) {
      point = parts.digits = true;
    } else if (c == ',' && parts.digits && !ended) {
      ++commas;
    } else if (c == '%') {
      ++parts.percents;
      put("%");
    } else if ((c == 'E' || c == 'e') && parts.digits && i + 1 < code.size() &&
               (code[i + 1] == '+' || code[i + 1] == '-')) {
      parts.exponent = true;
      ended = true;
      ++i;
    } else if (c == '/' && parts.digits) {
      parts.fraction = true;
    } else if (c == '@') {
      parts.text = true;
    } else {
      if (parts.digits) ended = true;
      put(code.substr(i, 1));
    }
  }
  parts.scale = commas;
  return parts;
}

std::string group(std::string digits) {
  const auto end = std::min(digits.find('.'), digits.size());
  for (auto at = static_cast<std::ptrdiff_t>(end) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

std::string date_text(double serial, std::string_view code, bool from_1904) {
  bool clock = false, calendar = false, elapsed = false, quoted = false;
  for (std::size_t i = 0; i < code.size(); ++i) {
    const char c = static_cast<char>(code[i] | 32);
    if (code[i] == '"') quoted = !quoted;
    if (quoted) continue;
    if (code[i] == '\\')
      ++i;
    else if (c == 'h' || c == 's')
      clock = true;
    else if (c == 'y' || c == 'd')
      calendar = true;
    if (code[i] == '[' && i + 1 < code.size() &&
        std::string_view("hHmMsS").find(code[i + 1]) != std::string_view::npos)
      elapsed = true;
  }
  // "mmm" alone is a month; beside hours or seconds it is minutes.
  if (!clock && !elapsed) calendar = true;
  if (serial < 0 || serial > kLastDay) return plain_number(serial);
  const auto seconds = static_cast<std::int64_t>(std::llround(serial * kSecondsPerDay));
  if (elapsed) return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  const auto days = seconds / 86'400;
  const auto rest = seconds % 86'400;
  std::string result;
  if (calendar) {
    // Day 60 of 1900 is the 29th of February that was not; before it, days count from one later.
    const auto since = from_1904 ? days - 24'107 : days - 25'569 + (days < 60 ? 1 : 0);
    result = to_string(Date{static_cast<std::int32_t>(since)});
  }
  if (clock && (!calendar || rest != 0 || code.find_first_of("hH") != std::string_view::npos)) {
    if (!result.empty()) result += ' ';
    result += fmt::format("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
  }
  return result;
}

}  // namespace

std::string_view builtin_format(int id) {
  switch (id) {
    case 1:
      return "0";
    case 2:
      return "0.00";
    case 3:
      return "#,##0";
    case 4:
      return "#,##0.00";
    case 5:
    case 6:
      return "$#,##0;($#,##0)";
    case 7:
    case 8:
      return "$#,##0.00;($#,##0.00)";
    case 9:
      return "0%";
    case 10:
      return "0.00%";
    case 11:
      return "0.00E+00";
    case 12:
      return "# ?/?";
    case 13:
      return "# ?\?/??";
    case 14:
    case 15:
    case 16:
    case 17:
    case 27:
    case 30:
    case 36:
    case 50:
    case 57:
      return "yyyy-mm-dd";
    case 18:
    case 19:
    case 20:
    case 21:
      return "h:mm:ss";
    case 22:
      return "yyyy-mm-dd h:mm";
    case 37:
    case 38:
      return "#,##0;(#,##0)";
    case 39:
    case 40:
      return "#,##0.00;(#,##0.00)";
    case 41:
    case 42:
      return "#,##0";
    case 43:
    case 44:
      return "#,##0.00";
    case 45:
    case 47:
      return "mm:ss";
    case 46:
      return "[h]:mm:ss";
    case 48:
      return "##0.0E+0";
    case 49:
      return "@";
    default:
      return {};
  }
}

bool is_date_format(std::string_view code) {
  const auto first = sections(code).front();
  bool quoted = false;
  for (std::size_t i = 0; i < first.size(); ++i) {
    const char c = first[i];
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '\\' || c == '_' || c == '*') {
      ++i;
      continue;
    }
    if (c == '[') {
      const auto close = std::min(first.find(']', i), first.size());
      const auto inside = first.substr(i + 1, close - i - 1);
      if (!inside.empty() && inside.find_first_not_of("hHmMsS") == std::string_view::npos) return true;
      i = close;
      continue;
    }
    if (first.substr(i).starts_with("General")) return false;
    if (c == '0' || c == '#' || c == '?') return false;
    if (std::string_view("yYdDhHsSmM").find(c) != std::string_view::npos) return true;
  }
  return false;
}

std::string plain_number(double value) {
  if (!std::isfinite(value)) return "#NUM!";
  if (value == std::trunc(value) && std::abs(value) < 1e15)
    return fmt::format("{:.0f}", value == 0 ? 0 : value);
  return fmt::format("{:.15g}", value);
}

std::string format_number(double value, std::string_view code, bool from_1904) {
  if (code.empty() || code == "General" || code == "@" || !std::isfinite(value)) return plain_number(value);
  if (is_date_format(code)) return date_text(value, code, from_1904);
  const auto all = sections(code);
  std::size_t use = 0;
  if (value < 0 && all.size() > 1)
    use = 1;
  else if (value == 0 && all.size() > 2)
    use = 2;
  const bool own_sign = use == 1;
  const auto section = all[use];
  // A section with a condition of its own ("[<100]") cannot be chosen by sign.
  if (section.find("[<") != std::string_view::npos || section.find("[>") != std::string_view::npos ||
      section.find("[=") != std::string_view::npos || section.find("General") != std::string_view::npos)
    return plain_number(value);
  const Parts parts = parse_section(section);
  if (parts.fraction || (!parts.digits && parts.text)) return plain_number(value);
  if (!parts.digits) return section.empty() ? std::string() : parts.before;
  double shown = std::abs(value);
  for (int i = 0; i < parts.percents && i < 4; ++i) shown *= 100;
  for (int i = 0; i < parts.scale && i < 6; ++i) shown /= 1000;
  const int decimals = std::min(parts.decimals, kMaxDecimals);
  // Halves go away from zero, as shown, not as the nearest double happens to lie.
  const double nudged = shown < 1e12 ? shown * (1 + 2e-16 * 4) : shown;
  std::string digits =
      parts.exponent ? fmt::format("{:.{}E}", shown, decimals) : fmt::format("{:.{}f}", nudged, decimals);
  if (!parts.exponent) {
    if (digits.find('.') != std::string::npos) {
      auto least =
          digits.size() - static_cast<std::size_t>(decimals - std::min(parts.least_decimals, decimals));
      while (digits.size() > least && digits.back() == '0') digits.pop_back();
      if (digits.ends_with('.')) digits.pop_back();
    }
    const auto whole = std::min(digits.find('.'), digits.size());
    if (whole < static_cast<std::size_t>(std::min(parts.whole, 30)))
      digits.insert(0, static_cast<std::size_t>(std::min(parts.whole, 30)) - whole, '0');
    if (parts.grouped) digits = group(std::move(digits));
  }
  const bool zero = digits.find_first_of("123456789") == std::string::npos;
  return (value < 0 && !own_sign && !zero ? "-" : "") + parts.before + digits + parts.after;
}

}  // namespace castiel::content::documents::impl
