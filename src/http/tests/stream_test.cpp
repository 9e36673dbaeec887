#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "base/digest.hpp"
#include "http/event_stream.hpp"
#include "http/testing/test_server.hpp"

namespace castiel::http {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kGetLive = "GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n";

std::string drained(EventStream& stream) {
  std::string out;
  stream.drain(out);
  return out;
}

// Gives way until the condition holds; a failure after 20 seconds.
template <class Condition>
bool eventually(const Condition& condition) {
  SystemClock clock;
  const auto limit = Deadline::after(clock, 20s);
  while (!condition()) {
    if (limit.passed()) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST(EventStream, renders_each_line_of_data_as_its_own_field) {
  EventStream stream;
  stream.publish("changed", "a\nb\r\nc\rd");
  EXPECT_EQ(drained(stream), "event: changed\ndata: a\ndata: b\ndata: c\ndata: d\n\n");
}

TEST(EventStream, drops_the_oldest_when_the_client_is_slow_and_says_so) {
  EventStream stream(EventStream::Options{.max_events = 2});
  for (const auto* data : {"1", "2", "3", "4"}) EXPECT_TRUE(stream.publish("n", data));
  EXPECT_EQ(stream.dropped(), 2U);
  EXPECT_EQ(drained(stream),
            "event: dropped\ndata: {\"count\":2}\n\nevent: n\ndata: 3\n\nevent: n\ndata: 4\n\n");
  EXPECT_EQ(drained(stream), "");
}

TEST(EventStream, is_bounded_in_bytes_too) {
  EventStream stream(EventStream::Options{.max_events = 1000, .max_bytes = 100});
  for (int i = 0; i < 100; ++i) stream.publish("n", std::string(40, 'x'));
  EXPECT_LT(drained(stream).size(), 300U);
}

TEST(EventStream, keeps_only_the_latest_of_a_name_when_asked) {
  EventStream stream;
  stream.publish("import", "10", EventStream::Delivery::latest);
  stream.publish("changed", "x");
  stream.publish("import", "20", EventStream::Delivery::latest);
  EXPECT_EQ(drained(stream), "event: import\ndata: 20\n\nevent: changed\ndata: x\n\n");
  EXPECT_EQ(stream.dropped(), 0U);
}

TEST(EventStream, takes_nothing_once_closed) {
  EventStream stream;
  stream.publish("a", "1");
  stream.close();
  EXPECT_FALSE(stream.publish("a", "2"));
  std::string out;
  EXPECT_TRUE(stream.drain(out));
  EXPECT_THAT(out, HasSubstr("data: 1"));
}

struct Live {
  std::shared_ptr<EventStream> stream = std::make_shared<EventStream>();
  Route route() {
    return test_route("GET", "/live", [this](const Request&) { return Response::stream(stream); });
  }
};

TEST(Live, sends_events_as_they_come_and_ends_with_the_stream) {
  Live live;
  TestServer server({live.route()});
  RawConnection raw(server.port());
  raw.send(kGetLive);
  EXPECT_THAT(raw.read_until("\r\n\r\n"), HasSubstr("text/event-stream"));
  live.stream->publish("changed", "1");
  EXPECT_THAT(raw.read_until("data: 1\n\n"), HasSubstr("event: changed\n"));
  live.stream->publish("changed", "2");
  raw.read_until("data: 2\n\n");
  live.stream->close();
  EXPECT_TRUE(raw.read_until("0\r\n\r\n").ends_with("0\r\n\r\n"));
}

TEST(Live, beats_when_nothing_happens) {
  Live live;
  TestServer server({live.route()}, {.heartbeat = 20ms});
  RawConnection raw(server.port());
  raw.send(kGetLive);
  EXPECT_THAT(raw.read_until(": ping\n\n"), HasSubstr(": ping"));
  EXPECT_THAT(raw.read_until(": ping\n\n"), HasSubstr(": ping"));
}

TEST(Live, notices_a_client_that_leaves_silently) {
  Live live;
  TestServer server({live.route()});
  {
    RawConnection raw(server.port());
    raw.send(kGetLive);
    raw.read_until("\r\n\r\n");
  }
  EXPECT_TRUE(eventually([&] { return live.stream->closed(); }));
}

TEST(Live, refuses_streams_beyond_its_limit) {
  std::vector<std::shared_ptr<EventStream>> streams;
  std::mutex mutex;
  TestServer server({test_route("GET", "/live",
                                [&](const Request&) {
                                  std::lock_guard lock(mutex);
                                  streams.push_back(std::make_shared<EventStream>());
                                  return Response::stream(streams.back());
                                })},
                    {.max_streams = 1});
  RawConnection first(server.port());
  first.send(kGetLive);
  EXPECT_THAT(first.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  RawConnection second(server.port());
  second.send(kGetLive);
  EXPECT_THAT(second.read_response(), StartsWith("HTTP/1.1 503 "));
  std::lock_guard lock(mutex);
  EXPECT_TRUE(streams.at(1)->closed());
  EXPECT_FALSE(streams.at(0)->closed());
}

TEST(Live, ends_with_the_server) {
  Live live;
  TestServer server({live.route()});
  RawConnection raw(server.port());
  raw.send(kGetLive);
  raw.read_until("\r\n\r\n");
  server.server().stop(20s);
  EXPECT_TRUE(raw.read_all().ends_with("0\r\n\r\n"));
  EXPECT_TRUE(live.stream->closed());
  EXPECT_FALSE(server.log().contains("http_cut_off"));
}

TEST(Live, may_be_published_to_after_the_server_is_gone) {
  Live live;
  std::atomic<bool> stop = false;
  std::jthread producer([&] {
    while (!stop) live.stream->publish("n", "x");
  });
  {
    TestServer server({live.route()});
    RawConnection raw(server.port());
    raw.send(kGetLive);
    raw.read_until("data: x");
  }
  EXPECT_TRUE(live.stream->closed());
  stop = true;
}

TEST(Live, stays_bounded_for_a_client_that_does_not_read) {
  Live live;
  TestServer server({live.route()}, {.write_timeout = 100ms});
  RawConnection raw(server.port());
  raw.send(kGetLive);
  raw.read_until("\r\n\r\n");
  const std::string big(256 * 1024, 'x');
  EXPECT_TRUE(eventually([&] { return !live.stream->publish("n", big); }));
  EXPECT_GT(live.stream->dropped(), 0U);
}

// Uploads.

class HashingSink final : public BodySink {
 public:
  explicit HashingSink(std::uint64_t accept = UINT64_MAX) : accept_(accept) {}
  bool write(std::string_view chunk) override {
    largest = std::max(largest, chunk.size());
    total += chunk.size();
    hash.update(chunk);
    return total <= accept_;
  }
  void abandoned() override { was_abandoned = true; }

  std::size_t largest = 0;
  std::uint64_t total = 0;
  Sha256 hash;
  std::atomic<bool> was_abandoned = false;

 private:
  std::uint64_t accept_;
};

struct Upload {
  std::shared_ptr<HashingSink> sink = std::make_shared<HashingSink>();
  std::atomic<int> handled = 0;

  Route route() {
    auto out = test_route("POST", "/upload", [this](const Request& request) -> Result<Response> {
      ++handled;
      EXPECT_EQ(request.sink, sink);
      EXPECT_TRUE(request.body.empty());
      if (!request.body_complete) return permanent("body_too_large", "Enough.");
      const auto digest = sink->hash.finish();
      return Response::text(to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()}));
    });
    out.max_body_bytes = UINT64_MAX;
    out.open_sink = [this](const Request& request) -> Result<std::shared_ptr<BodySink>> {
      if (request.query.get("refuse")) return permanent("conflict", "Not now.");
      return sink;
    };
    return out;
  }
};

TEST(Upload, streams_to_the_sink_in_small_pieces) {
  Upload upload;
  TestServer server({upload.route()});
  Sha256 expected;
  int left = 500;
  ClientRequest request{.method = "POST", .target = "/upload"};
  request.upload = [&](std::size_t limit) -> Result<std::string> {
    if (left-- == 0) return std::string();
    std::string piece(std::min<std::size_t>(limit, 40'000), static_cast<char>('a' + left % 26));
    expected.update(piece);
    return piece;
  };
  const auto response = server.local_client().send(request, server.soon());
  ASSERT_TRUE(response) << response.error().describe();
  const auto digest = expected.finish();
  EXPECT_EQ(response->body, to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()}));
  EXPECT_GT(upload.sink->total, 1'000'000U);
  EXPECT_LE(upload.sink->largest, 64U * 1024);
}

TEST(Upload, tells_the_client_when_the_sink_has_enough) {
  Upload upload;
  upload.sink = std::make_shared<HashingSink>(100'000);
  TestServer server({upload.route()});
  RawConnection raw(server.port());
  raw.send("POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" +
           std::string(1'000'000, 'x'));
  EXPECT_THAT(raw.read_all(), StartsWith("HTTP/1.1 413 "));
  EXPECT_LT(upload.sink->total, 300'000U);
}

TEST(Upload, is_refused_before_the_body_when_the_sink_does_not_open) {
  Upload upload;
  TestServer server({upload.route()});
  RawConnection raw(server.port());
  raw.send(
      "POST /upload?refuse HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nExpect: "
      "100-continue\r\n\r\n");
  EXPECT_THAT(raw.read_all(), StartsWith("HTTP/1.1 409 "));
}

TEST(Upload, tells_the_sink_when_the_client_leaves) {
  Upload upload;
  TestServer server({upload.route()});
  {
    RawConnection raw(server.port());
    raw.send("POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc");
  }
  EXPECT_TRUE(eventually([&] { return upload.sink->was_abandoned.load(); }));
  EXPECT_EQ(upload.handled, 0);
}

// Every look at it is a minute later.
class HurryingClock final : public Clock {
 public:
  Timestamp now() const override { return {}; }
  Duration monotonic() const override { return std::chrono::minutes(calls_++); }

 private:
  mutable std::atomic<int> calls_ = 0;
};

TEST(Upload, that_trickles_is_cut_off) {
  Upload upload;
  HurryingClock clock;
  const auto router = Router::create({upload.route()});
  ASSERT_TRUE(router);
  const auto server = Server::start({}, router->handler(), clock, telemetry::Log());
  ASSERT_TRUE(server);
  RawConnection raw((*server)->port());
  raw.send(
      "POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n");
  raw.read_until("\r\n\r\n");
  raw.send("abc");
  EXPECT_TRUE(raw.closed());
  EXPECT_TRUE(eventually([&] { return upload.sink->was_abandoned.load(); }));
}

TEST(Upload, keeps_the_connection_afterwards) {
  Upload upload;
  TestServer server({upload.route()});
  RawConnection raw(server.port());
  raw.send(
      "POST /upload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
      "GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(raw.read_response(), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(raw.read_response(), StartsWith("HTTP/1.1 404 "));
}

// Downloads.

class Counting final : public BodySource {
 public:
  explicit Counting(int pieces, bool breaks = false) : left_(pieces), breaks_(breaks) {}
  Result<std::string> read(std::size_t limit) override {
    if (left_-- > 0) return std::string(limit, 'x');
    if (breaks_) return transient("store_busy", "It broke.");
    return std::string();
  }

 private:
  int left_;
  bool breaks_;
};

TEST(Download, is_sent_in_chunks_from_its_source) {
  TestServer server({test_route("GET", "/export", [](const Request&) {
    return Response::source(std::make_shared<Counting>(100), "text/csv");
  })});
  const auto response = server.client().get("/export", server.soon());
  ASSERT_TRUE(response) << response.error().describe();
  EXPECT_EQ(response->body.size(), 100U * 64 * 1024);
  EXPECT_EQ(response->headers.get("Transfer-Encoding"), "chunked");
}

TEST(Download, that_breaks_is_seen_as_broken) {
  TestServer server({test_route("GET", "/export", [](const Request&) {
    return Response::source(std::make_shared<Counting>(2, true), "text/csv");
  })});
  const auto response = server.client().get("/export", server.soon());
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, "connection_lost");
}

// The client.

TEST(Client, reads_a_stream_line_by_line_and_stops_when_told) {
  auto lines = std::make_shared<EventStream>(EventStream::Options{.format = EventStream::Format::lines});
  for (const auto* line : {"{\"n\":1}", "{\"n\":2}", "{\"n\":\n3}"}) lines->publish("progress", line);
  lines->close();
  TestServer server(
      {test_route("GET", "/progress", [&](const Request&) { return Response::stream(lines); })});
  std::vector<std::string> seen;
  ClientRequest request{.target = "/progress"};
  request.on_line = [&](std::string_view line) {
    seen.emplace_back(line);
    return true;
  };
  const auto response = server.local_client().send(request, server.soon());
  ASSERT_TRUE(response) << response.error().describe();
  EXPECT_THAT(seen, testing::ElementsAre("{\"n\":1}", "{\"n\":2}", "{\"n\": 3}"));
}

TEST(Client, ends_a_stream_early_without_an_error) {
  auto lines = std::make_shared<EventStream>(EventStream::Options{.format = EventStream::Format::lines});
  lines->publish("progress", "1");
  TestServer server(
      {test_route("GET", "/progress", [&](const Request&) { return Response::stream(lines); })});
  ClientRequest request{.target = "/progress"};
  request.on_line = [](std::string_view) { return false; };
  EXPECT_TRUE(server.local_client().send(request, server.soon()));
  EXPECT_TRUE(eventually([&] { return lines->closed(); }));
}

TEST(Client, names_the_error_the_server_answers) {
  TestServer server({test_route("GET", "/fails", [](const Request&) -> Result<Response> {
    return permanent("unknown_tenant", "There is no tenant acme.");
  })});
  auto client = server.client();
  const auto error = client.get("/fails", server.soon()).error();
  EXPECT_EQ(error.code, "unknown_tenant");
  EXPECT_EQ(error.message, "There is no tenant acme.");
  EXPECT_EQ(error.cls, ErrorClass::permanent);
  EXPECT_EQ(client.send({.target = "/fails"}, server.soon())->status, 404);
}

TEST(Client, gives_up_at_its_deadline) {
  Live live;
  TestServer server({live.route()});
  const auto result = server.client().get("/live", Deadline::after(server.clock(), 50ms));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, "deadline_exceeded");
  EXPECT_EQ(server.client().get("/live", Deadline::after(server.clock(), 0ms)).error().code,
            "deadline_exceeded");
}

TEST(Client, tells_that_nobody_answers) {
  SystemClock clock;
  Client client({.socket_path = "/nonexistent/castiel.sock"}, clock);
  const auto result = client.get("/", Deadline::after(clock, 5s));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, "server_unreachable");
  EXPECT_THAT(result.error().message, HasSubstr("/nonexistent/castiel.sock"));
}

TEST(Client, limits_what_it_takes_in) {
  TestServer server(
      {test_route("GET", "/big", [](const Request&) { return Response::text(std::string(5000, 'x')); })});
  const auto result = server.client().send({.target = "/big", .max_response_bytes = 4999}, server.soon());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, "response_too_large");
}

TEST(Client, passes_on_the_error_of_an_upload) {
  Upload upload;
  TestServer server({upload.route()});
  ClientRequest request{.method = "POST", .target = "/upload"};
  request.upload = [](std::size_t) -> Result<std::string> {
    return permanent("file_gone", "The file is gone.");
  };
  const auto result = server.client().send(request, server.soon());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, "file_gone");
  EXPECT_TRUE(eventually([&] { return upload.sink->was_abandoned.load(); }));
}

TEST(Client, sends_nothing_that_would_split_a_header) {
  TestServer server({Live().route()});
  ClientRequest request{.target = "/live"};
  request.headers.set("X-A", "b\r\nX-C: d");
  EXPECT_EQ(server.client().send(request, server.soon()).error().code, "bad_request");
  EXPECT_EQ(server.client().send({.target = "live"}, server.soon()).error().code, "bad_request");
}

TEST(Client, reuses_its_connection) {
  TestServer server({test_route("GET", "/a", [](const Request&) { return Response::text("a"); })},
                    {.max_connections = 1});
  auto client = server.client();
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(client.get("/a", server.soon()));
}

}  // namespace
}  // namespace castiel::http
