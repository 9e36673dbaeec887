#include <algorithm>
#include <memory>

#include "content/text/impl/patterns.hpp"
#include "content/text/impl/request_model.hpp"
#include "content/text/impl/source.hpp"

namespace castiel::content::text {
namespace impl {
namespace {

constexpr std::size_t kMaxActionItems = 500;

// Verbs that begin an order: of the kinds of work that mails ask for.
constexpr char kVerbs[] =
    "(?:add|advise|approve|arrange|ask|assign|attend|book|bring|call|cancel|change|check|clarify|close|"
    "collect|compile|complete|"
    "confirm|connect|contact|copy|coordinate|correct|create|delete|deliver|discuss|distribute|draft|email|e-"
    "mail|ensure|execute|"
    "explain|extend|fax|file|fill|finalize|find|finish|fix|follow|forward|get|give|go|handle|help|hold|"
    "include|inform|introduce|"
    "investigate|invite|join|keep|look|mail|make|meet|move|note|notify|order|organize|pay|phone|pick|plan|"
    "post|prepare|present|"
    "print|process|propose|provide|publish|pull|push|put|read|record|remember|remind|remove|replace|reply|"
    "report|request|reschedule|"
    "resend|resolve|respond|return|review|revise|run|save|schedule|see|send|set|share|ship|show|sign|start|"
    "stop|submit|summarize|"
    "switch|take|talk|tell|test|track|transfer|try|update|upload|use|verify|visit|wait|work|write)";

struct Rule {
  const char* kind;
  double confidence;
  re2::RE2 pattern;
  Rule(const char* k, double p, const std::string& expression)
      : kind(k), confidence(p), pattern(expression, ignoring_case()) {}
};

const std::vector<std::unique_ptr<Rule>>& rules() {
  static const std::vector<std::unique_ptr<Rule>> made = [] {
    std::vector<std::unique_ptr<Rule>> list;
    const auto add = [&](const char* kind, double p, const std::string& expression) {
      list.push_back(std::make_unique<Rule>(kind, p, expression));
    };
    const std::string verbs = kVerbs;
    const std::string lead =
        "^(?:[>*\\-\\x{2022}\\d.)\\s]*)(?:(?:hi|hello|hey|ok|okay|also|and|so|then|thanks|next|[a-z]+),?\\s+)"
        "?";
    add("request", 0.92,
        "\\b(?:can|could|would|will)\\s+(?:you|u|someone|anyone|somebody)\\b(?:\\s+(?:please|kindly|also|"
        "just|maybe|possibly))*\\s+(?:be able to\\s+)?[a-z]+");
    add("request", 0.93, "\\bplease\\b[,]?\\s+(?:also\\s+|do\\s+|just\\s+|don't\\s+)?[a-z]+");
    add("request", 0.85,
        "\\b(?:need|want|like|expect|ask|urge|require)\\s+(?:for\\s+)?you\\s+(?:all\\s+|guys\\s+)?to\\s+[a-z]"
        "+");
    add("request", 0.85,
        "\\b(?:let\\s+(?:me|us)\\s+know|get\\s+back\\s+to\\s+(?:me|us)|give\\s+(?:me|us)\\s+(?:a\\s+call|"
        "your))\\b");
    add("request", 0.8, "\\b(?:would|do)\\s+you\\s+mind\\b");
    add("request", 0.75, "\\b(?:you|u)\\s+(?:should|need to|have to|must)\\s+[a-z]+");
    add("commitment", 0.85,
        "\\b(?:i|we)(?:'ll|\\s+will|\\s+shall|'m\\s+going\\s+to|\\s+am\\s+going\\s+to|'re\\s+going\\s+to|\\s+"
        "are\\s+going\\s+to)\\s+(?:also\\s+|then\\s+|get\\s+you\\s+|make\\s+sure\\s+)?[a-z]+");
    add("commitment", 0.7,
        "\\b(?:i|we)\\s+can\\s+(?:send|share|prepare|call|set|do|get|provide|take|review|draft|schedule|"
        "arrange|follow)\\b");
    add("commitment", 0.9, "^\\W*(?:will do|on it|i'm on it|consider it done)\\b");
    add("request", 0.8,
        lead + verbs +
            "\\s+(?:the|a|an|your|my|our|us|me|this|that|these|those|it|them|him|her|up|out|to|with|for|in|"
            "on|by|if|any|all|back|sure|over)\\b");
    return list;
  }();
  return made;
}

bool matches(std::string_view text, const re2::RE2& pattern) {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), pattern);
}

// Lowers or raises how sure a rule is by what else the sentence says.
double adjusted(std::string_view sentence, double confidence) {
  static const re2::RE2 closer(
      "(?:please\\s+)?(?:let\\s+(?:me|us)\\s+know|feel\\s+free|do\\s+not\\s+hesitate|don't\\s+hesitate|"
      "contact|call)\\b.{0,40}\\b(?:if|should)\\b.{0,30}"
      "\\b(?:questions?|concerns?|need\\s+(?:any|further|more|anything)|any\\s+problems?|assistance|help)",
      ignoring_case());
  static const re2::RE2 if_closer(
      "\\b(?:if|should)\\b.{0,30}\\b(?:questions?|concerns?|further|assistance|anything\\s+else)\\b.{0,60}"
      "\\b(?:let\\s+(?:me|us)\\s+know|"
      "feel\\s+free|contact|call|hesitate)",
      ignoring_case());
  static const re2::RE2 conditional(
      "\\bif\\s+you\\s+(?:could|would|had)\\s+have\\b|\\bwould\\s+have\\b|\\bcould\\s+have\\b",
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
  static const re2::RE2 polite(
      "\\b(?:please\\s+(?:note|see|find|be\\s+advised|accept|enjoy)|please\\s+do\\s+not\\s+hesitate|look(?:"
      "ing)?\\s+forward)\\b",
      ignoring_case());
  if (matches(sentence, closer) || matches(sentence, if_closer)) return std::min(confidence, 0.3);
  if (matches(sentence, bulk)) return std::min(confidence, 0.2);
  if (matches(sentence, conditional) || matches(sentence, past)) confidence -= 0.45;
  if (matches(sentence, polite)) confidence -= 0.3;
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

// "Anna will send it": who, when it is one of those who take part.
std::string third_person(std::string_view sentence, const Speech& speech) {
  static const re2::RE2 pattern(
      "^\\W*([A-Z\\x{C0}-\\x{DE}][\\w\\x{80}-\\x{24F}]+)(?:\\s+[A-Z][\\w\\x{80}-\\x{24F}]+)?\\s+(?:will|is "
      "going to|to)\\s+[a-z]+");
  re2::StringPiece name;
  if (!re2::RE2::PartialMatch(re2::StringPiece(sentence.data(), sentence.size()), pattern, &name)) return {};
  const std::string wanted = lower(view(name));
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
  return {};
}

}  // namespace
}  // namespace impl

std::vector<ActionItem> find_action_items(std::string_view text, const Speech& speech,
                                          const Context& context) {
  using namespace impl;
  constexpr double kWorthShowing = 0.4;
  constexpr std::size_t kLongestSentence = 1000;
  const Source source(text);
  std::vector<ActionItem> out;
  const std::string language = language_of(text);
  const bool english = language.empty() || language == "en";
  for (const auto& [start, end] : sentence_ranges(source.text())) {
    if (out.size() == kMaxActionItems) break;
    const auto sentence = source.text().substr(start, end - start);
    if (sentence.starts_with('>') || sentence.size() > kLongestSentence) continue;
    const Rule* best = nullptr;
    for (const auto& rule : rules()) {
      if (matches(sentence, rule->pattern)) {
        best = rule.get();
        break;
      }
    }
    // The rules say what kind it is and what it surely is not, the model how likely it is at all.
    double confidence = best == nullptr ? 0 : best->confidence;
    if (english) {
      const double p = request_probability(sentence);
      const bool commitment = best != nullptr && std::string_view(best->kind) == "commitment";
      // The model saw few promises: the rules carry those.
      confidence = best == nullptr ? p : commitment ? 0.55 + 0.4 * p : 0.75 * p + 0.25 * confidence;
    }
    const std::string promised_by = best == nullptr ? third_person(sentence, speech) : std::string();
    if (!promised_by.empty()) confidence = std::max(confidence, 0.6);
    confidence = adjusted(sentence, confidence);
    if (confidence < kWorthShowing) continue;
    ActionItem item;
    item.text = std::string(sentence);
    item.kind = best != nullptr                              ? best->kind
                : !promised_by.empty() || promises(sentence) ? "commitment"
                                                             : "request";
    item.confidence = confidence;
    item.evidence = source.span(start, end);
    const std::string named = owner_named(sentence);
    if (item.kind == "commitment")
      item.owner = promised_by.empty() ? speech.speaker : promised_by;
    else
      item.owner = !named.empty() ? named : speech.addressees.size() == 1 ? speech.addressees.front() : "";
    for (const auto& date : find_dates(sentence, context)) {
      if (!date.due) continue;
      item.due = date.due;
      item.due_text = date.text;
      break;
    }
    out.push_back(std::move(item));
  }
  return out;
}

}  // namespace castiel::content::text
