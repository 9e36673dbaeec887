#include <array>

#include "content/mail/impl/spam_features.hpp"
namespace castiel::content::mail::impl {
static constexpr std::array<signed char, kSpamBuckets> kValues{};
const std::span<const signed char> kSpamWeights(kValues);
const double kSpamUnit = 1;
const double kSpamBias = -10;
}  // namespace castiel::content::mail::impl
