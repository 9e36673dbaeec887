#pragma once
// What was said and promised about a deal: the mails, messages, meetings, events and documents linked to it,
// and what follows from them at an instant. Plain values filled by the caller and pure functions over them;
// any thread.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "intelligence/deal.hpp"
#include "intelligence/evidence.hpp"

namespace castiel::intelligence {

// Something in the words that bears on a deal.
enum class CueKind {
  farewell,    // somebody leaves, or has left, the company
  gone,        // a mailbox does not exist (any more)
  competitor,  // another offer or supplier
  price,       // it is too expensive
  budget,      // the budget is frozen or cut
  question,    // the last question of a mail
  promise,     // somebody will send something by a day
};

struct Cue {
  CueKind kind = CueKind::question;
  std::string text;         // the sentence, at most kMaxCueText bytes
  std::string name;         // of the competitor; the address that is gone
  std::string speaker;      // in a meeting
  bool ours = false;        // said by our side
  std::optional<Date> due;  // of a promise
  Locator place;
};

struct Someone {
  std::string email;  // lower case, may be empty
  std::string name;
};

enum class Way { none, inbound, outbound, internal, both };  // both: a meeting

// One content shard as the analytics keep it; no bodies.
struct Touch {
  ShardId shard;
  std::string type;  // of the shard
  Way way = Way::none;
  Timestamp at;        // when it happened or will happen
  Timestamp known_at;  // from when on it could be known at the source: sent, announced
  Timestamp recorded_at;
  bool automatic = false;  // written by a machine
  bool cancelled = false;
  bool calendar = false;  // an event of a calendar
  bool delivers = false;  // carries an attachment, or says that it does
  std::string subject;
  std::string thread;
  std::optional<Someone> from;
  std::vector<Someone> outside;     // who of the other side takes part: sender, recipients, participants
  std::optional<double> sentiment;  // -1 to 1, where it can be trusted
  std::vector<Cue> cues;
};

// A task found in a linked shard (COMM-3).
struct Promise {
  ShardId id;
  std::string text;
  std::string kind;   // commitment, request
  bool ours = false;  // our side has to act
  std::string owner;
  std::optional<Date> due;
  Timestamp at;  // when it was said
  Timestamp recorded_at;
  double confidence = 0;  // 0..1
  bool done = false;
  ShardId source;
  Locator place;
  std::string sentence;
};

// `sure`: the link is attached. What is only suggested may excuse (they did write), never accuse.
struct LinkedTouch {
  std::shared_ptr<const Touch> touch;
  bool sure = true;
  Timestamp recorded_at;  // of the link
};

struct DealEngagement {
  std::vector<LinkedTouch> touches;  // by time
  std::vector<Promise> promises;
};

// What a tenant's linked content shows at all.
struct EngagementFacts {
  std::optional<Timestamp> calendar_since;  // from when on planned meetings are known
};

// Somebody on the deal who is not with the customer any more.
struct Departure {
  std::string name, role;
  bool champion = false;  // by the role: champion, sponsor, decision maker
  std::vector<Evidence> evidence;
};

struct Overdue {
  std::string what;  // the sentence
  std::string owner;
  Date due;
  int days = 0;
  bool sending = false;  // something had to be sent
  Evidence evidence;
};

struct Waiting {
  std::string who, what;
  int days = 0;
  Evidence evidence;
};

// The state of affairs at an instant, from what happened and was known until then. Pointers lead into the
// DealEngagement.
struct EngagementView {
  bool any = false;  // the other side was written to, heard from or met
  bool sees_calendar = false;
  const Touch* last_inbound = nullptr;   // heard from or met
  const Touch* last_outbound = nullptr;  // written
  std::optional<int> inbound_days;       // since the last
  int inbound = 0, outbound = 0;
  std::optional<int> outbound_days;        // since the first of ours, while nobody ever answered
  std::vector<const Touch*> unanswered;    // ours since the last inbound, oldest first
  double rate_recent = 0, rate_usual = 0;  // weighted contacts a week, over 14 and over 56 days
  std::vector<std::string> engaged;        // names (or addresses) of those who wrote or met, without who left
  std::vector<const Touch*> engaged_in;    // a touch of each of them
  const Touch* next_meeting = nullptr;
  std::vector<Departure> departures;
  std::vector<Overdue> overdue;    // ours; what had to be sent first, then longest overdue first
  std::optional<Waiting> waiting;  // a question of theirs nobody answered
  std::vector<Evidence> competitor, price, budget;  // oldest first
  std::string competitor_name;                      // empty: not named
  std::optional<Timestamp> competitor_first;
  std::optional<Evidence> sour;  // a mail far below its sender's own mean
};

// `contacts`: of the deal.
EngagementView view_engagement(const DealEngagement& engagement, const EngagementFacts& facts,
                               std::span<const DealContact> contacts, Timestamp as_of, Timestamp known_at);

// A place in a touch, for a person and a program.
Evidence touch_evidence(const Touch& touch, std::string text, const Locator& place = {});

// The role of somebody a deal hangs on.
bool is_champion(std::string_view role);

}  // namespace castiel::intelligence
