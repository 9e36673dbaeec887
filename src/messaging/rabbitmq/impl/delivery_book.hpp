#pragma once
// The deliveries of messages that were refused, or handed out again after a process died, kept with the store
// so that they survive processes (RETRY-5): a server counts also what it only lent. Kept under the message's
// flow and gone with it. Thread-safe; calls block on the store.

#include <optional>

#include "messaging/rabbitmq/impl/queue_state.hpp"
#include "storage/store.hpp"

namespace castiel::messaging::rabbitmq {

class DeliveryBook {
 public:
  DeliveryBook(storage::Store& store, const Clock& clock) : store_(&store), clock_(&clock) {}
  Result<std::optional<Tries>> find(const Delivery& delivery) const;
  Result<> keep(const Delivery& delivery, const Tries& tries) const;

 private:
  storage::Store* store_;
  const Clock* clock_;
};

}  // namespace castiel::messaging::rabbitmq
