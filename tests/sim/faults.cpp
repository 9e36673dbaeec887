#include "faults.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

#include "base/digest.hpp"

namespace castiel::sim {

namespace {

constexpr std::int64_t kMaxCallsOfStep = 400'000;
constexpr std::int64_t kMaxClaimsOfStep = 100;
constexpr double kBlobWeight = 30;           // there are few blobs
constexpr std::uint64_t kWritesOfATurn = 8;  // others act after one of so many single writes
constexpr double kWriteWeight = 0.5;         // a step has many single writes: each is a rarer place to fail

bool is_write(std::string_view call) {
  return call.find(' ') != std::string_view::npos;
}

}  // namespace

void Trace::note(const std::string& line) {
  hash_ = stable_hash(fmt::format("{:x} {}", hash_, line));
  last_.push_back(fmt::format("{:5} {}", ++count_, line));
  if (last_.size() > kKept) last_.pop_front();
  if (print_) fmt::print("{}\n", last_.back());
}

namespace {

const Probes::Names kBoth{"crash before commit",
                          "crash after commit",
                          "crash in a write",
                          "crash while handling",
                          "crash between calls",
                          "commit unknown, kept",
                          "commit unknown, lost",
                          "store busy",
                          "disk full",
                          "slow call",
                          "wall clock back",
                          "redelivered alone",
                          "record retried",
                          "follower parked",
                          "tries exhausted",
                          "message dead for crashes",
                          "import resumed",
                          "version conflict",
                          "step refused",
                          "released until later",
                          "key collision",
                          "older version passed over",
                          "process start failed",
                          "lost line buried",
                          "same bytes skipped",
                          "blob not put",
                          "blob not got",
                          "extractor unavailable",
                          "attachment dead",
                          "linked",
                          "two processes after each other"};
// Blobs are few, and the same on both footings.
const Probes::Names kEmbedded{"message duplicated", "crash around a blob"};
const Probes::Names kScaledOut{"a client thinks a dead connection alive",
                               "broker blocked",
                               "broker restarted",
                               "confirm late",
                               "confirm lost after the broker had it",
                               "confirms out of order",
                               "connection broke while writing",
                               "connection dropped",
                               "lease given back",
                               "lease lost",
                               "lease taken over",
                               "message returned",
                               "page split",
                               "partition given away",
                               "path clogged",
                               "process frozen",
                               "process stopped in order",
                               "publish refused",
                               "queue removed",
                               "redelivery found in the inbox",
                               "sent after the lease was taken over",
                               "several confirmed at once",
                               "step of a message that another process has",
                               "store conflict",
                               "the server thinks a dead connection alive",
                               "waited for the writer"};

Probes::Names together(Probes::Names a, const Probes::Names& b) {
  a.insert(b.begin(), b.end());
  return a;
}

}  // namespace

const Probes::Names& Probes::declared(Footing footing) {
  static const auto kOfEmbedded = together(kBoth, kEmbedded);
  static const auto kOfScaledOut = together(kBoth, kScaledOut);
  return footing == Footing::embedded ? kOfEmbedded : kOfScaledOut;
}

void Probes::hit(std::string_view name) {
  if (!kBoth.contains(name) && !kEmbedded.contains(name) && !kScaledOut.contains(name)) {
    fmt::print(stderr, "probe '{}' is not declared\n", name);
    std::abort();
  }
  ++hits_[std::string(name)];
}

void Probes::add(const Probes& other) {
  for (const auto& [name, n] : other.hits_) hits_[name] += n;
}

FaultPlan FaultPlan::swarm(SeededRandom& random) {
  const auto maybe = [&](double low, double high) {
    return random.below(2) == 0 ? 0.0 : low + (high - low) * random.uniform();
  };
  FaultPlan plan;
  plan.crash = maybe(0.002, 0.02);
  plan.commit_lost = maybe(0.005, 0.05);
  plan.commit_kept = maybe(0.005, 0.05);
  plan.busy = maybe(0.005, 0.05);
  plan.full = maybe(0.0005, 0.005);
  plan.slow = maybe(0.001, 0.02);
  plan.clock = maybe(0.005, 0.05);
  plan.duplicate = maybe(0.005, 0.05);
  plan.crashes = 1 + static_cast<int>(random.below(4));
  plan.refuse = maybe(0.02, 0.1);
  plan.refusals = 1;
  plan.blob = maybe(0.02, 0.2);
  plan.extract = maybe(0.02, 0.2);
  return plan;
}

std::string FaultPlan::describe() const {
  std::string text;
  const auto add = [&](const char* name, double value) {
    if (value > 0) text += fmt::format("{}{}={:.4f}", text.empty() ? "" : " ", name, value);
  };
  add("crash", crash);
  add("commit-lost", commit_lost);
  add("commit-kept", commit_kept);
  add("busy", busy);
  add("full", full);
  add("refuse", refuse);
  add("slow", slow);
  add("clock", clock);
  add("blob", blob);
  add("extract", extract);
  add("duplicate", duplicate);
  return text.empty() ? "none" : text;
}

FleetPlan FleetPlan::swarm(SeededRandom& random) {
  // Rates over a wide range: a storm of one kind shows what a drizzle of all does not.
  const auto maybe = [&](double low, double high) {
    return random.below(2) == 0 ? 0.0 : low * std::pow(high / low, random.uniform());
  };
  FleetPlan plan;
  plan.drop = maybe(0.0001, 0.002);
  plan.clog = maybe(0.0001, 0.002);
  plan.restart = maybe(0.00002, 0.0002);
  plan.block = maybe(0.00005, 0.0005);
  plan.remove_queue = maybe(0.00005, 0.001);
  plan.freeze = maybe(0.00005, 0.0005);
  plan.stop = maybe(0.00003, 0.0003);
  plan.clock = maybe(0.0001, 0.001);
  plan.lost_write = maybe(0.0005, 0.01);
  plan.refuse = maybe(0.002, 0.1);
  plan.late = maybe(0.01, 0.5);
  plan.conflict = maybe(0.005, 0.05);
  return plan;
}

std::string FleetPlan::describe() const {
  std::string text;
  const auto add = [&](const char* name, double value) {
    if (value > 0) text += fmt::format(" {}={:.5f}", name, value);
  };
  add("drop", drop);
  add("clog", clog);
  add("restart", restart);
  add("block", block);
  add("remove-queue", remove_queue);
  add("freeze", freeze);
  add("stop", stop);
  add("clock", clock);
  add("lost-write", lost_write);
  add("refuse-publish", refuse);
  add("late-confirm", late);
  add("conflict", conflict);
  return text;
}

void Faults::may_crash(std::string_view where, double weight) {
  if (crashes_ >= plan_.crashes || !roll(plan_.crash * weight)) return;
  ++crashes_;
  if (where == "commit done") {
    probes_->hit("crash after commit");
  } else if (where == "commit") {
    probes_->hit("crash before commit");
  } else if (where.starts_with("blob.")) {
    probes_->hit("crash around a blob");
  } else if (is_write(where)) {
    probes_->hit("crash in a write");
  } else {
    probes_->hit("crash between calls");
  }
  throw Crash{std::string(where.substr(0, 40))};
}

void Faults::point(std::string_view where) {
  if (pass_) pass_();
  if (++calls_ > kMaxCallsOfStep) throw Stuck{std::string(where)};
  if (!active_) return;
  if (roll(plan_.slow)) {
    probes_->hit("slow call");
    clock_->advance(Duration(static_cast<std::int64_t>(random_.below(2'000'000))));
  }
  may_crash(where, where.starts_with("blob.") ? kBlobWeight : 1);
}

Result<> Faults::refuse() {
  if (!active_ || refusals_ >= plan_.refusals || !roll(plan_.refuse)) return {};
  ++refusals_;
  trace_->note("fault: the stage refuses");
  return conditional("stage_refused", "the stage cannot do this batch now");
}

Result<> Faults::blob(bool put) {
  if (!active_ || !roll(plan_.blob)) return {};
  probes_->hit(put ? "blob not put" : "blob not got");
  trace_->note(put ? "fault: no room for a blob" : "fault: a blob cannot be read now");
  return put ? transient("store_full", "there is no room for the blob")
             : transient("blob_failed", "the blob cannot be read now");
}

Result<> Faults::extractor() {
  if (!active_ || !roll(plan_.extract)) return {};
  probes_->hit("extractor unavailable");
  trace_->note("fault: no extractor");
  return transient("extractor_unavailable", "no worker could be started");
}

Result<> Faults::before(std::string_view call) {
  if (pass_ && (!is_write(call) || random_.below(kWritesOfATurn) == 0)) pass_();
  if (++calls_ > kMaxCallsOfStep) throw Stuck{std::string(call)};
  if (call == "claim" && ++claims_ > kMaxClaimsOfStep) throw Stuck{"claim"};
  if (!active_) return {};
  if (is_write(call)) {
    may_crash(call, kWriteWeight);
  } else {
    if (roll(plan_.slow)) {
      probes_->hit("slow call");
      clock_->advance(Duration(static_cast<std::int64_t>(random_.below(2'000'000))));
    }
    may_crash(call, 1);
    if (roll(plan_.full)) {
      full_until_ =
          clock_->monotonic() + Duration(static_cast<std::int64_t>(1'000'000 + random_.below(60'000'000)));
      trace_->note("fault: the disk is full");
    }
  }
  if (call == "commit" || is_write(call)) {
    if (clock_->monotonic() < full_until_) {
      probes_->hit("disk full");
      return transient("store_full", "the disk is full: free some space; nothing was lost");
    }
  }
  if (call == "commit" && roll(plan_.commit_lost)) {
    probes_->hit("commit unknown, lost");
    trace_->note("fault: commit lost");
    return transient("commit_unknown", "it is not known whether the commit was kept");
  }
  if ((call == "begin" || call == "read" || call == "claim") && roll(plan_.busy)) {
    probes_->hit("store busy");
    trace_->note(fmt::format("fault: {} busy", call));
    return transient("store_busy", "the store's writer was busy until the deadline");
  }
  return {};
}

Result<> Faults::after(std::string_view call) {
  if (pass_) pass_();
  if (!active_) return {};
  may_crash(fmt::format("{} done", call), 1);
  if (call == "commit" && roll(plan_.commit_kept)) {
    probes_->hit("commit unknown, kept");
    trace_->note("fault: commit kept, answer lost");
    return transient("commit_unknown", "it is not known whether the commit was kept");
  }
  return {};
}

}  // namespace castiel::sim
