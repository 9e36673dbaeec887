#include "storage/postgres/impl/pool.hpp"

#include <algorithm>

namespace castiel::storage::postgres {

namespace {
constexpr Duration kLookAgain = std::chrono::seconds(1);
// What a connection still has to send when it is given back: an end of its transaction.
constexpr Duration kFlush = std::chrono::seconds(1);
}  // namespace

Lent& Lent::operator=(Lent&& other) noexcept {
  give_back();
  pool_ = other.pool_;
  connection_ = std::move(other.connection_);
  used_ = other.used_;
  return *this;
}

void Lent::give_back() {
  if (connection_ != nullptr) pool_->give_back(std::move(connection_));
}

Pool::Pool(Options options, const Clock& clock) : options_(std::move(options)), clock_(&clock) {}

Result<Lent> Pool::take(Deadline deadline) {
  const Deadline wait = deadline.sooner(options_.wait);
  {
    std::unique_lock lock(mutex_);
    while (lent_ >= std::max(options_.connections, 1)) {
      if (wait.passed())
        return transient("store_busy", "all connections to the database were in use until the deadline");
      freed_.wait_for(lock, std::min(wait.remaining(), kLookAgain));
    }
    ++lent_;
    while (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      if (!connection->went_stale()) return Lent(*this, std::move(connection), true);
    }
  }
  auto connection = Connection::open(options_.url, *clock_, deadline.sooner(options_.connect));
  if (!connection) {
    give_back(nullptr);
    return std::unexpected(connection.error());
  }
  return Lent(*this, std::move(*connection), false);
}

void Pool::give_back(std::unique_ptr<Connection> connection) {
  if (connection != nullptr && !connection->flush(Deadline::after(*clock_, kFlush))) connection.reset();
  std::lock_guard lock(mutex_);
  --lent_;
  if (connection != nullptr && idle_.size() < static_cast<std::size_t>(options_.idle))
    idle_.push_back(std::move(connection));
  freed_.notify_one();
}

}  // namespace castiel::storage::postgres
