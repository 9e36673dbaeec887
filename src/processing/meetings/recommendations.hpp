#pragma once
// What to do after a meeting, from what its analysis found (MEET-4). Pure; any thread.

#include <span>
#include <string>

#include "base/json.hpp"

namespace castiel::processing {

// [{"type":"follow_up|coaching|risk|content","title","reason","evidence":{"segment","start","text"}|null}],
// at most kMaxRecommendations, what is promised and what endangers the deal first. `transcript`: as
// analyse_transcript makes it; one of quality "draft" gives none. `own`: names of our side's speakers.
inline constexpr std::size_t kMaxRecommendations = 12;
json::array recommendations_of(const json::object& transcript, std::span<const std::string> own);

}  // namespace castiel::processing
