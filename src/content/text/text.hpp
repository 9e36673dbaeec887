#pragma once
// What can be read out of plain text: language, sentences, dates, amounts, action items, sentiment, key
// phrases, entities and personal data. Pure functions over UTF-8; invalid bytes count as U+FFFD. Thread-safe,
// no I/O. Offsets are code points, the end exclusive, as in `castiel inspect`.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"

namespace castiel::content::text {

struct Span {
  std::size_t start = 0;
  std::size_t end = 0;
  bool operator==(const Span&) const = default;
};

// What relative words refer to.
struct Context {
  Timestamp at;                   // "tomorrow" is the day after this one in `time_zone`
  std::string time_zone = "UTC";  // IANA name; an unknown one counts as UTC
};

// ISO 639-1 code, or empty when the text is too short or mixed to tell.
std::string language_of(std::string_view text);

// The sentences (and lines of lists) of a text, in order, without surrounding white space.
std::vector<Span> sentences(std::string_view text);

// -1 to 1. Rules and lexicon in the manner of VADER (Hutto & Gilbert 2014), written anew.
double sentiment(std::string_view text);

// At most `limit` phrases, best first, as they stand in the text.
std::vector<std::string> key_phrases(std::string_view text, std::size_t limit = 10);

// Subjects such as "pricing", "security", "contract", "timeline", by their words; most mentioned first.
std::vector<std::string> topics(std::string_view text, std::size_t limit = 5);

struct DateMention {
  std::string text;
  Span span;
  std::string type;        // date, time, datetime, daterange, timerange, datetimerange, duration, set
  json::array resolution;  // as interface.md says: strings or {"start","end"}, likeliest first
  // The last instant of the likeliest resolution, for use as a due date; nothing for durations and sets.
  std::optional<Date> due;
};
std::vector<DateMention> find_dates(std::string_view text, const Context& context);
// The dates of a text as its shard keeps them: the shape of interface.md and the sentence each stands in, at
// most `limit`, the first ones.
inline constexpr std::size_t kMaxDatesKept = 200;
json::array dates_with_sentences(std::string_view text, const Context& context,
                                 std::size_t limit = kMaxDatesKept);

struct AmountMention {
  std::string text;
  Span span;
  std::string value;     // decimal string
  std::string currency;  // ISO 4217 or "unknown"
};
std::vector<AmountMention> find_amounts(std::string_view text);

// Who speaks to whom; owners of action items are found among them.
struct Speech {
  std::string speaker;                  // name or address; owner of "I will …"
  std::vector<std::string> addressees;  // owner of "could you …" when there is one
  // Talk and chat: only sentences of a whole build count, since most questions there want an answer at once.
  bool spoken = false;
  std::string language = {};  // ISO 639-1 of the conversation; empty: of the text itself
};

struct ActionItem {
  std::string text;
  std::string kind;   // request or commitment
  std::string owner;  // empty: unassigned
  std::optional<Date> due;
  std::string due_text;
  double confidence = 0;  // 0..1
  Span evidence;          // the sentence
};
std::vector<ActionItem> find_action_items(std::string_view text, const Speech& speech,
                                          const Context& context);

struct Entity {
  std::string type;  // person, organization, email, url, phone, money, date, product, location
  std::string text;
  Span span;
};
std::vector<Entity> find_entities(std::string_view text);

struct PersonalData {
  std::string type;  // EMAIL_ADDRESS, PHONE_NUMBER, CREDIT_CARD, IBAN_CODE, US_SSN, IP_ADDRESS, PERSON, …
  std::string text;
  Span span;
};
std::vector<PersonalData> find_personal_data(std::string_view text);

bool is_question(std::string_view sentence);

// The shapes of interface.md.
json::array to_json(std::span<const DateMention> dates);
json::array to_json(std::span<const AmountMention> amounts);
json::array to_json(std::span<const ActionItem> items);
json::array to_json(std::span<const Entity> entities);
json::array to_json(std::span<const PersonalData> findings);
// `inspect --as text`: {"kind":"text","language","dates",…}
json::object analyse(std::string_view text, const Context& context);

// The bytes of a span given in code points, and the other way round.
std::string_view slice(std::string_view text, Span span);

}  // namespace castiel::content::text
