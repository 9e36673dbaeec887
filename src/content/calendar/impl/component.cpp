#include "content/calendar/impl/component.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.hpp"

namespace castiel::content::calendar::impl {
namespace {

// The next logical line: continuation lines joined, without line ends.
bool next_line(std::string_view text, std::size_t& at, std::string& out) {
  out.clear();
  if (at >= text.size()) return false;
  while (at < text.size()) {
    auto end = text.find_first_of("\r\n", at);
    if (end == std::string_view::npos) end = text.size();
    if (out.size() < kMaxPropertyBytes)
      out.append(text.substr(at, std::min(end - at, kMaxPropertyBytes - out.size())));
    at = end;
    if (at < text.size() && text[at] == '\r') ++at;
    if (at < text.size() && text[at] == '\n') ++at;
    if (at >= text.size() || (text[at] != ' ' && text[at] != '\t')) break;
    ++at;
  }
  return true;
}

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// RFC 6868: ^n, ^^ and ^' in a parameter's value.
std::string parameter_text(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') continue;
    if (text[i] == '^' && i + 1 < text.size() &&
        (text[i + 1] == 'n' || text[i + 1] == '^' || text[i + 1] == '\'')) {
      ++i;
      out += text[i] == 'n' ? '\n' : text[i] == '^' ? '^' : '"';
      continue;
    }
    out += text[i];
  }
  return out;
}

// vCalendar 1.0's way of lines with line ends and foreign letters.
std::string quoted_printable(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '=' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// NAME;PARAM=value;PARAM="a:b":value. False for lines that are none.
bool parse_line(std::string_view line, Property& out) {
  std::size_t at = 0;
  while (at < line.size() && line[at] != ':' && line[at] != ';') ++at;
  if (at == line.size() || at == 0) return false;
  out.name = upper_ascii(trimmed(line.substr(0, at)));
  if (out.name.empty() || out.name.size() > 128) return false;
  while (at < line.size() && line[at] == ';') {
    const auto begin = ++at;
    bool quoted = false;
    while (at < line.size() && (quoted || (line[at] != ':' && line[at] != ';'))) {
      if (line[at] == '"') quoted = !quoted;
      ++at;
    }
    if (at == line.size() && quoted) {  // a quote that never closes: it means nothing
      at = begin;
      while (at < line.size() && line[at] != ':' && line[at] != ';') ++at;
    }
    const auto parameter = line.substr(begin, at - begin);
    const auto equals = parameter.find('=');
    if (out.parameters.size() < kMaxParameters) {
      if (equals == std::string_view::npos)
        out.parameters.emplace_back(upper_ascii(trimmed(parameter)), "");
      else
        out.parameters.emplace_back(upper_ascii(trimmed(parameter.substr(0, equals))),
                                    parameter_text(trimmed(parameter.substr(equals + 1))));
    }
  }
  if (at >= line.size()) return false;
  out.value = line.substr(at + 1);
  const bool encoded = std::ranges::any_of(out.parameters, [](const auto& p) {
    return p.first == "QUOTED-PRINTABLE" || upper_ascii(p.second) == "QUOTED-PRINTABLE";
  });
  if (encoded) out.value = quoted_printable(out.value);
  return true;
}

class Builder {
 public:
  explicit Builder(Parsed& out) : out_(out) {}

  void begin(std::string name) {
    if (too_deep_ > 0 || stack_.size() >= kMaxDepth || ++components_ > kMaxComponents) {
      if (too_deep_++ == 0) warn("components nested too deep, or too many of them, were left out");
      return;
    }
    stack_.emplace_back();
    stack_.back().name = std::move(name);
  }
  void end(std::string_view name) {
    if (too_deep_ > 0) {
      --too_deep_;
      return;
    }
    const auto same = [&](const Component& c) { return c.name == name; };
    if (std::ranges::none_of(stack_, same))
      return warn(fmt::format("END:{} without its beginning", name.substr(0, 40)));
    while (stack_.back().name != name) {
      warn(fmt::format("{} has no end", stack_.back().name.substr(0, 40)));
      close();
    }
    close();
  }
  void add(Property property) {
    if (stack_.empty() || too_deep_ > 0) return;
    if (++properties_ > kMaxProperties) return warn("too many properties; the rest was left out");
    stack_.back().properties.push_back(std::move(property));
  }
  void finish() {
    if (!stack_.empty()) warn("the file ends in the middle of a component");
    while (!stack_.empty()) close();
    if (!loose_.empty()) {
      Component root;
      root.name = "VCALENDAR";
      root.children = std::move(loose_);
      out_.roots.push_back(std::move(root));
    }
  }
  bool inside() const { return !stack_.empty(); }
  void warn(std::string text) {
    if (out_.warnings.size() < 20 && (out_.warnings.empty() || out_.warnings.back() != text))
      out_.warnings.push_back(std::move(text));
  }

 private:
  void close() {
    Component done = std::move(stack_.back());
    stack_.pop_back();
    if (!stack_.empty())
      stack_.back().children.push_back(std::move(done));
    else if (done.name == "VCALENDAR")
      out_.roots.push_back(std::move(done));
    else
      loose_.push_back(std::move(done));
  }

  Parsed& out_;
  std::vector<Component> stack_, loose_;
  std::size_t components_ = 0, properties_ = 0, too_deep_ = 0;
};

std::string scalar_text(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_null() || value.is_structured()) return {};
  return json::serialize(value);
}

// jCal writes times as 2008-04-20T10:00:00Z and offsets as -05:00.
std::string without_marks(std::string text, std::string_view type) {
  if (type == "date" || type == "date-time" || type == "period" || type == "time")
    std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  else if (type == "utc-offset")
    std::erase(text, ':');
  return text;
}

std::string recur_text(const json::object& rule) {
  std::string out;
  for (const auto& [key, value] : rule) {
    if (!out.empty()) out += ';';
    out += upper_ascii(key);
    out += '=';
    if (value.is_array()) {
      bool first = true;
      for (const auto& item : value.get_array()) {
        if (!first) out += ',';
        first = false;
        out += scalar_text(item);
      }
    } else {
      out += key == "until" ? without_marks(scalar_text(value), "date-time") : scalar_text(value);
    }
  }
  return out;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == ',' || c == ';') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

void add_jcal(const json::value& value, Builder& builder, std::size_t depth) {
  const auto* parts = value.if_array();
  if (depth > kMaxDepth || parts == nullptr || parts->size() < 2 || !(*parts)[0].is_string()) return;
  const std::string name = upper_ascii(std::string_view((*parts)[0].get_string()));
  builder.begin(name);
  if (const auto* properties = (*parts)[1].if_array()) {
    for (const auto& item : *properties) {
      const auto* fields = item.if_array();
      if (fields == nullptr || fields->size() < 4 || !(*fields)[0].is_string()) continue;
      Property property;
      property.name = upper_ascii(std::string_view((*fields)[0].get_string()));
      if (const auto* parameters = (*fields)[1].if_object()) {
        for (const auto& [key, parameter] : *parameters) {
          if (property.parameters.size() < kMaxParameters)
            property.parameters.emplace_back(upper_ascii(key), scalar_text(parameter));
        }
      }
      const std::string type = scalar_text((*fields)[2]);
      if (type == "date") property.parameters.emplace_back("VALUE", "DATE");
      for (std::size_t i = 3; i < fields->size(); ++i) {
        const auto& field = (*fields)[i];
        if (i > 3) property.value += ',';
        if (field.is_object())
          property.value += recur_text(field.get_object());
        else if (type == "text")
          property.value += escaped(scalar_text(field));
        else
          property.value += without_marks(scalar_text(field), type);
      }
      builder.add(std::move(property));
    }
  }
  if (parts->size() > 2) {
    if (const auto* children = (*parts)[2].if_array()) {
      for (const auto& child : *children) add_jcal(child, builder, depth + 1);
    }
  }
  builder.end(name);
}

}  // namespace

std::string upper_ascii(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return out;
}

std::string unescape(std::string_view value) {
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\' && i + 1 < value.size()) {
      const char next = value[i + 1];
      if (next == 'n' || next == 'N')
        out += '\n';
      else if (next == ',' || next == ';' || next == '\\' || next == ':' || next == '"')
        out += next;
      else {
        out += '\\';
        out += next;
      }
      ++i;
    } else {
      out += value[i];
    }
  }
  return out;
}

std::vector<std::string_view> split_values(std::string_view value) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= value.size(); ++i) {
    if (i < value.size() && value[i] == '\\') {
      ++i;
    } else if (i == value.size() || value[i] == ',') {
      const auto part = trimmed(value.substr(begin, i - begin));
      if (!part.empty()) parts.push_back(part);
      begin = i + 1;
    }
  }
  return parts;
}

std::string_view Property::parameter(std::string_view wanted) const {
  for (const auto& [key, text] : parameters) {
    if (key == wanted) return text;
  }
  return {};
}

const Property* Component::find(std::string_view wanted) const {
  const auto found = std::ranges::find(properties, wanted, &Property::name);
  return found == properties.end() ? nullptr : &*found;
}

std::string Component::text(std::string_view wanted) const {
  const auto* property = find(wanted);
  return property == nullptr ? std::string() : unescape(property->value);
}

Result<Parsed> parse_components(std::string_view text) {
  Parsed out;
  Builder builder(out);
  std::size_t at = 0, damaged = 0;
  std::string line;
  while (next_line(text, at, line)) {
    if (trimmed(line).empty()) continue;
    Property property;
    if (!parse_line(line, property)) {
      damaged += builder.inside() ? 1 : 0;
      continue;
    }
    if (property.name == "BEGIN")
      builder.begin(upper_ascii(trimmed(property.value)));
    else if (property.name == "END")
      builder.end(upper_ascii(trimmed(property.value)));
    else
      builder.add(std::move(property));
  }
  builder.finish();
  if (damaged > 0) builder.warn(fmt::format("{} lines that are no properties", damaged));
  if (out.roots.empty()) return permanent("corrupt", "no calendar in the file");
  return out;
}

Result<Parsed> parse_jcal(const json::value& value) {
  Parsed out;
  Builder builder(out);
  const auto* list = value.if_array();
  if (list != nullptr && !list->empty() && (*list)[0].is_array()) {
    for (const auto& item : *list) add_jcal(item, builder, 0);
  } else {
    add_jcal(value, builder, 0);
  }
  builder.finish();
  if (out.roots.empty()) return permanent("corrupt", "no calendar in the file");
  return out;
}

}  // namespace castiel::content::calendar::impl
