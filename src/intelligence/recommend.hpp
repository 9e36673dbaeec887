#pragma once
// Next steps for a deal, each derived from a risk factor and carrying its evidence. Pure; any thread.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "intelligence/risk.hpp"

namespace castiel::intelligence {

enum class Priority { high, medium, low };
std::string_view to_string(Priority priority);

struct Recommendation {
  std::string id;  // stable for the same advice on the same deal: "confirm_close_date"
  std::string title;
  std::string reason;
  Priority priority = Priority::medium;
  std::vector<Evidence> evidence;
};

// At most four, or six where something is linked to the deal, most valuable first; none for a deal that is
// not open. `account_contacts`: known people of the account, from whom one not yet on the deal may be
// proposed.
std::vector<Recommendation> recommend(const DealView& view, const TenantFacts& facts, const Risk& risk,
                                      std::span<const DealContact> account_contacts = {},
                                      const EngagementView* engagement = nullptr);

}  // namespace castiel::intelligence
