#include "base/ids.hpp"

#include <algorithm>

namespace castiel {
namespace {

constexpr std::size_t kMaxNameBytes = 63;

bool is_name(std::string_view text) {
  auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (text.empty() || text.size() > kMaxNameBytes || !alnum(text.front())) return false;
  return std::ranges::all_of(text, [&](char c) { return alnum(c) || c == '-' || c == '_'; });
}

constexpr const char* kRule = "use 1 to 63 of a-z, 0-9, '-' and '_', starting with a letter or digit";

}  // namespace

Result<TenantId> parse_tenant_id(std::string_view text) {
  if (!is_name(text)) {
    return permanent("invalid_tenant", "'" + std::string(text) + "' is not a tenant name: " + kRule);
  }
  return TenantId(std::string(text));
}

Result<IntegrationId> parse_integration_id(std::string_view text) {
  if (!is_name(text)) {
    return permanent("invalid_integration",
                     "'" + std::string(text) + "' is not an integration name: " + kRule);
  }
  return IntegrationId(std::string(text));
}

}  // namespace castiel
