#include "storage/testing/memory_blobs.hpp"

#include "base/digest.hpp"

namespace castiel::storage::testing {

Result<BlobRef> MemoryBlobs::put(const TenantId& tenant, std::string_view bytes) {
  BlobRef ref{{}, bytes.size(), sha256_hex(bytes)};
  ref.url = blob_url(ref.sha256);
  std::lock_guard lock(mutex_);
  blobs_[tenant].try_emplace(ref.sha256, bytes);
  return ref;
}

Result<std::string> MemoryBlobs::get(const TenantId& tenant, std::string_view url) const {
  CASTIEL_ASSIGN(const std::string sha256, sha256_of_blob_url(url));
  std::lock_guard lock(mutex_);
  if (const auto mine = blobs_.find(tenant); mine != blobs_.end()) {
    if (const auto it = mine->second.find(sha256); it != mine->second.end()) return it->second;
  }
  return permanent("not_found", "there is no " + std::string(url) + " of this tenant");
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
