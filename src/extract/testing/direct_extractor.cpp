#include "extract/testing/direct_extractor.hpp"

#include "extract/dispatch.hpp"

namespace castiel::extract {

Result<Extracted> DirectExtractor::extract(const Request& request, Deadline deadline) {
  if (deadline.passed())
    return transient("deadline_exceeded", "The deadline had passed before the file was read.");
  return dispatch(request, Native{});
}

}  // namespace castiel::extract
