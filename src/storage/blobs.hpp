#pragma once
// The blob port: bytes too large for a row or a message, by their content, per tenant (FLOW-7). Immutable
// once put, so the same bytes are kept once. Implementations: blobs/folder_blobs.hpp; in memory for tests.
// Any thread; blocks on disk.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/result.hpp"

namespace castiel::storage {

inline constexpr std::size_t kMaxBlobBytes = std::size_t{512} << 20;

struct BlobRef {
  std::string url;  // "blob:<sha256>"; means something only together with the tenant
  std::uint64_t size = 0;
  std::string sha256;  // hex
};

class Blobs {
 public:
  virtual ~Blobs() = default;
  // Durable when it returns. Errors: too_large; store_full, blob_failed (transient).
  virtual Result<BlobRef> put(const TenantId& tenant, std::string_view bytes) = 0;
  // Errors: not_found, invalid_blob_url, blob_damaged (the bytes are not those that were put); blob_failed
  // (transient).
  virtual Result<std::string> get(const TenantId& tenant, std::string_view url) const = 0;
  // Removes all blobs of the tenant (TENANT-4); returns how many.
  virtual Result<std::int64_t> erase(const TenantId& tenant) = 0;
};

// The SHA-256 a URL names. Error: invalid_blob_url.
Result<std::string> sha256_of_blob_url(std::string_view url);
std::string blob_url(std::string_view sha256);

}  // namespace castiel::storage
