#include "extract/program/serve.hpp"

#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <new>

#include "extract/impl/protocol.hpp"
#include "extract/worker/parse.hpp"

namespace castiel::extract::program {

namespace {

using impl::ReplyHead;
using impl::RequestHead;

constexpr unsigned kGraceSeconds = 10;                 // the parent kills before the process does itself
constexpr std::size_t kTrimFromInputBytes = 1u << 20;  // after a larger file memory goes back to the system
constexpr std::size_t kMaxKeptBytes = 96u << 20;  // what libraries may keep before the process is replaced

// The input, mapped: read-only, gone with the object.
class Mapped {
 public:
  Mapped(int file, std::size_t size) : size_(size) {
    if (size > 0) data_ = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  }
  ~Mapped() {
    if (size_ > 0 && data_ != MAP_FAILED) ::munmap(data_, size_);
  }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  bool ok() const { return data_ != MAP_FAILED; }
  std::string_view bytes() const {
    return size_ == 0 ? std::string_view("") : std::string_view(static_cast<const char*>(data_), size_);
  }

 private:
  void* data_ = nullptr;
  std::size_t size_;
};

bool send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool receive_all(int socket, char* into, std::size_t size) {
  while (size > 0) {
    const ssize_t got = ::recv(socket, into, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    into += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

// The head and the descriptor that came with it; -1 when none did.
bool receive_head(int socket, RequestHead& head, int& input) {
  input = -1;
  std::size_t have = 0;
  while (have < sizeof head) {
    iovec piece{reinterpret_cast<char*>(&head) + have, sizeof head - have};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c))
      if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        std::memcpy(&input, CMSG_DATA(c), sizeof input);
    have += static_cast<std::size_t>(got);
  }
  return true;
}

bool send_reply(int socket, std::uint32_t flags, std::string_view text, const std::vector<Part>& parts) {
  ReplyHead head;
  head.flags = flags;
  head.json_bytes = text.size();
  for (const auto& part : parts) head.parts_bytes += part.bytes.size();
  std::string first(reinterpret_cast<const char*>(&head), sizeof head);
  if (text.size() <= kTrimFromInputBytes) {
    first += text;
    text = {};
  }
  if (!send_all(socket, first) || !send_all(socket, text)) return false;
  for (const auto& part : parts)
    if (!send_all(socket, part.bytes)) return false;
  return true;
}

Result<Extracted> parse_safely(const Request& request) {
  try {
    return worker::parse(request);
  } catch (const std::bad_alloc&) {
    return permanent("too_large", "Reading the file takes more memory than a worker may have.");
  } catch (const std::exception& e) {
    return permanent("corrupt", "The file cannot be read.", e.what());
  }
}

bool wants_replacement(const ServeOptions& options) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto used = static_cast<std::uint64_t>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec);
  if (options.max_cpu_seconds > 0 && used + 2 * options.file_seconds > options.max_cpu_seconds) return true;
  const auto memory = ::mallinfo2();
  return memory.uordblks + memory.hblkhd > kMaxKeptBytes;
}

// Answers one request; false when the parent is gone or talks nonsense.
bool answer(const ServeOptions& options) {
  RequestHead head;
  int input = -1;
  if (!receive_head(options.socket, head, input)) return false;
  if (head.magic != impl::kRequestMagic || head.json_bytes > impl::kMaxRequestJsonBytes || input < 0)
    return false;
  std::string text(head.json_bytes, '\0');
  if (!receive_all(options.socket, text.data(), text.size())) return false;
  Result<Extracted> outcome;
  ::alarm(options.file_seconds + kGraceSeconds);
  if (head.input_bytes > options.max_input_bytes) {
    outcome = permanent("too_large", "The file is larger than a worker takes.");
  } else {
    const Mapped mapped(input, head.input_bytes);
    auto request = impl::decode_request(text);
    if (!request) {
      outcome = std::unexpected(request.error());
    } else if (!mapped.ok()) {
      outcome = permanent("too_large", "The file does not fit into a worker's memory.");
    } else {
      request->bytes = mapped.bytes();
      outcome = parse_safely(*request);
    }
  }
  ::close(input);
  static const std::vector<Part> kNoParts;
  try {
    text = impl::encode_reply(outcome);
  } catch (const std::bad_alloc&) {
    outcome = permanent("too_large", "What the file holds takes more memory than a worker may have.");
    text = impl::encode_reply(outcome);
  }
  if (outcome) outcome->structure = json::object();
  if (head.input_bytes > kTrimFromInputBytes) ::malloc_trim(0);
  // What the reply itself holds is not counted as kept.
  const bool parts = outcome && !outcome->parts.empty();
  const bool last = !parts && text.size() < kTrimFromInputBytes && wants_replacement(options);
  const bool sent =
      send_reply(options.socket, last ? impl::kLastReply : 0, text, outcome ? outcome->parts : kNoParts);
  ::alarm(0);
  return sent;
}

}  // namespace

Result<> greet(const ServeOptions& options, const std::string& refusal) {
  const std::string text = refusal.empty() ? json::serialize(json::object{{"ready", true}})
                                           : impl::encode_reply(permanent("not_ready", refusal));
  if (!send_reply(options.socket, 0, text, {})) return permanent("lost", "The parent is gone.");
  return {};
}

void serve(const ServeOptions& options) {
  while (answer(options)) {
  }
}

}  // namespace castiel::extract::program
