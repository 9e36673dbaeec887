#pragma once
// The one writing connection, lent to one transaction at a time. Transactions that queue up behind each other
// share a SQLite transaction and one sync (group commit): each is a savepoint, and commit() returns when the
// group is durable.

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.hpp"
#include "storage/sqlite/impl/connection.hpp"
#include "storage/sqlite/queue_rows.hpp"
#include "storage/sqlite/sqlite_store.hpp"

namespace castiel::storage::sqlite {

class Writer {
 public:
  Writer(std::unique_ptr<Connection> connection, int group_limit, CallObserver* observer)
      : connection_(std::move(connection)), group_limit_(group_limit), observer_(observer) {}

  Connection& connection() { return *connection_; }
  CallObserver* observer() const { return observer_; }
  void on_commit(std::function<void(const std::vector<LaneChange>&)> listener) {
    listener_ = std::move(listener);
  }

  // Called after each commit that wrote to the outbox.
  void on_outbox(std::function<void()> listener) {
    std::lock_guard lock(mutex_);
    outbox_listener_ = std::move(listener);
  }

  // Takes the connection and opens a (nested) transaction. Error: store_busy past the deadline.
  Result<> acquire(const Deadline& deadline);
  // Ends it and gives the connection back. `changes` are told to the listener once durable.
  Result<> commit(std::vector<LaneChange> changes, bool wrote_outbox = false);
  void rollback();
  // Runs `work` in a transaction of its own.
  template <class Work>
  auto in_transaction(const Deadline& deadline, Work work) -> decltype(work()) {
    if (auto acquired = acquire(deadline); !acquired) return std::unexpected(acquired.error());
    auto result = work();
    if (!result) {
      rollback();
      return result;
    }
    if (auto committed = commit({}); !committed) return std::unexpected(committed.error());
    return result;
  }

 private:
  struct Group {
    int committed = 0;  // transactions waiting for the sync
    std::vector<LaneChange> changes;
    bool wrote_outbox = false;
    bool done = false;
    Result<> outcome;
  };

  Result<> flush();      // with busy_ held: syncs the open group, frees the writer and tells the listener
  void free_or_flush();  // with busy_ held: the next in line goes on with the group, or nobody is left and it
                         // is synced

  std::unique_ptr<Connection> connection_;
  const int group_limit_;
  CallObserver* observer_;
  std::function<void(const std::vector<LaneChange>&)> listener_;
  std::function<void()> outbox_listener_;  // under mutex_

  std::mutex mutex_;
  std::condition_variable freed_;
  bool busy_ = false;
  int waiters_ = 0;
  bool nested_ = false;  // the running transaction is a savepoint
  std::shared_ptr<Group> group_;
};

}  // namespace castiel::storage::sqlite
