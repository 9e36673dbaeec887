#pragma once
// The stages of mail and chat, documents, meetings and calendars: pages of records become shards, tasks and
// events. What differs between them is the RecordReader. What it keeps between messages is since when it
// waits. Threads: prepare() from several.

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "messaging/handler.hpp"
#include "processing/content/understanding.hpp"
#include "storage/blobs.hpp"

namespace castiel::processing {

// What a stage has to know of a tenant.
struct TenantWords {
  std::string time_zone = "UTC";
  std::vector<std::string> mail_domains;  // own ones, as set
};

struct ContentParts {
  const Clock* clock;
  IdGenerator* ids;
  const storage::Blobs* blobs;  // for records that travel by claim (FLOW-7)
  std::function<TenantWords(const storage::Reader&)> words;
};

// One kind of page a stage takes.
struct ContentKind {
  std::string_view received;   // model::event
  std::string_view processed;  // model::event
  std::string_view entity;     // model::type, of the lane
  std::function<std::unique_ptr<RecordReader>()> make_reader;
};

class ContentHandler final : public messaging::Handler {
 public:
  // Pages wait while tables of their import are being mapped, at most this long without any progress.
  static constexpr Duration kLongestWait = std::chrono::minutes(15);
  static constexpr Duration kLongestPause =
      std::chrono::seconds(20);                    // what counts between two looks, at most
  static constexpr std::size_t kMaxWatched = 256;  // imports waited for at once; those beyond do not wait

  ContentHandler(ContentParts parts, std::vector<ContentKind> kinds)
      : parts_(std::move(parts)), kinds_(std::move(kinds)) {}
  Result<std::unique_ptr<messaging::Plan>> prepare(const storage::Reader& reader,
                                                   std::span<const messaging::Incoming> batch) override;

 private:
  struct Waiting {
    std::int64_t pending = 0;
    Duration waited{0};  // since it was another number
    Duration looked{0};  // the last time, monotonic
  };
  bool wait(const TenantId& tenant, const CorrelationId& flow, std::int64_t pending);

  ContentParts parts_;
  std::vector<ContentKind> kinds_;
  std::mutex mutex_;
  std::map<std::pair<TenantId, CorrelationId>, Waiting> waiting_;  // under mutex_
};

}  // namespace castiel::processing
