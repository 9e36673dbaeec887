#pragma once
// Blobs in memory, for tests and the simulator. Any thread.

#include <map>
#include <mutex>

#include "storage/blobs.hpp"

namespace castiel::storage::testing {

class MemoryBlobs final : public Blobs {
 public:
  MemoryBlobs() = default;
  // Uses are dated by `clock`; without one they are as old as can be.
  explicit MemoryBlobs(const Clock& clock) : clock_(&clock) {}

  Result<BlobRef> put(const TenantId& tenant, std::string_view bytes) override;
  Result<BlobRef> put_from(const TenantId& tenant, const BlobSource& source) override;
  Result<std::string> get(const TenantId& tenant, std::string_view url) const override;
  Result<> get_to(const TenantId& tenant, std::string_view url, const BlobSink& sink) const override;
  Result<std::string> access_url(const TenantId& tenant, std::string_view url, Duration valid) const override;
  Result<> each(const TenantId& tenant, const std::function<Result<>(const BlobInfo&)>& visit) const override;
  Result<bool> remove(const TenantId& tenant, std::string_view sha256, Timestamp unused_since) override;
  Result<std::int64_t> erase(const TenantId& tenant) override;

 private:
  struct Blob {
    std::string bytes;
    Timestamp last_use;
  };
  const Clock* clock_ = nullptr;
  mutable std::mutex mutex_;
  std::map<TenantId, std::map<std::string, Blob>> blobs_;  // by sha256
};

}  // namespace castiel::storage::testing
