#include "content/documents/impl/numbering.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace castiel::content::documents::impl {
namespace {

constexpr int kMaxLevels = 9;
constexpr int kMaxStyleChain = 20;

int number_or(std::string_view text, int fallback) {
  int value = fallback;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string roman(int value) {
  static constexpr std::array<std::pair<int, std::string_view>, 13> kSigns{{{1000, "M"},
                                                                            {900, "CM"},
                                                                            {500, "D"},
                                                                            {400, "CD"},
                                                                            {100, "C"},
                                                                            {90, "XC"},
                                                                            {50, "L"},
                                                                            {40, "XL"},
                                                                            {10, "X"},
                                                                            {9, "IX"},
                                                                            {5, "V"},
                                                                            {4, "IV"},
                                                                            {1, "I"}}};
  std::string result;
  if (value <= 0 || value > 3999) return std::to_string(value);
  for (const auto& [amount, sign] : kSigns) {
    for (; value >= amount; value -= amount) result += sign;
  }
  return result;
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

}  // namespace

std::string number_text(int value, std::string_view format) {
  if (format == "upperRoman") return roman(value);
  if (format == "lowerRoman") return lower(roman(value));
  if (format == "upperLetter" || format == "lowerLetter") {
    if (value <= 0 || value > 26 * 30) return std::to_string(value);
    const char letter = static_cast<char>((format == "upperLetter" ? 'A' : 'a') + (value - 1) % 26);
    return std::string(static_cast<std::size_t>((value - 1) / 26 + 1), letter);
  }
  if (format == "ordinal") {
    const int last = value % 10, teens = value % 100 / 10;
    const std::string_view end = teens == 1  ? "th"
                                 : last == 1 ? "st"
                                 : last == 2 ? "nd"
                                 : last == 3 ? "rd"
                                             : "th";
    return std::to_string(value) + std::string(end);
  }
  if (format == "decimalZero" && value < 10) return "0" + std::to_string(value);
  return std::to_string(value);
}

Numbering::Numbering(const Package& package) {
  if (package.find("word/numbering.xml")) {
    if (const auto tree = parse_part(package, "word/numbering.xml")) read_lists((*tree)->document_element());
  }
  if (package.find("word/styles.xml")) {
    if (const auto tree = parse_part(package, "word/styles.xml")) read_styles((*tree)->document_element());
  }
}

void Numbering::read_lists(const pugi::xml_node& root) {
  const auto read_level = [](const pugi::xml_node& node) {
    Level level;
    level.start = number_or(attribute(child(node, "start"), "val"), 0);
    level.format = attribute(child(node, "numFmt"), "val");
    level.text = attribute(child(node, "lvlText"), "val");
    level.legal = static_cast<bool>(child(node, "isLgl"));
    return level;
  };
  std::map<std::string, std::map<int, Level>> abstracts;
  for (const auto& node : root) {
    if (local(node) != "abstractNum") continue;
    auto& levels = abstracts[std::string(attribute(node, "abstractNumId"))];
    for (const auto& level : node) {
      if (local(level) == "lvl") levels[number_or(attribute(level, "ilvl"), 0)] = read_level(level);
    }
  }
  for (const auto& node : root) {
    if (local(node) != "num") continue;
    List list;
    list.abstract = attribute(child(node, "abstractNumId"), "val");
    list.levels = abstracts[list.abstract];
    for (const auto& over : node) {
      if (local(over) != "lvlOverride") continue;
      const int at = number_or(attribute(over, "ilvl"), 0);
      if (const auto level = child(over, "lvl")) list.levels[at] = read_level(level);
      if (const auto start = child(over, "startOverride"))
        list.restarts[at] = number_or(attribute(start, "val"), 1);
    }
    lists_.emplace(attribute(node, "numId"), std::move(list));
  }
}

void Numbering::read_styles(const pugi::xml_node& root) {
  for (const auto& node : root) {
    if (local(node) != "style" || attribute(node, "type") != "paragraph") continue;
    Style style;
    style.based_on = attribute(child(node, "basedOn"), "val");
    const auto number = child(child(node, "pPr"), "numPr");
    style.list = attribute(child(number, "numId"), "val");
    style.level = number_or(attribute(child(number, "ilvl"), "val"), -1);
    const std::string id(attribute(node, "styleId"));
    if (attribute(node, "default") == "1") default_style_ = id;
    styles_.emplace(id, std::move(style));
  }
}

std::string Numbering::next(const pugi::xml_node& properties) {
  const auto number = child(properties, "numPr");
  std::string list_id(attribute(child(number, "numId"), "val"));
  int level = number_or(attribute(child(number, "ilvl"), "val"), -1);
  std::string style(attribute(child(properties, "pStyle"), "val"));
  for (int i = 0; i < kMaxStyleChain && (list_id.empty() || level < 0); ++i) {
    const auto known = styles_.find(style);
    if (known == styles_.end()) break;
    if (list_id.empty()) list_id = known->second.list;
    if (level < 0) level = known->second.level;
    style = known->second.based_on;
  }
  if (list_id.empty() || list_id == "0") return {};
  level = std::clamp(level, 0, kMaxLevels - 1);
  const auto found = lists_.find(list_id);
  if (found == lists_.end()) return {};
  const List& list = found->second;
  const auto own = list.levels.find(level);
  if (own == list.levels.end()) return {};

  auto& counters = counters_[list.abstract];
  counters.resize(kMaxLevels, -1);
  if (!restarted_[list_id]) {
    restarted_[list_id] = true;
    for (const auto& [at, start] : list.restarts) {
      if (at >= 0 && at < kMaxLevels) counters[static_cast<std::size_t>(at)] = start - 1;
    }
  }
  const auto start_of_level = [&](int at) {
    const auto known = list.levels.find(at);
    return known == list.levels.end() ? 1 : known->second.start;
  };
  auto& counter = counters[static_cast<std::size_t>(level)];
  counter = counter < 0 ? start_of_level(level) : std::min(counter + 1, 1'000'000);
  for (int deeper = level + 1; deeper < kMaxLevels; ++deeper) counters[static_cast<std::size_t>(deeper)] = -1;
  if (own->second.format == "bullet" || own->second.format == "none") return {};

  std::string result;
  const std::string& pattern = own->second.text;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%' || i + 1 >= pattern.size() || pattern[i + 1] < '1' || pattern[i + 1] > '9') {
      result += pattern[i];
      continue;
    }
    const int at = pattern[++i] - '1';
    const int value = counters[static_cast<std::size_t>(at)] < 0 ? start_of_level(at)
                                                                 : counters[static_cast<std::size_t>(at)];
    const auto known = list.levels.find(at);
    const std::string_view format =
        known == list.levels.end() ? std::string_view("decimal") : std::string_view(known->second.format);
    result += number_text(value, own->second.legal && at != level ? "decimal" : format);
  }
  return result;
}

}  // namespace castiel::content::documents::impl
