#pragma once
// Comparisons of stages, by the tenant's order where it is known and by usual names otherwise. Any thread.

#include <optional>
#include <span>
#include <string_view>

#include "intelligence/facts.hpp"

namespace castiel::intelligence::impl {

// Won or lost for a stage that ends a deal.
std::optional<Status> closing_status(std::string_view stage, const TenantFacts* facts);
// Below 0 if `from` comes before `to`, 0 if equal or unknown.
int compare_stages(std::string_view from, std::string_view to, const TenantFacts* facts);
// How many stages usual in the process between `from` and `to` are not among `visited`.
int stages_skipped(std::string_view from, std::string_view to, const TenantFacts* facts,
                   std::string_view process, std::span<const std::string_view> visited);

}  // namespace castiel::intelligence::impl
