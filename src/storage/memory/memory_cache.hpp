#pragma once
// A cache in this process's memory, bounded by bytes and entries; what was not asked for longest goes first.
// Any thread; never blocks for long.

#include <memory>

#include "storage/cache_backend.hpp"

namespace castiel::storage {

struct MemoryCacheOptions {
  std::size_t max_bytes = std::size_t{32} << 20;  // of keys and values, with what keeping them takes
  std::size_t max_entries = 10'000;
};

std::shared_ptr<CacheBackend> make_memory_cache(const Clock& clock, MemoryCacheOptions options = {});

}  // namespace castiel::storage
