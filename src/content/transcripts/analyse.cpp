#include "content/transcripts/analyse.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "base/time.hpp"
#include "base/utf8.hpp"
#include "content/transcripts/impl/draft.hpp"
#include "content/transcripts/impl/phrases.hpp"
#include "content/transcripts/impl/talk.hpp"

namespace castiel::content::transcripts {
namespace {

using impl::Side;

constexpr double kLeastConfidence = 0.5;        // of an action item worth listing
constexpr std::size_t kMaxFindings = 5'000;     // of one kind
constexpr std::size_t kTellingWordBytes = 6;    // of a word that tells one deed from another
constexpr std::size_t kComparedItems = 200;     // the latest, when looking for what was said before
constexpr std::size_t kMaxAddressees = 50;      // of an utterance, whose names may be said
constexpr std::size_t kLeastQuestionWords = 3;  // of a question that is a key moment: "right?" is none
constexpr std::size_t kWholeTextBytes =
    1 << 20;  // of what language, topics and the kind of meeting are told from
constexpr std::size_t kLanguageBytes = 32 << 10;
constexpr double kQuestionsPerTenMinutes = 5;  // of the customer, for full engagement
constexpr double kSwitchesPerHour = 100;       // of speech, for full engagement
constexpr double kCustomerMonologueSeconds = 60;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

double rounded(double value, double scale = 1000) {
  return std::round(value * scale) / scale;
}

std::string domain_part(std::string_view email) {
  const auto at = email.rfind('@');
  return at == std::string_view::npos ? std::string() : lower(email.substr(at + 1));
}

// Whether a name or address belongs to the tenant; nothing when it cannot be told.
class Sides {
 public:
  Sides(const json::object& structure, std::span<const std::string> own) {
    for (const auto& one : own) own_.push_back(lower(one));
    const auto* people = get_array(structure, "participants");
    if (people == nullptr) return;
    for (const auto& item : *people) {
      if (const auto* person = item.if_object()) people_.push_back(person);
    }
  }
  Side of(std::string_view speaker) const {
    const auto name = lower(speaker);
    if (name.empty()) return Side::unknown;
    if (is_own(name)) return Side::internal;
    for (const auto* person : people_) {
      const auto email = lower(string_or(*person, "email"));
      if (lower(string_or(*person, "name")) != name && email != name && !is_local_part(email, name)) continue;
      const auto side = string_or(*person, "affiliation");
      if (side == "internal") return Side::internal;
      if (side == "external") return Side::external;
      if (!email.empty() && !own_.empty()) return is_own(email) ? Side::internal : Side::external;
    }
    if (name.find('@') != std::string::npos && !own_.empty()) return Side::external;
    return Side::unknown;
  }
  std::size_t invited() const { return people_.size(); }

 private:
  bool is_own(std::string_view name) const {
    const auto domain = domain_part(name);
    return std::ranges::any_of(own_, [&](const std::string& one) {
      if (name == one) return true;
      return !domain.empty() &&
             (domain == one || (domain.size() > one.size() && domain.ends_with("." + one)));
    });
  }
  // "jane.doe@…" is Jane Doe.
  static bool is_local_part(std::string_view email, std::string_view name) {
    const auto at = email.find('@');
    if (at == std::string_view::npos) return false;
    std::string local(email.substr(0, at)), plain(name);
    for (char& c : local) {
      if (c == '.' || c == '_' || c == '-') c = ' ';
    }
    return local == plain && plain.find(' ') != std::string::npos;
  }
  std::vector<std::string> own_;
  std::vector<const json::object*> people_;
};

impl::Talk talk_of(const json::array& segments, const Sides& sides) {
  impl::Talk talk;
  std::map<std::string, std::size_t, std::less<>> known;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const auto* segment = segments[i].if_object();
    if (segment == nullptr) continue;
    const auto speaker = string_or(*segment, "speaker");
    const auto [at, fresh] = known.try_emplace(speaker, talk.speakers.size());
    if (fresh) {
      talk.speakers.push_back(speaker);
      talk.sides.push_back(sides.of(speaker));
    }
    const auto number = [&](std::string_view key) {
      const auto* value = segment->if_contains(key);
      return value != nullptr && value->is_number() ? value->to_number<double>() : 0.0;
    };
    const auto text = get_string(*segment, "text").value_or(std::string_view());
    talk.utterances.push_back({i, at->second, number("start"), std::max(number("start"), number("end")),
                               impl::count_words(text), text});
  }
  // With one side known, everyone else named is on the other.
  const bool has_own = std::ranges::find(talk.sides, Side::internal) != talk.sides.end();
  const bool has_other = std::ranges::find(talk.sides, Side::external) != talk.sides.end();
  if (has_own && !has_other && talk.speakers.size() == 2) {
    for (auto& side : talk.sides) {
      if (side == Side::unknown) side = Side::external;
    }
  }
  std::ranges::stable_sort(talk.utterances, {}, &impl::Utterance::start);
  return talk;
}

class Analysis {
 public:
  Analysis(json::object structure, const text::Context& context, std::span<const std::string> own)
      : out_(std::move(structure)), context_(context), sides_(out_, own) {
    if (const auto* started = out_.if_contains("startedAt"); started != nullptr && started->is_string()) {
      if (const auto at = parse_timestamp(std::string_view(started->get_string()))) context_.at = *at;
    }
    if (!out_.contains("segments") || !out_.at("segments").is_array()) out_["segments"] = json::array();
    // Before views of the texts are taken: a new member may move a segment's others.
    for (auto& segment : out_.at("segments").get_array()) {
      if (auto* object = segment.if_object()) (*object)["sentiment"] = 0.0;
    }
    talk_ = talk_of(out_.at("segments").get_array(), sides_);
    draft_ = string_or(out_, "quality") == "draft";
    for (const auto& one : talk_.utterances) {
      if (whole_.size() < kWholeTextBytes) whole_.append(one.text).append("\n");
    }
    language_ = text::language_of(utf8_prefix(whole_, kLanguageBytes));
    punctuated_ = whole_.find_first_of("?.!") != std::string::npos;
  }

  json::object run() {
    const auto count = talk_.speakers.size();
    questions_.assign(count, 0);
    feeling_.assign(count, 0);
    feeling_weight_.assign(count, 0);
    for (const auto& one : talk_.utterances) read(one);
    put_speakers();
    put_findings();
    put_sums();
    return std::move(out_);
  }

 private:
  bool external_or_unknown(std::size_t speaker) const { return talk_.sides[speaker] != Side::internal; }

  json::object finding(const impl::Utterance& one, std::string_view text) const {
    return {{"segment", one.index},
            {"start", rounded(one.start)},
            {"speaker", talk_.speakers[one.speaker]},
            {"text", text}};
  }
  static void put(json::array& list, json::object finding) {
    if (list.size() < kMaxFindings) list.push_back(std::move(finding));
  }
  void moment(std::string_view type, const impl::Utterance& one, std::string_view text) {
    auto found = finding(one, text);
    json::object shown{{"type", type}};
    for (const auto& item : found) shown[item.key()] = item.value();
    put(moments_, std::move(shown));
  }

  void read(const impl::Utterance& one) {
    auto& segment = out_.at("segments").get_array()[one.index].get_object();
    const double sentiment = rounded(text::sentiment(one.text));
    segment["sentiment"] = sentiment;
    const auto weight = static_cast<double>(std::max<std::size_t>(1, one.words));
    feeling_[one.speaker] += sentiment * weight;
    feeling_weight_[one.speaker] += weight;
    for (const auto& span : text::sentences(one.text)) read_sentence(one, text::slice(one.text, span));
    if (!draft_) read_items(one);
    read_dates(one);
  }

  void read_sentence(const impl::Utterance& one, std::string_view sentence) {
    const bool question = punctuated_ ? text::is_question(sentence) : impl::begins_as_question(sentence);
    if (question) {
      ++questions_[one.speaker];
      if (impl::count_words(sentence) >= kLeastQuestionWords) moment("question", one, sentence);
    }
    for (const auto sense : impl::senses_of(sentence)) {
      const bool theirs = external_or_unknown(one.speaker);
      switch (sense) {
        case impl::Sense::objection:
          if (!theirs || question) break;
          put(objections_, finding(one, sentence));
          moment("objection", one, sentence);
          break;
        case impl::Sense::positive:
          if (theirs) put(positive_, finding(one, sentence));
          break;
        case impl::Sense::negative:
          if (theirs && !question) put(negative_, finding(one, sentence));
          break;
        case impl::Sense::neutral:
          if (theirs) put(neutral_, finding(one, sentence));
          break;
        case impl::Sense::next_step:
          put(next_steps_, finding(one, sentence));
          break;
        case impl::Sense::red_flag:
          if (theirs && !question) put(red_flags_, finding(one, sentence));
          break;
        case impl::Sense::decision:
          moment("decision", one, sentence);
          break;
      }
    }
  }

  void read_dates(const impl::Utterance& one) {
    if (dates_.size() >= text::kMaxDatesKept) return;
    for (auto& date : text::dates_with_sentences(one.text, context_, text::kMaxDatesKept - dates_.size())) {
      date.get_object()["segment"] = one.index;
      dates_.push_back(std::move(date));
    }
  }

  void read_items(const impl::Utterance& one) {
    text::Speech speech{talk_.speakers[one.speaker], {}, true, language_};
    // Among two, who is asked is the other one.
    for (std::size_t i = 0; i < talk_.speakers.size(); ++i) {
      if (i != one.speaker && speech.addressees.size() < kMaxAddressees)
        speech.addressees.push_back(talk_.speakers[i]);
    }
    for (const auto& item : text::find_action_items(one.text, speech, context_)) {
      if (item.confidence < kLeastConfidence || said_before(item)) continue;
      auto shown = text::to_json(std::span(&item, 1))[0].get_object();
      shown["evidence"] = json::object{{"segment", one.index}, {"start", rounded(one.start)}};
      put(items_, std::move(shown));
      moment("action_item", one, item.text);
      if (item.kind != "commitment") continue;
      // What is promised by a day is a next step too, in any language.
      if (item.due && !is_last(next_steps_, one.index)) put(next_steps_, finding(one, item.text));
      put(commitments_, finding(one, item.text));
      moment("commitment", one, item.text);
    }
  }

  static bool is_last(const json::array& findings, std::size_t segment) {
    return !findings.empty() && findings.back().at("segment").to_number<std::size_t>() == segment;
  }

  // A summing-up at the end says again who does what by when.
  bool said_before(const text::ActionItem& item) {
    std::vector<std::string> words;
    std::string word;
    for (const char c : lower(item.text) + " ") {
      const bool letter = (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80;
      if (letter) {
        word += c;
        continue;
      }
      if (word.size() >= kTellingWordBytes && lower(item.due_text).find(word) == std::string::npos)
        words.push_back(word);
      word.clear();
    }
    const std::size_t first = said_.size() > kComparedItems ? said_.size() - kComparedItems : 0;
    for (std::size_t i = first; i < said_.size(); ++i) {
      const auto& before = said_[i];
      if (before.kind != item.kind || before.owner != item.owner) continue;
      if (before.due && item.due && before.due != item.due) continue;
      const auto shared = std::ranges::count_if(words, [&](const std::string& one) {
        return std::ranges::find(before.words, one) != before.words.end();
      });
      if (shared >= (before.due && item.due ? 1 : 2)) return true;
    }
    if (said_.size() < kMaxFindings) said_.push_back({item.kind, item.owner, item.due, std::move(words)});
    return false;
  }

  void put_speakers() {
    const auto times = impl::talk_times(talk_);
    std::vector<std::size_t> each(talk_.speakers.size());
    for (std::size_t i = 0; i < each.size(); ++i) each[i] = i;
    const auto monologues = impl::longest_monologues(talk_, each, each.size());
    const auto cuts = impl::interruptions(talk_);
    double all = 0;
    for (const double time : times) all += time;
    json::array speakers;
    std::map<Side, double> by_side;
    for (std::size_t i = 0; i < each.size(); ++i) {
      by_side[talk_.sides[i]] += times[i];
      speakers.push_back(json::object{
          {"name", talk_.speakers[i]},
          {"side", impl::to_string(talk_.sides[i])},
          {"talkTime", rounded(times[i])},
          {"share", all > 0 ? rounded(times[i] / all, 10'000) : 0.0},
          {"longestMonologue", rounded(monologues[i])},
          {"questions", questions_[i]},
          {"interruptions", cuts[i]},
          {"sentiment", rounded(feeling_weight_[i] > 0 ? feeling_[i] / feeling_weight_[i] : 0)}});
    }
    out_["speakers"] = std::move(speakers);
    json::object ratio;
    for (const auto side : {Side::internal, Side::external, Side::unknown})
      ratio[impl::to_string(side)] = all > 0 ? rounded(by_side[side] / all, 10'000) : 0.0;
    out_["talkRatio"] = std::move(ratio);
    total_ = all;
    if (!punctuated_ && !talk_.utterances.empty()) out_["questionsEstimated"] = true;
  }

  void put_findings() {
    std::ranges::stable_sort(
        moments_, {}, [](const json::value& value) { return value.at("segment").to_number<std::int64_t>(); });
    out_["keyMoments"] = std::move(moments_);
    out_["actionItems"] = std::move(items_);
    out_["dates"] = std::move(dates_);
    out_["commitments"] = draft_ ? json::array() : std::move(commitments_);
    out_["objections"] = std::move(objections_);
    out_["redFlags"] = std::move(red_flags_);
    has_next_step_ = !next_steps_.empty();
    out_["nextSteps"] = std::move(next_steps_);
    out_["dealSignals"] = json::object{{"positive", std::move(positive_)},
                                       {"negative", std::move(negative_)},
                                       {"neutral", std::move(neutral_)}};
  }

  // Which speakers are ours: as known, or else the one who talks most, as in most calls of a vendor.
  std::vector<std::size_t> groups(bool& known) const {
    known = std::ranges::find(talk_.sides, Side::internal) != talk_.sides.end() &&
            std::ranges::find(talk_.sides, Side::external) != talk_.sides.end();
    const auto times = impl::talk_times(talk_);
    const auto most = static_cast<std::size_t>(std::ranges::max_element(times) - times.begin());
    std::vector<std::size_t> out(talk_.speakers.size(), 1);
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (known ? talk_.sides[i] == Side::internal : i == most) out[i] = 0;
    }
    return out;
  }

  void put_engagement() {
    if (draft_ || talk_.speakers.empty() || total_ <= 0) {
      out_["engagement"] = json::object{{"score", nullptr}, {"parts", json::object()}, {"sidesKnown", false}};
      return;
    }
    bool known = false;
    const auto group = groups(known);
    const auto times = impl::talk_times(talk_);
    double customer = 0, questions = 0;
    for (std::size_t i = 0; i < group.size(); ++i) {
      if (group[i] == 0) continue;
      customer += times[i];
      questions += static_cast<double>(questions_[i]);
    }
    const double share = customer / total_;
    const double off = share < 0.35 ? share / 0.35 : share > 0.65 ? (1 - share) / 0.35 : 1.0;
    const double per_ten = questions / (total_ / 600);
    const auto changes = static_cast<double>(impl::switches(talk_, group));
    const double per_hour = changes / (total_ / 3600);
    const double monologue = impl::longest_monologues(talk_, group, 2)[1];
    json::object parts;
    double score = 0, of = 0;
    const auto part = [&](std::string_view name, double weight, double degree, double value) {
      const double points = weight * std::clamp(degree, 0.0, 1.0);
      parts[name] = json::object{{"points", rounded(points, 10)}, {"of", weight}, {"value", rounded(value)}};
      score += points;
      of += weight;
    };
    part("talkBalance", 25, off, share);
    part("customerQuestions", 20, per_ten / kQuestionsPerTenMinutes, per_ten);
    part("switches", 20, per_hour / kSwitchesPerHour, per_hour);
    part("customerMonologue", 15, monologue / kCustomerMonologueSeconds, monologue);
    if (sides_.invited() > 0) {
      const double attended =
          static_cast<double>(talk_.speakers.size()) / static_cast<double>(sides_.invited());
      part("attendance", 10, attended, attended);
    }
    part("nextStep", 10, has_next_step_ ? 1 : 0, has_next_step_ ? 1 : 0);
    out_["engagement"] = json::object{{"score", static_cast<std::int64_t>(std::lround(100 * score / of))},
                                      {"parts", std::move(parts)},
                                      {"sidesKnown", known}};
    json::object metrics{{"switches", changes}, {"switchesPerHour", rounded(per_hour)}};
    const double own = impl::patience(talk_, group, 0);
    metrics["patience"] = own < 0 ? json::value(nullptr) : json::value(rounded(own));
    metrics["longestOwnMonologue"] = rounded(impl::longest_monologues(talk_, group, 2)[0]);
    metrics["longestCustomerMonologue"] = rounded(monologue);
    out_["interaction"] = std::move(metrics);
  }

  void put_sums() {
    put_engagement();
    out_["language"] = language_;
    json::array topics;
    for (const auto& topic : text::topics(utf8_prefix(whole_, kWholeTextBytes)))
      topics.push_back(json::string(topic));
    out_["topics"] = std::move(topics);
    double sum = 0, weight = 0;
    for (std::size_t i = 0; i < feeling_.size(); ++i) {
      sum += feeling_[i];
      weight += feeling_weight_[i];
    }
    out_["sentiment"] = rounded(weight > 0 ? sum / weight : 0);
    out_["meetingType"] = meeting_type();
  }

  std::string meeting_type() const {
    const auto titled = impl::type_of_title(string_or(out_, "title"));
    const bool all_own =
        !talk_.sides.empty() && std::ranges::all_of(talk_.sides, [](Side s) { return s == Side::internal; });
    if (titled == "interview" || titled == "internal") return titled;
    if (all_own) return "internal";
    if (!titled.empty()) return titled;
    const auto worded = impl::type_of_words(whole_);
    return worded.empty() ? "other" : worded;
  }

  json::object out_;
  text::Context context_;
  Sides sides_;
  impl::Talk talk_;
  std::string whole_, language_;
  bool draft_ = false, punctuated_ = false, has_next_step_ = false;
  double total_ = 0;  // seconds of speech
  struct Said {
    std::string kind, owner;
    std::optional<Date> due;
    std::vector<std::string> words;
  };
  std::vector<Said> said_;
  std::vector<std::size_t> questions_;
  std::vector<double> feeling_, feeling_weight_;
  json::array moments_, items_, dates_, commitments_, objections_, positive_, negative_, neutral_,
      next_steps_, red_flags_;
};

}  // namespace

json::object analyse_transcript(json::object structure, const text::Context& context,
                                std::span<const std::string> own) {
  return Analysis(std::move(structure), context, own).run();
}

}  // namespace castiel::content::transcripts
