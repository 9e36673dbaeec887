#pragma once
// The rows the store keeps besides shards: plain values, no behaviour.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "model/shard.hpp"

namespace castiel::storage {

// What a writer must know of a stored shard before it decides: everything but the payload.
struct ShardHead {
  ShardId id;
  std::int64_t version = 0;
  Timestamp source_version;
  bool source_is_dated = false;
  std::uint64_t content_hash = 0;
  bool deleted = false;
};

// One insert (expected_version 0) or update (the version that was read) of a shard.
struct ShardWrite {
  model::Shard shard;  // `version` is the new one: expected_version + 1
  std::int64_t expected_version = 0;
};

// A name under which a shard can be found: its external id, name, e-mail or domain.
struct Alias {
  std::string kind;  // "account:id", "account:name", "user:email", …
  std::string key;   // normalised value
  std::string integration;
  ShardId shard;
  auto operator<=>(const Alias&) const = default;
};

// An edge from a shard to another, given by the source as an id or a name and resolved through aliases.
struct Relation {
  ShardId from;
  std::string role;  // "account", "owner", "product", "contact", "parent", "manager", …
  int ordinal = 0;
  std::string integration;  // of the shard it starts from; its own aliases are preferred
  std::string kind;         // alias kind to look up
  std::string key;          // normalised
  std::string text;         // as the source wrote it
  std::optional<ShardId> to;
  std::string how;  // "id", "name", "near", "ambiguous", "" while unresolved
};

// Lanes of a queue are numbered by partition; retries of single records wait in a lane of their own, where
// the parked key, not the lane, keeps the order.
inline constexpr int kRetryLane = -1;

// All relations that name the same thing in the same words.
struct NamedRelation {
  std::string kind;
  std::string text;
  ShardId to;
  std::string how;
  std::int64_t count = 0;
};

// A message on its way to queues. Serialised once; the routing key is the event type.
struct OutgoingMessage {
  std::string id;
  std::string type;
  CorrelationId correlation;
  int partition = 0;  // messages of one partition of a queue are handled one after another
  int records = 1;
  std::string body;
};

// A row of one queue's retry lane or dead-letter queue keeps the tries so far and their errors.
struct Failure {
  Timestamp at;
  std::string code;
  std::string message;
};

// As text in rows. What cannot be read gives no failures.
std::string failures_to_json(std::span<const Failure> failures);
std::vector<Failure> failures_from_json(std::string_view text);

// Where a message that could not be handled waits for a person: the dead letters without end, the quarantine
// for a time (RETRY-4).
enum class LetterPlace { dead, quarantine };

struct DeadLetter {
  std::string id;
  TenantId tenant;
  std::string queue;
  std::string type;  // event type
  Timestamp at;
  int deliveries = 0;
  std::string code;
  std::string message;
  std::string pointer;  // JSON pointer of the offending part, may be empty
  std::string key;      // the record's key, empty for a whole message
  CorrelationId correlation;
  std::string state = "dead";   // dead (in the quarantine: held), replayed, purged
  std::string payload;          // the original message
  std::int64_t size = 0;        // of the original message, in bytes; set by the store when it is read
  std::vector<Failure> errors;  // of all its lives: a replay that ends here again brings its history along
  LetterPlace place = LetterPlace::dead;
  std::string signature;   // of the cause: letters of one cause have one; empty: the code
  int repeats = 1;         // lives of the message, this one included, that ended with this signature in a row
  std::string replay_of;   // the letter whose replay ended here
  std::string outcome;     // of a replayed one: empty while nobody knows, effect, dead
  std::string outcome_id;  // the letter its replay ended as
  std::string message_id;  // of the original message
  // Of the quarantine only.
  std::string reason;  // tries, age, crashes, repeats, size, blocked
  std::string fix;     // what to do about it, for a person
  std::string shown;   // the message without what is sensitive
};

struct LetterQuery {
  LetterPlace place = LetterPlace::dead;
  std::string queue{};         // empty: any
  std::string signature{};     // empty: any
  std::string state = "open";  // open: dead or held; any; or exactly this state
  std::string after{};         // letters with a greater id follow; ids are time-ordered
  std::size_t limit = 500;
  bool with_payload = true;  // false: `payload`, `shown` and `errors` stay empty
};

// A shard that other rows name and that is not there: rows are only lost behind the store's back.
struct MissingShard {
  ShardId id;
  std::string type;               // empty when nothing tells
  std::string key;                // its external id, empty when nothing tells
  std::string name;               // a title, empty when nothing tells
  std::vector<std::string> seen;  // alias, relation, insight, link, footprint, text, version
  CorrelationId correlation;      // of a flow that dealt with it, may be empty
};

enum class LetterGrouping { cause, queue, tenant, type, outcome };

// Letters that have something in common.
struct LetterGroup {
  std::string key;      // signature, queue, tenant, type or outcome
  std::string code;     // of one of them
  std::string message;  // of one of them
  std::int64_t count = 0;
  Timestamp oldest, newest;
  std::string example;  // id of the newest
};

// One line of a flow's story, for `trace`.
struct FlowEntry {
  Timestamp at;
  std::string stage;  // queue or producer
  std::string kind;   // event, retry, dead_letter, parked, shard, insight, note
  std::string type;   // event type or shard type
  std::string id;
  std::string text;
  std::int64_t count = 0;
};

// One counter of the flow ledger. The names in use: in, out, records, created:<type>, updated:<type>,
// unchanged:<type>, dead, quarantined, parked, retried, replayed, enqueued, settled.
struct LedgerEntry {
  std::string stage;
  std::string counter;
  std::int64_t value = 0;
};

struct Problem {
  std::string file;
  std::int64_t line = 0;  // 1-based, 0 for the file as a whole
  std::string code;
  std::string message;
};

struct Insight {
  ShardId shard;
  std::string kind;  // "deal"
  Timestamp as_of;
  std::string payload;  // JSON text
  CorrelationId correlation;
  Timestamp recorded_at;
};

struct ImportRun {
  CorrelationId correlation;
  std::string status;  // running, done, failed
  Timestamp started_at;
  std::optional<Timestamp> finished_at;
  std::string detail;  // JSON text: paths, files, what was understood
};

// Who of several processes does something for a tenant: at most one owner at a time has the lease of a name.
struct Lease {
  std::string name;
  std::int64_t fence = 0;  // grows with each change of hands
  Timestamp until;         // by the store's clock; kept beyond it as long as nobody else takes it
};

// The lease of an import run's reader.
std::string import_lease(const CorrelationId& correlation);

struct TenantImport {
  TenantId tenant;
  ImportRun run;
};

struct ImportedFile {
  std::string sha256;
  std::string mapping;  // hash of how it was read: another mapping is another import
  CorrelationId correlation;
  bool complete = false;
  bool dated = false;  // its records carry their own modification times
  std::string cursor;  // where to go on, JSON text
  std::int64_t records = 0;
};

struct AuditEntry {
  Timestamp at;
  std::string actor;
  std::string action;
  std::string target;
  std::string detail;  // JSON text
};

// What was kept for long enough, by kind: rows from before these instants may go (TENANT-4).
struct KeptSince {
  Timestamp inbox;     // handled messages
  Timestamp flows;     // story, ledger, problems and import run of a flow that ended and wrote nothing since
  Timestamp versions;  // versions replaced before
  Timestamp dead_letters;  // replayed or purged before
  Timestamp quarantine;    // put there before, whatever became of them
};

// That a content shard (mail, message, document, meeting, event) is about an account, a contact or an
// opportunity.
struct Link {
  std::string id;
  ShardId from;
  std::string from_type;
  ShardId to;
  std::string to_type;
  std::string strategy;         // explicit, participant, content, temporal, vector, user
  int confidence = 0;           // 0 to 100
  std::string status;           // attached, suggested, rejected, ignored
  std::string reason;           // for a person
  std::string evidence = "[]";  // JSON array text: {"field","text","start","end"}, offsets in code points
  std::string created_by;       // "linking" or who made it
  Timestamp created_at;
  Timestamp last_verified_at;
  std::string decided_by;  // a person who approved, rejected or made it; empty: nobody yet
  CorrelationId correlation;
};

struct LinkQuery {
  std::string status;   // empty: all but ignored
  ShardId from;         // empty: any
  ShardId to;           // empty: any
  std::string to_type;  // empty: any
  std::string after;    // links with a greater id follow; ids are time-ordered
  std::size_t limit = 500;
};

// Decisions of people about one strategy's links.
struct LinkFeedback {
  std::string strategy;
  std::int64_t approved = 0;
  std::int64_t rejected = 0;
};

// One outside person and our own side in one mail, message or meeting.
struct Interaction {
  std::string person;  // address, lower case
  Timestamp at;
  ShardId shard;
  std::string own;        // the address of our side, empty when unknown
  std::string type;       // mail, chat, meeting, call, automatic
  std::string direction;  // inbound, outbound; both for meetings
  int size = 1;           // recipients or participants
};

// A key under which a content shard is found again.
struct Footprint {
  std::string kind;  // person, domain, thread, channel, file
  std::string key;
  auto operator<=>(const Footprint&) const = default;
};

// A piece of a shard's text in the full-text index: a page, a slide, a part of a transcript, a mail.
struct SearchChunk {
  ShardId shard;
  std::string type;  // of the shard
  int ordinal = 0;
  Timestamp at;
  std::string locator =
      "{}";  // JSON object text: {"page"|"slide"|"segment"|"minute"|"message", "start", "end"}
  std::string title;
  std::string text;
};

struct SearchTerm {
  std::string text;     // as typed; several words are a phrase
  bool prefix = false;  // the last word may go on
};

struct SearchQuery {
  std::vector<SearchTerm> terms;  // at most kMaxSearchTerms count
  bool all = false;               // every term has to be there; else any, best first
  std::string type;               // only of this shard type; empty: all
  std::size_t limit = 20;
};
inline constexpr std::size_t kMaxSearchTerms = 32;

struct SearchHit {
  SearchChunk chunk;
  double score = 0;     // BM25 over this tenant's texts alone, higher is better
  std::string snippet;  // a part of the text; matched words between kMarkStart and kMarkEnd
};
inline constexpr char kMarkStart = '\x01', kMarkEnd = '\x02';

struct SearchAnswer {
  std::vector<SearchHit> hits;  // best first
  std::int64_t total = 0;       // chunks that match
};

struct TenantInfo {
  TenantId tenant;
  Timestamp created_at;
};

}  // namespace castiel::storage
