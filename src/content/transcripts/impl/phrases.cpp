#include "content/transcripts/impl/phrases.hpp"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

namespace castiel::content::transcripts::impl {
namespace {

struct Rule {
  Sense sense;
  const char* pattern;
};

// Each is matched anywhere in a sentence, without regard to case. "…n't|not|no" before a worry takes it back.
constexpr Rule
    kRules
        [] =
            {
                {Sense::objection,
                 R"(\b(too|very|quite|pretty|rather|so) (expensive|pricey|costly|complex|complicated|risky|slow|late|much money)\b)"},
                {Sense::objection,
                 R"(\b(out of|over|beyond|exceeds?|outside) (our|the|my) (budget|price range)\b)"},
                {Sense::objection,
                 R"(\b(have|having|got|has) (some |a few |serious |real |big |major |a )?(concerns?|reservations|doubts|hesitations?|issues? with|problems? with)\b)"},
                {Sense::objection,
                 R"(\b(my|our|one|main|only|biggest|the) (big |main |biggest |only )?(concern|worry|objection|hesitation|reservation|blocker|sticking point)s?\b)"},
                {Sense::objection,
                 R"(\b(i'?m|we'?re|i am|we are|they'?re|they are) (a (bit|little) |really |very |still |quite |also )?(worried|concerned|hesitant|skeptical|sceptical|unsure|not sure|not convinced|nervous|reluctant|on the fence)\b)"},
                {Sense::objection,
                 R"(\b(already|currently|happy) (use|using|have|with) (another|a different|a competing|our (current|existing)|an existing|[A-Z]\w+ for)\b)"},
                {Sense::objection,
                 R"(\b(don'?t|do not|doesn'?t|does not|didn'?t) (really |currently |quite )?(have (the |any |enough )?(budget|time|resources|bandwidth|capacity|headcount)|see (the|how|why|much) (value|benefit|point|roi)|need (this|that|it)\b|support (our|the)|integrate|meet our))"},
                {Sense::objection,
                 R"(\b(not|isn'?t|never) (a |our |the |really )*(priority|the right time|a good time|what we (need|want)|a (good )?fit|going to work|ready|enough)\b)"},
                {Sense::objection,
                 R"(\b(no|not enough|limited|tight) budget\b|\bbudget (is|was|has been|got) (very |pretty |really )?(tight|limited|frozen|cut|gone|spent)\b)"},
                {Sense::objection,
                 R"(\b(can'?t|cannot|can not|won'?t|could ?n'?t) (really |possibly )?(commit|justify|afford|sign|approve|do that|accept|agree)\b)"},
                {Sense::objection,
                 R"(\b(cheaper|lower price|better (price|deal|offer)|(more|higher) than we (expected|planned|budgeted)|than (your|the) competitors?|deal[- ]?breaker|show ?stopper|locked in(to)?|vendor lock)\b)"},
                {Sense::objection,
                 R"(\b(need|have|want) (some |more )?(time )?to think (about|it|this|over)\b)"},
                {Sense::positive,
                 R"(\b(sounds|looks|seems|that'?s|this is|it'?s) (really |very |pretty |absolutely |so )?(great|good|perfect|awesome|fantastic|excellent|amazing|exactly what)\b)"},
                {Sense::positive,
                 R"(\b(we|i)('d| would)? (really |absolutely |definitely )?(love|like) (it|this|that|what|the (product|solution|demo|idea|approach))\b)"},
                {Sense::positive,
                 R"(\b((like|want|ready|happy|excited|keen|eager|prepared|good) to (move|go) (forward|ahead)|let'?s (do it|move (forward|ahead)|go ahead|get started|proceed|sign)|(we'?re|we are) (ready|all set|on board|sold)|count us in)\b)"},
                {Sense::positive,
                 R"(\b(send|share|forward) (me |us |over |across )*(the|a|your) (contract|order form|agreement|paperwork|proposal|quote|sow|msa)\b)"},
                {Sense::positive,
                 R"(\b(budget|it|this|deal|purchase|spend) (is|was|has been|got|'s been) (already )?(approved|signed off|allocated|confirmed|secured)\b|\b(have|got) (the |our )?(budget|approval|sign[- ]?off|green light)\b)"},
                {Sense::positive,
                 R"(\b(how (soon|quickly|fast) can (we|you)|when can (we|you) (start|begin|get started|go live)|what are the next steps|how do we (get started|sign|proceed))\b)"},
                {Sense::positive,
                 R"(\b(works (well |great |perfectly )?for (us|me)|makes (a lot of |perfect |total )?sense|solves? (our|the|that|a lot)|exactly what we (need|want|were looking)|no (concerns|objections|issues|problems) (from|on|with)|impress(ed|ive)|game ?changer|big fan|our preferred|top choice)\b)"},
                {Sense::negative, R"(\b(not|no longer|isn'?t|aren'?t|never) (really |that |very |particularly )?(interested|impressed|convinced|happy|satisfied|excited|moving forward|going (forward|ahead))\b)"},
                {Sense::negative,
                 R"(\b((put|putting|place|is|are|goes|going) (this |it |that |everything |the project )?on (hold|ice)|hold off|postpon\w+|push(ed|ing)? (this |it |that )?(back|out)|paus(e|ed|ing) (the|this)|delay(ed|ing)?|deprioriti[sz]\w+|shelv(e|ed|ing))\b)"},
                {Sense::negative,
                 R"(\b((going|gone|go|went|moving|decided) (to go )?with (another|a different|someone else|the competit\w+|your competit\w+)|chos(e|en) (another|a different|someone else)|cancel(l?ed|l?ing)? (the|our|this)|terminat\w+ (the|our))\b)"},
                {Sense::negative,
                 R"(\b(budget (cuts?|freeze|frozen)|hiring freeze|lay-?offs?|laid off|reorg\w*|restructur\w+|disappoint\w+|frustrat\w+|unacceptable|unhappy|waste of (time|money)|deal[- ]?breaker)\b)"},
                {Sense::negative,
                 R"(\b(too expensive|can'?t afford|no budget|don'?t have (the |any )?budget|not a (good )?fit|don'?t see (the|any|much) (value|benefit))\b)"},
                {Sense::neutral,
                 R"(\b(need|have|want|going|like) to (discuss|talk|check|review|align|run (it|this)|take (it|this)) (this |it |that )?(internally|with (my|our|the) (team|boss|manager|cfo|ceo|cto|board|legal|finance|procurement)|by)\b)"},
                {Sense::neutral,
                 R"(\b(evaluat(e|ing)|compar(e|ing)|look(ing)? at|considering|talking to|shortlist\w*) (\w+ ){0,3}(vendors?|options?|alternatives?|competitors?|solutions?|providers?)\b)"},
                {Sense::neutral,
                 R"(\b(get|circle|come) back to you\b|\b(procurement|legal|security|budget) (process|review|cycle|approval)\b|\brfp\b|\bdecision (process|makers?|criteria)\b)"},
                {Sense::next_step,
                 R"(\bnext steps?\b|\b(follow|circle)[- ]?(up|back) (with|on|next|by|tomorrow|in|after|early|later|this|monday|tuesday|wednesday|thursday|friday)\b)"},
                {Sense::next_step,
                 R"(\b(let'?s|we (should|can|could|will|'ll)|i'?ll|i will|i can|shall we|can we) (\w+ )?(schedule|set up|book|arrange|meet|reconnect|regroup|sync|catch up|talk (again|next)|touch base|find a time|get together|do (a|another) (call|meeting|demo|session))\b)"},
                {Sense::next_step,
                 R"(\b(i'?ll|i will|we'?ll|we will|i'?m going to|we'?re going to) (\w+ )?(send|share|email|forward|prepare|draft|put together|get (you|back)|follow up|circulate|invite|introduce|loop in|update)\b)"},
                {Sense::next_step,
                 R"(\b(send|put|drop) (you |me |us |over |out )?(a |an |the )?(calendar )?(invite|invitation)\b|\bmeet again\b|\b(talk|speak|see you|call) (again )?(next (week|month|monday|tuesday|wednesday|thursday|friday)|on (monday|tuesday|wednesday|thursday|friday)|tomorrow)\b)"},
                {Sense::red_flag,
                 R"(\b(budget (cuts?|freeze|is frozen|got cut)|hiring freeze|lay-?offs?|reorg\w*|restructur\w+|acquisition|merger|acquired by)\b)"},
                {Sense::red_flag,
                 R"(\b((is|he'?s|she'?s|i'?m|has) (leaving|left) (the )?(company|us|in)|new (cfo|ceo|cto|cio|vp|boss|manager|leadership)|last day|moving on to)\b)"},
                {Sense::red_flag,
                 R"(\b(on hold|no decision (yet|this)|next (fiscal )?year|no (timeline|urgency|rush)|not a priority|other priorities|(your|the|a) competit(or|ors|ion)|going with (another|someone else)|not (my|our) decision|need(s)? (to be )?approv\w+ (by|from) (the )?(cfo|ceo|board))\b)"},
                {Sense::decision,
                 R"(\b(we('ve| have)? (decided|agreed)|(let'?s|we'?ll|we will) go with|(the|our) decision is|it'?s (decided|settled|agreed)|that'?s (decided|settled|agreed)|final decision)\b)"},
};

RE2::Options options() {
  RE2::Options out;
  out.set_case_sensitive(false);
  out.set_log_errors(false);
  return out;
}

struct Compiled {
  std::vector<std::pair<Sense, std::unique_ptr<RE2>>> rules;
  Compiled() {
    for (const auto& rule : kRules)
      rules.emplace_back(rule.sense, std::make_unique<RE2>(rule.pattern, options()));
  }
};

const Compiled& compiled() {
  static const Compiled kCompiled;
  return kCompiled;
}

bool found(std::string_view text, const RE2& pattern) {
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), pattern);
}

struct TypeWords {
  const char* type;
  const char* title;  // a pattern
  const char* words;  // counted
};
constexpr TypeWords kTypes[] = {
    {"interview", R"(\b(interview|candidate|phone screen|bewerbung\w*|vorstellungsgespräch)\b)",
     R"(\b(your (resume|cv|background|experience)|this (role|position)|hiring manager|candidate|salary expectations?)\b)"},
    {"qbr", R"(\b(qbr|quarterly (business )?review|business review|ebr)\b)",
     R"(\b(quarterly|this quarter|last quarter|adoption|usage (report|numbers)|kpis?|success plan)\b)"},
    {"support", R"(\b(support|troubleshoot\w*|incident|escalation|bug)\b)",
     R"(\b(ticket|bug|error( message)?|workaround|doesn'?t work|not working|reproduce|outage|log files?)\b)"},
    {"demo", R"(\b(demo|demonstration|walk-?through|product tour|präsentation)\b)",
     R"(\b(share my screen|see my screen|let me show|show you|as you can see|here you (can )?see|click(ing)? (on|here)|dashboard|this (screen|view|tab|feature)|demo)\b)"},
    {"closing", R"(\b(closing|close call|sign(ing|ature)|contract signing|final (terms|call)|kick-?off)\b)",
     R"(\b(sign(ed|ing)?( it| the)?|signatures?|docusign|purchase order|countersign\w*|go[- ]live( date)?|paperwork|final version|ready to (sign|start))\b)"},
    {"negotiation",
     R"(\b(negotiat\w+|pricing|proposal|contract( review)?|commercials?|terms|redlines?|verhandlung|angebot)\b)",
     R"(\b(discounts?|pricing|price|per (seat|user|month|year)|contract|terms|redlines?|legal|clause|liability|payment terms|multi-?year|procurement|msa|quote)\b)"},
    {"discovery",
     R"(\b(discovery|intro(duction|ductory)?( call)?|qualification|first (call|meeting)|get to know|scoping|kennenlernen|erstgespräch)\b)",
     R"(\b(challenges?|pain points?|current (process|setup|solution|tool)|tell me (more )?about|how do you (currently|handle|manage|do)|walk me through|what (are|is) your (goals?|priorit\w+|biggest)|trying to (solve|achieve)|who else|success look like)\b)"},
    {"follow_up", R"(\b(follow[- ]?up|check[- ]?in|catch[- ]?up|touch ?base|recap|next steps|sync)\b)",
     R"(\b(last (time|call|meeting|week)|as (we )?discussed|following up|follow up on|since we last|you (mentioned|asked|sent)|we (talked|spoke) about|any (updates?|news))\b)"},
};
constexpr const char* kInternalTitle =
    R"(\b(stand-?up|retro(spective)?|all[- ]hands|1:1|1on1|one[- ]on[- ]one|team (meeting|sync)|sprint|town ?hall|pipeline review|forecast call|internal|planning|offsite)\b)";
constexpr std::size_t kLeastMentions = 3;  // of a type's words, before they decide

}  // namespace

std::vector<Sense> senses_of(std::string_view sentence) {
  static const RE2 taken_back(
      R"(\b(no|not|isn'?t|wasn'?t|aren'?t|don'?t have|doesn'?t have|without|any) (any |a |an |really |too |very |that |such |my |our )*(expensive|concerns?|worr(y|ies|ied)|problems?|issues?|reservations|doubts|objections?|blockers?|concerned)\b)",
      options());
  std::vector<Sense> out;
  for (const auto& [sense, pattern] : compiled().rules) {
    if (std::ranges::find(out, sense) != out.end() || !found(sentence, *pattern)) continue;
    if (sense == Sense::objection && found(sentence, taken_back)) continue;
    out.push_back(sense);
  }
  // "Not interested" is no praise because it also says "sounds good".
  if (std::ranges::find(out, Sense::negative) != out.end()) std::erase(out, Sense::positive);
  static const RE2 denied(
      R"(\b(not|n'?t|never|hardly) (\w+ )?(sounds?|looks?|makes?|works?|a great|great|good|like|love|impress\w+|ready|perfect)\b)",
      options());
  if (found(sentence, denied)) std::erase(out, Sense::positive);
  return out;
}

bool begins_as_question(std::string_view sentence) {
  static const RE2 pattern(
      R"(^(so |and |but |okay |ok |well |um |uh |or |now )*(what|why|how|who|whom|whose|where|when|which|is|are|was|were|do|does|did|can|could|would|will|should|shall|have|has|had|may|isn'?t|aren'?t|don'?t|doesn'?t|didn'?t|can'?t|couldn'?t|wouldn'?t|won'?t) (it|that|this|these|those|there|they|you|we|i|he|she|the|your|our|my|any\w*|about|many|much|is|are|do|does|did|was|were|would|can|could|will|should|have|has|else|kind|sort|if|someone|people)\b)",
      options());
  return found(sentence, pattern);
}

std::string type_of_title(std::string_view title) {
  static const std::vector<std::pair<std::string, std::unique_ptr<RE2>>> kTitles = [] {
    std::vector<std::pair<std::string, std::unique_ptr<RE2>>> out;
    for (const auto& type : kTypes) out.emplace_back(type.type, std::make_unique<RE2>(type.title, options()));
    out.emplace_back("internal", std::make_unique<RE2>(kInternalTitle, options()));
    return out;
  }();
  for (const auto& [type, pattern] : kTitles) {
    if (found(title, *pattern)) return type;
  }
  return {};
}

std::string type_of_words(std::string_view text) {
  static const std::vector<std::pair<std::string, std::unique_ptr<RE2>>> kWords = [] {
    std::vector<std::pair<std::string, std::unique_ptr<RE2>>> out;
    for (const auto& type : kTypes) out.emplace_back(type.type, std::make_unique<RE2>(type.words, options()));
    return out;
  }();
  std::string best;
  std::size_t most = kLeastMentions - 1;
  for (const auto& [type, pattern] : kWords) {
    re2::StringPiece rest(text.data(), text.size());
    std::size_t count = 0;
    while (count < 1000 && RE2::FindAndConsume(&rest, *pattern)) ++count;
    if (count > most) {
      most = count;
      best = type;
    }
  }
  return best;
}

}  // namespace castiel::content::transcripts::impl
