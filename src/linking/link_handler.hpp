#pragma once
// The linking stage (queue entity_linking): content that was processed is linked to accounts, contacts and
// deals; a changed CRM record links again what it may concern. What it keeps between messages is a cache and
// since when it waits. Threads: prepare() from several.

#include <string>
#include <vector>

#include "base/random.hpp"
#include "linking/directory.hpp"
#include "messaging/handler.hpp"
#include "messaging/patience.hpp"

namespace castiel::linking {

class LinkHandler final : public messaging::Handler {
 public:
  // Messages wait while their import still brings data, or while the full-text index is behind, at most this
  // long in a row.
  static constexpr Duration kLongestWait = std::chrono::seconds(60);
  static constexpr std::size_t kMaxRelinked = 2'000;  // content linked again for one record, newest first

  LinkHandler(const Clock& clock, IdGenerator& ids, DirectoryCache::MailDomains mail_domains)
      : clock_(&clock), ids_(&ids), directories_(std::move(mail_domains)), patience_(clock, kLongestWait) {}

  // The event types this stage takes.
  static std::vector<std::string> patterns();

  // Error not_yet (transient) while there is something to wait for.
  Result<std::unique_ptr<messaging::Plan>> prepare(const storage::Reader& reader,
                                                   std::span<const messaging::Incoming> batch) override;

 private:
  Result<bool> import_runs(const storage::Reader& reader, const CorrelationId& correlation);

  const Clock* clock_;
  IdGenerator* ids_;
  DirectoryCache directories_;
  messaging::Patience patience_;
};

}  // namespace castiel::linking
