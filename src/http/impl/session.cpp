#include "http/impl/session.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>

#include "http/impl/answer.hpp"
#include "http/impl/guard.hpp"
#include "http/impl/own_answers.hpp"
#include "http/impl/signal.hpp"
#include "http/impl/text.hpp"
#include "http/problem.hpp"
#include "telemetry/span.hpp"

namespace castiel::http::impl {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
using Stream = beast::basic_stream<asio::generic::stream_protocol>;
using Parser = beast::http::request_parser<beast::http::buffer_body>;
template <class T>
using Async = asio::awaitable<T>;

constexpr std::size_t kChunkBytes = 64 * 1024;        // of a body, read or written
constexpr std::size_t kWriteSliceBytes = 256 * 1024;  // ServerOptions::write_timeout is for each
constexpr std::size_t kMaxLingerBytes = 4 * 1024 * 1024;
constexpr auto kLingerTime = std::chrono::seconds(2);

// What the peer sent is no HTTP, as opposed to a connection that ended.
bool is_malformed(error_code problem) {
  return problem.category() == error_code(beast::http::error::bad_method).category() &&
         problem != beast::http::error::end_of_stream && problem != beast::http::error::partial_message;
}

bool is_too_large(error_code problem) {
  return problem == beast::http::error::header_limit || problem == beast::http::error::buffer_overflow;
}

// Counts up for as long as it lives.
class Counted {
 public:
  Counted(std::size_t& count, std::optional<telemetry::Gauge> gauge) : count_(&count), gauge_(gauge) {
    ++*count_;
    if (gauge_) gauge_->add(1);
  }
  ~Counted() {
    --*count_;
    if (gauge_) gauge_->add(-1);
  }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::size_t* count_;
  std::optional<telemetry::Gauge> gauge_;
};

class Connection final : public Session {
 public:
  Connection(Core& core, asio::generic::stream_protocol::socket socket, Peer peer)
      : core_(core), stream_(std::move(socket)), peer_(std::move(peer)) {
    core_.sessions.insert(this);
    if (core_.metrics) core_.metrics->connections.add(1);
  }
  ~Connection() override {
    core_.sessions.erase(this);
    if (core_.sessions.empty() && core_.on_last_session) core_.on_last_session();
    if (core_.metrics) core_.metrics->connections.add(-1);
  }

  Async<void> run() {
    bool more = true;
    while (more && !core_.stopping) more = co_await serve_one();
    close();
  }

  void begin_stop() override {
    // Not closed: a request that was just read but not yet seen here is still answered.
    if (idle_) stream_.cancel();
    if (stream_signal_) stream_signal_->raise();
  }
  void cut() override {
    close();
    if (stream_signal_) stream_signal_->raise();
  }

 private:
  enum class Next { go_on, refuse, gone };

  // One request and its answer. False when the connection ends with it.
  Async<bool> serve_one() {
    Parser parser;
    parser.header_limit(static_cast<std::uint32_t>(kMaxHeaderBytes));
    parser.body_limit(boost::none);
    form_ = {};
    unread_body_ = false;
    plan_ = {};
    plan_.operation = "none";
    const bool has_header = co_await read_header(parser);
    if (!has_header) co_return false;
    started_ = core_.clock->monotonic();
    form_.http11 = parser.get().version() == 11;
    form_.keep_alive = parser.keep_alive();
    unread_body_ = !parser.is_done();

    Request request(Deadline::after(*core_.clock, core_.options.request_deadline));
    if (auto ok = accept_head(parser, request); !ok) {
      auto response = error_response(ok.error(), request.path);
      co_return co_await refuse(request, response);
    }
    make_plan(request);
    if (plan_.refuse) co_return co_await refuse(request, *plan_.refuse);
    if (unread_body_) {
      std::optional<Response> refusal;
      const auto next = co_await read_body(parser, request, refusal);
      if (next == Next::gone) co_return false;
      if (next == Next::refuse) co_return co_await refuse(request, *refusal);
    }
    co_return co_await answer(request);
  }

  Async<bool> read_header(Parser& parser) {
    error_code problem;
    if (buffer_.size() == 0) {
      idle_ = true;
      stream_.expires_after(first_ ? core_.options.header_timeout : core_.options.idle_timeout);
      const auto size = co_await stream_.async_read_some(buffer_.prepare(4096),
                                                         asio::redirect_error(asio::use_awaitable, problem));
      idle_ = false;
      if (problem) co_return false;
      buffer_.commit(size);
    }
    first_ = false;
    stream_.expires_after(core_.options.header_timeout);
    co_await beast::http::async_read_header(stream_, buffer_, parser,
                                            asio::redirect_error(asio::use_awaitable, problem));
    if (!problem) co_return true;
    if (is_malformed(problem)) {
      const Request unknown(Deadline::after(*core_.clock, Duration(0)));
      auto response = is_too_large(problem) ? header_too_large() : bad_request();
      co_await refuse(unknown, response);
    }
    co_return false;
  }

  // The request from its header, if it may come in at all.
  Result<> accept_head(const Parser& parser, Request& request) {
    const auto& head = parser.get();
    request.method = std::string_view(head.method_string());
    request.remote_address = peer_.address;
    request.is_local_socket = peer_.is_local_socket;
    for (const auto& field : head)
      request.headers.add(std::string(std::string_view(field.name_string())),
                          std::string(std::string_view(field.value())));
    form_.head = request.method == "HEAD";

    if (head.version() != 10 && head.version() != 11)
      return permanent("bad_request", "Only HTTP/1.0 and HTTP/1.1 are spoken here.");
    const auto hosts = request.headers.count("Host");
    if (hosts > 1 || (hosts == 0 && head.version() == 11))
      return permanent("bad_request", "The request must have one Host.");
    if (request.headers.has("Transfer-Encoding") && (!parser.chunked() || head.version() != 11))
      return permanent("not_implemented", "The only transfer encoding understood is chunked.");
    CASTIEL_TRY(set_target(request, std::string_view(head.target())));
    if (core_.check_host && !peer_.is_local_socket)
      CASTIEL_TRY(check_host(request.headers.get_or("Host", ""), core_.options.allowed_hosts));
    CASTIEL_TRY(check_origin(request, core_.options.allowed_origins));
    if (const auto expect = request.headers.get("Expect");
        expect && !equals_ignoring_case(*expect, "100-continue"))
      return permanent("expectation_failed", "The only expectation understood is 100-continue.");
    if (const auto trace = request.headers.get("traceparent"); trace && telemetry::parse_traceparent(*trace))
      request.traceparent = *trace;
    return {};
  }

  void make_plan(const Request& request) {
    plan_ = {};
    if (!core_.handler.plan) return;
    try {
      plan_ = core_.handler.plan(request);
    } catch (const std::exception& e) {
      plan_.refuse = failed(request.path, e.what());
    }
  }

  // Any thread.
  Response failed(std::string_view path, std::string_view what) const {
    core_.log.error("handler_failed", {{"operation", plan_.operation}, {"path", path}, {"what", what}});
    return internal_mistake(path);
  }

  // Reads the body into the request or its sink. Next::refuse comes with the answer.
  Async<Next> read_body(Parser& parser, Request& request, std::optional<Response>& refusal) {
    if (const auto length = parser.content_length(); length && *length > plan_.max_bytes) {
      refusal = body_too_large(request.path, plan_.max_bytes);
      co_return Next::refuse;
    }
    parser.body_limit(plan_.max_bytes);

    if (plan_.open_sink) {
      const auto next = co_await open_sink(request, refusal);
      if (next != Next::go_on) co_return next;
    }
    if (request.headers.has("Expect") && form_.http11 && buffer_.size() == 0) {
      const bool written = co_await write("HTTP/1.1 100 Continue\r\n\r\n");
      if (!written) {
        co_await abandon(request);
        co_return Next::gone;
      }
    }

    std::string chunk(kChunkBytes, '\0');
    std::uint64_t total = 0;
    Duration waited{0};
    stream_.expires_after(core_.options.body_timeout);
    while (!parser.is_done()) {
      auto& body = parser.get().body();
      body.data = chunk.data();
      body.size = chunk.size();
      while (!parser.is_done() && body.size > 0) {
        if (request.sink) stream_.expires_after(core_.options.body_timeout);
        error_code problem;
        const auto before = core_.clock->monotonic();
        co_await beast::http::async_read_some(stream_, buffer_, parser,
                                              asio::redirect_error(asio::use_awaitable, problem));
        waited += core_.clock->monotonic() - before;
        if (problem == beast::http::error::need_buffer) break;
        if (request.sink && is_too_slow(total + chunk.size() - body.size, waited)) {
          core_.count_refused("upload_rate");
          co_await abandon(request);
          co_return Next::gone;
        }
        if (problem == beast::http::error::body_limit) {
          co_await abandon(request);
          refusal = body_too_large(request.path, plan_.max_bytes);
          co_return Next::refuse;
        }
        if (problem) {
          co_await abandon(request);
          if (!is_malformed(problem)) co_return Next::gone;
          refusal = malformed_body(request.path);
          co_return Next::refuse;
        }
      }
      const std::string_view piece(chunk.data(), chunk.size() - body.size);
      total += piece.size();
      if (!request.sink) {
        request.body += piece;
        continue;
      }
      if (piece.empty()) continue;
      const auto next = co_await feed(request, piece, refusal);
      if (next != Next::go_on) co_return next;
      if (!request.body_complete) break;
    }
    unread_body_ = !parser.is_done();
    co_return Next::go_on;
  }

  bool is_too_slow(std::uint64_t total, Duration waited) const {
    if (waited <= core_.options.body_timeout) return false;
    const auto seconds = static_cast<std::uint64_t>(waited.count() / 1'000'000);
    return total < seconds * kMinUploadBytesPerSecond;
  }

  Async<Next> open_sink(Request& request, std::optional<Response>& refusal) {
    const auto open = [&] {
      try {
        auto sink = plan_.open_sink(request);
        if (sink) {
          request.sink = std::move(*sink);
        } else {
          refusal = error_response(sink.error(), request.path);
        }
      } catch (const std::exception& e) {
        refusal = failed(request.path, e.what());
      }
    };
    const bool ran = co_await on_worker(open, true);
    if (!ran) {
      core_.count_refused("queue");
      refusal = busy(request.path);
    }
    co_return refusal ? Next::refuse : Next::go_on;
  }

  Async<Next> feed(Request& request, std::string_view piece, std::optional<Response>& refusal) {
    const auto write_piece = [&] {
      try {
        request.body_complete = request.sink->write(piece);
      } catch (const std::exception& e) {
        refusal = failed(request.path, e.what());
      }
    };
    const bool ran = co_await on_worker(write_piece, false);
    if (!ran) co_return Next::gone;
    if (refusal) co_await abandon(request);
    co_return refusal ? Next::refuse : Next::go_on;
  }

  // No handler will see this request: its sink is told.
  Async<void> abandon(Request& request) {
    if (!request.sink) co_return;
    const auto tell = [&] {
      try {
        request.sink->abandoned();
      } catch (const std::exception& e) {
        core_.log.error("sink_failed", {{"path", request.path}, {"what", e.what()}});
      }
      request.sink.reset();
    };
    co_await on_worker(tell, false);
  }

  Async<bool> answer(Request& request) {
    const bool streamed = request.sink != nullptr;
    const auto method = request.method;
    const auto path = request.path;
    std::optional<Response> response;
    const std::string accept_encoding(request.headers.get_or("Accept-Encoding", ""));
    const auto handle = [&] {
      try {
        // Whoever waited for it has given up: the work would only delay the others.
        response = request.deadline.passed() ? too_late(path) : core_.handler.handle(std::move(request));
      } catch (const std::exception& e) {
        response = failed(path, e.what());
      } catch (...) {
        response = failed(path, "unknown exception");
      }
      compress(*response, accept_encoding);
    };
    bool ran = plan_.immediate && !streamed;
    if (ran) {
      handle();
    } else {
      ran = co_await on_worker(handle, !streamed);
    }
    if (!ran) {
      core_.count_refused("queue");
      response = busy(path);
    }
    if (unread_body_) form_.keep_alive = false;
    const int status = response->status;
    // A stream lasts as long as its client likes, which says nothing about the server.
    const bool is_stream = std::holds_alternative<std::shared_ptr<EventStream>>(response->body);
    if (is_stream) account(method, path, status);
    const bool sent = co_await send(*response);
    if (!is_stream) account(method, path, status);
    if (sent && unread_body_) co_await linger();
    co_return (sent && form_.keep_alive);
  }

  // An answer that needs no worker. The connection ends when a body was not read.
  Async<bool> refuse(const Request& request, Response& response) {
    if (unread_body_ || request.path.empty()) form_.keep_alive = false;
    const int status = response.status;
    const bool sent = co_await send(response);
    account(request.method, request.path, status);
    if (sent && !form_.keep_alive) co_await linger();
    co_return (sent && form_.keep_alive);
  }

  void account(std::string_view method, std::string_view path, int status) {
    const auto took = core_.clock->monotonic() - started_;
    const double seconds = static_cast<double>(took.count()) / 1e6;
    if (core_.metrics) {
      core_.metrics->requests.with({plan_.operation, fmt::format("{}xx", status / 100)}).add();
      core_.metrics->seconds.with({plan_.operation}).observe(seconds);
    }
    core_.log.debug("http_request", {{"method", method},
                                     {"path", path},
                                     {"operation", plan_.operation},
                                     {"status", status},
                                     {"seconds", seconds}});
  }

  // Runs `work` on the pool and waits for it; false when it did not run.
  template <class Work>
  Async<bool> on_worker(const Work& work, bool is_new) {
    auto done = std::make_shared<Signal>(core_.io);
    // The work keeps its coroutine's frame alive, and the guard the socket thread.
    auto task = [&work, done, guard = asio::make_work_guard(core_.io)] {
      work();
      done->notify();
    };
    const bool posted = is_new ? core_.pool.try_post(std::move(task)) : core_.pool.post_step(std::move(task));
    if (posted) {
      bool raised = false;
      while (!raised) raised = co_await done->wait();
    }
    co_return posted;
  }

  // False when the client is gone or the body broke: the connection cannot be used any more.
  Async<bool> send(Response& response) {
    if (core_.stopping) form_.keep_alive = false;
    if (auto* source = std::get_if<std::shared_ptr<BodySource>>(&response.body)) {
      const auto body = *source;
      co_return co_await send_source(response, body);
    }
    if (auto* events = std::get_if<std::shared_ptr<EventStream>>(&response.body)) {
      const auto stream = *events;
      co_return co_await send_stream(response, stream);
    }
    const auto& body = std::get<std::string>(response.body);
    auto head =
        render_head(response, form_, core_.clock->now(), core_.options.content_security_policy, body.size());
    if (form_.head || response.status == 204 || response.status == 304) co_return co_await write(head);
    if (body.size() <= kChunkBytes) {
      head += body;
      co_return co_await write(head);
    }
    const bool started = co_await write(head);
    if (!started) co_return false;
    co_return co_await write(body);
  }

  Async<bool> send_open_head(const Response& response) {
    if (!form_.http11) form_.keep_alive = false;
    const auto head =
        render_head(response, form_, core_.clock->now(), core_.options.content_security_policy, std::nullopt);
    co_return co_await write(head);
  }

  Async<bool> write_chunk(std::string_view data) {
    if (!form_.http11) co_return co_await write(data);
    std::string framed = fmt::format("{:x}\r\n", data.size());
    framed += data;
    framed += "\r\n";
    co_return co_await write(framed);
  }

  Async<bool> end_chunks() {
    if (!form_.http11) co_return true;
    co_return co_await write("0\r\n\r\n");
  }

  Async<bool> send_source(const Response& response, std::shared_ptr<BodySource> source) {
    const bool started = co_await send_open_head(response);
    if (!started || form_.head) co_return started;
    for (;;) {
      Result<std::string> piece;
      const auto read = [&] {
        try {
          piece = source->read(kChunkBytes);
        } catch (const std::exception& e) {
          piece = permanent("internal", e.what());
        }
      };
      const bool ran = co_await on_worker(read, false);
      if (!ran || !piece) {
        if (!piece) core_.log.error("download_failed", piece.error());
        co_return false;
      }
      if (piece->empty()) co_return co_await end_chunks();
      const bool written = co_await write_chunk(*piece);
      if (!written) co_return false;
    }
  }

  Async<bool> send_stream(Response& response, std::shared_ptr<EventStream> events) {
    if (core_.streams >= core_.options.max_streams || form_.head) {
      events->detach();
      if (!form_.head) {
        core_.count_refused("streams");
        auto refusal = too_many_streams();
        co_return co_await send(refusal);
      }
      co_return co_await send_open_head(response);
    }
    const Counted counted(core_.streams,
                          core_.metrics ? std::optional(core_.metrics->streams) : std::nullopt);
    // Proxies must not hold back what is meant to be seen now.
    response.headers.set_default("X-Accel-Buffering", "no");
    bool ok = co_await send_open_head(response);
    stream_signal_ = std::make_shared<Signal>(core_.io);
    const auto waker = std::make_shared<Waker>(stream_signal_);
    events->attach([waker] { waker->notify(); });
    watch_peer();
    const std::string_view beat = events->format() == EventStream::Format::events ? ": ping\n\n" : "\n";
    std::string out;
    while (ok && !peer_gone_) {
      out.clear();
      const bool ended = events->drain(out);
      if (!out.empty()) ok = co_await write_chunk(out);
      if (!ok || ended || core_.stopping) break;
      const bool raised = co_await stream_signal_->wait(core_.options.heartbeat);
      if (!raised) ok = co_await write_chunk(beat);
    }
    events->detach();
    watching_.reset();
    waker->disconnect();
    stream_signal_.reset();
    error_code ignored;
    stream_.socket().cancel(ignored);  // NOLINT(bugprone-unused-return-value)
    if (core_.stopping) form_.keep_alive = false;
    if (!ok || peer_gone_) co_return false;
    co_return co_await end_chunks();
  }

  // Notices a client that leaves while nothing is sent to it.
  void watch_peer() {
    peer_gone_ = false;
    watching_ = std::make_shared<bool>(true);
    stream_.socket().async_wait(
        Stream::socket_type::wait_read, [this, watching = std::weak_ptr(watching_)](error_code problem) {
          if (problem || watching.expired()) return;
          char byte = 0;
          const auto size = ::recv(stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
          if (size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR))) return;
          peer_gone_ = true;
          stream_signal_->raise();
        });
  }

  Async<bool> write(std::string_view data) {
    while (!data.empty()) {
      const auto slice = data.substr(0, kWriteSliceBytes);
      error_code problem;
      stream_.expires_after(core_.options.write_timeout);
      co_await asio::async_write(stream_, asio::buffer(slice.data(), slice.size()),
                                 asio::redirect_error(asio::use_awaitable, problem));
      if (problem) co_return false;
      data.remove_prefix(slice.size());
    }
    co_return true;
  }

  // Closing with unread bytes resets the connection, and the client may never see the answer. So the rest is
  // taken in for a moment.
  Async<void> linger() {
    error_code problem;
    stream_.socket().shutdown(asio::socket_base::shutdown_send, problem);
    stream_.expires_after(kLingerTime);
    std::string waste(kChunkBytes, '\0');
    std::size_t total = 0;
    while (!problem && total < kMaxLingerBytes) {
      const auto size = co_await stream_.async_read_some(asio::buffer(waste.data(), waste.size()),
                                                         asio::redirect_error(asio::use_awaitable, problem));
      total += size;
    }
  }

  void close() {
    stream_.cancel();
    error_code ignored;
    stream_.socket().close(ignored);  // NOLINT(bugprone-unused-return-value)
  }

  Core& core_;
  Stream stream_;
  const Peer peer_;
  beast::flat_buffer buffer_{kMaxHeaderBytes + kChunkBytes};
  bool first_ = true;
  bool idle_ = false;
  bool unread_body_ = false;
  bool peer_gone_ = false;
  AnswerForm form_;
  BodyPlan plan_;
  Duration started_{0};
  std::shared_ptr<Signal> stream_signal_;  // while it streams
  std::shared_ptr<bool> watching_;         // the same; this thread only
};

}  // namespace

Async<void> serve_connection(Core& core, asio::generic::stream_protocol::socket socket, Peer peer) {
  Connection connection(core, std::move(socket), std::move(peer));
  try {
    co_await connection.run();
  } catch (const std::exception& e) {
    core.log.error("connection_failed", {{"what", e.what()}});
  }
}

}  // namespace castiel::http::impl
