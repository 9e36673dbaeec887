#include "content/jsonl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/utf8.hpp"

namespace castiel::content {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// A validating parser of JSON text (RFC 8259) that keeps what it read as text: numbers must not pass through
// a double.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<std::vector<JsonField>> record() {
    skip_space();
    if (at_ < text_.size() && text_[at_] != '{') {
      if (!skip_value(0)) return fault();
      return permanent("unsupported", "the record is not a JSON object");
    }
    if (!object(std::string(), 0)) return fault();
    skip_space();
    if (at_ != text_.size()) return fault();
    return std::move(fields_);
  }

  // Skips one value; false if it is invalid.
  bool skip_value(int depth) {
    skip_space();
    if (at_ >= text_.size() || depth > kMaxJsonDepth) return false;
    switch (text_[at_]) {
      case '{':
        return members(depth, [&](const std::string&) { return skip_value(depth + 1); });
      case '[':
        return elements([&] { return skip_value(depth + 1); });
      case '"': {
        std::string ignored;
        return string(ignored);
      }
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }
  std::size_t at() const { return at_; }
  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  bool string(std::string& out) {
    ++at_;
    for (;;) {
      const std::size_t from = at_;
      while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
             static_cast<unsigned char>(text_[at_]) >= 0x20)
        ++at_;
      out.append(text_.substr(from, at_ - from));
      if (at_ >= text_.size() || static_cast<unsigned char>(text_[at_]) < 0x20) return false;
      if (text_[at_++] == '"') return true;
      if (!escape(out)) return false;
    }
  }
  template <class Each>
  bool elements(Each each) {
    ++at_;
    skip_space();
    if (take(']')) return true;
    do {
      if (!each()) return false;
      skip_space();
    } while (take(','));
    return take(']');
  }

 private:
  std::unexpected<Error> fault() const {
    return permanent("invalid_json", fmt::format("the JSON is not valid at byte {}", at_ + 1));
  }

  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return false;
    at_ += expected.size();
    return true;
  }
  bool digits() {
    const std::size_t from = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    return at_ > from;
  }
  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      if (!digits()) return false;
    }
    return true;
  }

  bool hex(char32_t& unit) {
    if (at_ + 4 > text_.size()) return false;
    unit = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = text_[at_++];
      const int digit = is_digit(c)            ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return false;
      unit = unit * 16 + static_cast<char32_t>(digit);
    }
    return true;
  }

  bool escape(std::string& out) {
    if (at_ >= text_.size()) return false;
    switch (const char c = text_[at_++]) {
      case '"':
      case '\\':
      case '/':
        out.push_back(c);
        return true;
      case 'b':
        out.push_back('\b');
        return true;
      case 'f':
        out.push_back('\f');
        return true;
      case 'n':
        out.push_back('\n');
        return true;
      case 'r':
        out.push_back('\r');
        return true;
      case 't':
        out.push_back('\t');
        return true;
      case 'u': {
        char32_t unit = 0, low = 0;
        if (!hex(unit)) return false;
        if (unit >= 0xD800 && unit < 0xDC00 && text_.substr(at_, 2) == "\\u") {
          const std::size_t back = at_;
          at_ += 2;
          if (!hex(low)) return false;
          if (low >= 0xDC00 && low < 0xE000)
            unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
          else
            at_ = back;
        }
        append_utf8(out, unit);
        return true;
      }
      default:
        return false;
    }
  }

  template <class Member>
  bool members(int depth, Member member) {
    if (depth > kMaxJsonDepth) return false;
    ++at_;
    skip_space();
    if (take('}')) return true;
    std::string name;
    do {
      skip_space();
      name.clear();
      if (at_ >= text_.size() || text_[at_] != '"' || !string(name)) return false;
      skip_space();
      if (!take(':')) return false;
      if (!member(name)) return false;
      skip_space();
    } while (take(','));
    return take('}');
  }

  bool object(const std::string& prefix, int depth) {
    return members(depth, [&](const std::string& name) { return value(prefix + name, depth + 1); });
  }

  bool value(std::string name, int depth) {
    skip_space();
    if (at_ >= text_.size()) return false;
    const std::size_t from = at_;
    switch (text_[at_]) {
      case '"': {
        std::string out;
        if (!string(out)) return false;
        put(std::move(name), JsonKind::string, std::move(out));
        return true;
      }
      case '{':
        if (depth < kMaxFlattenDepth) {
          name.push_back('.');
          return object(name, depth);
        }
        if (!skip_value(depth)) return false;
        put(std::move(name), JsonKind::object, std::string(text_.substr(from, at_ - from)));
        return true;
      case '[':
        if (!skip_value(depth)) return false;
        put(std::move(name), JsonKind::array, std::string(text_.substr(from, at_ - from)));
        return true;
      case 'n':
        if (!word("null")) return false;
        put(std::move(name), JsonKind::null, {});
        return true;
      case 't':
      case 'f':
        if (!word(text_[at_] == 't' ? "true" : "false")) return false;
        put(std::move(name), JsonKind::boolean, std::string(text_.substr(from, at_ - from)));
        return true;
      default:
        if (!number()) return false;
        put(std::move(name), JsonKind::number, std::string(text_.substr(from, at_ - from)));
        return true;
    }
  }

  // Most records have few members, which are found sooner by looking at each than by an index.
  static constexpr std::size_t kScanned = 32;

  JsonField* find(const std::string& name) {
    if (fields_.size() <= kScanned) {
      const auto it = std::ranges::find(fields_, name, &JsonField::name);
      return it == fields_.end() ? nullptr : &*it;
    }
    const auto it = index_.find(name);
    return it == index_.end() ? nullptr : &fields_[it->second];
  }

  void put(std::string name, JsonKind kind, std::string text) {
    if (JsonField* known = find(name); known != nullptr) {
      known->kind = kind;
      known->text = std::move(text);
      return;
    }
    if (fields_.size() == kMaxJsonFields) return;
    fields_.push_back({std::move(name), kind, std::move(text)});
    if (fields_.size() <= kScanned) return;
    for (std::size_t i = index_.empty() ? 0 : fields_.size() - 1; i < fields_.size(); ++i)
      index_.emplace(fields_[i].name, i);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<JsonField> fields_;
  std::unordered_map<std::string, std::size_t> index_;  // once there are more than kScanned
};

// The members in which APIs put the records of an answer.
constexpr std::array<std::string_view, 6> kWrappers{"records", "results", "value",
                                                    "data",    "items",   "objects"};

}  // namespace

std::string_view to_string(JsonKind kind) {
  static constexpr std::array<std::string_view, 6> kNames{"null",   "boolean", "number",
                                                          "string", "array",   "object"};
  return kNames[static_cast<std::size_t>(kind)];
}

Result<std::vector<JsonField>> parse_json_record(std::string_view text) {
  return Parser(text).record();
}

std::string_view without_bag(std::string_view name) {
  for (const std::string_view bag : {"properties.", "attributes.", "fields."}) {
    if (name.size() > bag.size() && name.starts_with(bag)) return name.substr(bag.size());
  }
  return name;
}

std::string first_of_array(std::string_view array, std::string_view member) {
  Parser parser(array);
  parser.skip_space();
  if (parser.at() >= array.size() || array[parser.at()] != '[') return {};
  std::string first, primary;
  bool any = false;
  parser.elements([&] {
    parser.skip_space();
    const std::size_t from = parser.at();
    if (from >= array.size()) return false;
    if (!parser.skip_value(0)) return false;
    const std::string_view element = array.substr(from, parser.at() - from);
    std::string value;
    bool is_primary = false;
    if (element.front() == '{') {
      const auto fields = parse_json_record(element);
      if (!fields) return false;
      for (const auto& field : *fields) {
        if (field.name == member) value = field.text;
        if ((field.name == "primary" || field.name == "isPrimary") && field.text == "true") is_primary = true;
      }
    } else if (element.front() == '"') {
      Parser inner(element);
      inner.string(value);
    } else if (element.front() != '[' && element != "null") {
      value = element;
    }
    if (!value.empty() && !any) {
      first = value;
      any = true;
    }
    if (is_primary && primary.empty()) primary = value;
    return true;
  });
  return primary.empty() ? first : primary;
}

Result<JsonStart> sniff_json(std::string_view sample, bool complete) {
  std::size_t at = 0;
  const auto space = [&] {
    while (at < sample.size() && is_space(sample[at])) ++at;
  };
  const auto none = [] { return permanent("unsupported", "the text holds no JSON objects"); };
  space();
  if (at >= sample.size()) return none();
  if (sample[at] == '[') {
    ++at;
    space();
    if (at < sample.size() && sample[at] != '{' && sample[at] != ']') return none();
    return JsonStart{JsonLayout::objects, at};
  }
  if (sample[at] != '{') return none();
  // One object a line if the first line is one; else one over several lines, or an answer that holds the
  // records.
  const std::size_t line_end = std::min(sample.find('\n', at), sample.size());
  const std::size_t begin = at;
  const bool one_line = parse_json_record(sample.substr(at, line_end - at)).has_value();
  std::size_t rest = line_end;
  while (rest < sample.size() && is_space(sample[rest])) ++rest;
  if (one_line && rest < sample.size()) return JsonStart{JsonLayout::lines, begin};
  std::size_t depth_at = 1;
  // A walk over the members of the first object, until one that holds an array of objects.
  std::string_view object = sample.substr(begin);
  while (depth_at < object.size()) {
    Parser walk(object.substr(depth_at));
    walk.skip_space();
    std::size_t k = depth_at + walk.at();
    if (k >= object.size() || object[k] != '"') break;
    Parser named(object.substr(k));
    std::string name;
    if (!named.string(name)) break;
    k += named.at();
    while (k < object.size() && is_space(object[k])) ++k;
    if (k >= object.size() || object[k] != ':') break;
    ++k;
    while (k < object.size() && is_space(object[k])) ++k;
    if (k < object.size() && object[k] == '[' && std::ranges::find(kWrappers, name) != kWrappers.end()) {
      std::size_t inner = k + 1;
      while (inner < object.size() && is_space(object[inner])) ++inner;
      if (inner >= object.size() || object[inner] == '{' || object[inner] == ']') {
        return JsonStart{JsonLayout::objects, begin + k + 1};
      }
    }
    Parser value(object.substr(k));
    if (!value.skip_value(0)) break;
    k += value.at();
    while (k < object.size() && is_space(object[k])) ++k;
    if (k >= object.size() || object[k] != ',') break;
    depth_at = k + 1;
  }
  if (one_line) return JsonStart{JsonLayout::lines, begin};
  // A first line that is damaged, in a file of lines: the second one tells.
  const std::size_t second_end = std::min(sample.find('\n', rest), sample.size());
  if (rest < sample.size() && sample[rest] == '{' && (second_end < sample.size() || complete) &&
      parse_json_record(sample.substr(rest, second_end - rest))) {
    return JsonStart{JsonLayout::lines, begin};
  }
  return JsonStart{JsonLayout::objects, begin};
}

JsonReader::JsonReader(JsonLayout layout, std::uint64_t offset, std::uint64_t line)
    : layout_(layout), base_(offset), line_(line) {}

void JsonReader::push(std::string_view text) {
  if (at_ > 0) {
    buffer_.erase(0, at_);
    base_ += at_;
    scan_ -= std::min(scan_, at_);
    at_ = 0;
  }
  buffer_.append(text);
}

void JsonReader::finish() {
  finished_ = true;
}

const JsonRecord* JsonReader::next() {
  return layout_ == JsonLayout::lines ? next_line() : next_object();
}

// A record of buffer_[at_, end), after which the next one begins at `next`.
const JsonRecord* JsonReader::emit(std::size_t end, std::size_t next, std::string_view error) {
  record_ = {};
  record_.line = skipping_ ? skip_line_ : line_;
  record_.offset = skipping_ ? skip_offset_ : base_ + at_;
  if (skipping_) {
    record_.source = kept_;
  } else {
    record_.source = std::string_view(buffer_).substr(at_, end - at_);
    if (!error.empty()) record_.source = utf8_prefix(record_.source, kMaxErrorSourceBytes);
  }
  record_.error = error;
  line_ += static_cast<std::uint64_t>(std::count(buffer_.begin() + static_cast<std::ptrdiff_t>(at_),
                                                 buffer_.begin() + static_cast<std::ptrdiff_t>(next), '\n'));
  at_ = scan_ = next;
  skipping_ = false;
  record_.end_offset = base_ + at_;
  record_.end_line = line_;
  return &record_;
}

const JsonRecord* JsonReader::next_line() {
  for (;;) {
    scan_ = std::max(scan_, at_);
    const std::size_t found = buffer_.find('\n', scan_);
    const bool has_end = found != buffer_.npos;
    const std::size_t end = has_end ? found : buffer_.size();
    if (skipping_ || end - at_ > kMaxRecordBytes) {
      if (!skipping_) {
        skipping_ = true;
        skip_offset_ = base_ + at_;
        skip_line_ = line_;
        kept_ = utf8_prefix(std::string_view(buffer_).substr(at_, end - at_), kMaxErrorSourceBytes);
      }
      if (has_end || finished_) return emit(end, end + (has_end ? 1 : 0), "line_too_long");
      at_ = scan_ = end;
      return nullptr;
    }
    scan_ = end;
    if (!has_end && !finished_) return nullptr;
    if (at_ >= buffer_.size()) return nullptr;
    std::size_t first = at_, last = end;
    while (first < last && is_space(buffer_[first])) ++first;
    while (last > first && is_space(buffer_[last - 1])) --last;
    if (first == last) {
      line_ += has_end;
      at_ = scan_ = end + (has_end ? 1 : 0);
      if (!has_end) return nullptr;
      continue;
    }
    at_ = first;
    return emit(last, end + (has_end ? 1 : 0), {});
  }
}

const JsonRecord* JsonReader::next_object() {
  if (ended_) {
    at_ = buffer_.size();
    return nullptr;
  }
  // Between records: white space, commas, and the array's own brackets.
  while (depth_ == 0 && !junk_ && at_ < buffer_.size()) {
    const char c = buffer_[at_];
    if (c == '{') break;
    if (c == ']') {
      ended_ = true;
      at_ = buffer_.size();
      return nullptr;
    }
    if (!is_space(c) && c != ',' && c != '[') junk_ = true;
    if (junk_) break;
    line_ += c == '\n';
    ++at_;
  }
  scan_ = std::max(scan_, at_);
  while (scan_ < buffer_.size()) {
    const char c = buffer_[scan_];
    if (junk_) {
      // Something that is no object: an error up to the next object or line.
      if (c == '{' || c == '\n') {
        junk_ = false;
        return emit(scan_, scan_, skipping_ ? "line_too_long" : "invalid_json");
      }
    } else if (in_string_) {
      if (escaped_)
        escaped_ = false;
      else if (c == '\\')
        escaped_ = true;
      else if (c == '"')
        in_string_ = false;
    } else if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if ((c == '}' || c == ']') && --depth_ == 0) {
      const std::size_t end = scan_ + 1;
      const bool too_long = skipping_ || end - at_ > kMaxRecordBytes;
      return emit(end, end, too_long ? "line_too_long" : std::string_view());
    }
    ++scan_;
  }
  if (scan_ - at_ > kMaxRecordBytes || skipping_) {
    if (!skipping_) {
      skipping_ = true;
      skip_offset_ = base_ + at_;
      skip_line_ = line_;
      kept_ = utf8_prefix(std::string_view(buffer_).substr(at_), kMaxErrorSourceBytes);
    }
    line_ += static_cast<std::uint64_t>(
        std::count(buffer_.begin() + static_cast<std::ptrdiff_t>(at_), buffer_.end(), '\n'));
    at_ = scan_ = buffer_.size();
  }
  if (finished_ && (at_ < buffer_.size() || skipping_)) {
    depth_ = 0;
    junk_ = in_string_ = escaped_ = false;
    return emit(buffer_.size(), buffer_.size(), skipping_ ? "line_too_long" : "invalid_json");
  }
  return nullptr;
}

}  // namespace castiel::content
