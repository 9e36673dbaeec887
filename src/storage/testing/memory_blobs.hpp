#pragma once
// Blobs in memory, for tests and the simulator. Any thread.

#include <map>
#include <mutex>

#include "storage/blobs.hpp"

namespace castiel::storage::testing {

class MemoryBlobs final : public Blobs {
 public:
  Result<BlobRef> put(const TenantId& tenant, std::string_view bytes) override;
  Result<std::string> get(const TenantId& tenant, std::string_view url) const override;
  Result<std::int64_t> erase(const TenantId& tenant) override;

 private:
  mutable std::mutex mutex_;
  std::map<TenantId, std::map<std::string, std::string>> blobs_;  // by sha256
};

}  // namespace castiel::storage::testing
