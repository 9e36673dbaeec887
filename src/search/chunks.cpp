#include "search/chunks.hpp"

#include <algorithm>
#include <array>

#include "base/json.hpp"
#include "base/utf8.hpp"
#include "model/entity.hpp"

namespace castiel::search {
namespace {

namespace type = model::type;

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// Where to cut a text that is too long: after a paragraph, a line, a sentence or a word, in the second half.
std::size_t cut_at(std::string_view text) {
  const auto whole = utf8_prefix(text, kChunkBytes);
  for (const std::string_view mark : {"\n\n", "\n", ". ", " "}) {
    const auto at = whole.rfind(mark);
    if (at != whole.npos && at >= kChunkBytes / 2) return at + mark.size();
  }
  return std::max<std::size_t>(whole.size(), 1);
}

double number(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_number() ? value->to_number<double>() : 0;
}

class Splitter {
 public:
  explicit Splitter(const model::Shard& shard) : shard_(&shard), at_(shard.source_version) {}

  void date(const json::object& data, std::initializer_list<const char*> members) {
    for (const char* member : members) {
      const auto text = string_or(data, member);
      if (const auto time = parse_timestamp(text)) {
        at_ = *time;
        return;
      }
      if (const auto day = parse_date(text)) {
        at_ = start_of(*day);
        return;
      }
    }
  }
  void title(std::string text) { title_ = std::move(text); }

  // Adds the text in pieces; `locator` says whose code points start and end are.
  void add(const json::object& locator, std::string_view text) {
    std::size_t start = 0;
    while (!text.empty() && chunks_.size() < kMaxChunks) {
      const auto piece = text.size() <= kChunkBytes ? text : text.substr(0, cut_at(text));
      const std::size_t length = code_points(piece);
      if (piece.find_first_not_of(" \t\r\n") != piece.npos) {
        auto where = locator;
        where["start"] = start;
        where["end"] = start + length;
        push(where, std::string(piece));
      }
      start += length;
      text.remove_prefix(piece.size());
    }
  }
  // A piece that has only its title.
  void add_title(const json::object& locator) {
    if (chunks_.empty() && !title_.empty()) push(locator, "");
  }
  std::vector<storage::SearchChunk> take() { return std::move(chunks_); }
  bool empty() const { return chunks_.empty(); }

 private:
  void push(const json::object& locator, std::string text) {
    chunks_.push_back({shard_->id, shard_->key.type, static_cast<int>(chunks_.size()), at_,
                       json::serialize(locator), title_, std::move(text)});
  }
  const model::Shard* shard_;
  Timestamp at_;
  std::string title_;
  std::vector<storage::SearchChunk> chunks_;
};

void split_communication(Splitter& out, const json::object& data) {
  out.date(data, {"sentAt", "receivedAt"});
  std::string title = string_or(data, "subject");
  if (const auto* channel = get_object(data, "channel"); channel != nullptr && title.empty()) {
    const auto name = string_or(*channel, "name");
    if (!name.empty()) title = "#" + name;
  }
  out.title(std::move(title));
  const bool own_words = !string_or(data, "bodyPlainText").empty();
  const json::object locator{{"message", string_or(data, "messageId")},
                             {"field", own_words ? "bodyPlainText" : "body"}};
  out.add(locator, string_or(data, own_words ? "bodyPlainText" : "body"));
  out.add_title(locator);
}

// The stretch of a workbook's text that each sheet has: from its name, alone on a line, to the next one's.
// Nothing when the text is built otherwise.
std::vector<std::pair<std::string, std::string_view>> sheets_in(std::string_view text,
                                                                const json::array& sheets) {
  std::vector<std::pair<std::string, std::size_t>> starts;
  std::size_t from = 0;
  for (const auto& item : sheets) {
    const auto name = item.is_object() ? string_or(item.get_object(), "name") : std::string();
    const auto is_line = [&](std::size_t at) {
      return (at == 0 || text[at - 1] == '\n') &&
             (at + name.size() == text.size() || text[at + name.size()] == '\n');
    };
    auto at = name.empty() ? text.npos : text.find(name, from);
    while (at != text.npos && !is_line(at)) at = text.find(name, at + 1);
    if (at == text.npos) return {};
    starts.emplace_back(name, at);
    from = at + name.size();
  }
  std::vector<std::pair<std::string, std::string_view>> out;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const auto end = i + 1 < starts.size() ? starts[i + 1].second : text.size();
    out.emplace_back(starts[i].first, text.substr(starts[i].second, end - starts[i].second));
  }
  return out;
}

void split_document(Splitter& out, const json::object& data) {
  out.date(data, {"date", "modifiedAt", "createdAt"});
  out.title(string_or(data, "title"));
  if (const auto* slides = get_array(data, "slides")) {
    for (const auto& item : *slides) {
      const auto* slide = item.if_object();
      if (slide == nullptr) continue;
      out.add({{"slide", int_or(*slide, "number", 0)}, {"field", "text"}}, string_or(*slide, "text"));
      out.add({{"slide", int_or(*slide, "number", 0)}, {"field", "notes"}}, string_or(*slide, "notes"));
    }
  }
  if (const auto* pages = out.empty() ? get_array(data, "pages") : nullptr) {
    for (const auto& item : *pages) {
      if (const auto* page = item.if_object())
        out.add({{"page", int_or(*page, "number", 0)}}, string_or(*page, "text"));
    }
  }
  const auto text = string_or(data, "extractedText");
  if (const auto* sheets = out.empty() ? get_array(data, "sheets") : nullptr) {
    for (const auto& [name, of_sheet] : sheets_in(text, *sheets)) out.add({{"sheet", name}}, of_sheet);
  }
  const json::object locator{{"field", "extractedText"}};
  if (out.empty()) out.add(locator, text);
  out.add_title(locator);
}

void split_meeting(Splitter& out, const json::object& data) {
  out.date(data, {"startTime"});
  out.title(string_or(data, "title"));
  const auto* transcript = get_object(data, "transcript");
  const auto* segments = transcript == nullptr ? nullptr : get_array(*transcript, "segments");
  std::string text;
  json::object locator;
  const auto flush = [&] {
    if (!text.empty()) out.add(locator, text);
    text.clear();
  };
  for (std::size_t i = 0; segments != nullptr && i < segments->size(); ++i) {
    const auto* segment = (*segments)[i].if_object();
    if (segment == nullptr) continue;
    std::string line = string_or(*segment, "speaker") + ": " + string_or(*segment, "text");
    std::ranges::replace(line, '\n', ' ');  // a line a segment: a word is found at its own
    if (text.size() + line.size() > kChunkBytes) flush();
    if (text.empty()) {
      locator = {{"segment", int_or(*segment, "index", static_cast<std::int64_t>(i))},
                 {"minute", static_cast<std::int64_t>(number(*segment, "startTime") / 60)},
                 {"seconds", number(*segment, "startTime")}};
    } else {
      text += '\n';
    }
    text += line;
    locator["lastSegment"] = int_or(*segment, "index", static_cast<std::int64_t>(i));
  }
  flush();
  out.add_title({{"segment", 0}});
}

void split_event(Splitter& out, const json::object& data) {
  out.date(data, {"startTime"});
  out.title(string_or(data, "title"));
  const json::object locator{{"field", "description"}};
  out.add(locator, string_or(data, "description"));
  out.add_title(locator);
}

void split_record(Splitter& out, const json::object& data) {
  out.date(data, {"saidAt", "modifiedAt", "createdAt", "createdDate"});
  std::string name = string_or(data, "name", string_or(data, "title"));
  if (name.empty()) name = string_or(data, "firstName") + " " + string_or(data, "lastName");
  out.title(std::move(name));
  // Words a person wrote, not ids, states or dates.
  static constexpr std::array kFields{"description", "nextStep", "industry",   "email",
                                      "domain",      "title",    "department", "city",
                                      "country",     "family",   "code",       "lostReason"};
  std::string text;
  for (const char* field : kFields) {
    const auto value = string_or(data, field);
    if (!value.empty()) text += (text.empty() ? "" : "\n") + value;
  }
  const json::object locator{{"field", "record"}};
  out.add(locator, text);
  out.add_title(locator);
}

}  // namespace

bool is_searched(std::string_view t) {
  static constexpr std::array kTypes{type::kEmail,   type::kMessage, type::kDocument, type::kMeeting,
                                     type::kEvent,   type::kAccount, type::kContact,  type::kOpportunity,
                                     type::kProduct, type::kTask};
  return std::ranges::find(kTypes, t) != kTypes.end();
}

std::vector<storage::SearchChunk> chunks_of(const model::Shard& shard) {
  const auto parsed = parse_json(shard.data);
  if (!parsed || !parsed->is_object() || !is_searched(shard.key.type)) return {};
  const auto& data = parsed->get_object();
  Splitter out(shard);
  const auto& t = shard.key.type;
  if (t == type::kEmail || t == type::kMessage) {
    split_communication(out, data);
  } else if (t == type::kDocument) {
    split_document(out, data);
  } else if (t == type::kMeeting) {
    split_meeting(out, data);
  } else if (t == type::kEvent) {
    split_event(out, data);
  } else {
    split_record(out, data);
  }
  return out.take();
}

}  // namespace castiel::search
