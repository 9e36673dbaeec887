#include "http/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zlib.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <latch>
#include <mutex>
#include <thread>

#include "base/random.hpp"
#include "http/testing/test_server.hpp"

namespace castiel::http {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr auto route = test_route;

Route hello() {
  return route("GET", "/hello", [](const Request&) { return Response::text("hello"); });
}

Route echo() {
  return route("POST", "/echo", [](const Request& request) { return Response::text(request.body); });
}

std::string get(std::string_view path, std::string_view more = {}) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(more) + "\r\n";
}

// Holds handlers until released.
class Gate {
 public:
  void wait() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void await_waiting(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = false;
};

std::string gunzip(std::string_view packed) {
  std::string out(1 << 20, '\0');
  z_stream stream{};
  inflateInit2(&stream, 15 + 16);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  inflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

TEST(Server, answers_over_tcp_and_over_its_socket) {
  TestServer server({route("GET", "/where", [](const Request& request) {
    return Response::text(request.is_local_socket ? "socket" : request.remote_address);
  })});
  auto tcp = server.client().get("/where", server.soon());
  ASSERT_TRUE(tcp) << tcp.error().describe();
  EXPECT_EQ(tcp->body, "127.0.0.1");
  auto local = server.local_client().get("/where", server.soon());
  ASSERT_TRUE(local) << local.error().describe();
  EXPECT_EQ(local->body, "socket");
}

TEST(Server, hands_the_whole_request_to_the_handler) {
  TestServer server({route("PUT", "/a/{id}/c", [](const Request& request) {
    EXPECT_EQ(request.path, "/a/x/y/c");
    EXPECT_EQ(request.params.get("id"), "x/y");
    EXPECT_EQ(request.query.get("q"), "1 2");
    EXPECT_EQ(request.headers.get("x-custom"), "value");
    EXPECT_EQ(request.body, "body");
    EXPECT_FALSE(request.deadline.passed());
    return Response::json({{"ok", true}}, 201);
  })});
  ClientRequest request{.method = "PUT", .target = "/a/x%2Fy/c?q=1+2", .body = "body"};
  request.headers.add("X-Custom", "value");
  const auto response = server.client().send(request, server.soon());
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->body, R"({"ok":true})");
}

TEST(Server, keeps_the_connection_and_answers_pipelined_requests_in_order) {
  TestServer server({hello(), echo()});
  RawConnection raw(server.port());
  raw.send(get("/hello") + "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc" +
           get("/none"));
  EXPECT_THAT(raw.read_response(), HasSubstr("hello"));
  EXPECT_THAT(raw.read_response(), HasSubstr("abc"));
  EXPECT_THAT(raw.read_response(), StartsWith("HTTP/1.1 404 "));
  raw.send(get("/hello", "Connection: close\r\n"));
  EXPECT_THAT(raw.read_all(), HasSubstr("Connection: close"));
}

TEST(Server, answers_head_with_the_length_but_no_body) {
  TestServer server({hello()});
  RawConnection raw(server.port());
  raw.send("HEAD /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const auto answer = raw.read_all();
  EXPECT_THAT(answer, HasSubstr("Content-Length: 5"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
}

TEST(Server, serves_http_1_0_and_closes) {
  TestServer server({hello()});
  RawConnection raw(server.port());
  raw.send("GET /hello HTTP/1.0\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(raw.read_all().ends_with("hello"));
}

TEST(Server, sets_security_headers_by_default) {
  TestServer server({hello()});
  const auto response = server.client().get("/hello", server.soon());
  ASSERT_TRUE(response);
  EXPECT_EQ(response->headers.get("X-Content-Type-Options"), "nosniff");
  EXPECT_THAT(std::string(response->headers.get_or("Content-Security-Policy", "")),
              StartsWith("default-src 'self'"));
  EXPECT_TRUE(response->headers.has("Referrer-Policy"));
  EXPECT_EQ(response->headers.get("Cache-Control"), "no-store");
}

TEST(Server, lets_no_value_write_a_header_of_its_own) {
  TestServer server({route("GET", "/split", [](const Request& request) {
    auto response = Response::text("x");
    response.headers.set("X-Echo", request.query.string_or("v"));
    return response;
  })});
  const auto response = server.client().get("/split?v=a%0d%0aSet-Cookie:%20b=c", server.soon());
  ASSERT_TRUE(response);
  EXPECT_FALSE(response->headers.has("Set-Cookie"));
}

TEST(Server, refuses_a_foreign_host_on_loopback) {
  TestServer server({hello()}, {.allowed_hosts = {"castiel.example"}});
  const auto status = [&](std::string_view host) {
    RawConnection raw(server.port());
    raw.send("GET /hello HTTP/1.1\r\nHost: " + std::string(host) + "\r\nConnection: close\r\n\r\n");
    return raw.read_all().substr(9, 3);
  };
  EXPECT_EQ(status("localhost:1234"), "200");
  EXPECT_EQ(status("127.0.0.1"), "200");
  EXPECT_EQ(status("[::1]:80"), "200");
  EXPECT_EQ(status("Castiel.Example"), "200");
  EXPECT_EQ(status("evil.example"), "421");
  EXPECT_EQ(status("localhost.evil.example"), "421");
}

TEST(Server, needs_exactly_one_host) {
  TestServer server({hello()});
  for (const std::string hosts : {"", "Host: localhost\r\nHost: localhost\r\n"}) {
    RawConnection raw(server.port());
    raw.send("GET /hello HTTP/1.1\r\n" + hosts + "Connection: close\r\n\r\n");
    EXPECT_THAT(raw.read_all(), StartsWith("HTTP/1.1 400 "));
  }
}

TEST(Server, refuses_state_changes_from_other_origins) {
  TestServer server({echo(), hello()});
  const auto status = [&](std::string_view method, std::string_view path, std::string_view field) {
    RawConnection raw(server.port());
    raw.send(std::string(method) + " " + std::string(path) +
             " HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\nContent-Length: 0\r\n" +
             std::string(field) + "\r\n\r\n");
    return raw.read_all().substr(9, 3);
  };
  EXPECT_EQ(status("POST", "/echo", "Origin: http://localhost:8080"), "200");
  EXPECT_EQ(status("POST", "/echo", "Origin: http://localhost:9090"), "403");
  EXPECT_EQ(status("POST", "/echo", "Origin: http://evil.example"), "403");
  EXPECT_EQ(status("POST", "/echo", "Origin: null"), "403");
  EXPECT_EQ(status("POST", "/echo", "Sec-Fetch-Site: cross-site"), "403");
  EXPECT_EQ(status("POST", "/echo", "Sec-Fetch-Site: same-origin"), "200");
  EXPECT_EQ(status("GET", "/hello", "Origin: http://evil.example"), "200");
}

TEST(Server, compresses_large_json_for_who_accepts_it) {
  const std::string text = "[\"" + std::string(5000, 'a') + "\"]";
  TestServer server({route("GET", "/big", [&](const Request&) { return Response::json_text(text); }),
                     route("GET", "/small", [](const Request&) { return Response::json_text("[]"); })});
  ClientRequest request{.target = "/big"};
  auto plain = server.client().send(request, server.soon());
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->body, text);
  EXPECT_EQ(plain->headers.get("Vary"), "Accept-Encoding");
  request.headers.set("Accept-Encoding", "br, gzip;q=0.5");
  auto packed = server.client().send(request, server.soon());
  ASSERT_TRUE(packed);
  EXPECT_EQ(packed->headers.get("Content-Encoding"), "gzip");
  EXPECT_LT(packed->body.size(), 200U);
  EXPECT_EQ(gunzip(packed->body), text);
  request.headers.set("Accept-Encoding", "gzip;q=0");
  EXPECT_FALSE(server.client().send(request, server.soon())->headers.has("Content-Encoding"));
  request.headers.set("Accept-Encoding", "gzip");
  request.target = "/small";
  EXPECT_FALSE(server.client().send(request, server.soon())->headers.has("Content-Encoding"));
}

TEST(Server, answers_garbage_with_400_and_closes) {
  TestServer server({hello()});
  for (const std::string garbage :
       {"\x16\x03\x01\x02garbage\r\n\r\n", "GET\r\n\r\n", "GET /hello HTTP/9.9\r\nHost: localhost\r\n\r\n",
        "GET hello HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n"}) {
    RawConnection raw(server.port());
    raw.send(garbage);
    raw.shutdown_send();
    const auto answer = raw.read_all();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 ")) << garbage;
    EXPECT_THAT(answer, HasSubstr("application/problem+json")) << garbage;
  }
  EXPECT_TRUE(server.client().get("/hello", server.soon()));
}

TEST(Server, survives_clients_that_leave_in_the_middle) {
  TestServer server({hello(), echo()});
  for (const std::string start :
       {"", "GE", "GET /hello HTTP/1.1\r\nHost: local",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"}) {
    RawConnection raw(server.port());
    raw.send(start);
    raw.shutdown_send();
    EXPECT_EQ(raw.read_all(), "") << start;
  }
  EXPECT_TRUE(server.client().get("/hello", server.soon()));
}

TEST(Server, survives_mutated_requests) {
  TestServer server({hello(), echo()});
  SeededRandom random(7);
  const std::string valid =
      "POST /echo?a=b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" +
      get("/hello");
  for (int i = 0; i < 300; ++i) {
    auto bytes = valid;
    for (auto changes = 1 + random.below(4); changes > 0; --changes) {
      const auto at = random.below(bytes.size());
      switch (random.below(3)) {
        case 0:
          bytes[at] = static_cast<char>(random.below(256));
          break;
        case 1:
          bytes.erase(at, 1 + random.below(5));
          break;
        default:
          bytes.insert(at, bytes.substr(random.below(bytes.size()), 1 + random.below(20)));
      }
    }
    RawConnection raw(server.port());
    raw.send(bytes);
    raw.shutdown_send();
    const auto answer = raw.read_all();
    EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 ")) << bytes;
    EXPECT_THAT(answer, Not(HasSubstr("HTTP/1.1 500"))) << bytes;
  }
  EXPECT_TRUE(server.client().get("/hello", server.soon()));
}

TEST(Server, limits_the_header_to_16_kib) {
  TestServer server({hello()});
  RawConnection raw(server.port());
  raw.send(get("/hello", "X-Long: " + std::string(kMaxHeaderBytes + 100, 'a') + "\r\n"));
  EXPECT_THAT(raw.read_all(), StartsWith("HTTP/1.1 431 "));
  RawConnection fine(server.port());
  fine.send(get("/hello", "X-Long: " + std::string(kMaxHeaderBytes - 500, 'a') + "\r\n"));
  EXPECT_THAT(fine.read_response(), StartsWith("HTTP/1.1 200 "));
}

TEST(Server, limits_the_body_with_and_without_a_length) {
  auto small = echo();
  small.max_body_bytes = 10;
  TestServer server({small});
  const auto status = [&](const std::string& rest) {
    RawConnection raw(server.port());
    raw.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + rest);
    return raw.read_all().substr(9, 3);
  };
  EXPECT_EQ(status("Content-Length: 10\r\n\r\n0123456789"), "200");
  EXPECT_EQ(status("Content-Length: 11\r\n\r\n01234567890"), "413");
  EXPECT_EQ(status("Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"), "200");
  EXPECT_EQ(status("Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n6\r\n567890\r\n0\r\n\r\n"), "413");
  EXPECT_EQ(status("Transfer-Encoding: chunked\r\n\r\nzz\r\n"), "400");
  EXPECT_EQ(status("Transfer-Encoding: gzip\r\n\r\n"), "501");
}

TEST(Server, says_continue_before_it_reads_an_expected_body) {
  TestServer server({echo()});
  RawConnection raw(server.port());
  raw.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(raw.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  raw.send("abc");
  EXPECT_TRUE(raw.read_response().ends_with("abc"));
  RawConnection refused(server.port());
  refused.send("POST /none HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(refused.read_all(), StartsWith("HTTP/1.1 404 "));
}

TEST(Server, cuts_off_a_slow_loris) {
  TestServer server({hello(), echo()},
                    {.idle_timeout = 100ms, .header_timeout = 100ms, .body_timeout = 100ms});
  RawConnection silent(server.port());
  RawConnection header(server.port());
  header.send("GET /hello HTTP/1.1\r\nHost:");
  RawConnection body(server.port());
  body.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc");
  RawConnection idle(server.port());
  idle.send(get("/hello"));
  EXPECT_THAT(idle.read_response(), HasSubstr("hello"));
  EXPECT_TRUE(silent.closed());
  EXPECT_TRUE(header.closed());
  EXPECT_TRUE(body.closed());
  EXPECT_TRUE(idle.closed());
}

TEST(Server, cuts_off_a_client_that_does_not_read) {
  const std::string big(64 << 20, 'x');
  TestServer server({route("GET", "/big", [&](const Request&) { return Response::text(big); })},
                    {.write_timeout = 100ms});
  RawConnection raw(server.port());
  raw.send(get("/big"));
  // Graceful stop returns early only when the connection is given up.
  server.server().stop(20s);
  EXPECT_FALSE(server.log().contains("http_cut_off"));
  EXPECT_LT(raw.read_all().size(), big.size());
}

TEST(Server, answers_503_when_its_queue_is_full) {
  Gate gate;
  TestServer server({route("GET", "/wait",
                           [&](const Request&) {
                             gate.wait();
                             return Response::text("done");
                           })},
                    {.workers = 1, .max_queued_requests = 1});
  RawConnection running(server.port());
  running.send(get("/wait"));
  gate.await_waiting(1);
  // One of these two waits in the queue, the other one is refused, whichever came first.
  RawConnection second(server.port());
  RawConnection third(server.port());
  second.send(get("/wait", "Connection: close\r\n"));
  third.send(get("/wait", "Connection: close\r\n"));
  std::string answers[2];
  std::latch one_answered(1);
  std::once_flag once;
  {
    const auto read = [&](RawConnection& raw, std::string& answer) {
      answer = raw.read_all();
      std::call_once(once, [&] { one_answered.count_down(); });
    };
    std::jthread a([&] { read(second, answers[0]); });
    std::jthread b([&] { read(third, answers[1]); });
    one_answered.wait();
    gate.open();
  }
  const auto refused = answers[0].starts_with("HTTP/1.1 503 ") ? 0 : 1;
  EXPECT_THAT(answers[refused], StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(answers[refused], HasSubstr("Retry-After: 1"));
  EXPECT_THAT(answers[1 - refused], StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(running.read_response(), HasSubstr("done"));
  EXPECT_THAT(server.metrics(), HasSubstr("http_refused_total{limit=\"queue\"} 1"));
}

TEST(Server, answers_probes_while_all_workers_are_busy) {
  Gate gate;
  auto probe = hello();
  probe.immediate = true;
  TestServer server({probe, route("GET", "/wait",
                                  [&](const Request&) {
                                    gate.wait();
                                    return Response::text("done");
                                  })},
                    {.workers = 1, .max_queued_requests = 1});
  RawConnection running(server.port());
  running.send(get("/wait"));
  gate.await_waiting(1);
  EXPECT_TRUE(server.client().get("/hello", server.soon()));
  gate.open();
  EXPECT_THAT(running.read_response(), HasSubstr("done"));
}

TEST(Server, does_not_start_what_waited_past_its_deadline) {
  TestServer server({hello()}, {.request_deadline = 0ms});
  const auto response = server.client().send({.target = "/hello"}, server.soon());
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 504);
}

TEST(Server, listens_on_ipv6) {
  SystemClock clock;
  auto started = Server::start({.address = "::1"}, {nullptr, [](Request) { return Response::text("six"); }},
                               clock, telemetry::Log());
  if (!started) {
    std::puts("NOTICE: IPv6 loopback not present, 1 check not run");
    return;
  }
  Client client({.host = "::1", .port = (*started)->port()}, clock);
  const auto response = client.get("/", Deadline::after(clock, 20s));
  ASSERT_TRUE(response) << response.error().describe();
  EXPECT_EQ(response->body, "six");
}

TEST(Server, refuses_connections_beyond_its_limit) {
  TestServer server({hello()}, {.max_connections = 1});
  RawConnection first(server.port());
  first.send(get("/hello"));
  EXPECT_THAT(first.read_response(), HasSubstr("hello"));
  RawConnection second(server.port());
  EXPECT_THAT(second.read_all(), StartsWith("HTTP/1.1 503 "));
  first.send(get("/hello"));
  EXPECT_THAT(first.read_response(), HasSubstr("hello"));
}

TEST(Server, turns_an_exception_into_a_500_without_its_words) {
  TestServer server({route("GET", "/throw", [](const Request&) -> Result<Response> {
    throw std::runtime_error("inner detail");
  })});
  const auto response = server.client().send({.target = "/throw"}, server.soon());
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 500);
  EXPECT_THAT(response->body, Not(HasSubstr("inner detail")));
  EXPECT_TRUE(server.log().contains("inner detail"));
}

TEST(Server, counts_requests_by_operation) {
  TestServer server({hello()});
  ASSERT_TRUE(server.client().get("/hello", server.soon()));
  ASSERT_FALSE(server.client().get("/nothing/here", server.soon()));
  server.server().stop(20s);
  EXPECT_THAT(server.metrics(), HasSubstr("http_requests_total{operation=\"GET/hello\",status=\"2xx\"} 1"));
  EXPECT_THAT(server.metrics(), HasSubstr("http_requests_total{operation=\"none\",status=\"4xx\"} 1"));
}

TEST(Server, passes_on_a_valid_trace_context_only) {
  TestServer server({route("GET", "/trace", [](const Request& r) { return Response::text(r.traceparent); })});
  ClientRequest request{.target = "/trace"};
  request.headers.set("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  EXPECT_EQ(server.client().send(request, server.soon())->body, *request.headers.get("traceparent"));
  request.headers.set("traceparent", "nonsense");
  EXPECT_EQ(server.client().send(request, server.soon())->body, "");
}

TEST(ServerStop, finishes_what_runs_and_takes_no_more) {
  Gate gate;
  TestServer server({route("GET", "/wait", [&](const Request&) {
    gate.wait();
    return Response::text("finished");
  })});
  const auto port = server.port();
  RawConnection idle(port);
  idle.send(get("/none"));
  idle.read_response();
  RawConnection running(port);
  running.send(get("/wait"));
  gate.await_waiting(1);
  std::jthread stopping([&] { server.server().stop(20s); });
  EXPECT_TRUE(idle.closed());  // closed by the stop: from here on nothing is accepted
  RawConnection late(port);
  EXPECT_TRUE(late.closed());
  gate.open();
  const auto answer = running.read_all();
  EXPECT_TRUE(answer.ends_with("finished"));
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
}

TEST(ServerStop, loses_no_answer_it_began_under_load) {
  std::atomic<int> handled = 0;
  std::atomic<int> answered = 0;
  TestServer server({route("GET", "/work",
                           [&](const Request&) {
                             ++handled;
                             return Response::text(std::string(2000, 'x'));
                           })},
                    {.workers = 2});
  std::latch warm(4);
  std::vector<std::jthread> clients;
  for (int i = 0; i < 4; ++i)
    clients.emplace_back([&] {
      auto client = server.client();
      for (int n = 0;; ++n) {
        const auto response = client.send({.target = "/work"}, server.soon());
        if (n == 20) warm.count_down();
        if (!response) {
          EXPECT_TRUE(response.error().code == "connection_lost" ||
                      response.error().code == "server_unreachable")
              << response.error().describe();
          if (n < 20) warm.count_down();
          return;
        }
        EXPECT_EQ(response->body.size(), 2000U);
        ++answered;
      }
    });
  warm.wait();
  server.server().stop(20s);
  clients.clear();
  EXPECT_EQ(handled, answered);
}

TEST(ServerStop, cuts_off_what_outlives_the_grace) {
  TestServer server({echo()});
  RawConnection half(server.port());
  half.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n");
  half.read_until("\r\n\r\n");
  server.server().stop(10ms);
  EXPECT_TRUE(half.closed());
  EXPECT_TRUE(server.log().contains("http_cut_off"));
}

TEST(UnixSocket, is_private_and_removed_at_the_end) {
  std::string path;
  {
    TestServer server({hello()});
    path = server.socket_path();
    struct stat info{};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
    server.server().stop(1s);
    EXPECT_NE(::stat(path.c_str(), &info), 0);
  }
}

TEST(UnixSocket, in_use_is_left_alone_and_a_stale_one_replaced) {
  TestServer server({hello()});
  SystemClock clock;
  const auto start = [&](const std::string& path) {
    return Server::start({.address = "", .socket_path = path}, {}, clock, telemetry::Log());
  };
  const auto used = start(server.socket_path());
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().code, "socket_in_use");
  EXPECT_TRUE(server.local_client().get("/hello", server.soon()));

  const auto stale = server.socket_path() + ".stale";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  stale.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const int left = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(::bind(left, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ::close(left);
  EXPECT_TRUE(start(stale));

  const auto file = server.socket_path() + ".file";
  std::ofstream(file) << "precious";
  EXPECT_EQ(start(file).error().code, "invalid_address");
  EXPECT_EQ(start("/tmp/" + std::string(200, 'a')).error().code, "invalid_address");
}

TEST(Listening, tells_what_is_wrong_with_an_address) {
  TestServer server({hello()});
  SystemClock clock;
  const auto code = [&](ServerOptions options) {
    const auto started = Server::start(std::move(options), {}, clock, telemetry::Log());
    return started ? std::string("started") : started.error().code;
  };
  EXPECT_EQ(code({.address = "127.0.0.1", .port = server.port()}), "address_in_use");
  EXPECT_EQ(code({.address = "not an address"}), "invalid_address");
  EXPECT_EQ(code({.address = ""}), "invalid_address");
}

}  // namespace
}  // namespace castiel::http
