#pragma once
// Hostile bytes to structure, with every parser there is, native libraries included. Only the sandboxed
// worker program calls it: the libraries behind it are neither trusted nor linked elsewhere. Blocks until
// done.

#include "extract/extractor.hpp"

namespace castiel::extract::worker {

// Errors as Extractor::extract, without the ones of its pool.
Result<Extracted> parse(const Request& request);

}  // namespace castiel::extract::worker
