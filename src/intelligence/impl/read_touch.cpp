#include <algorithm>

#include "base/json.hpp"
#include "content/name_key.hpp"
#include "intelligence/impl/cues.hpp"
#include "intelligence/impl/engagement_store.hpp"
#include "model/entity.hpp"

namespace castiel::intelligence::impl {
namespace {

namespace type = model::type;

constexpr std::size_t kMaxPeople = 50;  // of a touch; more say nothing of anybody
constexpr std::size_t kMaxSegments = 5'000;
constexpr int kNameAfter = 3;  // segments after "another offer" in which it may be named

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

std::optional<Someone> someone(const json::value* value) {
  const auto* object = value == nullptr ? nullptr : value->if_object();
  if (object == nullptr) return std::nullopt;
  Someone one{lower(string_or(*object, "email")), string_or(*object, "name")};
  if (one.email.empty() && one.name.empty()) return std::nullopt;
  return one;
}

class TouchReader {
 public:
  TouchReader(const model::Shard& shard, const json::object& data, const tenancy::OwnPeople& own)
      : shard_(shard), data_(data), own_(own) {}

  std::shared_ptr<const Touch> run() {
    touch_.shard = shard_.id;
    touch_.type = shard_.key.type;
    touch_.recorded_at = shard_.created_at;
    touch_.at = touch_.known_at = shard_.source_version;
    if (shard_.key.type == type::kEmail || shard_.key.type == type::kMessage) {
      communication();
    } else if (shard_.key.type == type::kMeeting) {
      meeting();
    } else if (shard_.key.type == type::kEvent) {
      event();
    } else {
      return nullptr;
    }
    return std::make_shared<const Touch>(std::move(touch_));
  }

 private:
  bool is_own(const Someone& one) const {
    return one.email.empty() ? own_.is_own_name(content::name_key(one.name)) : own_.is_own(one.email);
  }

  void outside(const Someone& one) {
    const auto same = [&](const Someone& known) {
      if (!known.email.empty() && !one.email.empty()) return known.email == one.email;
      return content::name_key(known.name) == content::name_key(one.name);
    };
    const auto known = std::ranges::find_if(touch_.outside, same);
    if (known == touch_.outside.end()) {
      if (touch_.outside.size() < kMaxPeople) touch_.outside.push_back(one);
    } else if (known->email.empty()) {
      known->email = one.email;
    }
  }

  void people(std::string_view member) {
    const auto* list = get_array(data_, member);
    if (list == nullptr) return;
    for (const auto& item : *list) {
      const auto one = someone(&item);
      if (!one) continue;
      const auto* object = item.if_object();
      const auto* internal = object->if_contains("isInternal");
      const bool ours = internal != nullptr && internal->is_bool() ? internal->get_bool() : is_own(*one);
      if (ours || string_or(*object, "status") == "declined") continue;
      outside(*one);
    }
  }

  std::optional<Timestamp> time(const char* member) const {
    const auto text = string_or(data_, member);
    if (const auto at = parse_timestamp(text)) return *at;
    if (const auto day = parse_date(text)) return start_of(*day);
    return std::nullopt;
  }

  void communication() {
    const std::string kind = string_or(data_, "class", "person");
    touch_.automatic = kind != "person";
    touch_.at = time("sentAt").value_or(time("receivedAt").value_or(touch_.at));
    touch_.known_at = touch_.at;
    touch_.subject = shortened(string_or(data_, "subject"));
    touch_.thread = string_or(data_, "threadId");
    touch_.from = someone(data_.if_contains("from"));
    const bool ours = touch_.from && is_own(*touch_.from);
    if (touch_.from && !ours && !touch_.automatic) outside(*touch_.from);
    for (const char* member : {"to", "cc", "bcc"}) people(member);
    if (touch_.automatic && (kind == "marketing" || kind == "list" || kind == "spam" ||
                             kind == "notification" || kind == "calendar"))
      return;
    touch_.way = touch_.automatic         ? Way::none
                 : !touch_.from           ? Way::none
                 : !ours                  ? Way::inbound
                 : touch_.outside.empty() ? Way::internal
                                          : Way::outbound;
    std::string words = string_or(data_, "bodyPlainText"), field = "bodyPlainText";
    if (words.empty()) {
      words = string_or(data_, "body");
      field = "body";
    }
    if (const auto* list = get_array(data_, "attachments")) {
      touch_.delivers = std::ranges::any_of(*list, [](const json::value& item) {
        const auto* a = item.if_object();
        return a != nullptr && !string_or(*a, "name").empty() && string_or(*a, "mimeType") != "text/calendar";
      });
    }
    touch_.delivers = touch_.delivers || says_it_delivers(words);
    // The lexicon of sentiment is English.
    if (string_or(data_, "language") == "en") {
      const auto* sentiment = data_.if_contains("sentiment");
      if (sentiment != nullptr && sentiment->is_number()) touch_.sentiment = sentiment->to_number<double>();
    }
    if (kind == "bounce") {
      find_gone(words, field, touch_.cues);
      return;
    }
    subject_cues(ours);
    find_cues(words, field, ours, touch_.at, touch_.cues);
    if (const auto* forwarded = get_object(data_, "forwarded")) forwarded_cues(*forwarded);
    if (touch_.automatic)
      std::erase_if(touch_.cues, [](const Cue& c) { return c.kind != CueKind::farewell; });
  }

  // A question in a fresh subject counts when the mail itself asks nothing; of replies it is an older one.
  void subject_cues(bool ours) {
    if (touch_.subject.empty()) return;
    std::vector<Cue> found;
    find_cues(touch_.subject, "subject", ours, touch_.at, found);
    const bool reply = touch_.subject.find(": ") != std::string::npos && touch_.subject.find(": ") <= 4;
    for (Cue& cue : found) {
      if (cue.kind == CueKind::farewell || cue.kind == CueKind::budget || cue.kind == CueKind::price ||
          (cue.kind == CueKind::question && !reply))
        touch_.cues.push_back(std::move(cue));
    }
  }

  // Words of somebody else that a mail passes on.
  void forwarded_cues(const json::object& forwarded) {
    const auto author = someone(forwarded.if_contains("from"));
    if (!author || is_own(*author)) return;
    std::vector<Cue> found;
    find_cues(string_or(forwarded, "text"), "forwarded.text", false, touch_.at, found);
    for (Cue& cue : found) {
      if (cue.kind == CueKind::question) continue;
      cue.speaker = author->name.empty() ? author->email : author->name;
      if (touch_.cues.size() < kMaxCues) touch_.cues.push_back(std::move(cue));
    }
  }

  void meeting() {
    touch_.at = touch_.known_at = time("startTime").value_or(touch_.at);
    touch_.way = Way::both;
    touch_.subject = shortened(string_or(data_, "title"));
    people("participants");
    const auto* transcript = get_object(data_, "transcript");
    const auto* segments = transcript == nullptr ? nullptr : get_array(*transcript, "segments");
    if (segments == nullptr) return;
    int nameless = -1;  // segments since a competitor without a name
    for (std::size_t i = 0; i < std::min(segments->size(), kMaxSegments); ++i) {
      const auto* segment = (*segments)[i].if_object();
      if (segment == nullptr) continue;
      const std::string speaker = string_or(*segment, "speaker"), words = string_or(*segment, "text");
      const bool ours = own_.is_own_name(content::name_key(speaker));
      if (nameless >= 0 && nameless++ < kNameAfter && !ours) {
        if (auto name = named_alone(words); !name.empty()) {
          touch_.cues.push_back(segment_cue(*segment, i, speaker, words));
          touch_.cues.back().name = std::move(name);
          nameless = -1;
        }
      }
      if (touch_.cues.size() >= kMaxCues) return;
      const std::size_t before = touch_.cues.size();
      find_cues(words, "transcript.segments", ours, touch_.at, touch_.cues);
      for (std::size_t c = before; c < touch_.cues.size(); ++c) {
        Cue& cue = touch_.cues[c];
        cue.speaker = speaker;
        const Cue placed = segment_cue(*segment, i, speaker, cue.text);
        cue.place.segment = placed.place.segment;
        cue.place.minute = placed.place.minute;
        if (cue.kind == CueKind::competitor && !ours) nameless = cue.name.empty() ? 0 : -1;
      }
      // A question in a call is answered in the call.
      std::erase_if(touch_.cues, [](const Cue& c) { return c.kind == CueKind::question; });
    }
  }

  static Cue segment_cue(const json::object& segment, std::size_t index, const std::string& speaker,
                         std::string_view words) {
    Cue cue;
    cue.kind = CueKind::competitor;
    cue.speaker = speaker;
    cue.text = shortened(words);
    cue.place.field = "transcript.segments";
    cue.place.segment = static_cast<int>(index);
    if (const auto* start = segment.if_contains("startTime"); start != nullptr && start->is_number())
      cue.place.minute = static_cast<int>(start->to_number<double>() / 60);
    return cue;
  }

  void event() {
    touch_.calendar = true;
    touch_.way = Way::both;
    touch_.at = time("startTime").value_or(touch_.at);
    // Without a time of its own the entry is known since we have it.
    touch_.known_at =
        time("announcedAt").value_or(shard_.source_is_dated ? shard_.source_version : shard_.created_at);
    touch_.automatic = false;
    touch_.cancelled = bool_or(data_, "cancelled", false);
    touch_.subject = shortened(string_or(data_, "title"));
    if (const auto organizer = someone(data_.if_contains("organizer")); organizer && !is_own(*organizer))
      outside(*organizer);
    people("attendees");
  }

  const model::Shard& shard_;
  const json::object& data_;
  const tenancy::OwnPeople& own_;
  Touch touch_;
};

}  // namespace

std::shared_ptr<const Touch> read_touch(const model::Shard& shard, const tenancy::OwnPeople& own) {
  const auto parsed = parse_json(shard.data);
  if (!parsed || !parsed->is_object()) return nullptr;
  return TouchReader(shard, parsed->get_object(), own).run();
}

}  // namespace castiel::intelligence::impl
