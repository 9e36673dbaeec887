#include "intelligence/impl/examples.hpp"

#include <algorithm>
#include <cmath>

#include "intelligence/impl/days.hpp"

namespace castiel::intelligence::impl {
namespace {

std::optional<Timestamp> opened_at(const Deal& deal) {
  if (deal.created) return start_of(*deal.created);
  if (!deal.history.empty()) return deal.history.front().effective_at;
  return std::nullopt;
}

double phase(const Deal& deal) {
  return static_cast<double>(sampling_hash(deal) >> 11) * 0x1.0p-53;
}

Landmark landmark_of(const DealView& view, const TenantFacts& facts) {
  Landmark landmark;
  landmark.age_days = view.age_days;
  landmark.days_to_close = view.days_to_close;
  landmark.stage_bin = stage_bin(view, facts);
  return landmark;
}

}  // namespace

ClosedDeals closed_deals(std::span<const Deal> deals, Timestamp as_of, Timestamp known_at, int max_deals) {
  struct Entry {
    Timestamp at;
    std::uint64_t hash;
    const Deal* deal;
  };
  std::vector<Entry> entries;
  ClosedDeals closed;
  for (const Deal& deal : deals) {
    const auto at = closed_at(deal);
    if (!at || *at > as_of || deal.recorded_at > known_at) continue;
    entries.push_back({*at, sampling_hash(deal), &deal});
    ++closed.total;
    closed.won += deal.status == Status::won;
  }
  if (const auto limit = static_cast<std::size_t>(std::max(max_deals, 0)); entries.size() > limit) {
    std::ranges::nth_element(entries, entries.begin() + static_cast<std::ptrdiff_t>(limit), {}, &Entry::hash);
    entries.resize(limit);
  }
  std::ranges::sort(entries, [](const Entry& a, const Entry& b) {
    return std::pair(a.at, a.hash) < std::pair(b.at, b.hash);
  });
  for (const Entry& entry : entries) {
    closed.deals.push_back(entry.deal);
    closed.at.push_back(entry.at);
  }
  return closed;
}

Snapshots snapshots(const Deal& deal, Timestamp until, const TenantFacts& facts, int max) {
  const auto from = opened_at(deal);
  if (!from || *from >= until) return {{until - Duration(1)}, 1};
  const double days = static_cast<double>(until.micros - from->micros) / static_cast<double>(kDayMicros);
  const double step = std::max(7.0, (facts.won_cycle.n > 0 ? facts.won_cycle.p50 : 60) / 4);
  const int count = std::clamp(static_cast<int>(std::ceil(days / step)), 1, std::max(max, 1));
  Snapshots result;
  for (int i = 0; i < count; ++i) result.times.push_back(plus_days(*from, days * (i + phase(deal)) / count));
  result.stretch = days / count / step;
  return result;
}

std::vector<Example> win_examples(const ClosedDeals& closed, const Encoder& encoder, const TenantFacts& facts,
                                  Timestamp known_at, int max_snapshots) {
  constexpr double kMostStretch = 3;  // a deal forgotten for years does not outweigh a hundred others
  std::vector<Example> examples;
  double total = 0;
  for (std::size_t i = 0; i < closed.deals.size(); ++i) {
    const Deal& deal = *closed.deals[i];
    const Snapshots looks = snapshots(deal, closed.at[i], facts, max_snapshots);
    for (const Timestamp t : looks.times) {
      Example example = encoder.encode(view_as_of(deal, t, known_at, &facts));
      example.deal = static_cast<std::uint32_t>(i);
      example.positive = deal.status == Status::won;
      total += example.weight = std::min(looks.stretch, kMostStretch);
      examples.push_back(example);
    }
  }
  for (Example& example : examples) example.weight *= static_cast<double>(closed.deals.size()) / total;
  return examples;
}

std::vector<Landmark> landmarks(const ClosedDeals& closed, std::span<const Deal> deals,
                                const TenantFacts& facts, Timestamp as_of, Timestamp known_at,
                                int max_snapshots, int max_deals) {
  std::vector<Landmark> result;
  double seen = 0, total = 0;
  const auto add = [&](const Deal& deal, Timestamp until, Status outcome) {
    ++seen;
    const Snapshots looks = snapshots(deal, until, facts, max_snapshots);
    for (const Timestamp t : looks.times) {
      Landmark landmark = landmark_of(view_as_of(deal, t, known_at, &facts), facts);
      landmark.days_observed = days_between(t, until);
      landmark.outcome = outcome;
      total += landmark.weight = looks.stretch;
      result.push_back(landmark);
    }
  };
  for (std::size_t i = 0; i < closed.deals.size(); ++i)
    add(*closed.deals[i], closed.at[i], closed.deals[i]->status);
  // Open deals by the same share as closed ones, so that a sample does not change the hazards.
  const double share = closed.total > 0 ? static_cast<double>(closed.deals.size()) / closed.total : 1;
  int open = 0;
  for (const Deal& deal : deals) {
    if (open >= max_deals) break;
    const auto at = closed_at(deal);
    if ((at && *at <= as_of) || !deal.created || start_of(*deal.created) >= as_of) continue;
    if (phase(deal) > share) continue;
    ++open;
    add(deal, as_of, Status::open);
  }
  for (Landmark& landmark : result) landmark.weight *= seen / total;
  return result;
}

}  // namespace castiel::intelligence::impl
