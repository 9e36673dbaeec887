#pragma once
// What people decide about links (LINK-3): approve, reject, retarget. A decision is final for linking, is
// audited, and counts for the confidences of its strategy. Works inside the caller's transaction, which the
// caller commits.

#include <string>
#include <string_view>

#include "base/random.hpp"
#include "messaging/publisher.hpp"
#include "storage/store.hpp"
#include "tenancy/own_people.hpp"

namespace castiel::linking {

struct Reviewer {
  const messaging::Publisher* publisher;
  IdGenerator* ids;
  const Clock* clock;
  std::string actor;  // for the audit and the link
  tenancy::OwnPeople own;
};

// Errors: not_found; the store's. Deciding the same again changes nothing but who and when.
Result<storage::Link> approve(storage::Transaction& tx, const Reviewer& reviewer, std::string_view link);
Result<storage::Link> reject(storage::Transaction& tx, const Reviewer& reviewer, std::string_view link);
// The link given is rejected and one to `target` (an account, contact or opportunity) attached, which is
// returned. Errors also: invalid_parameter when the target is something else.
Result<storage::Link> retarget(storage::Transaction& tx, const Reviewer& reviewer, std::string_view link,
                               const ShardId& target);

}  // namespace castiel::linking
