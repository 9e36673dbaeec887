#pragma once
// The end of an import: relations that no id or exact name resolved are tried once more, now that every
// record is there, by near spelling (queue relation_resolution). What was understood loosely is written into
// the flow's story. Stateless; several threads may use one.

#include "messaging/handler.hpp"

namespace castiel::processing {

class RelationsHandler final : public messaging::Handler {
 public:
  Result<std::unique_ptr<messaging::Plan>> prepare(const storage::Reader& reader,
                                                   std::span<const messaging::Incoming> batch) override;
};

}  // namespace castiel::processing
