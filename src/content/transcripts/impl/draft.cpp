#include "content/transcripts/impl/draft.hpp"

#include <algorithm>

namespace castiel::content::transcripts::impl {
namespace {

constexpr std::size_t kMaxNameBytes = 64;
constexpr std::size_t kMaxNameWords = 6;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string collapse_spaces(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    // A no-break space is one too.
    const bool wide = text.substr(i, 2) == "\xC2\xA0";
    const bool space = wide || text[i] == ' ' || text[i] == '\t' || text[i] == '\r' || text[i] == '\n';
    if (wide) ++i;
    if (!space)
      out += text[i];
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::size_t count_words(std::string_view text) {
  std::size_t words = 0;
  bool inside = false;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    const bool letter = !space && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) ||
                                   static_cast<unsigned char>(c) >= 0x80);
    if (letter && !inside) ++words;
    if (space)
      inside = false;
    else if (letter)
      inside = true;
  }
  return words;
}

std::optional<double> clock_time(std::string_view text) {
  text = trim(text);
  double parts[3] = {0, 0, 0};
  std::size_t count = 0, at = 0;
  double fraction = 0;
  while (true) {
    std::size_t digits = 0;
    double value = 0;
    while (at < text.size() && is_digit(text[at]) && digits < 7) {
      value = value * 10 + (text[at++] - '0');
      ++digits;
    }
    if (digits == 0 || count == 3) return std::nullopt;
    parts[count++] = value;
    if (at < text.size() && text[at] == ':') {
      ++at;
      continue;
    }
    break;
  }
  if (count < 2) return std::nullopt;
  if (at < text.size() && (text[at] == '.' || text[at] == ',')) {
    ++at;
    double scale = 0.1;
    std::size_t digits = 0;
    while (at < text.size() && is_digit(text[at]) && digits < 9) {
      fraction += scale * (text[at++] - '0');
      scale /= 10;
      ++digits;
    }
  }
  if (at != text.size()) return std::nullopt;
  if (count == 2) return parts[0] * 60 + parts[1] + fraction;
  return parts[0] * 3600 + parts[1] * 60 + parts[2] + fraction;
}

std::optional<NamedText> split_name(std::string_view text) {
  text = trim(text);
  if (text.starts_with(">>")) text = trim(text.substr(2));
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon > kMaxNameBytes) return std::nullopt;
  if (colon + 1 < text.size() && text[colon + 1] != ' ' && text[colon + 1] != '\n' && text[colon + 1] != '\t')
    return std::nullopt;  // a time, an address
  auto name = trim(text.substr(0, colon));
  if (name.size() >= 2 &&
      ((name.front() == '[' && name.back() == ']') || (name.front() == '(' && name.back() == ')')))
    name = name.substr(1, name.size() - 2);
  const char first = name.empty() ? ' ' : name.front();
  const bool begins = (first >= 'A' && first <= 'Z') || static_cast<unsigned char>(first) >= 0x80;
  if (!begins || count_words(name) > kMaxNameWords) return std::nullopt;
  if (name.find_first_of(".?!,;\"") != std::string_view::npos) {
    // Initials and titles have dots ("J. Doe", "Dr. Who", "Doe, Jane"), sentences end with them.
    if (name.find_first_of("?!;\"") != std::string_view::npos || name.back() == '.') return std::nullopt;
  }
  return NamedText{name, trim(text.substr(colon + 1))};
}

}  // namespace castiel::content::transcripts::impl
