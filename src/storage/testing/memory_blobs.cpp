#include "storage/testing/memory_blobs.hpp"

#include <vector>

#include "base/digest.hpp"

namespace castiel::storage::testing {

namespace {

constexpr std::size_t kPiece = std::size_t{64} << 10;

}  // namespace

Result<BlobRef> MemoryBlobs::put(const TenantId& tenant, std::string_view bytes) {
  if (bytes.size() > kMaxBlobBytes) return permanent("too_large", "a blob may not be so large");
  BlobRef ref{{}, bytes.size(), sha256_hex(bytes)};
  ref.url = blob_url(ref.sha256);
  std::lock_guard lock(mutex_);
  auto& blob = blobs_[tenant].try_emplace(ref.sha256, Blob{std::string(bytes), {}}).first->second;
  if (clock_ != nullptr) blob.last_use = clock_->now();
  return ref;
}

Result<BlobRef> MemoryBlobs::put_from(const TenantId& tenant, const BlobSource& source) {
  std::string bytes;
  for (;;) {
    CASTIEL_ASSIGN(const auto piece, source(kPiece));
    if (piece.empty()) return put(tenant, bytes);
    bytes += piece;
  }
}

Result<std::string> MemoryBlobs::get(const TenantId& tenant, std::string_view url) const {
  CASTIEL_ASSIGN(const std::string sha256, sha256_of_blob_url(url));
  std::lock_guard lock(mutex_);
  if (const auto mine = blobs_.find(tenant); mine != blobs_.end()) {
    if (const auto it = mine->second.find(sha256); it != mine->second.end()) return it->second.bytes;
  }
  return permanent("not_found", "there is no " + std::string(url) + " of this tenant");
}

Result<> MemoryBlobs::get_to(const TenantId& tenant, std::string_view url, const BlobSink& sink) const {
  CASTIEL_ASSIGN(const auto bytes, get(tenant, url));
  for (std::size_t at = 0; at < bytes.size(); at += kPiece)
    CASTIEL_TRY(sink(std::string_view(bytes).substr(at, kPiece)));
  return {};
}

Result<std::string> MemoryBlobs::access_url(const TenantId&, std::string_view url, Duration) const {
  CASTIEL_TRY(sha256_of_blob_url(url));
  return permanent("no_access_url", "memory has no addresses");
}

Result<> MemoryBlobs::each(const TenantId& tenant,
                           const std::function<Result<>(const BlobInfo&)>& visit) const {
  std::vector<BlobInfo> infos;
  {
    std::lock_guard lock(mutex_);
    if (const auto mine = blobs_.find(tenant); mine != blobs_.end()) {
      for (const auto& [sha256, blob] : mine->second)
        infos.push_back({sha256, blob.bytes.size(), blob.last_use});
    }
  }
  for (const auto& info : infos) CASTIEL_TRY(visit(info));
  return {};
}

Result<bool> MemoryBlobs::remove(const TenantId& tenant, std::string_view sha256, Timestamp unused_since) {
  std::lock_guard lock(mutex_);
  const auto mine = blobs_.find(tenant);
  if (mine == blobs_.end()) return false;
  const auto it = mine->second.find(std::string(sha256));
  if (it == mine->second.end() || it->second.last_use > unused_since) return false;
  mine->second.erase(it);
  return true;
}

Result<std::int64_t> MemoryBlobs::erase(const TenantId& tenant) {
  std::lock_guard lock(mutex_);
  const auto mine = blobs_.find(tenant);
  if (mine == blobs_.end()) return 0;
  const auto count = static_cast<std::int64_t>(mine->second.size());
  blobs_.erase(mine);
  return count;
}

}  // namespace castiel::storage::testing
