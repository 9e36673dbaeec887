#pragma once
// A bounded pool of connections (BREAK-2): who finds all of them lent waits for one, for a while. Connections
// the server closed are replaced. Any thread.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "storage/postgres/impl/connection.hpp"

namespace castiel::storage::postgres {

class Pool;

// A lent connection; gives itself back.
class Lent {
 public:
  Lent() = default;
  Lent(Pool& pool, std::unique_ptr<Connection> connection, bool used)
      : pool_(&pool), connection_(std::move(connection)), used_(used) {}
  Lent(Lent&&) = default;
  Lent& operator=(Lent&& other) noexcept;
  ~Lent() { give_back(); }

  explicit operator bool() const { return connection_ != nullptr; }
  Connection& operator*() const { return *connection_; }
  Connection* operator->() const { return connection_.get(); }
  // Somebody had it before: the server may have closed it unnoticed.
  bool used() const { return used_; }
  void give_back();

 private:
  Pool* pool_ = nullptr;
  std::unique_ptr<Connection> connection_;
  bool used_ = false;
};

class Pool {
 public:
  struct Options {
    std::string url;
    int connections = 50;
    int idle = 16;  // kept open for the next
    Duration wait = std::chrono::seconds(10);
    Duration connect = std::chrono::seconds(3);
  };
  Pool(Options options, const Clock& clock);

  // Errors: store_busy (all lent until the deadline), and those of Connection::open.
  Result<Lent> take(Deadline deadline);

 private:
  friend class Lent;
  void give_back(std::unique_ptr<Connection> connection);

  const Options options_;
  const Clock* clock_;
  std::mutex mutex_;
  std::condition_variable freed_;
  int lent_ = 0;
  std::vector<std::unique_ptr<Connection>> idle_;
};

}  // namespace castiel::storage::postgres
