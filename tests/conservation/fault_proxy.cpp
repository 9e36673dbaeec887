#include "fault_proxy.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <list>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace castiel::conservation {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kChunkBytes = 16 << 10;
constexpr std::size_t kMostHeldBytes = 1 << 20;  // of one direction; then its sender has to wait
constexpr int kIdleMillis = 1000;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

struct Chunk {
  std::string bytes;
  Clock::time_point due;
};

// From one socket to another.
struct Direction {
  int from = -1, to = -1;
  std::deque<Chunk> held;
  std::size_t held_bytes = 0;
  bool ended = false;   // the sender will send no more
  bool passed = false;  // and the receiver knows
};

enum class Cut { none, reset, truncate };

struct Connection {
  int client = -1, server = -1;
  Direction up, down;
  bool stalled = false;    // nothing arrives any more
  bool forgotten = false;  // whoever sends is reset
  Cut cut = Cut::none;
  bool over = false;
};

void close_with_reset(int socket) {
  const linger none{1, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  ::close(socket);
}

}  // namespace

struct FaultProxy::Impl {
  std::uint16_t target = 0, port = 0;
  int listener = -1, wake = -1;
  mutable std::mutex mutex;
  std::mt19937_64 random;
  std::list<Connection> connections;
  Millis delay{0};
  bool stalling = false, stopping = false;
  Counts counts;
  std::jthread thread;

  void nudge() const {
    const std::uint64_t one = 1;
    (void)!::write(wake, &one, sizeof one);
  }

  void accept_all() {
    for (;;) {
      const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (client < 0) return;
      ++counts.connections;
      Connection c;
      c.client = client;
      c.stalled = stalling;
      c.server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const auto address = loopback(target);
      // The target is on this machine: it takes the connection or refuses it at once.
      if (::connect(c.server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        close_with_reset(client);
        ::close(c.server);
        continue;
      }
      ::fcntl(c.server, F_SETFL, O_NONBLOCK);
      c.up = {c.client, c.server, {}, 0, false, false};
      c.down = {c.server, c.client, {}, 0, false, false};
      connections.push_back(std::move(c));
    }
  }

  static void end(Connection& c, bool reset) {
    if (c.over) return;
    for (const int socket : {c.client, c.server}) {
      if (reset) {
        close_with_reset(socket);
      } else {
        ::close(socket);
      }
    }
    c.over = true;
  }

  // A part of what came goes on, and then nothing ever.
  void cut_in(Connection& c, Direction& d, const std::string& bytes) {
    const auto part = random() % (bytes.size() + 1);
    (void)!::send(d.to, bytes.data(), part, MSG_NOSIGNAL);
    ++(c.cut == Cut::reset ? counts.reset : counts.truncated);
    end(c, c.cut == Cut::reset);
  }

  void take(Connection& c, Direction& d) {
    char buffer[kChunkBytes];
    const auto got = ::recv(d.from, buffer, sizeof buffer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (c.forgotten) {
      ++counts.forgotten;
      end(c, true);
    } else if (got < 0) {
      end(c, true);
    } else if (got == 0) {
      d.ended = true;
    } else if (c.cut != Cut::none) {
      cut_in(c, d, std::string(buffer, static_cast<std::size_t>(got)));
    } else {
      d.held.push_back({std::string(buffer, static_cast<std::size_t>(got)), Clock::now() + delay});
      d.held_bytes += static_cast<std::size_t>(got);
    }
  }

  void give(Connection& c, Direction& d) {
    while (!d.held.empty() && d.held.front().due <= Clock::now()) {
      auto& chunk = d.held.front();
      const auto sent = ::send(d.to, chunk.bytes.data(), chunk.bytes.size(), MSG_NOSIGNAL);
      if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR) end(c, true);
        return;
      }
      counts.bytes += sent;
      d.held_bytes -= static_cast<std::size_t>(sent);
      if (static_cast<std::size_t>(sent) < chunk.bytes.size()) {
        chunk.bytes.erase(0, static_cast<std::size_t>(sent));
        return;
      }
      d.held.pop_front();
    }
    if (d.held.empty() && d.ended && !d.passed) {
      ::shutdown(d.to, SHUT_WR);
      d.passed = true;
    }
    if (c.up.passed && c.down.passed) end(c, false);
  }

  // What to wait for, and for how long.
  int wishes(std::vector<pollfd>& wanted) {
    auto soonest = Clock::now() + Millis(kIdleMillis);
    wanted = {{wake, POLLIN, 0}, {listener, POLLIN, 0}};
    for (auto& c : connections) {
      for (auto* d : {&c.up, &c.down}) {
        short reading = 0, writing = 0;
        if (c.stalled && !c.forgotten) {
          // Not even the end of it is noticed.
        } else if (!d->ended && d->held_bytes < kMostHeldBytes) {
          reading = POLLIN;
        }
        if (!c.stalled && !d->held.empty()) {
          if (d->held.front().due <= Clock::now()) {
            writing = POLLOUT;
          } else {
            soonest = std::min(soonest, d->held.front().due);
          }
        }
        wanted.push_back({reading != 0 ? d->from : -1, reading, 0});
        wanted.push_back({writing != 0 ? d->to : -1, writing, 0});
      }
    }
    return static_cast<int>(std::chrono::ceil<Millis>(soonest - Clock::now()).count());
  }

  void serve() {
    std::vector<pollfd> wanted;
    for (;;) {
      int wait = 0;
      {
        std::lock_guard lock(mutex);
        if (stopping) return;
        wait = wishes(wanted);
      }
      ::poll(wanted.data(), wanted.size(), wait);
      std::lock_guard lock(mutex);
      if (wanted[0].revents != 0) {
        std::uint64_t ignored = 0;
        (void)!::read(wake, &ignored, sizeof ignored);
      }
      std::size_t at = 2;
      // Only this thread adds or removes connections: the list is the one that was asked about.
      for (auto& c : connections) {
        for (auto* d : {&c.up, &c.down}) {
          const bool readable = wanted[at].revents != 0;
          at += 2;
          if (c.over) continue;
          if (readable && (!c.stalled || c.forgotten)) take(c, *d);
          if (!c.over && !c.stalled) give(c, *d);
        }
      }
      std::erase_if(connections, [](const Connection& c) { return c.over; });
      if (wanted[1].revents != 0) accept_all();
    }
  }
};

FaultProxy::FaultProxy(std::uint16_t target, std::uint64_t seed) : impl_(std::make_unique<Impl>()) {
  auto& i = *impl_;
  i.target = target;
  i.random.seed(seed);
  i.wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  i.listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  auto address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(i.listener, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::listen(i.listener, SOMAXCONN) != 0 ||
      ::getsockname(i.listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("the fault proxy has no port");
  i.port = ntohs(address.sin_port);
  i.thread = std::jthread([&i] { i.serve(); });
}

FaultProxy::~FaultProxy() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->nudge();
  impl_->thread.join();
  for (auto& c : impl_->connections) Impl::end(c, true);
  ::close(impl_->listener);
  ::close(impl_->wake);
}

std::uint16_t FaultProxy::port() const {
  return impl_->port;
}

void FaultProxy::delay(Millis each) {
  std::lock_guard lock(impl_->mutex);
  impl_->delay = each;
}

void FaultProxy::stall() {
  std::lock_guard lock(impl_->mutex);
  impl_->stalling = true;
  for (auto& c : impl_->connections) {
    if (!c.stalled) ++impl_->counts.stalled;
    c.stalled = true;
  }
  impl_->nudge();
}

void FaultProxy::cut(double share, bool reset) {
  std::lock_guard lock(impl_->mutex);
  std::uniform_real_distribution<double> chance(0, 1);
  for (auto& c : impl_->connections) {
    if (!c.stalled && chance(impl_->random) < share) c.cut = reset ? Cut::reset : Cut::truncate;
  }
}

void FaultProxy::heal() {
  std::lock_guard lock(impl_->mutex);
  impl_->stalling = false;
  impl_->delay = Millis(0);
  for (auto& c : impl_->connections) {
    c.forgotten = c.forgotten || c.stalled;
    c.cut = Cut::none;
  }
  impl_->nudge();
}

FaultProxy::Counts FaultProxy::counts() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->counts;
}

}  // namespace castiel::conservation
