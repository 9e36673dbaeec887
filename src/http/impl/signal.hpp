#pragma once
// How other threads wake a coroutine of the socket thread.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "base/time.hpp"

namespace castiel::http::impl {

// A flag to wait for. All but notify() belongs to the socket thread. It must not outlive the io_context.
class Signal : public std::enable_shared_from_this<Signal> {
 public:
  explicit Signal(boost::asio::io_context& io) : timer_(io), io_(&io) {}

  // Waits until raised, at most for `limit`; whether it was raised. Lowers it.
  boost::asio::awaitable<bool> wait(std::optional<Duration> limit = std::nullopt) {
    if (!raised_) {
      boost::system::error_code ignored;
      if (limit) {
        timer_.expires_after(*limit);
      } else {
        timer_.expires_at(boost::asio::steady_timer::time_point::max());
      }
      co_await timer_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    }
    co_return std::exchange(raised_, false);
  }
  void raise() {
    raised_ = true;
    timer_.cancel();
  }
  // Raises it from any thread. Many calls in a row cost the socket thread one.
  void notify() {
    {
      std::lock_guard lock(mutex_);
      if (std::exchange(posted_, true)) return;
    }
    boost::asio::post(*io_, [self = shared_from_this()] {
      {
        std::lock_guard lock(self->mutex_);
        self->posted_ = false;
      }
      self->raise();
    });
  }

 private:
  boost::asio::steady_timer timer_;
  boost::asio::io_context* io_;
  bool raised_ = false;
  std::mutex mutex_;
  bool posted_ = false;
};

// What a producer that may outlive the server holds instead of the signal. Thread-safe.
class Waker {
 public:
  explicit Waker(std::shared_ptr<Signal> signal) : signal_(std::move(signal)) {}
  void notify() {
    // Under the lock, so that the socket thread is still there.
    std::lock_guard lock(mutex_);
    if (signal_) signal_->notify();
  }
  void disconnect() {
    std::lock_guard lock(mutex_);
    signal_.reset();
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<Signal> signal_;
};

}  // namespace castiel::http::impl
