#pragma once
// What a meeting was like and what came out of it, from its transcript: who spoke how much, questions,
// objections, commitments, next steps, signals, each pointing at its segment. Pure; thread-safe.

#include <span>
#include <string>

#include "base/json.hpp"
#include "content/text/text.hpp"

namespace castiel::content::transcripts {

// Adds to the structure of parse_transcript (interface.md's transcript shape): per segment "sentiment";
// "speakers", "keyMoments", "actionItems", "nextSteps", "dealSignals", "meetingType", "engagement",
// "language"; and "objections", "commitments" ([{"segment","start","speaker","text"}]), "redFlags", "topics",
// "sentiment", "talkRatio" {"internal", "external","unknown"}. `own` holds the tenant's domains and the names
// or addresses of its people; without it a speaker's side is known only where the vendor said so. A
// transcript of quality "draft" gets no action items, commitments or engagement score: its words are not to
// be relied on.
json::object analyse_transcript(json::object structure, const text::Context& context,
                                std::span<const std::string> own = {});

}  // namespace castiel::content::transcripts
