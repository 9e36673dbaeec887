#pragma once
// The consumer that feeds the full-text index (queue search_index): the text of a shard that was created or
// changed replaces what the index had of it, that of a deleted one leaves it. Stateless; several threads may
// use one.

#include <string>
#include <vector>

#include "messaging/handler.hpp"

namespace castiel::search {

class IndexHandler final : public messaging::Handler {
 public:
  // The event types it takes: every stage says there what it stored.
  static std::vector<std::string> patterns();
  Result<std::unique_ptr<messaging::Plan>> prepare(const storage::Reader& reader,
                                                   std::span<const messaging::Incoming> batch) override;
};

}  // namespace castiel::search
