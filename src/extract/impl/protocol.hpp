#pragma once
// What goes over the socket between the pool and a worker: frames of a fixed head, a JSON text and, in
// replies, the bytes of the parts. Numbers are in the machine's own byte order: both ends are one machine's.
// Pure.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "extract/extractor.hpp"
#include "extract/worker_pool.hpp"

namespace castiel::extract::impl {

inline constexpr std::uint32_t kRequestMagic = 0x31515843;  // "CXQ1"
inline constexpr std::uint32_t kReplyMagic = 0x31415843;    // "CXA1"
inline constexpr std::size_t kMaxRequestJsonBytes = 16 * 1024;
inline constexpr std::size_t kMaxNameBytes = 1024;   // of a file name or media type sent as a hint
inline constexpr std::size_t kMaxErrorBytes = 1024;  // of a worker's message
inline constexpr int kWorkerSocket = 3;              // the descriptor a worker finds its socket at

// One memfd with the input rides on the first byte (SCM_RIGHTS).
struct RequestHead {
  std::uint32_t magic = kRequestMagic;
  std::uint32_t json_bytes = 0;
  std::uint64_t input_bytes = 0;
};
struct ReplyHead {
  std::uint32_t magic = kReplyMagic;
  std::uint32_t flags = 0;  // kLastReply
  std::uint64_t json_bytes = 0;
  std::uint64_t parts_bytes = 0;
};
inline constexpr std::uint32_t kLastReply = 1;  // the worker asks to be replaced

// The request without its bytes; hints longer than kMaxNameBytes are cut.
std::string encode_request(const Request& request);
// `bytes` of the result are empty. Error: invalid_request.
Result<Request> decode_request(std::string_view json_text);

// {"structure","parts":[{"name","mediaType","size"}]} or {"error":{"code","message"}}.
std::string encode_reply(const Result<Extracted>& outcome);

struct ReplyText {
  Result<Extracted> outcome;  // its parts have no bytes yet
  std::vector<std::uint64_t> part_bytes;
};
// Trusts nothing: sizes, counts and codes are checked against the options and the head. Error: bad_reply.
Result<ReplyText> decode_reply(const ReplyHead& head, std::string_view json_text,
                               const WorkerPoolOptions& options);

// Values, keys included, that a JSON text holds at most, without parsing it.
std::size_t count_json_values(std::string_view json_text);

}  // namespace castiel::extract::impl
