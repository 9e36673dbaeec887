#include <algorithm>

#include "content/text/impl/due.hpp"
#include "content/text/impl/patterns.hpp"
#include "content/text/impl/request_grammar.hpp"
#include "content/text/impl/request_model.hpp"
#include "content/text/impl/source.hpp"
#include "content/values.hpp"

namespace castiel::content::text {
namespace impl {
namespace {

constexpr std::size_t kMaxActionItems = 500;
constexpr std::size_t kLongestSentence = 1000;  // bytes; what is longer is a table or a log
constexpr double kWorthShowing = 0.4;
constexpr double kModelAlone = 0.48;  // of the model, for a sentence of no known build that addresses someone
constexpr double kModelUnaddressed = 0.7;  // and for one that addresses nobody

bool matches(std::string_view text, const re2::RE2& pattern) {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), pattern);
}

// Lowers how sure a reading is by what else the sentence says.
double adjusted(std::string_view sentence, double confidence) {
  static const re2::RE2 closer(
      "(?:please\\s+)?(?:let\\s+(?:me|us)\\s+know|feel\\s+free|do\\s+not\\s+hesitate|don't\\s+hesitate|"
      "contact|call|reach\\s+out)\\b.{0,40}\\b(?:if|should)\\b.{0,30}"
      "\\b(?:questions?|concerns?|need\\s+(?:any|further|more|anything)|any\\s+problems?|assistance|help)|"
      "\\b(?:if|should)\\b.{0,30}\\b(?:questions?|concerns?|further|assistance|anything\\s+else)\\b.{0,60}"
      "\\b(?:let\\s+(?:me|us)\\s+know|feel\\s+free|contact|call|hesitate|reach\\s+out)|"
      "\\b(?:bei|sollten\\s+sie|falls\\s+sie|wenn\\s+sie)\\b.{0,30}\\b(?:fragen|r\xC3\xBC"
      "ckfragen)\\b",
      ignoring_case());
  static const re2::RE2 past(
      "^\\s*(?:i|we|he|she|they)\\s+(?:sent|called|asked|told|talked|spoke|forwarded|received|met|went|did|"
      "had|was|were)\\b",
      ignoring_case());
  static const re2::RE2 bulk(
      "\\b(?:click|unsubscribe|subscribe|white\\s*list|safe\\s+senders?|coupon|newsletter|mailing "
      "list|future mailings|address book|"
      "do not reply|intended recipient|confidential|disclaimer|\\$link)\\b",
      ignoring_case());
  if (matches(sentence, closer)) return std::min(confidence, 0.3);
  if (matches(sentence, bulk)) return std::min(confidence, 0.2);
  if (matches(sentence, past)) confidence -= 0.45;
  return confidence;
}

bool promises(std::string_view sentence) {
  static const re2::RE2 pattern(
      "^\\W*(?:i|we)(?:'ll|\\s+will|\\s+shall|\\s+can|'m\\s+going|\\s+am\\s+going|\\s+plan)\\b",
      ignoring_case());
  return matches(sentence, pattern);
}

std::string owner_named(std::string_view sentence) {
  static const re2::RE2 vocative(
      "^\\W*@?([A-Z\\x{C0}-\\x{DE}][\\w\\x{80}-\\x{24F}]+)(?:\\s*[,:\\x{2014}-]|\\s+(?:can|could|will|would|"
      "please)\\s)\\s*(?:(?i)"
      "can|could|would|will|please|you|"
      "send|let|check|review|prepare|set|get|take)");
  static const re2::RE2 mention("@([\\w\\x{80}-\\x{24F}._\\-]+)");
  static const re2::RE2 named(
      "^\\W*([A-Z\\x{C0}-\\x{DE}][\\w\\x{80}-\\x{24F}]+(?:\\s[A-Z\\x{C0}-\\x{DE}][\\w\\x{80}-\\x{24F}]+)?)"
      "\\s+(?:will|is going to|to)\\s+[a-z]+");
  re2::StringPiece name;
  const re2::StringPiece whole(sentence.data(), sentence.size());
  for (const re2::RE2* pattern : {&mention, &vocative, &named}) {
    if (!re2::RE2::PartialMatch(whole, *pattern, &name)) continue;
    const std::string word = lower(view(name));
    if (!in_list(" please can could would will if when also so then thanks and but this that it there we you "
                 "they i he she who what hi hello "
                 "yes no ok okay where how the ",
                 word.substr(0, word.find(' '))))
      return std::string(view(name));
  }
  return {};
}

// Who of those who take part has this name, else the name as it stands; of "he" nobody knows.
std::string person_named(std::string_view name, const Speech& speech) {
  const std::string wanted = lower(name);
  if (wanted == "er" || wanted == "sie") return {};
  const auto is_named = [&](const std::string& person) {
    const std::string key = lower(person);
    const auto at = key.find(wanted);
    const std::size_t end = at + wanted.size();
    return at != key.npos && (at == 0 || !is_word_byte(key[at - 1])) &&
           (end == key.size() || !is_word_byte(key[end]));
  };
  if (is_named(speech.speaker)) return speech.speaker;
  for (const auto& person : speech.addressees)
    if (is_named(person)) return person;
  return std::string(name);
}

// The language a sentence is in by its small words, else that of the text: talk and chat mix them.
std::string_view language_of_sentence(std::string_view sentence, std::string_view otherwise) {
  static constexpr std::string_view kGerman =
      " ich wir sie ihnen ihr mir uns das der die den dem und ist nicht bis zum zur bitte dir dich du mich "
      "auf mit ein eine einen noch "
      "auch heute morgen schon dann wer wie können könnten haben wird werde für ";
  static constexpr std::string_view kEnglish =
      " i we you the and is to of it that this for on with by can could will would please my your our me us "
      "are be have not what when ";
  int german = 0, english = 0;
  const std::string text = lower(sentence);
  for (const auto& [start, end] : word_ranges(text)) {
    const auto word = std::string_view(text).substr(start, end - start);
    german += in_list(kGerman, word) ? 1 : 0;
    english += in_list(kEnglish, word) ? 1 : 0;
  }
  if (german > english) return otherwise == "fr" || otherwise == "es" || otherwise == "it" ? otherwise : "de";
  if (english > german) return "en";
  return otherwise;
}

// The build says what kind it is and what it surely is not, the model of English mails how likely it is at
// all.
std::vector<RequestReading> judge(std::string_view sentence, std::string_view language,
                                  const Speech& speech) {
  auto readings = read_requests(sentence, language, speech.spoken);
  const bool english = language.empty() || language == "en";
  if (english && !speech.spoken) {
    const double p = request_probability(sentence);
    for (auto& reading : readings) {
      // The model saw few promises: the build carries those.
      reading.confidence = reading.act == Act::commitment ? std::max(0.55 + 0.4 * p, reading.confidence - 0.1)
                                                          : 0.6 * p + 0.4 * reading.confidence;
    }
    if (readings.empty() && p >= (addresses_someone(sentence) ? kModelAlone : kModelUnaddressed) &&
        !is_plain_question(sentence) && !is_idle(sentence))
      readings.push_back({promises(sentence) ? Act::commitment : Act::request, p, {}, {}});
  }
  for (auto& reading : readings) reading.confidence = adjusted(sentence, reading.confidence);
  std::erase_if(readings, [](const RequestReading& reading) { return reading.confidence < kWorthShowing; });
  return readings;
}

std::string owner_of(const RequestReading& reading, std::string_view sentence, const Speech& speech) {
  if (!reading.actor.empty()) return person_named(reading.actor, speech);
  if (reading.act == Act::commitment) return speech.speaker;
  if (std::string named = owner_named(sentence); !named.empty()) return named;
  return speech.addressees.size() == 1 ? speech.addressees.front() : std::string();
}

}  // namespace
}  // namespace impl

std::vector<ActionItem> find_action_items(std::string_view text, const Speech& speech,
                                          const Context& context) {
  using namespace impl;
  const Source source(text);
  std::vector<ActionItem> out;
  const std::string of_text = speech.language.empty() ? language_of(text) : speech.language;
  for (const auto& [start, end] : sentence_ranges(source.text())) {
    if (out.size() >= kMaxActionItems) break;
    const auto sentence = source.text().substr(start, end - start);
    if (sentence.starts_with('>') || sentence.size() > kLongestSentence) continue;
    const auto language = language_of_sentence(sentence, of_text);
    const auto readings = judge(sentence, language, speech);
    for (const auto& reading : readings) {
      const bool whole = readings.size() == 1 || reading.clause.empty();
      const auto part = trim(whole ? sentence : reading.clause);
      const auto from = static_cast<std::size_t>(part.data() - source.text().data());
      const auto to = from + part.size();
      ActionItem item;
      item.text = std::string(part);
      item.kind = reading.act == Act::commitment ? "commitment" : "request";
      item.confidence = reading.confidence;
      item.evidence = source.span(from, to);
      item.owner = owner_of(reading, sentence, speech);
      // What only the model takes for a request may name any day.
      if (auto due = find_due(reading.clause, language, context)) {
        item.due = due->day;
        item.due_text = std::move(due->text);
      }
      out.push_back(std::move(item));
    }
  }
  return out;
}

}  // namespace castiel::content::text
