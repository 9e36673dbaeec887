#pragma once
// What the spam model sees of a mail: hashed words of subject and text, and a few signs of its make. Pure.

#include <cstdint>
#include <span>
#include <vector>

#include "base/json.hpp"

namespace castiel::content::mail::impl {

inline constexpr std::uint32_t kSpamBuckets = 8192;

// Different buckets, in order.
std::vector<std::uint32_t> spam_features(const json::object& structure);

// One weight a bucket, in units of kSpamUnit; the model card stands with the values.
extern const std::span<const signed char> kSpamWeights;
extern const double kSpamUnit;
extern const double kSpamBias;

}  // namespace castiel::content::mail::impl
