#pragma once
// The blob port: bytes too large for a row or a message, by their content, per tenant (FLOW-7). Immutable
// once put, so the same bytes are kept once; what refers to a blob uses its URL, which no tenant can use for
// another's. A store belongs to one installation: what nothing in its data refers to is removed in time
// (tenancy/blob_sweep.hpp). Implementations, chosen by URL: blobs/folder_blobs.hpp, azure/azure_blobs.hpp; in
// memory for tests. Any thread; blocks on disk or network.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

namespace castiel::storage {

inline constexpr std::size_t kMaxBlobBytes = std::size_t{512} << 20;

struct BlobRef {
  std::string url;  // "blob:<sha256>"; means something only together with the tenant
  std::uint64_t size = 0;
  std::string sha256;  // hex
};

// A blob as it is kept.
struct BlobInfo {
  std::string sha256;
  std::uint64_t size = 0;
  Timestamp last_use;  // when it was put last
};

// Gives the next bytes, at most `limit`; none at the end.
using BlobSource = std::function<Result<std::string>(std::size_t limit)>;
// Takes the next bytes. Its error ends the transfer with that error.
using BlobSink = std::function<Result<>(std::string_view bytes)>;

class Blobs {
 public:
  virtual ~Blobs() = default;
  // Durable when it returns, also when the same bytes were there before; either way it is a use of the blob.
  // Errors: too_large; store_full, blob_failed (transient).
  virtual Result<BlobRef> put(const TenantId& tenant, std::string_view bytes) = 0;
  // The same, without ever holding the whole in memory. Also the source's errors.
  virtual Result<BlobRef> put_from(const TenantId& tenant, const BlobSource& source) = 0;

  // Errors: not_found, invalid_blob_url, blob_damaged (the bytes are not those that were put); blob_failed
  // (transient).
  virtual Result<std::string> get(const TenantId& tenant, std::string_view url) const = 0;
  // The same, piece by piece; also the sink's errors. What the sink got is good only when this returns none.
  virtual Result<> get_to(const TenantId& tenant, std::string_view url, const BlobSink& sink) const = 0;

  // A web address under which anybody can read the blob, and do nothing else, until `valid` from now has
  // passed; whether there is such a blob is not looked at. Errors: no_access_url where the store has none to
  // give; invalid_blob_url.
  virtual Result<std::string> access_url(const TenantId& tenant, std::string_view url,
                                         Duration valid) const = 0;

  // All blobs of the tenant in no order; what is put or removed meanwhile may be missing. Stops at the
  // visitor's first error. Error: blob_failed.
  virtual Result<> each(const TenantId& tenant,
                        const std::function<Result<>(const BlobInfo&)>& visit) const = 0;
  // Removes the blob unless it was used after `unused_since`; true when it is gone by this call. A put() at
  // the same time either keeps the blob or puts it anew. Error: blob_failed.
  virtual Result<bool> remove(const TenantId& tenant, std::string_view sha256, Timestamp unused_since) = 0;
  // Removes all blobs of the tenant (TENANT-4); returns how many.
  virtual Result<std::int64_t> erase(const TenantId& tenant) = 0;
};

// The SHA-256 a URL names. Error: invalid_blob_url.
Result<std::string> sha256_of_blob_url(std::string_view url);
std::string blob_url(std::string_view sha256);
bool is_sha256(std::string_view text);  // 64 digits in lower-case hex

struct BlobsPlace {
  std::string url;               // "folder", or azblob://… as azure/azure_blobs.hpp says
  std::filesystem::path folder;  // of blobs where the URL is "folder", else for drafts on their way
};

// The store a URL names. Does not connect. Errors: invalid_blobs_url (which never repeats a key),
// data_folder_unusable.
Result<std::unique_ptr<Blobs>> open_blobs(const BlobsPlace& place, const Clock& clock);

}  // namespace castiel::storage
