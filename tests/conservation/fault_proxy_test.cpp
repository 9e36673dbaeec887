// The proxy does what it is told: a conservation run under faults that never happened would prove nothing.

#include "fault_proxy.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <thread>

#include "support.hpp"

namespace castiel::conservation {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSeed = 5;
constexpr int kSoon = 5'000, kWhile = 150;  // milliseconds

// Sends back what it gets, on one connection after another.
class Echo {
 public:
  Echo() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      for (int socket; (socket = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(socket)) {
        char buffer[4096];
        for (ssize_t got; (got = ::recv(socket, buffer, sizeof buffer, 0)) > 0;)
          (void)!::send(socket, buffer, static_cast<std::size_t>(got), MSG_NOSIGNAL);
      }
    });
  }
  ~Echo() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::uint16_t port() const { return port_; }

 private:
  int listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

struct Client {
  explicit Client(std::uint16_t port) : socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~Client() { ::close(socket); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  void say(const std::string& text) const { (void)!::send(socket, text.data(), text.size(), MSG_NOSIGNAL); }
  bool something_within(int millis) const {
    pollfd entry{socket, POLLIN, 0};
    return ::poll(&entry, 1, millis) == 1;
  }
  // Until so many bytes are there, or the end; -1 for a reset.
  ssize_t hear(std::string& all, std::size_t bytes) const {
    while (all.size() < bytes) {
      if (!something_within(kSoon)) return -2;
      char buffer[4096];
      const auto got = ::recv(socket, buffer, sizeof buffer, 0);
      if (got <= 0) return got;
      all.append(buffer, static_cast<std::size_t>(got));
    }
    return static_cast<ssize_t>(all.size());
  }
  int socket;
};

const std::string kText(1000, 'x');

TEST(FaultProxy, passes_bytes_and_ends_on) {
  Echo echo;
  FaultProxy proxy(echo.port(), kSeed);
  Client client(proxy.port());
  client.say(kText);
  std::string heard;
  EXPECT_EQ(client.hear(heard, kText.size()), static_cast<ssize_t>(kText.size()));
  EXPECT_EQ(heard, kText);
  ::shutdown(client.socket, SHUT_WR);
  EXPECT_EQ(client.hear(heard, kText.size() + 1), 0);
}

TEST(FaultProxy, delays_both_ways_and_keeps_the_order) {
  Echo echo;
  FaultProxy proxy(echo.port(), kSeed);
  Client client(proxy.port());
  proxy.delay(60ms);
  const auto began = std::chrono::steady_clock::now();
  client.say("a");
  client.say("b");
  std::string heard;
  EXPECT_EQ(client.hear(heard, 2), 2);
  EXPECT_EQ(heard, "ab");
  EXPECT_GE(std::chrono::steady_clock::now() - began, 120ms);
}

TEST(FaultProxy, stalls_old_and_new_connections_and_has_forgotten_them_afterwards) {
  Echo echo;
  FaultProxy proxy(echo.port(), kSeed);
  Client old(proxy.port());
  old.say("a");
  std::string heard;
  EXPECT_EQ(old.hear(heard, 1), 1);
  proxy.stall();
  Client fresh(proxy.port());
  old.say("b");
  fresh.say("c");
  EXPECT_FALSE(old.something_within(kWhile));
  EXPECT_FALSE(fresh.something_within(kWhile));
  proxy.heal();
  EXPECT_EQ(old.hear(heard, 2), -1) << "a reset";
  EXPECT_EQ(fresh.hear(heard, 2), -1);
  EXPECT_EQ(proxy.counts().forgotten, 2);
  Client after(proxy.port());
  after.say("d");
  std::string again;
  EXPECT_EQ(after.hear(again, 1), 1);
}

TEST(FaultProxy, cuts_by_reset_or_by_an_early_end) {
  Echo echo;
  FaultProxy proxy(echo.port(), kSeed);
  for (const bool reset : {true, false}) {
    Client client(proxy.port());
    client.say("a");
    std::string heard;
    EXPECT_EQ(client.hear(heard, 1), 1);
    proxy.cut(1.0, reset);
    client.say(kText);
    EXPECT_EQ(client.hear(heard, 1 + kText.size()), reset ? -1 : 0);
    EXPECT_LT(heard.size(), 1 + kText.size());
  }
  EXPECT_EQ(proxy.counts().reset, 1);
  EXPECT_EQ(proxy.counts().truncated, 1);
}

}  // namespace
}  // namespace castiel::conservation
