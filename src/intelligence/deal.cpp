#include "intelligence/deal.hpp"

#include <algorithm>
#include <tuple>

#include "base/digest.hpp"

namespace castiel::intelligence {

std::string_view to_string(Status status) {
  switch (status) {
    case Status::won:
      return "won";
    case Status::lost:
      return "lost";
    case Status::open:
      break;
  }
  return "open";
}

Status parse_status(std::string_view text) {
  if (text == "won") return Status::won;
  if (text == "lost") return Status::lost;
  return Status::open;
}

std::string process_of(const Deal& deal) {
  return deal.integration.str() + '\n' + deal.pipeline.str();
}

std::uint64_t sampling_hash(const Deal& deal) {
  return stable_hash(deal.integration.str() + '\n' + deal.external_id);
}

void sort_history(Deal& deal) {
  std::ranges::stable_sort(deal.history, {}, [](const Change& change) {
    return std::pair(change.effective_at, change.recorded_at);
  });
}

}  // namespace castiel::intelligence
