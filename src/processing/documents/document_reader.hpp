#pragma once
// Documents: their text from the extractor, and what it says (DOC-1 to DOC-4). A file that cannot be read
// becomes a shard that says why. One for each batch; blocks on the extractor up to its time limit for each
// document.

#include "extract/extractor.hpp"
#include "processing/content/understanding.hpp"
#include "storage/blobs.hpp"

namespace castiel::processing {

class DocumentReader final : public RecordReader {
 public:
  // All outlive the reader.
  DocumentReader(extract::Extractor& extractor, const storage::Blobs& blobs, const Clock& clock)
      : extractor_(&extractor), blobs_(&blobs), clock_(&clock) {}
  Result<Understood> read(const json::object& record, const RecordContext& context) override;

 private:
  extract::Extractor* extractor_;
  const storage::Blobs* blobs_;
  const Clock* clock_;
};

}  // namespace castiel::processing
