#pragma once
// The stage that scores deals when they change: consumes opportunity.updated, stores insights, says what is
// new. Stateless but for how far each running import was when last looked at. Threads: prepare() from
// several.

#include <map>
#include <mutex>

#include "intelligence/deal_book.hpp"
#include "messaging/handler.hpp"

namespace castiel::intelligence {

class RiskHandler final : public messaging::Handler {
 public:
  // An import counts as quiet when its other stages did nothing for this long.
  static constexpr Duration kQuiet = std::chrono::milliseconds(600);
  static constexpr std::size_t kMaxWatched = 256;  // imports looked at, at once

  RiskHandler(DealBook& book, const Clock& clock) : book_(&book), clock_(&clock) {}

  // Evaluates the open deals named by the batch. Error not_yet (transient) while an import is still bringing
  // data.
  Result<std::unique_ptr<messaging::Plan>> prepare(const storage::Reader& reader,
                                                   std::span<const messaging::Incoming> batch) override;

 private:
  struct Look {
    std::int64_t progress = 0;
    Duration since{0};  // monotonic
  };
  Result<bool> should_wait(const storage::Reader& reader, const CorrelationId& correlation,
                           std::int64_t in_batch);

  DealBook* book_;
  const Clock* clock_;
  std::mutex mutex_;
  std::map<std::pair<TenantId, CorrelationId>, Look> looks_;
};

}  // namespace castiel::intelligence
