#pragma once
// What the stages of mail, chat, documents, meetings and calendars have in common: a record comes in as its
// connector took it apart, and is understood as a shard with what follows from it. Plain values and one port.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "storage/store.hpp"
#include "tenancy/own_people.hpp"

namespace castiel::processing {

// The page a record came in.
struct RecordContext {
  const storage::Reader& reader;
  const tenancy::OwnPeople& own;
  std::string integration;
  std::string file;       // path of the file, may be empty
  Timestamp observed_at;  // version of records without a time of their own
  std::string time_zone;  // the tenant's
};

// Something the record's words ask or promise; becomes a task shard (COMM-3).
struct TaskSeed {
  json::object item;        // of "actionItems", see interface.md
  std::string owner_email;  // where it is known
  std::string owner_side;   // own, customer or empty
  std::string sentence;     // the evidence's text
};

struct Understood {
  std::string external_id;
  std::string type;   // model::type
  json::object data;  // of the shard
  json::object said;  // the fields of the *.processed event (FLOW-14)
  Timestamp version;  // see Candidate
  bool dated = false;
  std::optional<Timestamp> said_at;  // when the words of its tasks were said, where that is not `version`
  bool deleted = false;
  std::vector<std::string_view> identity;                    // see Candidate
  std::string_view revision;                                 // see Candidate
  std::vector<std::pair<std::string, std::string>> aliases;  // kind and key
  std::vector<TaskSeed> tasks;
  std::vector<json::object> documents;                        // records of integration.document.detected
  std::vector<json::object> events;                           // records of integration.event.created
  std::vector<std::pair<std::string, std::string>> problems;  // code and message
  bool came_along = false;  // with another record (an attachment): none of the records an import read
};

// Understands the records of one batch, in order; made for each batch, so it may remember those before.
// Blocks on the store, and where it says so on the extractor.
class RecordReader {
 public:
  virtual ~RecordReader() = default;
  // Errors: permanent, the record is at fault; transient, the batch is tried later.
  virtual Result<Understood> read(const json::object& record, const RecordContext& context) = 0;
};

}  // namespace castiel::processing
