#pragma once
// Calendar entries: class, attendees, recurrence; changes and cancellations by version (CAL-1, CAL-2). One
// for each batch.

#include "processing/content/understanding.hpp"

namespace castiel::processing {

class EventReader final : public RecordReader {
 public:
  Result<Understood> read(const json::object& record, const RecordContext& context) override;
};

}  // namespace castiel::processing
