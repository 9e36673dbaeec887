#include <cstddef>
#include <cstdint>

#include "content/fuzz/entry_points.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  castiel::content::fuzz::fuzz_text({reinterpret_cast<const char*>(data), size});
  return 0;
}
