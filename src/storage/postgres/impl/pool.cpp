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
  number_ = other.number_;
  used_ = other.used_;
  return *this;
}

void Lent::give_back() {
  if (connection_ != nullptr) pool_->give_back(std::move(connection_), number_);
}

Pool::Pool(Options options, const Clock& clock) : options_(std::move(options)), clock_(&clock) {
  for (int i = std::max(options_.connections, 1); i-- > 0;) numbers_.push_back(i);
}

Result<Lent> Pool::take(Deadline deadline) {
  const Deadline wait = deadline.sooner(options_.wait);
  int number = 0;
  {
    std::unique_lock lock(mutex_);
    while (numbers_.empty()) {
      if (wait.passed())
        return transient("store_busy", "all connections to the database were in use until the deadline");
      freed_.wait_for(lock, std::min(wait.remaining(), kLookAgain));
    }
    number = numbers_.back();
    numbers_.pop_back();
    while (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      if (!connection->went_stale()) return Lent(*this, std::move(connection), number, true);
    }
  }
  auto connection = Connection::open(options_.url, *clock_, deadline.sooner(options_.connect));
  if (!connection) {
    give_back(nullptr, number);
    return std::unexpected(connection.error());
  }
  return Lent(*this, std::move(*connection), number, false);
}

void Pool::give_back(std::unique_ptr<Connection> connection, int number) {
  if (connection != nullptr && !connection->flush(Deadline::after(*clock_, kFlush))) connection.reset();
  std::lock_guard lock(mutex_);
  numbers_.push_back(number);
  if (connection != nullptr && idle_.size() < static_cast<std::size_t>(options_.idle))
    idle_.push_back(std::move(connection));
  freed_.notify_one();
}

}  // namespace castiel::storage::postgres
