#pragma once
// The stages of mail and chat, documents, meetings and calendars: pages of records become shards, tasks and
// events. What differs between them is the RecordReader. Stateless; several threads may use one.

#include <functional>
#include <string>
#include <vector>

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
  ContentHandler(ContentParts parts, std::vector<ContentKind> kinds)
      : parts_(std::move(parts)), kinds_(std::move(kinds)) {}
  Result<std::unique_ptr<messaging::Plan>> prepare(const storage::Reader& reader,
                                                   std::span<const messaging::Incoming> batch) override;

 private:
  ContentParts parts_;
  std::vector<ContentKind> kinds_;
};

}  // namespace castiel::processing
