#include <algorithm>
#include <array>
#include <set>

#include "content/calendar/calendar.hpp"

namespace castiel::content::calendar {
namespace {

// Words as they stand in a title between spaces, in lower case; a trailing '*' takes any ending.
struct Kind {
  std::string_view name;
  std::span<const std::string_view> words;
};
constexpr std::array<std::string_view, 18> kOutOfOffice = {
    "ooo",        "out of office", "vacation", "pto",    "annual leave", "on leave",
    "sick",       "sick leave",    "day off",  "urlaub", "abwesend",     "krank*",
    "elternzeit", "congé*",        "ferie*",   "absent", "vacaciones",   "parental leave"};
constexpr std::array<std::string_view, 8> kHoliday = {"holiday",  "public holiday", "bank holiday",
                                                      "feiertag", "jour férié",     "festivo",
                                                      "feriado",  "national day"};
constexpr std::array<std::string_view, 12> kInterview = {
    "interview*",         "phone screen",         "candidate",   "hiring",
    "bewerbungsgespräch", "vorstellungsgespräch", "onsite loop", "recruit*",
    "screening call",     "entretien d'embauche", "entrevista",  "debrief candidate"};
constexpr std::array<std::string_view, 24> kPersonal = {
    "birthday", "dentist",    "doctor", "doctor's", "gym",     "school",       "lunch break",    "family",
    "personal", "private",    "privat", "haircut",  "kids",    "anniversary",  "wedding",        "zahnarzt",
    "arzt",     "geburtstag", "yoga",   "vet",      "physio*", "anniversaire", "dr appointment", "pick up"};
constexpr std::array<std::string_view, 10> kTravel = {"flight",    "flight to", "train to", "travel",
                                                      "travel to", "hotel",     "check-in", "flug",
                                                      "zug nach",  "drive to"};
constexpr std::array<std::string_view, 10> kFocus = {"focus", "focus time", "no meetings", "blocked",
                                                     "block", "deep work",  "do not book", "dnb",
                                                     "hold",  "fokuszeit"};
constexpr std::array<Kind, 6> kKinds = {{{"out_of_office", kOutOfOffice},
                                         {"holiday", kHoliday},
                                         {"interview", kInterview},
                                         {"personal", kPersonal},
                                         {"travel", kTravel},
                                         {"focus", kFocus}}};
constexpr std::array<std::string_view, 14> kCustomerWords = {
    "demo",    "qbr",        "discovery", "kickoff",  "kick-off", "negotiation", "proposal",
    "pricing", "onboarding", "renewal",   "customer", "client",   "prospect",    "sales call"};
constexpr std::array<std::string_view, 14> kInternalWords = {
    "standup", "stand-up", "1:1",        "all hands", "all-hands", "retro*",          "sprint*",
    "team",    "1on1",     "one on one", "town hall", "planning",  "pipeline review", "internal"};

// The title in lower case (ASCII) between single spaces; punctuation that joins no word becomes a space.
std::string words_of(std::string_view text) {
  std::string out = " ";
  for (char c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    const bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                      static_cast<unsigned char>(c) >= 0x80 || c == '\'' || c == '-' || c == ':';
    if (word)
      out += c;
    else if (out.back() != ' ')
      out += ' ';
  }
  while (out.size() > 1 && (out.back() == ':' || out.back() == '-')) out.pop_back();
  if (out.back() != ' ') out += ' ';
  std::string clean;  // "ooo:" and "- ooo" are the word alone
  for (std::size_t i = 0; i < out.size(); ++i) {
    const bool mark = out[i] == ':' || out[i] == '-' || out[i] == '\'';
    if (mark && (out[i - 1] == ' ' || out[i + 1] == ' ')) {
      if (clean.back() != ' ') clean += ' ';
      continue;
    }
    if (out[i] == ' ' && !clean.empty() && clean.back() == ' ') continue;
    clean += out[i];
  }
  return clean;
}

bool mentions(std::string_view words, std::string_view wanted) {
  const bool any_end = wanted.ends_with('*');
  std::string pattern = " " + std::string(any_end ? wanted.substr(0, wanted.size() - 1) : wanted);
  if (!any_end) pattern += ' ';
  return words.find(pattern) != std::string_view::npos;
}

bool mentions_any(std::string_view words, std::span<const std::string_view> list) {
  return std::ranges::any_of(list, [&](std::string_view word) { return mentions(words, word); });
}

std::string domain_part(std::string_view email) {
  const auto at = email.rfind('@');
  std::string out(at == std::string_view::npos ? std::string_view() : email.substr(at + 1));
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

bool is_own(std::string_view domain, std::span<const std::string> own) {
  return std::ranges::any_of(own, [&](const std::string& one) {
    return domain == one || (domain.size() > one.size() && domain.ends_with(one) &&
                             domain[domain.size() - one.size() - 1] == '.');
  });
}

// Mail that people have for themselves tells nothing about a company.
bool is_free_mail(std::string_view domain) {
  static const std::set<std::string_view> kDomains = {
      "gmail.com",  "googlemail.com", "yahoo.com", "hotmail.com", "outlook.com", "live.com",
      "icloud.com", "me.com",         "aol.com",   "gmx.de",      "gmx.net",     "web.de",
      "proton.me",  "protonmail.com", "msn.com",   "mail.com"};
  return kDomains.contains(domain);
}

// Rooms and calendars are no people.
bool is_resource(std::string_view domain) {
  return domain.ends_with("resource.calendar.google.com") || domain.ends_with("group.calendar.google.com");
}

struct People {
  std::size_t own = 0, customers = 0, private_mail = 0;
};

People people_of(const json::object& event, const Sides& sides) {
  std::set<std::string> addresses;
  const auto add = [&](const json::value& person) {
    const auto* object = person.if_object();
    if (object == nullptr) return;
    const auto type = string_or(*object, "type");
    if (type != "resource" && type != "room") addresses.insert(string_or(*object, "email"));
  };
  if (const auto* organizer = event.if_contains("organizer")) add(*organizer);
  if (const auto* attendees = get_array(event, "attendees")) {
    for (const auto& attendee : *attendees) add(attendee);
  }
  People people;
  for (const auto& address : addresses) {
    const auto domain = domain_part(address);
    if (domain.empty() || is_resource(domain)) continue;
    if (is_own(domain, sides.own_domains))
      ++people.own;
    else if (is_free_mail(domain))
      ++people.private_mail;
    else
      ++people.customers;
  }
  return people;
}

}  // namespace

std::string classify_event(const json::object& event, const Sides& sides) {
  const auto words = words_of(string_or(event, "title"));
  const auto people = people_of(event, sides);
  const auto total = people.own + people.customers + people.private_mail;
  const auto named = [&](std::string_view kind) {
    const auto found = std::ranges::find(kKinds, kind, &Kind::name);
    return mentions_any(words, found->words);
  };
  if (named("out_of_office")) return "out_of_office";
  if (bool_or(event, "allDay", false) && total <= 1 && named("holiday")) return "holiday";
  if (const auto* categories = get_array(event, "categories")) {
    for (const auto& category : *categories) {
      if (!category.is_string()) continue;
      const auto text = words_of(category.get_string());
      if (mentions_any(text, kHoliday) || mentions(text, "holidays")) return "holiday";
      if (mentions(text, "personal") || mentions(text, "private")) return "personal";
    }
  }
  if (named("interview")) return "interview";
  // With a customer at the table words such as "lunch" or "team" decide nothing.
  if (people.customers > 0 && !sides.own_domains.empty()) return "customer";
  if (people.customers > 1 && sides.own_domains.empty() && mentions_any(words, kCustomerWords))
    return "customer";
  if (total <= 1) {
    for (const std::string_view kind : {"travel", "focus", "personal"}) {
      if (named(kind)) return std::string(kind);
    }
    if (mentions_any(words, kInternalWords)) return "internal";
    if (mentions_any(words, kCustomerWords)) return "customer";
    const auto visibility = string_or(event, "visibility");
    return visibility == "private" || visibility == "confidential" ? "personal" : "unknown";
  }
  if (people.private_mail > 0 && named("personal")) return "personal";
  if (people.own > 1 && people.private_mail == 0) return "internal";
  if (mentions_any(words, kCustomerWords)) return "customer";
  if (mentions_any(words, kInternalWords)) return "internal";
  return people.private_mail > 0 ? "personal" : "unknown";
}

json::object analyse_calendar(json::object structure, const Sides& sides) {
  const auto found = structure.find("events");
  if (found != structure.end() && found->value().is_array()) {
    for (auto& event : found->value().get_array()) {
      if (auto* object = event.if_object()) (*object)["class"] = classify_event(*object, sides);
    }
  }
  return structure;
}

}  // namespace castiel::content::calendar
