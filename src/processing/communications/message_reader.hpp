#pragma once
// Chat messages: thread, channel, mentions, reactions, action items (COMM-2, COMM-3). One for each batch.

#include "processing/content/understanding.hpp"

namespace castiel::processing {

class MessageReader final : public RecordReader {
 public:
  Result<Understood> read(const json::object& record, const RecordContext& context) override;
};

}  // namespace castiel::processing
