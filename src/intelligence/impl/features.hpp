#pragma once
// The features of the scorecard: how a view of a deal falls into bins, what each bin is called, and the
// shipped prior of its weight. Immutable after construction; any thread.

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "intelligence/as_of.hpp"
#include "intelligence/evidence.hpp"
#include "intelligence/facts.hpp"
#include "intelligence/impl/logistic.hpp"

namespace castiel::intelligence::impl {

enum class Feature : std::uint8_t {
  stage,
  stage_age,
  age,
  due,
  pushes,
  amount_change,
  amount_size,
  silence,
  regressions,
  skips,
  owner_changes,
  source_probability,
  type,
  lead_source,
  product,
  team,
  owner,
  account,
};
inline constexpr int kFeatureCount = 18;
static_assert(kFeatureCount <= kMaxFeatures);

inline constexpr double kPriorWinRate = 0.3;  // of a deal nothing is known about

// Edges of the age bins: quantiles of the tenant's won cycles, or fixed days while there are few. Bins are
// 1 .. 7 for ages below each edge and above the last, 0 for an unknown age.
std::array<int, 6> age_edges(const TenantFacts& facts);
int age_bin(const std::array<int, 6>& edges, int days);
inline constexpr int kAgeBins = 8;
inline constexpr int kFirstAgeBinBeyondWon = 6;  // older than any deal won so far

class Encoder {
 public:
  Encoder() = default;
  // `closed`: the deals to learn the common values of text fields from.
  Encoder(const TenantFacts& facts, std::span<const Deal* const> closed);

  std::size_t parameters() const { return parameters_; }
  Example encode(const DealView& view) const;
  // Bin within a feature, from a global index.
  int local_bin(Feature feature, int global) const { return global - offsets_[static_cast<int>(feature)]; }
  int global_bin(Feature feature, int local) const { return offsets_[static_cast<int>(feature)] + local; }
  int bins(Feature feature) const { return sizes_[static_cast<int>(feature)]; }
  bool is_unknown(Feature feature, int global) const { return local_bin(feature, global) == 0; }

  GaussianPrior prior() const;

  static std::string_view id(Feature feature);
  static std::string_view label(Feature feature);
  std::string value(Feature feature, const DealView& view) const;
  std::vector<Evidence> evidence(Feature feature, const DealView& view) const;

 private:
  using Levels = std::map<std::string, int, std::less<>>;
  int bin(Feature feature, const DealView& view) const;
  int level(const Levels& levels, std::string_view text) const;
  int account_bin(const DealView& view) const;

  const TenantFacts* facts_ = nullptr;
  std::array<int, 6> age_edges_{};
  std::array<double, 4> amount_edges_{};
  bool has_amount_edges_ = false;
  bool has_source_probability_ = false;
  Levels stages_, types_, lead_sources_, products_, teams_, owners_;
  struct Outcome {
    Timestamp at;
    bool won;
  };
  std::unordered_map<std::string, std::vector<Outcome>> accounts_;
  std::array<int, kFeatureCount> offsets_{};
  std::array<int, kFeatureCount> sizes_{};
  std::size_t parameters_ = 1;
};

}  // namespace castiel::intelligence::impl
