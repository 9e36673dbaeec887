#pragma once
// An extractor for tests and simulations: content's own parsers, called in this process. Deterministic;
// thread-safe. Reads neither PDF files nor pictures (unsupported).

#include "extract/extractor.hpp"

namespace castiel::extract {

class DirectExtractor final : public Extractor {
 public:
  Result<Extracted> extract(const Request& request, Deadline deadline) override;
};

}  // namespace castiel::extract
