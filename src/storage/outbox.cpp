#include "storage/outbox.hpp"

#include <fmt/format.h>

#include "base/digest.hpp"

namespace castiel::storage {

int outbox_partition(const TenantId& tenant, int lane) {
  return static_cast<int>(stable_hash(fmt::format("{}\n{}", tenant.str(), lane)) % kOutboxPartitions);
}

bool topic_matches(std::string_view pattern, std::string_view key) {
  if (pattern.empty()) return key.empty();
  const auto word_end = [](std::string_view s) { return std::min(s.find('.'), s.size()); };
  const auto rest = [](std::string_view s, std::size_t end) {
    return end < s.size() ? s.substr(end + 1) : std::string_view();
  };
  const std::string_view word = pattern.substr(0, word_end(pattern));
  const std::string_view tail = rest(pattern, word.size());
  const bool last = word.size() == pattern.size();
  if (word == "#") {
    if (last) return true;
    for (std::string_view k = key;; k = rest(k, word_end(k))) {
      if (topic_matches(tail, k)) return true;
      if (k.empty()) return false;
    }
  }
  if (key.empty()) return false;
  const std::size_t end = word_end(key);
  if (word != "*" && word != key.substr(0, end)) return false;
  if (last) return end == key.size();
  return topic_matches(tail, rest(key, end)) && (end < key.size() || tail == "#");
}

Result<std::vector<std::optional<std::vector<OutboxMessage>>>> Outbox::waiting_in(
    std::span<const Look> looks) {
  std::vector<std::optional<std::vector<OutboxMessage>>> all;
  for (const auto& look : looks) {
    auto found = waiting(look.lease, look.skip, look.limit, look.bytes);
    if (!found && found.error().code != "lease_lost") return std::unexpected(std::move(found.error()));
    all.push_back(found ? std::optional(std::move(*found)) : std::nullopt);
  }
  return all;
}

}  // namespace castiel::storage
