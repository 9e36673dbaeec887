#pragma once
// What a changed link brings with it: the activity on its target, entity.linked, and that the deal's context
// changed. Shared by the handler and by people's decisions. One owner, one thread.

#include <functional>
#include <span>
#include <vector>

#include "base/random.hpp"
#include "linking/content.hpp"
#include "messaging/publisher.hpp"
#include "storage/store.hpp"

namespace castiel::linking {

// Under which our own shards are kept.
inline constexpr std::string_view kIntegration = "castiel";

struct LinkChange {
  storage::Link link;                // as it is now
  std::string before;                // its status until now; empty: there was none
  const Content* content = nullptr;  // of link.from
  std::string direction;
};

using Publish = std::function<Result<>(messaging::Publication)>;

// Writes the activities of the changes (one for each attached link, with a key of its own, so that linking
// again changes nothing) and publishes what there is to say.
Result<> write_effects(storage::Transaction& tx, std::span<const LinkChange> changes, IdGenerator& ids,
                       Timestamp now, const CorrelationId& correlation, const Publish& publish);

}  // namespace castiel::linking
