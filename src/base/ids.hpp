#pragma once
// Strong identifiers: a tenant cannot be passed where a shard is expected. Values are plain text.

#include <compare>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"

namespace castiel {

template <class Tag>
class Id {
 public:
  Id() = default;
  explicit Id(std::string value) : value_(std::move(value)) {}
  const std::string& str() const { return value_; }
  std::string_view view() const { return value_; }
  bool empty() const { return value_.empty(); }
  auto operator<=>(const Id&) const = default;

 private:
  std::string value_;
};

using TenantId = Id<struct TenantTag>;
using IntegrationId = Id<struct IntegrationTag>;
using ShardId = Id<struct ShardTag>;
using CorrelationId = Id<struct CorrelationTag>;
using MessageId = Id<struct MessageTag>;

// A tenant name as a user types it: 1 to 63 of a-z, 0-9, '-', '_', starting with a letter or digit.
// Error: invalid_tenant.
Result<TenantId> parse_tenant_id(std::string_view text);
// The same rule for an integration's name. Error: invalid_integration.
Result<IntegrationId> parse_integration_id(std::string_view text);

}  // namespace castiel

template <class Tag>
struct std::hash<castiel::Id<Tag>> {
  std::size_t operator()(const castiel::Id<Tag>& id) const noexcept {
    return std::hash<std::string_view>{}(id.view());
  }
};
