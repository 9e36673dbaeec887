#include "intelligence/impl/cues.hpp"

#include <re2/re2.h>

#include <array>
#include <charconv>
#include <string>

#include "content/text/text.hpp"

namespace castiel::intelligence::impl {
namespace {

namespace text = content::text;

const RE2::Options& ignoring_case() {
  static const RE2::Options options = [] {
    RE2::Options made;
    made.set_case_sensitive(false);
    made.set_never_capture(false);
    return made;
  }();
  return options;
}

re2::StringPiece piece(std::string_view s) {
  return {s.data(), s.size()};
}
bool has(std::string_view s, const RE2& pattern) {
  return RE2::PartialMatch(piece(s), pattern);
}

// A name in the middle of a sentence; case counts. (RE2 sees word boundaries between ASCII letters only: no
// \\b stands beside an accented letter below.)
const std::string kName = "((?-i:\\p{Lu}[\\p{L}\\d&.-]{2,}(?: \\p{Lu}[\\p{L}\\d&.-]+)?))";

bool is_farewell(std::string_view s) {
  static const RE2 pattern(
      "\\b(?:my|his|her|their|'s)\\s+last\\s+(?:working\\s+)?day\\b"
      "|\\b(?:is|are|am|'s|'m)\\s+no\\s+longer\\s+(?:with|at|working|employed|part\\s+of)\\b"
      "|\\bno\\s+longer\\s+works?\\b"
      "|\\b(?:has|have|had|who|user)\\s+left\\s+(?:the\\s+|our\\s+)?(?:company|firm|organi[sz]ation|business)"
      "\\b"
      "|\\b(?:i'm|i\\s+am|i\\s+will\\s+be|is|will\\s+be|i\\s+have\\s+decided\\s+to|i)\\s+(?:leave|leaving)"
      "\\s+"
      "(?:the\\s+|our\\s+)?(?:company|firm|organi[sz]ation|(?-i:\\p{Lu}\\p{L}{2,}))"
      "|\\b(?:mein|sein|ihr|dessen|deren)\\s+letzter\\s+(?:arbeits)?tag\\b"
      "|\\bverlasse\\s+ich\\b|\\bich\\b.{0,40}\\bverlasse\\b|\\b(?:hat|haben|hatte)\\b.{0,60}\\bverlassen\\b"
      "|\\bverlässt\\b.{0,40}\\b(?:uns|unternehmen|firma|haus)\\b"
      "|\\bnicht\\s+mehr\\s+(?:bei\\s+uns|im\\s+unternehmen|im\\s+hause?|für\\s+\\p{L}+\\s+tätig)\\b"
      "|\\b(?:ausgeschieden|scheide\\b.{0,40}\\baus)\\b|\\bin\\s+(?:den\\s+ruhestand|rente)\\b"
      "|\\b(?:mon|son)\\s+dernier\\s+jour\\b|\\bje\\s+quitte\\b|\\b(?:a|ont)\\s+quitté"
      "|\\bne\\s+(?:travaille|fait)\\s+plus\\b"
      "|\\bmi\\s+último\\s+día\\b|\\bya\\s+no\\s+trabaja\\b|\\bmio\\s+ultimo\\s+giorno\\b|\\blaatste\\s+"
      "werkdag\\b",
      ignoring_case());
  // To rely on somebody, to leave a room, and days that are not somebody's.
  static const RE2 other(
      "\\b(?:mich|sich|uns|dich)\\b.{0,30}\\b(?:darauf|auf)\\b.{0,40}\\bverlass"
      "|\\bverlass\\w*\\s+(?:sie\\s+)?(?:sich|mich|uns)\\b"
      "|\\bleav(?:e|ing)\\b.{0,20}\\b(?:office|early|today|tomorrow|for\\s+the\\s+day|on\\s+(?:vacation|"
      "holiday))\\b"
      "|\\b(?:büro|sitzung|raum)\\s+verlass",
      ignoring_case());
  return has(s, pattern) && !has(s, other);
}

// Another offer or supplier. `name` when a comparison names it.
bool is_competitor(std::string_view s, std::string& name) {
  static const RE2 words(
      "\\bcompetitors?\\b"
      "|\\b(?:competing|second|another|other|rival|alternative)\\s+(?:offer|bid|bidder|vendor|supplier|"
      "provider|"
      "quote|proposal)s?\\b"
      "|\\b(?:wettbewerber|mitbewerber|konkurrent|konkurrenz)\\w*"
      "|\\b(?:zweite[nrs]?|andere[nrs]?|weitere[nrs]?|konkurrierende[nrs]?)\\s+(?:angebot|bieter|anbieter|"
      "lieferant)\\w*"
      "|\\bconcurrents?\\b|\\b(?:autres?|deux|seconde?|deuxième)\\s+(?:offres?|fournisseurs?|prestataires?)"
      "\\b"
      "|\\bcompetidor\\w*|\\bconcorrent\\w*|\\botr[oa]s?\\s+(?:oferta|proveedor)\\w*",
      ignoring_case());
  static const RE2 compares(
      "\\b(?:cheaper\\s+than|compar(?:ed|ing)(?:\\s+\\w+)?\\s+(?:to|with)|versus|vs\\.?|evaluating|"
      "looking\\s+at|"
      "talking\\s+to|switch(?:ing)?\\s+to|going\\s+with|im\\s+vergleich\\s+(?:zu|mit)|verglichen\\s+mit|"
      "günstiger\\s+"
      "als|billiger\\s+als|sprechen\\s+auch\\s+mit|par\\s+rapport\\s+à|comparé[es]*\\s+à|moins\\s+chère?\\s+"
      "que)\\s+" +
          kName,
      ignoring_case());
  // An offer that is asked of us or made by us.
  static const RE2 ours(
      "\\b(?:send|make|prepare|give)\\b.{0,30}\\b(?:another|second|alternative)\\b"
      "|\\b(?:schick|mach|erstell|sende?n?)\\w*\\b.{0,40}\\b(?:zweite|andere|weitere)|\\bother\\s+(?:offer|"
      "proposal)s?\\s+"
      "(?:from|of)\\s+(?:you|yours)",
      ignoring_case());
  re2::StringPiece found;
  if (RE2::PartialMatch(piece(s), compares, &found)) {
    name.assign(found.data(), found.size());
    return has(s, words) || !has(s, ours);
  }
  return has(s, words) && !has(s, ours);
}

bool is_price(std::string_view s) {
  static const RE2 pattern(
      "\\btoo\\s+(?:expensive|costly|pricey)\\b|\\b(?:price|cost|total|amount|figure)s?\\b.{0,40}\\b(?:is|"
      "are)\\s+"
      "(?:still\\s+|far\\s+|much\\s+)?too\\s+high\\b"
      "|\\b(?:over|above|exceeds?|beyond|outside)\\s+(?:of\\s+)?(?:our|the|my)\\s+budget\\b|\\b(?:can't|"
      "cannot|can\\s+not)"
      "\\s+afford\\b|\\bis\\s+a\\s+lot\\s+(?:of\\s+money\\s+)?for\\b"
      "|\\bzu\\s+teuer\\b|\\b(?:preis|kosten|summe)\\w*\\b.{0,40}\\bzu\\s+hoch\\b"
      "|(?:über|ausserhalb|außerhalb)\\s.{0,20}budget|\\blieg(?:t|en)\\b.{0,20}\\süber\\s.{0,40}\\b(?:"
      "eingeplant|"
      "geplant|vorgesehen)\\b"
      "|\\btrop\\s+(?:cher|chère|élevée?)s?\\b|\\bhors\\s+budget\\b|\\bdemasiado\\s+car[oa]s?\\b|"
      "\\btroppo\\s+car[oi]\\b|"
      "\\bte\\s+duur\\b",
      ignoring_case());
  static const RE2 denied(
      "\\b(?:not|isn't|never|nicht|pas|no\\s+es)\\s+(?:\\w+\\s+)?(?:too|zu|trop|demasiado)\\b",
      ignoring_case());
  return has(s, pattern) && !has(s, denied);
}

bool is_budget(std::string_view s) {
  static const RE2 pattern(
      "budgets?\\b.{0,60}\\b(?:frozen|freeze|cut|on\\s+hold|suspended|blocked|postponed|eingefroren|gesperrt|"
      "gestrichen|"
      "gekürzt|gestoppt|suspendue?s?|congelado|bloccato|bevroren)\\b|budgets?\\b.{0,60}\\b(?:gelé|bloqué)"
      "|\\b(?:frozen|cut|suspended|eingefroren\\w*|gekürzt\\w*|gestrichen\\w*|gelée?)\\b.{0,40}budget"
      "|\\b(?:spending|budget|investment|capex|purchasing)\\s+(?:freeze|stop|cut)s?\\b"
      "|haushaltssperre|investitionsstopp|ausgabenstopp|budgetsperre|\\bgel\\s+(?:du|des)\\s+budgets?\\b",
      ignoring_case());
  static const RE2 denied(
      "\\b(?:not|isn't|no\\s+longer|nicht\\s+(?:mehr\\s+)?|pas|plus)\\s*(?:frozen|cut|eingefroren|"
      "gekürzt|gestrichen|gesperrt|gelé)\\b",
      ignoring_case());
  return has(s, pattern) && !has(s, denied);
}

int month_named(std::string_view name) {
  static constexpr std::array<std::array<std::string_view, 3>, 12> kMonths{{{"jan", "jän", "janv"},
                                                                            {"feb", "fév", "fev"},
                                                                            {"mär", "mar", "mrz"},
                                                                            {"apr", "avr", "apr"},
                                                                            {"mai", "mai", "mai"},
                                                                            {"jun", "juin", "jun"},
                                                                            {"jul", "juil", "jul"},
                                                                            {"aug", "aoû", "aou"},
                                                                            {"sep", "sep", "sep"},
                                                                            {"okt", "oct", "okt"},
                                                                            {"nov", "nov", "nov"},
                                                                            {"dez", "déc", "dec"}}};
  std::string lower(name);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  for (std::size_t m = 0; m < kMonths.size(); ++m) {
    for (const auto prefix : kMonths[m]) {
      if (lower.starts_with(prefix)) return static_cast<int>(m) + 1;
    }
  }
  return 0;
}

// The next such day from a week before `at` on: "4. September", "le 4 septembre".
std::optional<Date> next_day(std::string_view day, std::string_view month, Timestamp at) {
  int d = 0;
  std::from_chars(day.data(), day.data() + day.size(), d);
  const int m = month_named(month);
  const Date from = date_of(at) + (-7);
  const int year = std::stoi(to_string(from).substr(0, 4));
  for (const int y : {year, year + 1}) {
    const auto date = make_date(y, m, d);
    if (date && !(*date < from)) return *date;
  }
  return std::nullopt;
}

// Promises with a day, in German and French; those in English are tasks already.
std::optional<Date> promised_by(std::string_view s, Timestamp at) {
  static const RE2 german(
      "\\b(?:ich|wir)\\b.{0,60}\\b(?:schicke|schicken|sende|senden|liefere|liefern|reiche|bringe|gebe|mache|"
      "erstelle)n?\\b.*\\bbis\\b.{0,25}?(\\d{1,2})\\.\\s?(januar|februar|märz|april|mai|juni|juli|august|"
      "september|oktober|"
      "november|dezember)\\b"
      "|\\b(?:schicke|sende|liefere|gebe)\\s+(?:ich|wir)\\b.*\\bbis\\b.{0,25}?(\\d{1,2})\\.\\s?(januar|"
      "februar|"
      "märz|april|mai|juni|juli|august|september|oktober|november|dezember)\\b",
      ignoring_case());
  static const RE2 french(
      "\\bje\\s+(?:vous|t')\\s?(?:envoie|enverrai|transmets|transmettrai|ferai\\s+parvenir|remets)\\b.*\\b(?:"
      "avant|d'ici|"
      "pour)\\s+le\\s+(?:\\p{L}+\\s+)?(\\d{1,2})\\s+(janvier|février|mars|avril|mai|juin|juillet|août|"
      "septembre|octobre|"
      "novembre|décembre)\\b",
      ignoring_case());
  re2::StringPiece d1, m1, d2, m2;
  if (RE2::PartialMatch(piece(s), german, &d1, &m1, &d2, &m2)) {
    const auto& d = d1.empty() ? d2 : d1;
    const auto& m = d1.empty() ? m2 : m1;
    return next_day({d.data(), d.size()}, {m.data(), m.size()}, at);
  }
  if (RE2::PartialMatch(piece(s), french, &d1, &m1))
    return next_day({d1.data(), d1.size()}, {m1.data(), m1.size()}, at);
  return std::nullopt;
}

}  // namespace

std::string shortened(std::string_view s) {
  if (s.size() > kMaxCueText) {
    std::size_t end = kMaxCueText;
    while (end > 0 && (static_cast<unsigned char>(s[end]) & 0xC0) == 0x80) --end;
    return std::string(s.substr(0, end)) + "…";
  }
  std::string out;
  for (const char c : s) out += c == '\n' || c == '\r' || c == '\t' ? ' ' : c;
  return out;
}

void find_cues(std::string_view whole, std::string_view field, bool ours, Timestamp at,
               std::vector<Cue>& cues) {
  std::string_view scanned = whole.substr(0, kMaxScanned);
  std::optional<Cue> question;
  for (const text::Span span : text::sentences(scanned)) {
    if (cues.size() >= kMaxCues) break;
    const std::string_view s = text::slice(scanned, span);
    Cue cue;
    cue.ours = ours;
    cue.text = shortened(s);
    cue.place.field = field;
    cue.place.start = static_cast<int>(span.start);
    cue.place.end = static_cast<int>(span.end);
    const auto keep = [&](CueKind kind) {
      cue.kind = kind;
      cues.push_back(cue);
    };
    if (is_farewell(s)) keep(CueKind::farewell);
    if (std::string name; is_competitor(s, name)) {
      keep(CueKind::competitor);
      cues.back().name = std::move(name);
    }
    if (is_price(s)) keep(CueKind::price);
    if (is_budget(s)) keep(CueKind::budget);
    if (ours) {
      if (const auto due = promised_by(s, at)) {
        keep(CueKind::promise);
        cues.back().due = due;
      }
    } else if (s.ends_with('?')) {
      question = cue;
    }
  }
  if (question && cues.size() < kMaxCues) {
    question->kind = CueKind::question;
    cues.push_back(std::move(*question));
  }
}

std::string named_alone(std::string_view s) {
  static const RE2 pattern(
      "^\\W*(?:from|by|it's|it\\s+is|they're\\s+called|von|das\\s+ist|das\\s+sind|de|c'est)\\s+(?:der\\s+|"
      "the\\s+)?" +
          kName + "(?:\\s*[.,!]|$)",
      ignoring_case());
  re2::StringPiece found;
  if (!RE2::PartialMatch(piece(s), pattern, &found)) return {};
  std::string name(found.data(), found.size());
  while (name.ends_with('.')) name.pop_back();
  return name;
}

void find_gone(std::string_view whole, std::string_view field, std::vector<Cue>& cues) {
  static const RE2 pattern(
      "\\b5\\.1\\.(?:1|10)\\b|\\buser\\s+unknown\\b|\\bno\\s+such\\s+user\\b|\\bunknown\\s+(?:user|recipient)"
      "\\b"
      "|\\b(?:mailbox|address|account|recipient)\\b.{0,40}\\b(?:does\\s+not\\s+exist|not\\s+found|no\\s+"
      "longer|disabled|"
      "deactivated|inactive)\\b|\\bleft\\s+the\\s+(?:company|organi[sz]ation)\\b|\\bexistiert\\s+nicht\\b|"
      "\\bn'existe\\s+(?:pas|plus)\\b",
      ignoring_case());
  static const RE2 address("([A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\\.[A-Za-z]{2,})");
  const std::string_view scanned = whole.substr(0, kMaxScanned);
  if (!has(scanned, pattern)) return;
  re2::StringPiece found;
  if (!RE2::PartialMatch(piece(scanned), address, &found)) return;
  Cue cue;
  cue.kind = CueKind::gone;
  cue.name.assign(found.data(), found.size());
  for (char& c : cue.name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  const auto spans = text::sentences(scanned);
  cue.place.field = field;
  for (const text::Span span : spans) {
    const std::string_view s = text::slice(scanned, span);
    if (!has(s, pattern)) continue;
    cue.text = shortened(s);
    cue.place.start = static_cast<int>(span.start);
    cue.place.end = static_cast<int>(span.end);
    break;
  }
  if (cue.text.empty()) cue.text = shortened(scanned);
  cues.push_back(std::move(cue));
}

bool says_it_delivers(std::string_view s) {
  static const RE2 pattern(
      "\\b(?:attached|enclosed|please\\s+find|here\\s+(?:is|are)\\s+(?:the|our|your))\\b|\\banbei\\b|"
      "\\bim\\s+anhang\\b|"
      "\\bbeigefügt|\\bangehängt|\\bci-joint|\\ben\\s+pièce\\s+jointe|\\badjunto|\\bin\\s+allegato|"
      "\\bbijgevoegd|https?://",
      ignoring_case());
  return has(s.substr(0, kMaxScanned), pattern);
}

bool is_about_sending(std::string_view s) {
  static const RE2 pattern(
      "\\b(?:i|we)(?:'ll|'d|\\s+will|\\s+shall|\\s+can|'m\\s+going\\s+to)?\\s+(?:then\\s+|also\\s+|get\\s+"
      "you\\s+)?(?:send|"
      "share|forward|provide|deliver|submit|return|mail|email)\\b"
      "|\\b(?:schicke|sende|liefere|reiche)n?\\b|\\b(?:envoie|enverrai|transmets|transmettrai|parvenir)\\b",
      ignoring_case());
  return has(s, pattern);
}

}  // namespace castiel::intelligence::impl
