#pragma once
// Read-only connections, lent out, and the snapshots read through them.

#include <fmt/format.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "storage/sqlite/impl/connection.hpp"

namespace castiel::storage::sqlite {

inline constexpr std::size_t kIdleReaders = 4;  // read connections kept open for the next reader

// Lends read-only connections. Thread-safe.
class ReaderPool {
 public:
  ReaderPool(std::string path, std::size_t cache_bytes) : path_(std::move(path)), cache_bytes_(cache_bytes) {}

  Result<std::unique_ptr<Connection>> take() {
    {
      std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        return connection;
      }
    }
    CASTIEL_ASSIGN(auto connection, Connection::open(path_, Connection::Mode::read_only));
    CASTIEL_TRY(connection->execute(
        fmt::format("PRAGMA cache_size=-{}; PRAGMA temp_store=memory", cache_bytes_ >> 10)));
    return connection;
  }
  void give_back(std::unique_ptr<Connection> connection) {
    std::lock_guard lock(mutex_);
    if (idle_.size() < kIdleReaders) idle_.push_back(std::move(connection));
  }

 private:
  const std::string path_;
  const std::size_t cache_bytes_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;
};

// A read transaction on a lent connection.
class Snapshot {
 public:
  static Result<Snapshot> open(ReaderPool& pool) {
    CASTIEL_ASSIGN(auto connection, pool.take());
    CASTIEL_TRY(connection->execute("BEGIN"));
    return Snapshot(pool, std::move(connection));
  }
  Snapshot(Snapshot&&) = default;
  Snapshot& operator=(Snapshot&&) = delete;
  ~Snapshot() {
    if (connection_ != nullptr && connection_->execute("COMMIT")) pool_->give_back(std::move(connection_));
  }
  Connection& connection() { return *connection_; }

 private:
  Snapshot(ReaderPool& pool, std::unique_ptr<Connection> connection)
      : pool_(&pool), connection_(std::move(connection)) {}
  ReaderPool* pool_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace castiel::storage::sqlite
