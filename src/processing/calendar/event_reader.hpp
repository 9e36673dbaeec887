#pragma once
// Calendar entries: class, attendees, recurrence; changes and cancellations by version (CAL-1, CAL-2). One
// for each batch.

#include <map>

#include "processing/content/understanding.hpp"

namespace castiel::processing {

class EventReader final : public RecordReader {
 public:
  Result<Understood> read(const json::object& record, const RecordContext& context) override;

 private:
  struct Known {
    json::object data;
    Timestamp version;
  };
  // The entry as the records before left it: of this batch, else as stored.
  Result<std::optional<Known>> known(const std::string& id, const RecordContext& context) const;

  std::map<std::string, Known> before_;  // entries of this batch
};

}  // namespace castiel::processing
