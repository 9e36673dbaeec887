#pragma once
// Meetings: speakers, key moments, action items and signals from the transcript, each with its segment
// (MEET-2 to MEET-5). One for each batch.

#include "processing/content/understanding.hpp"

namespace castiel::processing {

class MeetingReader final : public RecordReader {
 public:
  Result<Understood> read(const json::object& record, const RecordContext& context) override;
};

}  // namespace castiel::processing
