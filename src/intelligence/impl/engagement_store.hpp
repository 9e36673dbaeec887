#pragma once
// Reads what is linked to a tenant's deals. Between two reads it keeps what it made of each content shard for
// as long as the shard's version is the same, so that one new mail costs one parse. Any thread; reads of one
// tenant come one after another. Blocks on disk.

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "intelligence/engagement.hpp"
#include "storage/store.hpp"
#include "tenancy/own_people.hpp"

namespace castiel::intelligence::impl {

// Newest links first are kept; of a deal with more, the oldest say little of today.
inline constexpr std::size_t kMaxLinksOfDeal = 1'000;
inline constexpr std::size_t kMaxThreadsOfDeal = 8;  // looked through for bounces and automatic answers
inline constexpr std::size_t kMaxTouches = 250'000;  // of a tenant
inline constexpr int kMinSuggested = 80;             // confidence from which a suggested link may excuse

struct Engagements {
  std::unordered_map<std::string, DealEngagement> of_deal;  // by the deal's id
  EngagementFacts facts;
  std::optional<Timestamp> newest;  // dated mail or message
};

class EngagementStore {
 public:
  // `wanted`: ids of deals. Nothing for a tenant without links costs one query. Errors: those of the store.
  Result<Engagements> load(const storage::Reader& reader, std::span<const Deal> deals,
                           std::optional<Date> since, std::span<const std::string> mail_domains);

 private:
  struct Kept {
    model::ShardKey key;
    std::int64_t version = 0;
    std::shared_ptr<const Touch> touch;  // null: no content
    bool used = false;
  };
  std::mutex mutex_;
  std::unordered_map<std::string, Kept> kept_;  // by shard
  std::string own_;                             // who our side was when they were made
  friend class EngagementLoader;
};

// One shard, as the analytics see it; nothing for types they do not read.
std::shared_ptr<const Touch> read_touch(const model::Shard& shard, const tenancy::OwnPeople& own);

}  // namespace castiel::intelligence::impl
