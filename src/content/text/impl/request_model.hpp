#pragma once
// How likely a sentence asks or promises something: hashed word n-grams and logistic regression. The weights
// are generated (request_weights.cpp). Read-only; any thread.

#include <string_view>

namespace castiel::content::text::impl {

inline constexpr unsigned kRequestBuckets = 8192;
extern const float kRequestScale;
extern const float kRequestBias;
extern const signed char kRequestWeights[kRequestBuckets];

// 0 to 1. English sentences; linear in their length.
double request_probability(std::string_view sentence);

}  // namespace castiel::content::text::impl
