#include "faults.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "base/digest.hpp"

namespace castiel::sim {

namespace {

constexpr std::int64_t kMaxCallsOfStep = 400'000;
constexpr std::int64_t kMaxClaimsOfStep = 100;
constexpr double kBlobWeight = 10;     // there are few blobs
constexpr double kWriteWeight = 0.05;  // a step has many single writes: each is a rarer place to fail

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

const std::set<std::string, std::less<>>& Probes::declared() {
  static const std::set<std::string, std::less<>> kDeclared{"crash before commit",
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
                                                            "message duplicated",
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
                                                            "crash around a blob",
                                                            "attachment dead",
                                                            "linked",
                                                            "two processes after each other"};
  return kDeclared;
}

void Probes::hit(std::string_view name) {
  if (!declared().contains(name)) {
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
