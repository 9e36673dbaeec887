#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "intelligence/deal.hpp"
#include "storage/store.hpp"

namespace castiel::intelligence::impl {

inline constexpr std::size_t kMaxContactsOfDeal = 50;
inline constexpr std::size_t kMaxContactsOfAccount = 10;

struct Loaded {
  std::vector<Deal> deals;
  // Known people of the accounts that have deals, by the account's id.
  std::unordered_map<std::string, std::vector<DealContact>> account_contacts;
};

Result<Loaded> load(const storage::Reader& reader);

}  // namespace castiel::intelligence::impl
