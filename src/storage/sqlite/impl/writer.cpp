#include "storage/sqlite/impl/writer.hpp"

namespace castiel::storage::sqlite {

Result<> Writer::acquire(const Deadline& deadline) {
  std::unique_lock lock(mutex_);
  ++waiters_;
  const bool free = freed_.wait_for(lock, deadline.remaining(), [&] { return !busy_; });
  --waiters_;
  if (!free) return transient("store_busy", "the store's writer was busy until the deadline");
  busy_ = true;
  if (deadline.passed()) {
    lock.unlock();
    free_or_flush();
    return transient("store_busy", "the store's writer became free only after the deadline");
  }
  lock.unlock();

  if (group_ == nullptr) {
    if (auto begun = connection_->execute("BEGIN IMMEDIATE"); !begun) {
      lock.lock();
      busy_ = false;
      freed_.notify_all();
      return begun;
    }
    group_ = std::make_shared<Group>();
  }
  nested_ = group_->committed > 0;
  if (nested_) {
    if (auto saved = connection_->execute("SAVEPOINT step"); !saved) {
      free_or_flush();
      return saved;
    }
  }
  return {};
}

Result<> Writer::commit(std::vector<LaneChange> changes, bool wrote_outbox) {
  if (nested_) {
    if (auto released = connection_->execute("RELEASE step"); !released) {
      rollback();
      return released;
    }
  }
  const auto group = group_;
  ++group->committed;
  group->wrote_outbox = group->wrote_outbox || wrote_outbox;
  group->changes.insert(group->changes.end(), std::make_move_iterator(changes.begin()),
                        std::make_move_iterator(changes.end()));

  std::unique_lock lock(mutex_);
  if (waiters_ == 0 || group->committed >= group_limit_) {
    lock.unlock();
    return flush();
  }
  busy_ = false;
  freed_.notify_all();
  // The last of those in line syncs the group; should they all give up waiting, this one does it.
  while (!group->done) {
    if (!busy_ && waiters_ == 0 && group_ == group) {
      busy_ = true;
      lock.unlock();
      return flush();
    }
    freed_.wait_for(lock, std::chrono::milliseconds(20));
  }
  return group->outcome;
}

void Writer::rollback() {
  if (nested_) {
    (void)connection_->execute("ROLLBACK TO step");
    (void)connection_->execute("RELEASE step");
    free_or_flush();
    return;
  }
  (void)connection_->execute("ROLLBACK");
  std::lock_guard lock(mutex_);
  group_ = nullptr;
  busy_ = false;
  freed_.notify_all();
}

void Writer::free_or_flush() {
  {
    std::lock_guard lock(mutex_);
    if (group_ == nullptr || waiters_ > 0) {
      busy_ = false;
      freed_.notify_all();
      return;
    }
  }
  (void)flush();  // the outcome belongs to those who wait for the group
}

Result<> Writer::flush() {
  const auto group = group_;
  Result<> outcome;
  if (observer_ != nullptr) outcome = observer_->before("commit");
  // A full disk makes SQLite roll back on its own; what the group had is gone then, and none of it was
  // promised.
  if (outcome && sqlite3_get_autocommit(connection_->handle()) != 0) {
    outcome = transient("store_rolled_back",
                        "the store rolled the transaction back after an earlier error; nothing was kept");
  }
  if (outcome) outcome = connection_->execute("COMMIT");
  if (!outcome) (void)connection_->execute("ROLLBACK");
  const bool kept = outcome.has_value();
  std::function<void()> outbox_listener;
  if (kept && observer_ != nullptr) outcome = observer_->after("commit");
  {
    std::lock_guard lock(mutex_);
    group->outcome = outcome;
    group->done = true;
    group_ = nullptr;
    busy_ = false;
    if (kept && group->wrote_outbox) outbox_listener = outbox_listener_;
  }
  freed_.notify_all();
  if (outbox_listener) outbox_listener();
  if (kept && listener_ && !group->changes.empty()) listener_(group->changes);
  return outcome;
}

}  // namespace castiel::storage::sqlite
