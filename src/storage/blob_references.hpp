#pragma once
// Which blobs what is stored refers to: the part of a store that the removal of orphans asks. Any thread;
// blocks on disk or network, for as long as reading all of a tenant's rows with payloads takes.

#include <functional>
#include <string_view>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace castiel::storage {

class BlobReferences {
 public:
  virtual ~BlobReferences() = default;

  // Calls `visit` with the SHA-256 of each blob that a row of the tenant names (shards and their versions,
  // messages and dead letters, whatever their state), as often as it is named, all of one snapshot. Returns
  // since when messages may be on their way outside this store: what was put before that and is not named is
  // referred to by nothing. Errors: unknown_tenant, the store's.
  virtual Result<Timestamp> each_blob_reference(
      const TenantId& tenant, const std::function<void(std::string_view sha256)>& visit) = 0;
};

// Calls `visit` with the SHA-256 of each blob's URL in the text.
void find_blob_urls(std::string_view text, const std::function<void(std::string_view sha256)>& visit);

}  // namespace castiel::storage
