#include "extract/impl/worker_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/digest.hpp"
#include "extract/impl/spawn.hpp"

namespace castiel::extract::impl {

namespace {

constexpr std::size_t kMaxLastWords = 1024;           // bytes of standard error kept for a crash's report
constexpr std::size_t kMaxLoggedBytes = 64 * 1024;    // of one worker's standard error; the rest is dropped
constexpr std::size_t kFirstChunkBytes = 256 * 1024;  // what a claimed size is believed at once
constexpr int kSocketBufferBytes = 1 << 20;

std::unexpected<Error> unavailable(std::string message, int error) {
  return transient("extractor_unavailable", std::move(message), error != 0 ? std::strerror(error) : "");
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Result<Descriptor> input_file(std::string_view bytes) {
  Descriptor file(::memfd_create("castiel-input", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return unavailable("No memory for the file to extract.", errno);
  for (std::string_view rest = bytes; !rest.empty();) {
    const ssize_t written = ::write(file.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return unavailable("No memory for the file to extract.", errno);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  // A second worker must find what the first one got.
  if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
    return unavailable("The file to extract cannot be sealed.", errno);
  return file;
}

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::start(const WorkerPoolOptions& options,
                                                            telemetry::Log log) {
  int ends[2], errors[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return unavailable("No socket for a worker.", errno);
  Descriptor ours(ends[0]), theirs(ends[1]);
  if (::pipe2(errors, O_CLOEXEC) != 0) return unavailable("No pipe for a worker.", errno);
  Descriptor errors_read(errors[0]), errors_write(errors[1]);
  for (const int fd : {ends[0], ends[1]})
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSocketBufferBytes, sizeof kSocketBufferBytes);
  ::fcntl(errors[0], F_SETFL, O_NONBLOCK);

  std::unique_ptr<WorkerProcess> process(new WorkerProcess(options, std::move(log)));
  CASTIEL_ASSIGN(process->pid_, spawn_worker(options, {"--serve"}, theirs.get(), errors_write.get(), -1));
  process->socket_ = std::move(ours);
  process->errors_ = std::move(errors_read);
  return process;
}

WorkerProcess::~WorkerProcess() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool WorkerProcess::idle() const {
  pollfd events{socket_.get(), POLLIN, 0};
  return ::poll(&events, 1, 0) == 0;
}

void WorkerProcess::read_errors() {
  char buffer[4096];
  for (ssize_t got; (got = ::read(errors_.get(), buffer, sizeof buffer)) > 0;) {
    const std::string_view text(buffer, static_cast<std::size_t>(got));
    last_words_ += text;
    if (last_words_.size() > kMaxLastWords) last_words_.erase(0, last_words_.size() - kMaxLastWords);
    if (logged_bytes_ >= kMaxLoggedBytes) continue;
    logged_bytes_ += text.size();
    log_.debug("extract_worker_says", {{"pid", pid_}, {"text", text}});
  }
}

WorkerProcess::Step WorkerProcess::wait_for(short events, Deadline deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.remaining()).count();
    if (left <= 0) return Step::too_late;
    pollfd watched[2] = {{socket_.get(), events, 0}, {errors_.get(), POLLIN, 0}};
    const int ready = ::poll(watched, 2, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (ready < 0 && errno != EINTR) return Step::ended;
    if (ready <= 0) continue;
    if ((watched[1].revents & POLLIN) != 0) read_errors();
    if (watched[0].revents != 0) return Step::done;
    // Its standard error is closed while the socket is not: it is on its way out.
    if ((watched[1].revents & (POLLHUP | POLLERR)) != 0 && (watched[1].revents & POLLIN) == 0) {
      const Step rest = ::poll(watched, 1, static_cast<int>(std::min<std::int64_t>(left, 1'000))) > 0
                            ? Step::done
                            : Step::ended;
      return rest;
    }
  }
}

WorkerProcess::Step WorkerProcess::send_request(const Request& request, int input, Deadline deadline) {
  const std::string text = encode_request(request);
  RequestHead head;
  head.json_bytes = static_cast<std::uint32_t>(text.size());
  head.input_bytes = request.bytes.size();
  std::string frame(reinterpret_cast<const char*>(&head), sizeof head);
  frame += text;
  std::size_t sent = 0;
  while (sent < frame.size()) {
    iovec piece{frame.data() + sent, frame.size() - sent};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    if (sent == 0) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* rights = CMSG_FIRSTHDR(&message);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(sizeof(int));
      std::memcpy(CMSG_DATA(rights), &input, sizeof input);
    }
    const ssize_t count = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) {
      sent += static_cast<std::size_t>(count);
    } else if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      if (const Step step = wait_for(POLLOUT, deadline); step != Step::done) return step;
    } else if (count < 0 && errno != EINTR) {
      return Step::ended;
    }
  }
  return Step::done;
}

WorkerProcess::Step WorkerProcess::receive(char* into, std::size_t size, Deadline deadline) {
  while (size > 0) {
    // Descriptors that a worker might send are dropped: no room is given for them.
    const ssize_t got = ::recv(socket_.get(), into, size, MSG_DONTWAIT);
    if (got > 0) {
      into += got;
      size -= static_cast<std::size_t>(got);
    } else if (got == 0) {
      return Step::ended;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (const Step step = wait_for(POLLIN, deadline); step != Step::done) return step;
    } else if (errno != EINTR) {
      return Step::ended;
    }
    if (size > 0 && deadline.passed()) return Step::too_late;
  }
  return Step::done;
}

WorkerProcess::Step WorkerProcess::receive_text(std::string& out, std::uint64_t size, Deadline deadline) {
  out.clear();
  while (out.size() < size) {
    const std::size_t have = out.size();
    out.resize(std::min<std::uint64_t>(size, std::max(2 * have, kFirstChunkBytes)));
    if (const Step step = receive(out.data() + have, out.size() - have, deadline); step != Step::done)
      return step;
  }
  return Step::done;
}

Result<> WorkerProcess::wait_ready(Deadline deadline) {
  ReplyHead head;
  std::string text;
  Step step = receive(reinterpret_cast<char*>(&head), sizeof head, deadline);
  if (step == Step::done) {
    if (head.magic != kReplyMagic || head.json_bytes > kMaxRequestJsonBytes || head.parts_bytes != 0)
      return unavailable(fmt::format("'{}' is not Castiel's worker.", options_.program), 0);
    step = receive_text(text, head.json_bytes, deadline);
  }
  read_errors();
  if (step != Step::done) {
    return transient("extractor_unavailable",
                     step == Step::too_late
                         ? fmt::format("The worker '{}' was not ready in time.", options_.program)
                         : fmt::format("The worker '{}' ended while starting.", options_.program),
                     last_words_);
  }
  const auto value = parse_json(text);
  if (!value || !value->is_object()) return unavailable("The worker's greeting is not JSON.", 0);
  if (const auto* error = get_object(value->get_object(), "error"))
    return transient("extractor_unavailable", "The worker refuses to serve.", string_or(*error, "message"));
  return {};
}

WorkerProcess::Exchange WorkerProcess::exchange(const Request& request, int input, Deadline deadline) {
  Exchange result;
  const auto ended = [&](Step step) {
    read_errors();
    result.end = step == Step::too_late ? End::too_late : End::died;
    return std::move(result);
  };
  ReplyHead head;
  std::string text;
  if (const Step step = send_request(request, input, deadline); step != Step::done) return ended(step);
  if (const Step step = receive(reinterpret_cast<char*>(&head), sizeof head, deadline); step != Step::done)
    return ended(step);
  if (head.magic != kReplyMagic) return ended(Step::ended);
  if (head.json_bytes > options_.max_structure_bytes || head.parts_bytes > options_.max_parts_bytes) {
    // What it would send is not wanted; the process is replaced rather than read to the end.
    result.end = End::answered;
    result.last = true;
    result.outcome = permanent("too_large", "What the file holds is larger than the limit.");
    return result;
  }
  if (const Step step = receive_text(text, head.json_bytes, deadline); step != Step::done) return ended(step);
  auto reply = decode_reply(head, text, options_);
  if (!reply) {
    last_words_ = reply.error().message;
    return ended(Step::ended);
  }
  result.outcome = std::move(reply->outcome);
  result.last = (head.flags & kLastReply) != 0;
  if (result.outcome) {
    auto& parts = result.outcome->parts;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (const Step step = receive_text(parts[i].bytes, reply->part_bytes[i], deadline); step != Step::done)
        return ended(step);
      // A worker's word for it would let it pass one file off as another.
      parts[i].sha256 = sha256_hex(parts[i].bytes);
    }
  } else if (head.parts_bytes > 0) {
    result.last = true;
  }
  result.end = End::answered;
  return result;
}

}  // namespace castiel::extract::impl
