#include "extract/testing/direct_extractor.hpp"

#include "extract/dispatch.hpp"

namespace castiel::extract {

Result<Extracted> DirectExtractor::extract(const Request& request, Deadline deadline) {
  if (deadline.passed())
    return transient("deadline_exceeded", "The deadline had passed before the file was read.");
  CASTIEL_ASSIGN(auto extracted, dispatch(request, Native{}));
  // As it would come from the worker program: numbers that were written and read are of one kind.
  CASTIEL_ASSIGN(auto structure, parse_json(json::serialize(extracted.structure)));
  extracted.structure = std::move(structure.as_object());
  return extracted;
}

}  // namespace castiel::extract
