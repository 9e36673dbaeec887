#pragma once
// The CRM stage: a page of raw records becomes shards, history, relations and events (queue
// integration_data_raw). Stateless; several threads may use one.

#include "base/random.hpp"
#include "messaging/handler.hpp"

namespace castiel::processing {

class CrmHandler final : public messaging::Handler {
 public:
  CrmHandler(const Clock& clock, IdGenerator& ids) : clock_(&clock), ids_(&ids) {}
  Result<std::unique_ptr<messaging::Plan>> prepare(const storage::Reader& reader,
                                                   std::span<const messaging::Incoming> batch) override;

 private:
  const Clock* clock_;
  IdGenerator* ids_;
};

}  // namespace castiel::processing
