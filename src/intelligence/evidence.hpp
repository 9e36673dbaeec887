#pragma once
// Evidence: what a score, a factor or a recommendation rests on, in a form a person and a program can follow.
// A value type, owned by whatever it explains.

#include <optional>
#include <string>

#include "base/ids.hpp"
#include "base/time.hpp"

namespace castiel::intelligence {

enum class EvidenceKind {
  change,   // a recorded change of a field
  field,    // the value of a field
  absence,  // something the source carries for other deals and not for this one
  cohort,   // a number about the tenant's other deals
  content,  // something said, written or planned: a place in a mail, message, meeting, event or document
};

// A place in a content shard, as far as it is known.
struct Locator {
  std::string field;              // of the shard's data: "bodyPlainText", "subject", "transcript.segments"
  std::optional<int> segment;     // index in a transcript
  std::optional<int> minute;      // into a recording, from 0
  std::optional<int> start, end;  // code points in the field, the end exclusive
  bool operator==(const Locator&) const = default;
};

struct Evidence {
  EvidenceKind kind = EvidenceKind::field;
  std::string text;   // a sentence for a person
  std::string field;  // canonical field name, may be empty
  std::optional<std::string> from;
  std::optional<std::string> to;
  std::optional<Timestamp> at;  // when it took effect at the source
  CorrelationId correlation;    // leads back to the import or webhook; empty where there is none
  ShardId shard = {};           // of content
  std::string type = {};        // of that shard
  Locator locator = {};
};

}  // namespace castiel::intelligence
