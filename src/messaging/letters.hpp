#pragma once
// Messages that could not be handled: which cause they share, when one belongs into the quarantine (RETRY-4),
// and how one gets back into its queue. Stateless; any thread, one transaction at a time.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "messaging/broker.hpp"

namespace castiel::messaging {

// An error's text without what differs between two messages of one cause: quoted parts, numbers, ids,
// addresses and the record's key become '#'. At most 200 bytes.
std::string normalised(std::string_view message, std::string_view key);
// "<code>:<10 hex digits>", of code and normalised message.
std::string signature_of(std::string_view code, std::string_view message, std::string_view key);

// When a message that failed is no matter for retries or the dead letters any more. Numbers are a tenant's.
struct QuarantinePolicy {
  int tries = 10;  // over all queues and replays
  Duration age = std::chrono::hours(24);
  int crashes = 3;  // of the process while it had the message
  int repeats = 3;  // lives that ended with the same signature
  std::size_t message_bytes = 10u << 20;
  std::vector<std::string> blocked;  // signatures
};

struct Trouble {
  std::string_view code;
  std::string_view signature;
  int tries = 1;
  int crashes = 0;
  int repeats = 1;
  Duration age{0};
  std::size_t bytes = 0;
  bool failed_before = false;
};

// Why the message belongs into the quarantine: blocked, size, crashes, repeats, tries or age; empty when it
// does not.
std::string_view quarantine_reason(const QuarantinePolicy& policy, const Trouble& trouble);
// What to do about it, for a person.
std::string suggested_fix(std::string_view reason, std::string_view code);

// The code of an event that grew too large to travel.
inline constexpr std::string_view kMessageTooLarge = "message_too_large";

struct PutBack {
  bool done = false;       // false: nothing was written
  std::string message_id;  // of the new message
  std::string why_not;     // already, impossible
  std::string detail;      // for a person
};
// Puts an open letter's message back into its queue under a new id, since the consumer knows the old one, and
// marks the letter as replayed. A record goes behind those of its key that are being retried. It is handed
// out from `at` on. Within the transaction, so once. Errors: the store's and broker's.
Result<PutBack> put_back(storage::Transaction& tx, Broker& broker, const storage::DeadLetter& letter,
                         IdGenerator& ids, Timestamp now, Timestamp at, std::string_view actor);

// Why a letter cannot be replayed; nothing when it can.
std::optional<std::string> no_message(const storage::DeadLetter& letter);

}  // namespace castiel::messaging
