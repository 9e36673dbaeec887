#pragma once
// The stage that scores deals when they, or what is linked to them, change: consumes opportunity.updated and
// entity.linked, stores insights, says what is new. Keeps nothing but since when imports are waited for.
// Threads: prepare() from several.

#include "intelligence/deal_book.hpp"
#include "messaging/handler.hpp"
#include "messaging/patience.hpp"

namespace castiel::intelligence {

class RiskHandler final : public messaging::Handler {
 public:
  // Messages of a running import wait while other stages have work of it, at most this long in a row.
  static constexpr Duration kLongestWait = std::chrono::seconds(60);

  RiskHandler(DealBook& book, const Clock& clock)
      : book_(&book), clock_(&clock), patience_(clock, kLongestWait) {}

  // The event types this stage takes.
  static std::vector<std::string> patterns();

  // Evaluates the open deals named by the batch. Error not_yet (transient) while an import is still bringing
  // data.
  Result<std::unique_ptr<messaging::Plan>> prepare(const storage::Reader& reader,
                                                   std::span<const messaging::Incoming> batch) override;

 private:
  Result<bool> should_wait(const storage::Reader& reader, const CorrelationId& correlation);

  DealBook* book_;
  const Clock* clock_;
  messaging::Patience patience_;
};

}  // namespace castiel::intelligence
