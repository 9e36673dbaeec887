#include "messaging/consumer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace castiel::messaging {

namespace {

constexpr std::size_t kMaxHistory = 50;  // errors kept of a message over all its lives
constexpr int kConflictTries = 3;  // RETRY-2: an optimistic-lock conflict is repeated at once, three times

const json::array* records_of(const Event& event) {
  return get_array(event.data.get_object(), "records");
}

std::string key_of(const json::value& record) {
  const auto* object = record.if_object();
  return object == nullptr ? std::string() : string_or(*object, "key");
}

// Of this message in this queue: a failure is written down for each, but where the process died.
int failed_tries(const Delivery& d) {
  return std::max(static_cast<int>(d.failures.size()), d.deliveries - 1);
}

// A page's event with only the records chosen.
template <class Keep>
Event with_records(const Event& page, Keep keep) {
  Event event = page;
  auto& data = event.data.get_object();
  json::array kept;
  const auto& records = *records_of(page);
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (keep(i)) kept.push_back(records[i]);
  }
  data["records"] = std::move(kept);
  return event;
}

}  // namespace

// What one attempt works on.
struct Consumer::Batch {
  std::span<const Delivery> deliveries;
  std::vector<const Delivery*> fresh;  // not handled before, each message once
  std::vector<Incoming> incoming;      // the well-formed ones of them
  struct Malformed {
    const Delivery* delivery;
    Error error;
    std::string pointer;
  };
  std::vector<Malformed> malformed;
  // Records taken out of the batch before its last prepare, each as an event of its own.
  struct Failed {
    const Delivery* delivery;
    Event single;
    Error error;
    std::string pointer;
  };
  struct Follower {
    const Delivery* delivery;
    Event single;
    std::string key;
  };
  std::vector<Failed> failed;
  std::vector<Follower> followers;         // they wait behind a record of their key
  std::unordered_set<std::string> parked;  // keys that a record in the retry lane leads
  std::unique_ptr<Plan> plan;

  Result<> prepare(Handler& handler, const storage::Reader& reader);
  void hold_back(const std::unordered_set<std::string>& keys);
};

// Takes all records of these keys out of the batch, to be parked in order.
void Consumer::Batch::hold_back(const std::unordered_set<std::string>& keys) {
  for (auto& in : incoming) {
    const auto* records = records_of(in.event);
    if (records == nullptr || in.delivery->lane == storage::kRetryLane) continue;
    std::vector<bool> waits(records->size());
    for (std::size_t i = 0; i < records->size(); ++i) {
      auto key = key_of((*records)[i]);
      waits[i] = keys.contains(key);
      if (waits[i])
        followers.push_back(
            {in.delivery, with_records(in.event, [&](std::size_t r) { return r == i; }), std::move(key)});
    }
    if (std::ranges::find(waits, true) != waits.end()) {
      in.event = with_records(in.event, [&](std::size_t r) { return !waits[r]; });
    }
  }
  std::erase_if(incoming, [](const Incoming& in) {
    const auto* records = records_of(in.event);
    return records != nullptr && records->empty();
  });
}

// Prepares until no record that failed for now has a later one of its key in the same batch: order per key
// holds inside a batch too (FLOW-9).
Result<> Consumer::Batch::prepare(Handler& handler, const storage::Reader& reader) {
  for (;;) {
    plan.reset();
    if (incoming.empty()) return {};
    CASTIEL_ASSIGN(plan, handler.prepare(reader, incoming));
    std::unordered_set<std::string> keys;
    for (const auto& failure : plan->failures()) {
      if (failure.error.cls == ErrorClass::permanent) continue;
      const auto& in = incoming[failure.message];
      if (auto key = key_of((*records_of(in.event))[failure.record]);
          !key.empty() && in.delivery->lane != storage::kRetryLane) {
        keys.insert(std::move(key));
      }
    }
    if (keys.empty()) return {};
    // The failed record keeps its error; the others of its key go behind it, and the rest is prepared without
    // them.
    for (const auto& failure : plan->failures()) {
      auto& in = incoming[failure.message];
      const auto& record = (*records_of(in.event))[failure.record];
      if (failure.error.cls == ErrorClass::permanent || keys.erase(key_of(record)) == 0) continue;
      failed.push_back({in.delivery,
                        with_records(in.event, [&](std::size_t r) { return r == failure.record; }),
                        failure.error, failure.pointer});
    }
    std::unordered_set<std::string> failed_keys;
    for (const auto& f : failed) failed_keys.insert(key_of((*records_of(f.single))[0]));
    hold_back(failed_keys);
    // The failed records themselves were held back with their followers: the first of each key is the failed
    // one.
    for (const auto& f : failed) {
      const auto key = key_of((*records_of(f.single))[0]);
      const auto it = std::ranges::find_if(followers, [&](const Follower& w) {
        return w.delivery == f.delivery && w.key == key && w.single.data == f.single.data;
      });
      if (it != followers.end()) followers.erase(it);
    }
  }
}

class Consumer::StepImpl final : public Step {
 public:
  StepImpl(storage::Transaction& tx, const Consumer& consumer, std::span<const Incoming> batch)
      : tx_(&tx), consumer_(&consumer), batch_(batch) {}
  storage::Transaction& tx() override { return *tx_; }
  Timestamp now() const override { return consumer_->parts_.clock->now(); }
  Result<> publish(const Event& cause, Publication publication) override {
    auto id = consumer_->parts_.publisher->publish(*tx_, consumer_->queue(),
                                                   {cause.correlation, cause.traceparent, tries_of(cause)},
                                                   std::move(publication));
    if (!id) return std::unexpected(std::move(id.error()));
    return {};
  }
  Result<> count(const Event& cause, std::string_view counter, std::int64_t by) override {
    return tx_->count(cause.correlation, consumer_->queue(), counter, by);
  }

 private:
  int tries_of(const Event& cause) const {
    for (const auto& in : batch_) {
      if (&in.event == &cause) return cause.tries + failed_tries(*in.delivery);
    }
    return cause.tries;
  }

  storage::Transaction* tx_;
  const Consumer* consumer_;
  std::span<const Incoming> batch_;
};

ConsumerTuning Consumer::tuning_of(const TenantId& tenant) const {
  if (options_.tuning_of) return options_.tuning_of(tenant);
  return {options_.limits, options_.queue.max_deliveries, options_.first_retry, options_.longest_retry};
}

Duration Consumer::retry_delay(const TenantId& tenant, int tries) {
  const ConsumerTuning tuning = tuning_of(tenant);
  Duration delay = tuning.first_retry;
  for (int i = 1; i < tries && delay < tuning.longest_retry; ++i) delay *= 2;
  delay = std::min(delay, tuning.longest_retry);
  const auto spread = static_cast<std::uint64_t>(2 * options_.jitter.count() + 1);
  return std::max(Duration(0), delay + Duration(static_cast<std::int64_t>(parts_.random->below(spread))) -
                                   options_.jitter);
}

Result<bool> Consumer::step(Deadline wait) {
  CASTIEL_ASSIGN(
      auto deliveries,
      parts_.broker->receive_by(queue(), [this](const TenantId& t) { return tuning_of(t).limits; }, wait));
  if (deliveries.empty()) return false;
  CASTIEL_TRY(process(std::move(deliveries)));
  return true;
}

Result<> Consumer::handle(Delivery delivery) {
  std::vector<Delivery> one;
  one.push_back(std::move(delivery));
  return process(std::move(one));
}

Result<> Consumer::process(std::vector<Delivery> deliveries) {
  // The broker hands out a message again only alone, so an exhausted one is the whole batch.
  if (const auto& d = deliveries.front(); d.deliveries > tuning_of(d.tenant).max_deliveries) {
    // Each delivery ended with a failure that was written down, or with the process.
    const int crashes = d.deliveries - 1 - static_cast<int>(d.failures.size());
    const Error last =
        crashes >= static_cast<int>(d.failures.size())
            ? Error{"crashed",
                    fmt::format("the process ended {} times while it handled this message", crashes),
                    ErrorClass::permanent,
                    {}}
            : Error{d.failures.back().code, d.failures.back().message, ErrorClass::permanent, {}};
    // A page that was there when the process died may be innocent, and at most one of its records is to
    // blame: they are tried one by one.
    if (last.code == "crashed" && d.records > 1 && d.lane != storage::kRetryLane) {
      const auto split = split_page(d);
      if (!split) return refuse(deliveries, split.error());
      if (*split) return {};
    }
    if (auto buried = bury_alone(d, last); !buried) return refuse(deliveries, buried.error());
    return {};
  }
  auto done = attempt(deliveries);
  if (done) return {};
  if (done.error().code == "unknown_tenant") {
    // Erased while the step was under way; its messages are gone from the queue.
    parts_.broker->settled(deliveries);
    parts_.log.info(
        "messages_of_erased_tenant",
        {{"queue", queue()}, {"tenant", deliveries.front().tenant}, {"count", deliveries.size()}});
    return {};
  }
  if (deliveries.size() == 1) {
    if (const auto& d = deliveries.front();
        done.error().cls == ErrorClass::permanent || belongs_away(d, done.error())) {
      auto buried = bury_alone(d, done.error());
      if (buried) return {};
      done = std::move(buried);
    }
    return refuse(deliveries, done.error());
  }
  if (done.error().cls != ErrorClass::permanent) return refuse(deliveries, done.error());
  // One of several is bad: each goes through on its own, in order. What follows a refused one has to wait for
  // it.
  for (std::size_t i = 0; i < deliveries.size(); ++i) {
    const std::span<const Delivery> one(&deliveries[i], 1);
    auto alone = attempt(one);
    if (!alone && alone.error().cls == ErrorClass::permanent) alone = bury_alone(one.front(), alone.error());
    if (alone) continue;
    const auto rest = std::span<const Delivery>(deliveries).subspan(i + 1);
    auto released = rest.empty() ? Result<>() : parts_.broker->release(rest, Duration(0));
    CASTIEL_TRY(refuse(one, alone.error()));
    return released;
  }
  return {};
}

Result<> Consumer::attempt(std::span<const Delivery> deliveries) {
  for (int tries = 1;; ++tries) {
    Batch batch;
    batch.deliveries = deliveries;
    CASTIEL_ASSIGN(auto reader, parts_.store->read(deliveries.front().tenant));
    std::unordered_set<std::string_view> seen;
    std::vector<std::string> ids;
    for (const auto& d : deliveries) ids.push_back(d.message_id);
    CASTIEL_ASSIGN(const auto known, reader->all_in_inbox(queue(), ids));
    for (std::size_t i = 0; i < deliveries.size(); ++i) {
      const auto& d = deliveries[i];
      // Handled before, or published twice and side by side in this very batch: only to be settled.
      if (known[i] || !seen.insert(d.message_id).second) continue;
      batch.fresh.push_back(&d);
      auto event = parse_event(d.body);
      if (!event) {
        batch.malformed.push_back({&d, event.error(), ""});
        continue;
      }
      if (event->tenant != d.tenant) {
        batch.malformed.push_back(
            {&d,
             {"malformed_event", "the event names another tenant than the queue", ErrorClass::permanent, {}},
             "/tenantid"});
        continue;
      }
      if (auto violation = parts_.schemas->check(event->type, event->schema, event->data)) {
        batch.malformed.push_back({&d,
                                   {"schema_violation",
                                    fmt::format("the event does not fit schema {}/{}: {}", event->type,
                                                event->schema, violation->message),
                                    ErrorClass::permanent,
                                    {}},
                                   "/data" + violation->pointer});
        continue;
      }
      if (auto lifted = parts_.schemas->upcast(*event); !lifted) {
        batch.malformed.push_back({&d, lifted.error(), "/dataschema"});
        continue;
      }
      batch.incoming.push_back({&d, std::move(*event)});
    }
    // Parked keys change only in this queue's steps, but in other lanes too: while there are any, the
    // decision what waits behind them is made under the write lock.
    CASTIEL_ASSIGN(const bool parked, reader->any_parked(queue()));
    if (!parked && !batch.incoming.empty()) {
      CASTIEL_TRY(batch.prepare(*handler_, *reader));
    }
    reader.reset();
    auto written = write(batch, parked);
    if (!written && written.error().code == "version_conflict" && tries < kConflictTries) continue;
    return written;
  }
}

Result<> Consumer::write(Batch& batch, bool parked) {
  const auto& tenant = batch.deliveries.front().tenant;
  CASTIEL_ASSIGN(auto tx, parts_.store->begin(tenant, Deadline::after(*parts_.clock, options_.transaction)));
  if (!parked) {
    CASTIEL_ASSIGN(const bool now_parked, tx->any_parked(queue()));
    if (now_parked) return conditional("version_conflict", "a record of this queue was parked meanwhile");
  } else {
    CASTIEL_ASSIGN(const auto keys, tx->parked_keys(queue()));
    batch.parked.insert(keys.begin(), keys.end());
    batch.hold_back(batch.parked);
    CASTIEL_TRY(batch.prepare(*handler_, *tx));
  }
  std::vector<std::string> ids;
  for (const auto* d : batch.fresh) ids.push_back(d->message_id);
  if (!ids.empty()) {
    CASTIEL_ASSIGN(const auto first, tx->add_all_to_inbox(queue(), ids));
    if (std::ranges::find(first, false) != first.end())
      return conditional("version_conflict", "another process handled the message meanwhile");
  }
  if (batch.plan != nullptr) {
    StepImpl step(*tx, *this, batch.incoming);
    CASTIEL_TRY(batch.plan->apply(step));
  }
  CASTIEL_TRY(dispose(*tx, batch, batch.plan.get()));
  CASTIEL_TRY(parts_.broker->settle(*tx, batch.deliveries));
  CASTIEL_TRY(tx->commit());
  parts_.broker->settled(batch.deliveries);
  troubles_ = 0;
  return {};
}

// Everything about the messages themselves: malformed ones, failed records, what waited behind a retried
// record, the ledger.
Result<> Consumer::dispose(storage::Transaction& tx, Batch& batch, Plan* plan) {
  for (const auto& [delivery, error, pointer] : batch.malformed) {
    CASTIEL_TRY(bury(tx, *delivery, error, pointer, delivery->body, delivery->record_key));
    if (delivery->lane == storage::kRetryLane) CASTIEL_TRY(release_next(tx, *delivery));
  }
  if (plan != nullptr) {
    for (const auto& failure : plan->failures()) {
      const auto& in = batch.incoming[failure.message];
      batch.failed.push_back({in.delivery,
                              with_records(in.event, [&](std::size_t r) { return r == failure.record; }),
                              failure.error, failure.pointer});
    }
  }
  std::unordered_set<const Delivery*> still_waiting, incomplete;
  for (const auto& failed : batch.failed) incomplete.insert(failed.delivery);
  for (const auto& follower : batch.followers) incomplete.insert(follower.delivery);
  for (auto& failed : batch.failed) {
    CASTIEL_ASSIGN(const bool again,
                   fail_record(tx, *failed.delivery, failed.single, failed.error, failed.pointer));
    if (!again) continue;
    still_waiting.insert(failed.delivery);
    batch.parked.insert(key_of((*records_of(failed.single))[0]));
  }
  for (auto& follower : batch.followers) {
    auto& single = follower.single;
    single.id = parts_.ids->next();
    const storage::OutgoingMessage message{single.id,           single.type, single.correlation,
                                           storage::kRetryLane, 1,           serialize(single)};
    CASTIEL_TRY(tx.count(single.correlation, queue(), "parked", 1));
    if (batch.parked.insert(follower.key).second) {
      // The record before it ended as a dead letter in this very step: this one leads the key now.
      CASTIEL_TRY(tx.mark_parked(queue(), follower.key));
      CASTIEL_TRY(parts_.broker->retry(tx, queue(), message, follower.key, parts_.clock->now(), {}));
    } else {
      CASTIEL_TRY(tx.park(queue(), follower.key, message));
    }
  }
  for (const auto& incoming : batch.incoming) {
    const auto& d = *incoming.delivery;
    CASTIEL_TRY(tx.count(d.correlation, queue(), "in", 1));
    CASTIEL_TRY(tx.count(d.correlation, queue(), "records", d.records));
    CASTIEL_TRY(tx.add_flow_entry(d.correlation, {parts_.clock->now(), queue(), "step", d.type, d.message_id,
                                                  plan->summary(), d.records}));
    if (d.lane == storage::kRetryLane && !still_waiting.contains(&d)) CASTIEL_TRY(release_next(tx, d));
    if (!incoming.event.replay_of.empty() && !incomplete.contains(&d))
      CASTIEL_TRY(tx.set_replay_outcome(incoming.event.replay_of, "effect", ""));
  }
  return {};
}

// Buries the record, or puts it into the retry lane: true.
Result<bool> Consumer::fail_record(storage::Transaction& tx, const Delivery& d, Event single,
                                   const Error& error, const std::string& pointer) {
  const auto& record = (*records_of(single))[0];
  const std::string key = key_of(record);
  const int tries = d.deliveries + static_cast<int>(d.failures.size());
  if (error.cls == ErrorClass::permanent || tries >= tuning_of(d.tenant).max_deliveries ||
      is_hopeless(d, single, error, key)) {
    const auto* object = record.if_object();
    // A page of content may hold records of several files.
    std::string file = string_or(single.data.get_object(), "file");
    if (object != nullptr) file = string_or(*object, "file", file);
    CASTIEL_TRY(tx.add_problem(d.correlation, {file, object == nullptr ? 0 : int_or(*object, "line", 0),
                                               error.code, error.message}));
    CASTIEL_TRY(
        bury(tx, d, error, pointer.empty() ? "" : "/data/records/0" + pointer, serialize(single), key));
    return false;
  }
  // The record is taken out of its page and retried alone; later records of its key wait behind it.
  auto failures = d.failures;
  failures.push_back({parts_.clock->now(), error.code, error.message});
  single.id = parts_.ids->next();
  const storage::OutgoingMessage message{single.id,           single.type, single.correlation,
                                         storage::kRetryLane, 1,           serialize(single)};
  if (!key.empty()) CASTIEL_TRY(tx.mark_parked(queue(), key));
  CASTIEL_TRY(tx.count(d.correlation, queue(), "retried", 1));
  CASTIEL_TRY(tx.add_flow_entry(
      d.correlation, {parts_.clock->now(), queue(), "retry", d.type, single.id, error.message, 1}));
  CASTIEL_TRY(parts_.broker->retry(tx, queue(), message, key,
                                   parts_.clock->now() + retry_delay(d.tenant, tries), failures));
  return true;
}

// A retried record has reached its end: the next of its key may go, or the key is free.
Result<> Consumer::release_next(storage::Transaction& tx, const Delivery& d) {
  if (d.record_key.empty()) return {};
  CASTIEL_ASSIGN(const auto next, tx.unpark(queue(), d.record_key));
  if (!next) return {};
  return parts_.broker->retry(tx, queue(), *next, d.record_key, parts_.clock->now(), {});
}

// The letter as far as the delivery tells; what the store knows of earlier lives is added in bury().
storage::DeadLetter Consumer::letter_of(const Delivery& d, const Error& error, std::string pointer,
                                        std::string payload, std::string key) const {
  storage::DeadLetter letter;
  letter.tenant = d.tenant;
  letter.queue = queue();
  letter.type = d.type;
  letter.at = parts_.clock->now();
  letter.deliveries = d.deliveries;
  letter.code = error.code;
  letter.message = error.describe();
  letter.pointer = std::move(pointer);
  letter.key = std::move(key);
  letter.correlation = d.correlation;
  letter.payload = std::move(payload);
  letter.errors = d.failures;
  letter.errors.push_back({letter.at, error.code, letter.message});
  letter.signature = signature_of(letter.code, letter.message, letter.key);
  letter.message_id = d.message_id;
  return letter;
}

std::string_view Consumer::quarantine_reason(const storage::DeadLetter& letter, const Delivery& d,
                                             const Event* event) const {
  const auto policy = tuning_of(d.tenant).quarantine;
  if (!policy) return {};
  Trouble trouble;
  trouble.code = letter.code;
  trouble.signature = letter.signature;
  trouble.tries = static_cast<int>(letter.errors.size()) + (event == nullptr ? 0 : event->tries);
  trouble.crashes = std::max(0, d.deliveries - static_cast<int>(d.failures.size()) - 1);
  trouble.repeats = letter.repeats;
  // A replay is as young as itself, not as the message that was replayed.
  if (event != nullptr && event->replay_of.empty()) trouble.age = letter.at - event->time;
  trouble.bytes = letter.payload.size();
  trouble.failed_before = letter.errors.size() > 1;
  return messaging::quarantine_reason(*policy, trouble);
}

// What belongs into the quarantine is not retried first.
bool Consumer::is_hopeless(const Delivery& d, const Event& single, const Error& error,
                           const std::string& key) const {
  if (!tuning_of(d.tenant).quarantine) return false;
  return !quarantine_reason(letter_of(d, error, "", serialize(single), key), d, &single).empty();
}

Result<> Consumer::bury(storage::Transaction& tx, const Delivery& d, const Error& error, std::string pointer,
                        std::string payload, std::string key) {
  auto letter = letter_of(d, error, std::move(pointer), std::move(payload), std::move(key));
  letter.id = parts_.ids->next();
  const auto event = parse_event(d.body);
  if (event && !event->replay_of.empty()) {
    letter.replay_of = event->replay_of;
    CASTIEL_ASSIGN(auto before, tx.dead_letter(letter.replay_of));
    if (before) {
      if (before->signature == letter.signature) letter.repeats = before->repeats + 1;
      letter.errors.insert(letter.errors.begin(), before->errors.begin(), before->errors.end());
      if (!before->message_id.empty()) letter.message_id = before->message_id;
      // The first of them says how it began, the last ones how it goes on.
      if (letter.errors.size() > kMaxHistory)
        letter.errors.erase(letter.errors.begin() + 1,
                            letter.errors.end() - static_cast<std::ptrdiff_t>(kMaxHistory) + 1);
    }
    CASTIEL_TRY(tx.set_replay_outcome(letter.replay_of, "dead", letter.id));
  }
  if (const auto reason = quarantine_reason(letter, d, event ? &*event : nullptr); !reason.empty()) {
    letter.place = storage::LetterPlace::quarantine;
    letter.reason = reason;
    letter.fix = suggested_fix(reason, letter.code);
    if (options_.redact) letter.shown = options_.redact(letter.payload);
  }
  CASTIEL_TRY(tx.put_dead_letter(letter));
  const auto* data = event ? event->data.if_object() : nullptr;
  const bool along = data != nullptr && bool_or(*data, kCameAlong, false);
  const bool held = letter.place == storage::LetterPlace::quarantine;
  CASTIEL_TRY(tx.count(d.correlation, queue(),
                       along  ? "deadAlong"
                       : held ? "quarantined"
                              : "dead",
                       letter.key.empty() && d.records > 0 ? d.records : 1));
  if (held) {
    parts_.log.error("alert", {{"alert", "quarantined"},
                               {"queue", queue()},
                               {"tenant", d.tenant},
                               {"reason", letter.reason},
                               {"signature", letter.signature},
                               {"letter", letter.id},
                               {"correlationId", d.correlation}});
  }
  return tx.add_flow_entry(d.correlation, {letter.at, queue(), held ? "quarantine" : "dead_letter", d.type,
                                           letter.id, letter.message, 1});
}

Result<> Consumer::bury_alone(const Delivery& d, const Error& error) {
  CASTIEL_ASSIGN(auto tx,
                 parts_.store->begin(d.tenant, Deadline::after(*parts_.clock, options_.transaction)));
  CASTIEL_ASSIGN(const bool fresh, tx->add_to_inbox(queue(), d.message_id));
  if (fresh) {
    CASTIEL_TRY(bury(*tx, d, error, "", d.body, d.record_key));
    CASTIEL_TRY(tx->count(d.correlation, queue(), "in", 1));
    if (d.lane == storage::kRetryLane) CASTIEL_TRY(release_next(*tx, d));
  }
  CASTIEL_TRY(parts_.broker->settle(*tx, {&d, 1}));
  CASTIEL_TRY(tx->commit());
  parts_.broker->settled({&d, 1});
  parts_.log.warn("dead_letter", {{"queue", queue()},
                                  {"tenant", d.tenant},
                                  {"code", error.code},
                                  {"message", error.message},
                                  {"correlationId", d.correlation}});
  return {};
}

// Puts each record of a page into the retry lane, parked behind earlier ones of its key. False when the
// message is no page of several records.
Result<bool> Consumer::split_page(const Delivery& d) {
  const auto event = parse_event(d.body);
  if (!event) return false;
  const auto* records = records_of(*event);
  if (records == nullptr || records->size() < 2) return false;
  CASTIEL_ASSIGN(auto tx,
                 parts_.store->begin(d.tenant, Deadline::after(*parts_.clock, options_.transaction)));
  CASTIEL_ASSIGN(const bool fresh, tx->add_to_inbox(queue(), d.message_id));
  if (fresh) {
    CASTIEL_ASSIGN(const auto keys, tx->parked_keys(queue()));
    std::unordered_set<std::string> parked(keys.begin(), keys.end());
    for (std::size_t i = 0; i < records->size(); ++i) {
      const std::string key = key_of((*records)[i]);
      Event single = with_records(*event, [&](std::size_t r) { return r == i; });
      single.id = parts_.ids->next();
      const storage::OutgoingMessage message{single.id,           single.type, single.correlation,
                                             storage::kRetryLane, 1,           serialize(single)};
      if (!key.empty() && !parked.insert(key).second) {
        CASTIEL_TRY(tx->park(queue(), key, message));
        continue;
      }
      if (!key.empty()) CASTIEL_TRY(tx->mark_parked(queue(), key));
      CASTIEL_TRY(parts_.broker->retry(*tx, queue(), message, key, parts_.clock->now(), {}));
    }
    CASTIEL_TRY(tx->count(d.correlation, queue(), "retried", static_cast<std::int64_t>(records->size())));
    CASTIEL_TRY(tx->add_flow_entry(
        d.correlation,
        {parts_.clock->now(), queue(), "retry", d.type, d.message_id,
         fmt::format("the process ended {} times with this page: its records are tried one by one",
                     d.deliveries - 1),
         static_cast<std::int64_t>(records->size())}));
  }
  CASTIEL_TRY(parts_.broker->settle(*tx, {&d, 1}));
  CASTIEL_TRY(tx->commit());
  parts_.broker->settled({&d, 1});
  parts_.log.warn("page_split", {{"queue", queue()}, {"tenant", d.tenant}, {"correlationId", d.correlation}});
  return true;
}

// A whole message that failed and is not to be tried again.
bool Consumer::belongs_away(const Delivery& d, const Error& error) const {
  if (error.cls != ErrorClass::conditional || !tuning_of(d.tenant).quarantine) return false;
  const auto event = parse_event(d.body);
  return event && is_hopeless(d, *event, error, d.record_key);
}

Result<> Consumer::refuse(std::span<const Delivery> deliveries, const Error& error) {
  const auto& d = deliveries.front();
  if (error.code == "not_yet") {
    return parts_.broker->release(deliveries, options_.not_yet);
  }
  // What is no fault of the message is tried until it works (RETRY-2): a disk that is full for an hour must
  // not fill the dead letters. Only the pause grows.
  if (error.cls == ErrorClass::transient) {
    const int troubles = ++troubles_;
    parts_.log.warn("message_put_off", {{"queue", queue()},
                                        {"tenant", d.tenant},
                                        {"code", error.code},
                                        {"message", error.describe()},
                                        {"troubles", troubles}});
    return parts_.broker->release(deliveries, retry_delay(d.tenant, std::min(troubles, 16)));
  }
  parts_.log.warn("message_refused", {{"queue", queue()},
                                      {"tenant", d.tenant},
                                      {"code", error.code},
                                      {"message", error.describe()},
                                      {"deliveries", d.deliveries}});
  return parts_.broker->refuse(deliveries, retry_delay(d.tenant, d.deliveries),
                               {parts_.clock->now(), error.code, error.describe()});
}

}  // namespace castiel::messaging
