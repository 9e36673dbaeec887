#include "content/text/impl/request_grammar.hpp"

#include <re2/set.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <optional>
#include <vector>

#include "content/text/impl/patterns.hpp"
#include "content/text/impl/request_words.hpp"

namespace castiel::content::text::impl {
namespace {

// What has to stand beside the verb before a rule counts.
enum class Needs {
  nothing,
  object,    // a noun to hand over, a person, or a day
  handover,  // a noun to hand over or a day
  day
};

struct Rule {
  Act act;
  double confidence;
  Needs needs;         // in writing
  Needs needs_spoken;  // in talk and chat
  bool questions;      // a question may be meant: "could you send …?"
  re2::RE2 pattern;    // group 1, where there is one, is the actor
  Rule(Act a, double p, Needs written, Needs spoken, bool asks, const std::string& expression)
      : act(a),
        confidence(p),
        needs(written),
        needs_spoken(spoken),
        questions(asks),
        pattern(expression, ignoring_case()) {}
};
constexpr std::size_t kMaxClauses = 8;

using Rules = std::vector<std::unique_ptr<Rule>>;

bool matches(std::string_view text, const re2::RE2& pattern) {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), pattern);
}

std::string any(std::initializer_list<const char*> lists) {
  std::string out = "(?:";
  for (const char* list : lists) out.append(out.size() > 3 ? "|" : "").append(list);
  return out + ")";
}

Rules english_rules() {
  Rules rules;
  const auto add = [&](Act act, double p, Needs written, Needs spoken, bool asks,
                       const std::string& expression) {
    rules.push_back(std::make_unique<Rule>(act, p, written, spoken, asks, expression));
  };
  const std::string work = any({kWorkVerbs}), light = any({kLightVerbs});
  const std::string asked =
      "\\b(?:can|could|would|will)\\s+(?:you|u|someone|anyone|somebody)(?:\\s+(?:all|both|guys|please|kindly|"
      "also|just|"
      "maybe|possibly|perhaps|quickly|then))*\\s+(?:be\\s+able\\s+to\\s+|be\\s+so\\s+kind\\s+(?:as\\s+)?"
      "to\\s+)?"
      "(?:(?:please|also|just)\\s+)?";
  const std::string please =
      "\\bplease,?\\s+(?:(?:also|do|just|then|go\\s+ahead\\s+and|make\\s+sure\\s+(?:you|to))\\s+)*";
  const std::string wanted =
      "\\b(?:need|want|like|expect|ask|urge|require)\\s+(?:for\\s+)?you\\s+(?:all\\s+|guys\\s+|both\\s+)?"
      "to\\s+";
  const std::string promise =
      "\\b(?:i|we)(?:'ll|\xE2\x80\x99ll|\\s+will|\\s+shall|(?:'m|\xE2\x80\x99m|\\s+am|'re|\xE2\x80\x99re|\\s+"
      "are)\\s+going\\s+to|"
      "\\s+(?:promise|plan|intend|agreed?)\\s+to)(?:\\s+(?:also|then|just|try\\s+(?:and|to)|make\\s+sure\\s+("
      "?:to|we|i)|"
      "go\\s+ahead\\s+and|gladly|definitely|certainly|quickly|personally|actually|be\\s+sure\\s+to|be\\s+"
      "happy\\s+to))*\\s+";
  const std::string lead =
      "^(?:[>*\\-\\x{2022}\\d.)\\s]*)(?:(?:hi|hello|hey|ok|okay|also|and|so|but|then|thanks|next|good|great|"
      "yes|all\\s+right|"
      "well|[a-z]+,),?\\s+){0,3}";
  add(Act::request, 0.92, Needs::nothing, Needs::nothing, true, asked + work + "\\b");
  add(Act::request, 0.8, Needs::nothing, Needs::handover, true, asked + light + "\\b");
  add(Act::request, 0.93, Needs::nothing, Needs::object, true, please + work + "\\b");
  add(Act::request, 0.85, Needs::nothing, Needs::handover, true, please + light + "\\b");
  add(Act::request, 0.85, Needs::nothing, Needs::object, true, wanted + work + "\\b");
  add(Act::request, 0.75, Needs::nothing, Needs::handover, true, wanted + light + "\\b");
  add(Act::request, 0.85, Needs::nothing, Needs::nothing, true,
      "\\b(?:let\\s+(?:me|us)\\s+know|get\\s+back\\s+to\\s+(?:me|us)|give\\s+(?:me|us)\\s+a\\s+(?:call|ring|"
      "shout)|"
      "(?:would|do)\\s+you\\s+mind\\s+[a-z]+ing)\\b");
  add(Act::request, 0.7, Needs::nothing, Needs::handover, false,
      "\\byou\\s+(?:should|need\\s+to|have\\s+to|must)\\s+" + work + "\\b");
  add(Act::request, 0.75, Needs::handover, Needs::handover, false,
      "\\b(?:i|we)(?:\\s+(?:still|also|really|urgently))*(?:\\s+need|\\s+require|(?:'d|\\s+would)\\s+(?:like|"
      "need|appreciate))\\s+"
      "(?:to\\s+(?:have|get|see|receive)\\s+)?(?:the|a|an|your|that|this|it|answers?|some|two|three|feedback|"
      "confirmation|"
      "details|more)\\b.*(?:\\bfrom\\s+you\\b|\\bby\\b|\\bbefore\\b|\\bin\\s+writing\\b|\\buntil\\b)");
  // Things to hand over and meetings, asked for without naming the deed.
  add(Act::request, 0.7, Needs::handover, Needs::handover, true,
      "\\b(?:can|could|may|might)\\s+(?:i|we)\\s+(?:please\\s+|also\\s+)?(?:get|have|see|receive|expect)\\b");
  add(Act::request, 0.65, Needs::day, Needs::day, true,
      "\\b(?:can|could|may|shall|should)\\s+(?:i|we)\\s+(?:meet|call|talk|speak|schedule|set\\s+up|book|"
      "arrange|visit)\\b");
  add(Act::request, 0.85, Needs::handover, Needs::handover, false,
      lead + "(?:send|give|get|bring|show)\\s+(?:me|us|him|her|them)\\b");
  add(Act::request, 0.8, Needs::nothing, Needs::handover, false,
      lead + work +
          "\\s+(?:the|a|an|your|my|our|us|me|this|that|these|those|it|them|him|her|out|to|with|for|any|all|"
          "back|"
          "over)\\b");
  add(Act::commitment, 0.85, Needs::nothing, Needs::nothing, false, promise + work + "\\b");
  add(Act::commitment, 0.7, Needs::nothing, Needs::handover, false, promise + light + "\\b");
  add(Act::commitment, 0.7, Needs::nothing, Needs::nothing, false,
      "\\bi(?:'ll|\xE2\x80\x99ll|\\s+will)\\s+(?:do|take\\s+care\\s+of)\\s+(?:that|this|it)\\b");
  add(Act::commitment, 0.7, Needs::object, Needs::handover, false,
      "\\b(?:i|we)\\s+can(?:\\s+(?:also|then|certainly|easily))*\\s+" + work + "\\b");
  add(Act::commitment, 0.7, Needs::handover, Needs::handover, false,
      "\\byou(?:'ll|\xE2\x80\x99ll|\\s+will)\\s+(?:have|get|receive)\\s+(?:it|that|this|them|the|a|an|our|"
      "my|all|both|two)\\b");
  add(Act::commitment, 0.7, Needs::day, Needs::day, false,
      "\\byou\\s+(?:have|get|receive)\\s+(?:it|that|this|them|the|a|an|our|my|all|both|two)\\b.*\\b(?:by|"
      "before)\\b");
  add(Act::commitment, 0.65, Needs::day, Needs::day, false,
      "\\b(?:i|we)\\s+" + work +
          "\\s+(?:it|them|you|the|a|an|our|my|"
          "that|this)\\b");
  add(Act::commitment, 0.65, Needs::day, Needs::day, false,
      "\\blet(?:'|\xE2\x80\x99)?s\\s+(?:meet|talk|speak|schedule|set\\s+up|book|reconvene)\\b");
  add(Act::commitment, 0.9, Needs::nothing, Needs::nothing, false,
      "^\\W*(?:(?:ok|okay|yes|sure|yep|great|thanks),?\\s+)?(?:will\\s+do|on\\s+it|i(?:'|\xE2\x80\x99)m\\s+"
      "on\\s+it|consider\\s+it\\s+done|"
      "leave\\s+(?:it|that)\\s+with\\s+me)\\b");
  add(Act::commitment, 0.7, Needs::nothing, Needs::nothing, false,
      "\\blet\\s+me\\s+(?:check|confirm|ask|find\\s+out|look\\s+into)\\b.*\\band\\s+(?:i(?:'ll|"
      "\xE2\x80\x99ll|\\s+will)\\s+)?"
      "(?:get\\s+back|come\\s+back|send|let\\s+you|tell\\s+you|follow)");
  // "Luis sends the drawing", "Anna will check it": group 1 acts.
  const std::string name =
      "(?-i:\\b([A-Z\\x{C0}-\\x{DE}][\\w\\x{80}-\\x{24F}]+))(?:\\s+(?-i:[A-Z\\x{C0}-\\x{DE}][\\w\\x{80}-\\x{"
      "24F}]+))?\\s+";
  add(Act::commitment, 0.7, Needs::nothing, Needs::nothing, false,
      "^\\W*" + name + "(?:will|is\\s+going\\s+to)\\s+" + work + "\\b");
  add(Act::commitment, 0.7, Needs::object, Needs::object, false,
      name + "(?:(?:will|is\\s+going\\s+to|to)\\s+" + work + "|" + any({kWorkVerbsThird}) + ")\\b");
  return rules;
}

Rules german_rules() {
  Rules rules;
  const auto add = [&](Act act, double p, Needs needs, bool asks, const std::string& expression) {
    rules.push_back(std::make_unique<Rule>(act, p, needs, needs, asks, expression));
  };
  const std::string stem = any({kGermanStems}), you = "(?:sie|du|ihr)";
  const std::string infinitive = "[a-z\\x{E4}\\x{F6}\\x{FC}]{0,10}(?:zu)?" + stem + "e?r?n\\b";
  add(Act::request, 0.85, Needs::nothing, true,
      "\\b(?:k(?:\xC3\xB6|oe)nnten?|k(?:\xC3\xB6|oe)nn(?:en|test|tet)|kannst|k(?:\xC3\xB6|oe)nnt|w(?:"
      "\xC3\xBC|ue)rden|w(?:\xC3\xBC|ue)rdest|"
      "w(?:\xC3\xBC|ue)rdet|wollen|m(?:\xC3\xB6|oe)gen)\\s+" +
          you + "\\b.*[^\\w\\x{C0}-\\x{24F}]" + infinitive);
  add(Act::request, 0.75, Needs::handover, true,
      "\\b(?:k(?:\xC3\xB6|oe)nnten|k(?:\xC3\xB6|oe)nnen|k(?:\xC3\xB6|oe)nntest|kannst)\\s+" + you +
          "\\b.*\\b(?:geben|machen|nennen|sagen|tun)\\b");
  add(Act::request, 0.88, Needs::nothing, false,
      "\\bbitte\\b(?:\\s+\\S+){0,3}?\\s+(?:" + stem + "(?:en|n)\\s+sie\\b|geben\\s+sie\\s+(?:uns|mir)\\b)");
  add(Act::request, 0.85, Needs::nothing, false,
      "(?:^|\\s)" + stem + "(?:en|n)\\s+sie\\s+(?:[a-z]+\\s+){0,3}bitte\\b");
  add(Act::request, 0.8, Needs::object, false, "\\bbitte\\b.*[^\\w\\x{C0}-\\x{24F}]" + infinitive + "\\W*$");
  add(Act::request, 0.75, Needs::object, false,
      "(?:^|[.;:,]\\s*)(?:@?\\S+,?\\s+)?" + stem +
          "(?:e|t)?\\s+(?:ihn|sie|ihm|ihr|mir|uns|es|das|den|die|dem|bitte|mal|doch)\\b");
  add(Act::request, 0.7, Needs::nothing, true,
      "(?:^|\\W)(?:(?:\xC3\xBC|ue)bernimmst\\s+du|(?:\xC3\xBC|ue)bernehmen\\s+sie)\\b");
  add(Act::request, 0.7, Needs::handover, false,
      "\\b(?:ich|wir)\\s+(?:br(?:\xC3\xA4|ae|a)uchten?|brauche|ben(?:\xC3\xB6|oe)tigen?|h(?:\xC3\xA4|ae)tten?"
      ")\\b.*\\b(?:bis|vor|von\\s+ihnen|"
      "gern)\\b");
  add(Act::commitment, 0.8, Needs::nothing, false, "\\bich\\s+" + stem + "e\\b");
  add(Act::commitment, 0.8, Needs::nothing, false,
      "(?:^|[.;:,]\\s*|\\b(?:und|dann|das|den|die|es)\\s+)" + stem + "e\\s+ich\\b");
  add(Act::commitment, 0.75, Needs::nothing, false,
      "\\bund\\s+" + stem + "e\\s+(?:mich|ihnen|euch|dir|den|die|das|vorher|bis)\\b");
  add(Act::commitment, 0.75, Needs::object, false, "\\bwir\\s+" + stem + "(?:en|n)\\b");
  add(Act::commitment, 0.7, Needs::object, false,
      "(?:^|\\s)" + stem + "(?:en|n)\\s+wir\\s+(?:ihnen|euch|dir|das|die|den|es)\\b");
  add(Act::commitment, 0.8, Needs::nothing, false,
      "\\b(?:ich\\s+werde|wir\\s+werden)\\b.*[^\\w\\x{C0}-\\x{24F}]" + infinitive);
  add(Act::commitment, 0.75, Needs::object, false,
      "\\bich\\s+(?:gebe|bringe|mache|lasse|nehme|lege|komme)\\b.*\\b(?:bescheid|mit|fertig|schicken|auf|vor)"
      "\\b");
  add(Act::commitment, 0.7, Needs::nothing, false,
      "(?:^|\\W)(?:nehme|mache|erledige|(?:\xC3\xBC|ue)bernehme)\\s+ich(?:\\s+auf|\\s+bis|\\s+gern|\\s+heute|"
      "\\W*$)");
  add(Act::commitment, 0.75, Needs::nothing, false,
      "^\\W*(?:mach(?:e)?\\s+ich|wird\\s+erledigt|schaue?\\s+ich\\s+mir\\s+an|schaue\\s+(?:ich\\s+)?mir)\\b");
  add(Act::commitment, 0.75, Needs::day, false,
      "^(?:\\S+\\s+){0,2}?" + stem + "e\\s+\\S+.*\\b(?:an|ab|ein|mit|zu|nach|vor|heute|morgen|woche|bis)\\b");
  add(Act::commitment, 0.75, Needs::handover, false,
      "\\b(?:sie\\s+bekommen|bekommen\\s+sie|sie\\s+erhalten|erhalten\\s+sie|du\\s+bekommst|bekommst\\s+du)"
      "\\b");
  add(Act::commitment, 0.7, Needs::day, false,
      "\\b(er|sie)\\s+(?:meldet|ruft|schickt|sendet|kl(?:\xC3\xA4|ae)rt|pr(?:\xC3\xBC|ue)ft)\\b");
  return rules;
}

Rules romance_rules() {
  Rules rules;
  const auto add = [&](Act act, double p, Needs needs, bool asks, const std::string& expression) {
    rules.push_back(std::make_unique<Rule>(act, p, needs, needs, asks, expression));
  };
  const std::string verb = any({kFrenchVerbs, kSpanishVerbs, kItalianVerbs});
  // French, Spanish, Italian: "pouvez-vous m'envoyer", "¿podría enviar", "può inviarmi", "merci de", "por
  // favor".
  add(Act::request, 0.85, Needs::nothing, true,
      "\\b(?:pouvez|pourriez|peux|pourrais|voudriez)[- "
      "](?:vous|tu)\\b(?:\\s+(?:s'il|me|nous|m'|le|la|les|aussi))*.{0,20}\\b" +
          verb);
  add(Act::request, 0.85, Needs::nothing, false,
      "\\b(?:merci\\s+de|pri[e\xC3\xA8]re\\s+de|veuillez|je\\s+vous\\s+prie\\s+de)\\b.{0,25}\\b" + verb);
  add(Act::request, 0.85, Needs::nothing, true,
      "\\b(?:podr\xC3\xAD"
      "a[sn]?|puede[sn]?|podr\xC3\xAD"
      "ais|pod\xC3\xA9is|potrebbe|pu\xC3\xB2|potresti|puoi|potete)\\b.{0,25}\\b" +
          verb);
  add(Act::request, 0.8, Needs::object, false,
      "\\b(?:por\\s+favor|per\\s+favore|la\\s+prego\\s+di)\\b.{0,25}\\b" + verb);
  add(Act::commitment, 0.8, Needs::nothing, false,
      "\\b(?:je|nous)\\s+(?:vous|te|le|la|les|l'|leur|lui)?\\s*(?:envoie|enverrai|enverrons|envoyons|"
      "pr\xC3\xA9pare|pr\xC3\xA9parerai|"
      "transmets|transmettrai|transmettrons|rappelle|rappellerai|rappellerons|confirmerai|fournirai|"
      "fournirons|adresserai|"
      "v\xC3\xA9rifie|v\xC3\xA9rifierai|tiens\\s+au\\s+courant|recontacte|recontacterai|reviens\\s+vers)\\b");
  add(Act::commitment, 0.8, Needs::nothing, false,
      "\\b(?:le|les|te|se\\s+lo|os|ti|vi|le\\s+lo)\\s+(?:env\xC3\xADo|enviar\xC3\xA9|enviaremos|enviamos|"
      "mando|mandar\xC3\xA9|confirmar\xC3\xA9|llamar\xC3\xA9|"
      "llamo|invio|invier\xC3\xB2|invieremo|mander\xC3\xB2|confermer\xC3\xB2|richiamo|preparo|"
      "preparar\xC3\xA9|preparer\xC3\xB2)");
  return rules;
}

// The rules of a language, and all their patterns as one automaton that says in a single pass which can
// match.
class Grammar {
 public:
  explicit Grammar(Rules rules) : rules_(std::move(rules)), set_(options(), re2::RE2::UNANCHORED) {
    for (const auto& rule : rules_) set_.Add(rule->pattern.pattern(), nullptr);
    compiled_ = set_.Compile();
  }
  template <class F>
  void each_match(std::string_view clause, F take) const {
    std::vector<int> hits;
    re2::RE2::Set::ErrorInfo error{};
    const bool some = compiled_ && set_.Match(re2::StringPiece(clause.data(), clause.size()), &hits, &error);
    if (some) {
      std::ranges::sort(hits);
      for (const int hit : hits) take(*rules_[static_cast<std::size_t>(hit)]);
    } else if (!compiled_ || error.kind != re2::RE2::Set::kNoError) {
      // The automaton outgrew its memory: one by one.
      for (const auto& rule : rules_)
        if (matches(clause, rule->pattern)) take(*rule);
    }
  }

 private:
  static re2::RE2::Options options() {
    constexpr std::int64_t kMaxAutomatonBytes = 64 << 20;
    re2::RE2::Options out = ignoring_case();
    out.set_max_mem(kMaxAutomatonBytes);
    return out;
  }
  Rules rules_;
  re2::RE2::Set set_;
  bool compiled_ = false;
};

const Grammar& grammar_of(std::string_view language) {
  static const Grammar english(english_rules()), german(german_rules()), romance(romance_rules());
  if (language == "de") return german;
  if (language == "fr" || language == "es" || language == "it") return romance;
  return english;
}

// Parts that each say one thing: what stands behind a semicolon, or behind a comma with a person of its own.
std::vector<std::string_view> clauses_of(std::string_view sentence) {
  static const re2::RE2 seam(
      "(?:;|,(?:\\s+(?:and|but|then|und|aber|dann))?\\s+(?:i|we|you|he|she|they|ich|wir|er)(?:\\s|'|"
      "\xE2\x80\x99)|"
      "\\sund\\s+" +
          any({kGermanStems}) + "e\\s)",
      ignoring_case());
  std::vector<std::string_view> out;
  std::size_t start = 0;
  each_match<1>(seam, sentence, [&](const auto& groups) {
    const auto at = static_cast<std::size_t>(groups[0].data() - sentence.data());
    out.push_back(sentence.substr(start, at - start));
    start = at + 1;
    return out.size() < kMaxClauses;
  });
  out.push_back(sentence.substr(start));
  return out;
}

bool names_day(std::string_view clause) {
  static const re2::RE2 pattern(any({kDayWords}), ignoring_case());
  return matches(clause, pattern);
}

bool names_person(std::string_view clause) {
  static const re2::RE2 pattern(
      "\\b(?:you|u|us|me|him|her|them|it|that|ihnen|dir|euch|mir|uns|ihm|ihr|ihn|ihnen|das|es|sich|mich)\\b|("
      "?-i:\\b(?:mr|mrs|ms|herr|herrn|"
      "frau|Mr|Mrs|Ms|Herr|Herrn|Frau)\\b)|@|[a-z]\\s(?-i:[A-Z\\x{C0}-\\x{DE}])",
      ignoring_case());
  return matches(clause, pattern);
}

bool met(Needs needs, std::string_view clause) {
  switch (needs) {
    case Needs::nothing:
      return true;
    case Needs::object:
      return names_person(clause) || names_deliverable(clause) || names_day(clause);
    case Needs::handover:
      return names_deliverable(clause) || names_day(clause);
    case Needs::day:
      return names_day(clause);
  }
  return false;
}

bool ends_as_question(std::string_view clause) {
  while (!clause.empty() && (clause.back() == ' ' || clause.back() == '"' || clause.back() == ')'))
    clause.remove_suffix(1);
  return clause.ends_with('?');
}

// "I'll not", "we won't", "ich schicke nichts", "wir liefern gerade": said of now, or denied.
bool is_denied(std::string_view clause) {
  static const re2::RE2 pattern(
      "\\b(?:i|we)(?:'ll|\\s+will|\\s+shall|\\s+can)\\s+(?:not|never|no\\s+longer|only|have\\s+to|probably)"
      "\\b|"
      "\\b(?:i|we)\\s+(?:won'?t|cannot|can'?t)\\b|"
      "\\b(?:don'?t|do\\s+not|doesn'?t)\\s+(?:really\\s+)?(?:think|believe|know|say|expect|mean)\\b|"
      "\\bnot\\s+sure\\b|\\bwhether\\b|"
      "\\bsay(?:s|ing)?\\b.*\\b(?:i|we)\\b|^\\W*(?:and\\s+|but\\s+|so\\s+|then\\s+)*(?:if|as|at\\s+the\\s+"
      "rate|hopefully|maybe)\\b|"
      "\\b(?:frage\\s+mich|nicht|gerade|derzeit|zurzeit|momentan|immer|meistens|bereits|schon)\\b|\\bich\\s+"
      "(?:denke|glaube)\\b",
      ignoring_case());
  return matches(clause, pattern);
}

}  // namespace

bool names_deliverable(std::string_view text) {
  static const re2::RE2 pattern("\\b" + any({kDeliverables}) + "\\b|" + any({kGermanDeliverables}),
                                ignoring_case());
  return matches(text, pattern);
}

bool is_idle(std::string_view sentence) {
  static const re2::RE2 mechanics(
      "\\b(?:(?:hear|see)\\s+(?:me|us|my|you)|share\\s+(?:my|your|the)\\s+screen|screen[- "
      "]?share|go\\s+(?:right\\s+)?ahead\\W*$|"
      "bear\\s+with|hold\\s+on|hang\\s+on|one\\s+(?:second|moment|sec)|(?:un)?mute|jump\\s+in|be\\s+right\\s+"
      "back|"
      "take\\s+(?:the\\s+)?(?:notes|minutes)|(?:can|could|may)\\s+i\\s+(?:ask|just|say|jump|add|interrupt)|"
      "next\\s+slide|"
      "h(?:\xC3\xB6|oe)ren\\s+sie\\s+mich|h(?:\xC3\xB6|oe)rt\\s+(?:ihr|man)\\s+mich|bildschirm\\s+(?:teilen|"
      "frei)|fangen\\s+wir|darf\\s+ich\\s+fragen)\\b",
      ignoring_case());
  static const re2::RE2 courtesy(
      "\\bplease\\s+(?:find\\s+(?:[a-z]+\\s+){0,3}?(?:our|my|the|attached|enclosed|below|here|a)\\b|see\\s+(?"
      ":attached|below|enclosed|the\\s+attach)|note\\b|be\\s+advised|"
      "accept\\s+(?:my|our)|enjoy|do\\s+not\\s+hesitate|don'?t\\s+hesitate|feel\\s+free|excuse|forgive|go\\s+"
      "ahead|continue|come\\s+in)|"
      "\\b(?:anbei|beigef(?:\xC3\xBC|ue)gt)\\s+(?:finden|erhalten)\\s+sie\\b|\\bfinden\\s+sie\\s+(?:anbei|"
      "im\\s+anhang)\\b|"
      "\\bz(?:\xC3\xB6|oe)gern\\s+sie\\s+nicht\\b|\\bveuillez\\s+(?:trouver|agr\xC3\xA9"
      "er)|\\bsin\\s+duda\\b",
      ignoring_case());
  static const re2::RE2 find_out("\\bplease\\s+find\\s+out\\b", ignoring_case());
  static const re2::RE2 hypothetical(
      "\\b(?:would|could|should|might)\\s+have\\s+[a-z]+(?:ed|en|t)\\b|\\bif\\s+(?:i|we)\\s+(?:could|had|"
      "were|will)\\b|"
      "\\bh(?:\xC3\xA4|ae)tten?\\s+(?:wir|ich|sie)\\b.*\\b(?:k(?:\xC3\xB6|oe)nnen|sollen)\\b",
      ignoring_case());
  return matches(sentence, mechanics) || (matches(sentence, courtesy) && !matches(sentence, find_out)) ||
         matches(sentence, hypothetical);
}

bool addresses_someone(std::string_view sentence) {
  static const re2::RE2 pattern(
      "\\b(?:you|your|yours|u|please|pls|let\\s+(?:me|us)|let'?s)\\b|\\?\\s*$|^\\W*(?"
      ":[a-z]+[,:-]\\s+)?(?:(?:and|also|then|so)\\s+)?" +
          any({kWorkVerbs, kLightVerbs}) + "\\b",
      ignoring_case());
  return matches(sentence, pattern);
}

bool is_plain_question(std::string_view sentence) {
  const std::string lead =
      "^\\W*(?:(?:and|so|but|then|ok|okay|well|also|[a-z\\x{C0}-\\x{24F}]+,|@\\S+)\\s+){0,3}";
  static const re2::RE2 about_people_and_reasons(
      lead +
          "(?:who|whom|whose|which|why|how(?:\\s+(?:do|does|did|is|are|much|many|long|far|come|often))?)\\b",
      ignoring_case());
  static const re2::RE2 about_facts(lead + "(?:what|where|when|is|are|was|were|do|does|did|has|have|had)\\b",
                                    ignoring_case());
  static const re2::RE2 arranging(
      "\\b(?:available|free|work\\s+for|suit|able\\s+to|how\\s+about|what\\s+about|possible\\s+to|want\\s+me|"
      "like\\s+me|can\\s+(?:we|i|you)|could\\s+(?:we|i|you)|should\\s+(?:we|i)|shall)\\b",
      ignoring_case());
  if (!ends_as_question(sentence) || matches(sentence, arranging) || names_day(sentence)) return false;
  if (matches(sentence, about_people_and_reasons)) return true;
  static const re2::RE2 you("\\byou\\b", ignoring_case());
  return matches(sentence, about_facts) && !names_deliverable(sentence) && !matches(sentence, you);
}

std::vector<RequestReading> read_requests(std::string_view sentence, std::string_view language, bool spoken) {
  std::vector<RequestReading> out;
  const Grammar& grammar = grammar_of(language);
  for (const auto clause : clauses_of(sentence)) {
    RequestReading best;
    const bool question = ends_as_question(clause);
    std::optional<bool> denied;
    grammar.each_match(clause, [&](const Rule& rule) {
      if (rule.confidence <= best.confidence || (question && !rule.questions)) return;
      if (rule.act == Act::commitment) {
        if (!denied) denied = is_denied(clause);
        if (*denied) return;
      }
      if (!met(spoken ? rule.needs_spoken : rule.needs, clause)) return;
      re2::StringPiece actor;
      if (rule.pattern.NumberOfCapturingGroups() > 0)
        re2::RE2::PartialMatch(re2::StringPiece(clause.data(), clause.size()), rule.pattern, &actor);
      best = {rule.act, rule.confidence, clause, view(actor)};
    });
    if (best.act != Act::none) out.push_back(best);
  }
  if (!out.empty() && is_idle(sentence)) out.clear();
  return out;
}

}  // namespace castiel::content::text::impl
