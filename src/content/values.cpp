#include "content/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "content/impl/values_common.hpp"
#include "content/name_key.hpp"
#include "model/entity.hpp"

namespace castiel::content {
namespace {

using impl::is_digit;

// Bytes of the white space or zero-width character `text` begins with; 0 for none.
std::size_t space_length(std::string_view text) {
  const auto c = static_cast<unsigned char>(text.front());
  if (c == ' ' || (c >= 9 && c <= 13)) return 1;
  if (c < 0x80) return 0;
  if (text.starts_with("\xC2\xA0")) return 2;
  if (text.size() < 3) return 0;
  const auto d = static_cast<unsigned char>(text[1]), e = static_cast<unsigned char>(text[2]);
  if (c == 0xE2 && d == 0x80 && ((e >= 0x80 && e <= 0x8D) || e == 0xA8 || e == 0xA9 || e == 0xAF)) return 3;
  if (c == 0xE3 && d == 0x80 && e == 0x80) return 3;
  if (c == 0xEF && d == 0xBB && e == 0xBF) return 3;  // a byte order mark that slipped in
  return 0;
}

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::ranges::find(words, word) != words.end();
}

bool is_host(std::string_view host) {
  if (host.empty() || host.size() > 253 || host.find('.') == host.npos || host.front() == '.' ||
      host.back() == '.' || host.find("..") != host.npos) {
    return false;
  }
  return std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '.' ||
           static_cast<unsigned char>(c) >= 0x80;
  });
}

// A host that ends in letters, as a plain domain in a table does ("acme.co.uk"); "12.5" is none.
bool is_plain_domain(std::string_view text) {
  if (!is_host(text)) return false;
  const std::string_view top = text.substr(text.rfind('.') + 1);
  return top.size() >= 2 && top.size() <= 24 &&
         std::ranges::all_of(top, [](char c) { return c >= 'a' && c <= 'z'; });
}

}  // namespace

std::string_view to_string(NumberStyle style) {
  static constexpr std::array<std::string_view, 3> kNames{"unknown", "point", "comma"};
  return kNames[static_cast<std::size_t>(style)];
}
std::string_view to_string(DateOrder order) {
  static constexpr std::array<std::string_view, 4> kNames{"unknown", "dmy", "mdy", "ymd"};
  return kNames[static_cast<std::size_t>(order)];
}
std::string_view to_string(FractionScale scale) {
  static constexpr std::array<std::string_view, 3> kNames{"unknown", "unit", "percent"};
  return kNames[static_cast<std::size_t>(scale)];
}
std::optional<NumberStyle> number_style(std::string_view text) {
  for (const auto style : {NumberStyle::unknown, NumberStyle::decimal_point, NumberStyle::decimal_comma}) {
    if (to_string(style) == text) return style;
  }
  return std::nullopt;
}
std::optional<DateOrder> date_order(std::string_view text) {
  for (const auto order : {DateOrder::unknown, DateOrder::dmy, DateOrder::mdy, DateOrder::ymd}) {
    if (to_string(order) == text) return order;
  }
  return std::nullopt;
}
std::optional<FractionScale> fraction_scale(std::string_view text) {
  for (const auto scale : {FractionScale::unknown, FractionScale::unit, FractionScale::percent}) {
    if (to_string(scale) == text) return scale;
  }
  return std::nullopt;
}

std::string_view trim(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = space_length(text);
    if (length == 0) break;
    text.remove_prefix(length);
  }
  while (!text.empty()) {
    std::size_t length = 0;
    for (std::size_t n = 1; n <= 3 && n <= text.size() && length == 0; ++n) {
      if (space_length(text.substr(text.size() - n)) == n) length = n;
    }
    if (length == 0) break;
    text.remove_suffix(length);
  }
  return text;
}

bool is_missing(std::string_view text) {
  text = trim(text);
  if (text.empty()) return true;
  if (text.size() > 9 || std::string_view("-—–nN#(\\").find(text.front()) == text.npos) return false;
  static constexpr std::array<std::string_view, 16> kWords{
      "-",    "--",      "—",   "null", "n/a",    "#n/a",     "na",  "nan",
      "none", "(blank)", "\\n", "nil",  "(none)", "--none--", "---", "–"};
  const std::string word = impl::ascii_lower(text);
  return word == "--none--" || is_one_of(word, kWords);
}

Result<bool> parse_boolean(std::string_view text) {
  static constexpr std::array<std::string_view, 16> kTrue{
      "true", "yes", "y",    "1",    "t",   "x",       "on",        "ja",
      "oui",  "si",  "wahr", "vrai", "sim", "checked", "s\xC3\xAD", "verdadero"};
  static constexpr std::array<std::string_view, 14> kFalse{
      "false", "no",  "n",    "0",      "f",          "off",       "nein",
      "non",   "nee", "faux", "falsch", "n\xC3\xA3o", "unchecked", "falso"};
  const std::string word = impl::ascii_lower(trim(text));
  if (is_one_of(word, kTrue)) return true;
  if (is_one_of(word, kFalse)) return false;
  return permanent("invalid_boolean", fmt::format("'{}' is neither true nor false", impl::shown(text)));
}

Result<std::string> parse_status(std::string_view text) {
  static constexpr std::array<std::string_view, 10> kOpen{
      "open", "new", "active", "inprogress", "pending", "onhold", "offen", "working", "ouvert", "abierto"};
  static constexpr std::array<std::string_view, 4> kWon{"gewonnen", "gagne", "ganado", "ganada"};
  static constexpr std::array<std::string_view, 6> kLost{"verloren", "perdu",     "perdido",
                                                         "perdida",  "abandoned", "deleted"};
  const std::string_view closed = model::status_of_stage(text);
  if (closed != "open") return std::string(closed);
  const std::string word = name_key(text);
  if (is_one_of(word, kOpen)) return "open";
  if (is_one_of(word, kWon)) return "won";
  if (is_one_of(word, kLost)) return "lost";
  return permanent("invalid_status", fmt::format("'{}' is none of open, won and lost", impl::shown(text)));
}

Result<std::string> parse_email(std::string_view text) {
  const auto bad = [&] {
    return permanent("invalid_email", fmt::format("'{}' is not an e-mail address", impl::shown(text)));
  };
  std::string_view address = trim(text);
  if (const auto open = address.rfind('<'); open != address.npos && address.ends_with('>')) {
    address = trim(address.substr(open + 1, address.size() - open - 2));
  }
  if (impl::ascii_lower(address.substr(0, 7)) == "mailto:") address = trim(address.substr(7));
  const auto at = address.rfind('@');
  if (at == address.npos || at == 0 || at > 64 || address.size() > 254) return bad();
  const std::string_view local = address.substr(0, at);
  const bool quoted = local.size() > 2 && local.front() == '"' && local.back() == '"';
  if (!quoted && local.find_first_of(" \t\r\n\",:;<>()[]\\@") != local.npos) return bad();
  const std::string domain = impl::ascii_lower(address.substr(at + 1));
  if (!is_host(domain)) return bad();
  return std::string(local) + "@" + domain;
}

Result<std::string> parse_url(std::string_view text) {
  const auto bad = [&] {
    return permanent("invalid_url", fmt::format("'{}' is not a web address", impl::shown(text)));
  };
  const std::string_view url = trim(text);
  if (url.empty() || url.size() > 2048 || url.find_first_of(" \t\r\n\"<>") != url.npos) return bad();
  std::string scheme = "https";
  std::string_view rest = url;
  if (const auto colon = url.find("://"); colon != url.npos) {
    scheme = impl::ascii_lower(url.substr(0, colon));
    if (scheme != "http" && scheme != "https" && scheme != "ftp") return bad();
    rest = url.substr(colon + 3);
  } else if (url.starts_with("//")) {
    rest = url.substr(2);
  }
  const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  std::string_view authority = rest.substr(0, end);
  std::string_view host = authority.substr(authority.rfind('@') + 1);
  host = host.substr(0, host.find(':'));
  if (!is_host(impl::ascii_lower(host))) return bad();
  return scheme + "://" + impl::ascii_lower(authority) + std::string(rest.substr(end));
}

std::string domain_of(std::string_view text) {
  if (const auto email = parse_email(text)) return email->substr(email->rfind('@') + 1);
  const auto url = parse_url(text);
  if (!url) return {};
  std::string_view host = std::string_view(*url).substr(url->find("://") + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  host = host.substr(host.rfind('@') + 1);
  host = host.substr(0, host.find(':'));
  if (host.starts_with("www.")) host.remove_prefix(4);
  return std::string(host);
}

ValueShape shape_of(std::string_view value) {
  value = trim(value);
  if (is_missing(value)) return ValueShape::empty;
  if (value.size() > 300) return ValueShape::text;
  if (value.find('@') != value.npos && parse_email(value)) return ValueShape::email;
  const std::string lower = impl::ascii_lower(value);
  if (lower.starts_with("http://") || lower.starts_with("https://") || lower.starts_with("www.") ||
      is_plain_domain(lower)) {
    return ValueShape::url;
  }
  if (lower == "true" || lower == "false" || lower == "yes" || lower == "no") return ValueShape::boolean;
  if (!std::ranges::any_of(value, is_digit)) return ValueShape::text;
  if (value.ends_with('%'))
    return parse_number(value.substr(0, value.size() - 1)) ? ValueShape::percent : ValueShape::text;
  if (const auto amount = parse_amount(value))
    return amount->currency.empty() ? ValueShape::number : ValueShape::money;
  if (const auto time = parse_time_value(value)) return time->date_only ? ValueShape::date : ValueShape::time;
  return ValueShape::text;
}

ValueShape column_shape(std::span<const std::string_view> values) {
  std::array<std::size_t, 10> counts{};
  std::size_t filled = 0;
  for (const auto value : values) {
    const ValueShape shape = shape_of(value);
    ++counts[static_cast<std::size_t>(shape)];
    filled += shape != ValueShape::empty;
  }
  if (filled == 0) return ValueShape::empty;
  for (std::size_t i = 1; i < counts.size(); ++i) {
    // Nine in ten: a few values in another form do not make a column text.
    if (counts[i] * 10 >= filled * 9) return static_cast<ValueShape>(i);
  }
  const auto at = [&](ValueShape shape) { return counts[static_cast<std::size_t>(shape)]; };
  if ((at(ValueShape::number) + at(ValueShape::money)) * 10 >= filled * 9) return ValueShape::money;
  if ((at(ValueShape::date) + at(ValueShape::time)) * 10 >= filled * 9) return ValueShape::time;
  return ValueShape::text;
}

}  // namespace castiel::content
