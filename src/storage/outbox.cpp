#include "storage/outbox.hpp"

#include <fmt/format.h>

#include "base/digest.hpp"

namespace castiel::storage {

int outbox_partition(const TenantId& tenant, int lane) {
  return static_cast<int>(stable_hash(fmt::format("{}\n{}", tenant.str(), lane)) % kOutboxPartitions);
}

}  // namespace castiel::storage
