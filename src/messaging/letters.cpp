#include "messaging/letters.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.hpp"
#include "base/utf8.hpp"
#include "messaging/event.hpp"
#include "messaging/handler.hpp"

namespace castiel::messaging {
namespace {

constexpr std::size_t kMaxNormalisedBytes = 200;

bool is_word(char c) {
  const auto u = static_cast<unsigned char>(c);
  return (u >= '0' && u <= '9') || (u >= 'A' && u <= 'Z') || (u >= 'a' && u <= 'z') || u >= 0x80 ||
         std::string_view("@._-/:+#").find(c) != std::string_view::npos;
}

bool is_quote(char c) {
  return c == '\'' || c == '"' || c == '`';
}

// A word that names one thing: it has a digit, or is an address, a path or the name of a file or field.
bool is_particular(std::string_view word) {
  return word.find_first_of("@/.") != std::string_view::npos ||
         std::ranges::any_of(word, [](char c) { return c >= '0' && c <= '9'; });
}

int records_in(const Event& event) {
  const auto* records = get_array(event.data.get_object(), "records");
  return records == nullptr || records->empty() ? 1 : static_cast<int>(records->size());
}

}  // namespace

std::string normalised(std::string_view message, std::string_view key) {
  std::string text(message);
  // As a word it is found below; with other characters in it it is no word.
  if (!std::ranges::all_of(key, is_word)) {
    for (auto at = text.find(key); at != std::string::npos; at = text.find(key, at + 1))
      text.replace(at, key.size(), "#");
  }
  std::string out;
  for (std::size_t i = 0; i < text.size() && out.size() < kMaxNormalisedBytes;) {
    const char c = text[i];
    const bool opens = is_quote(c) && (i == 0 || !is_word(text[i - 1]));
    if (const auto close = opens ? text.find(c, i + 1) : std::string::npos; close != std::string::npos) {
      out += '#';
      i = close + 1;
      continue;
    }
    if (!is_word(c)) {
      if (c != ' ' || out.empty() || out.back() != ' ') out += c;
      ++i;
      continue;
    }
    auto end = i;
    while (end < text.size() && is_word(text[end])) ++end;
    // Marks at the end belong to the sentence.
    auto last = end;
    while (last > i + 1 && (text[last - 1] == '.' || text[last - 1] == ':')) --last;
    const std::string_view word(text.data() + i, last - i);
    out += word == key || is_particular(word) ? std::string_view("#") : word;
    out.append(text, last, end - last);
    i = end;
  }
  return std::string(utf8_prefix(out, kMaxNormalisedBytes));
}

std::string signature_of(std::string_view code, std::string_view message, std::string_view key) {
  const auto hash = stable_hash(fmt::format("{}\n{}", code, normalised(message, key)));
  return fmt::format("{}:{:010x}", code, hash & 0xff'ffff'ffffULL);
}

std::string_view quarantine_reason(const QuarantinePolicy& policy, const Trouble& t) {
  if (std::ranges::find(policy.blocked, t.signature) != policy.blocked.end()) return "blocked";
  if (t.code == kMessageTooLarge || t.bytes > policy.message_bytes) return "size";
  if (t.crashes >= policy.crashes) return "crashes";
  if (t.repeats >= policy.repeats) return "repeats";
  if (t.tries > policy.tries) return "tries";
  if (t.failed_before && t.age > policy.age) return "age";
  return {};
}

std::string suggested_fix(std::string_view reason, std::string_view code) {
  if (reason == "blocked") {
    return "Its cause is blocked. Remove the cause, unblock it (castiel quarantine unblock), then replay.";
  }
  if (reason == "size") {
    return "Split the record at its source, or raise quarantine.message_bytes, then replay.";
  }
  if (reason == "crashes") {
    return "Handling it ended the process: report it with this message, keep it here, and replay it after an "
           "update.";
  }
  if (code == "schema_violation" || code == "malformed_event") {
    return "The sender's events do not fit their schema: correct the sender, or check the version with "
           "castiel "
           "schemas check, then replay.";
  }
  if (code == "key_collision") {
    return "The source gives one version of a record with two contents: correct it there and import it "
           "again.";
  }
  if (reason == "age")
    return "It has failed for a long time. See its errors; replay it once they cannot recur.";
  return "It keeps failing in the same way: correct the record at its source or its mapping, look at a dry "
         "run "
         "(castiel quarantine replay ID), then confirm.";
}

std::optional<std::string> no_message(const storage::DeadLetter& letter) {
  // A row that was no record never became a message; what is kept of it is the row.
  if (const auto event = parse_json(letter.payload);
      event && event->is_object() && event->get_object().contains("specversion")) {
    return std::nullopt;
  }
  return fmt::format("{} cannot be replayed, it never became a message: correct {} and import the file again",
                     letter.id, letter.pointer.empty() ? "its source" : letter.pointer);
}

Result<PutBack> put_back(storage::Transaction& tx, Broker& broker, const storage::DeadLetter& letter,
                         IdGenerator& ids, Timestamp now, Timestamp at, std::string_view actor) {
  if (letter.state != "dead" && letter.state != "held") {
    return PutBack{false, {}, "already", fmt::format("{} is {} already", letter.id, letter.state)};
  }
  if (auto why = no_message(letter)) return PutBack{false, {}, "impossible", std::move(*why)};
  storage::OutgoingMessage message{ids.next(),          letter.type, letter.correlation,
                                   storage::kRetryLane, 1,           letter.payload};
  std::string_view counted = letter.place == storage::LetterPlace::quarantine ? "quarantined" : "dead";
  // What cannot be read as an event is put back as it is: it may be its reader that was wrong.
  if (auto event = parse_event(letter.payload)) {
    event->id = message.id;
    event->replay_of = letter.id;
    message.records = records_in(*event);
    if (bool_or(event->data.get_object(), kCameAlong, false)) counted = "deadAlong";
    message.body = serialize(*event);
  }
  CASTIEL_TRY(tx.set_dead_letter_state(letter.id, "replayed"));
  bool leads = true;
  if (!letter.key.empty()) {
    CASTIEL_ASSIGN(const auto parked, tx.parked_keys(letter.queue));
    leads = std::ranges::find(parked, letter.key) == parked.end();
    if (leads) CASTIEL_TRY(tx.mark_parked(letter.queue, letter.key));
  }
  if (leads) {
    CASTIEL_TRY(broker.retry(tx, letter.queue, message, letter.key, at, {}));
  } else {
    CASTIEL_TRY(tx.park(letter.queue, letter.key, message));
  }
  // Of each record the ledger says what it came to in the end: these are open again.
  CASTIEL_TRY(
      tx.count(letter.correlation, letter.queue, counted, letter.key.empty() ? -message.records : -1));
  CASTIEL_TRY(tx.count(letter.correlation, letter.queue, "replayed", 1));
  CASTIEL_TRY(tx.add_flow_entry(
      letter.correlation, {now, letter.queue, "retry", letter.type, message.id,
                           fmt::format("dead letter {} replayed by {}", letter.id, actor), message.records}));
  return PutBack{true, message.id, {}, {}};
}

}  // namespace castiel::messaging
