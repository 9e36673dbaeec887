#pragma once
// Candidates for links, by strategy (LINK-1), and what they come to (LINK-2). The bands are A5's: each
// strategy's confidence stays in its own; several strategies that agree may carry a candidate into a higher
// one, never to 100, which takes an explicit reference. Reads only what it is given; any thread.

#include <map>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "linking/content.hpp"
#include "linking/directory.hpp"
#include "storage/store.hpp"

namespace castiel::linking {

namespace strategy {
inline constexpr std::string_view kExplicit = "explicit";
inline constexpr std::string_view kParticipant = "participant";
inline constexpr std::string_view kContent = "content";
inline constexpr std::string_view kTemporal = "temporal";
inline constexpr std::string_view kVector = "vector";
inline constexpr std::string_view kUser = "user";
}  // namespace strategy

// One strategy's reason for one target.
struct Signal {
  ShardId to;
  std::string to_type;
  std::string strategy;
  double confidence = 0;  // 0 to 100
  std::string reason;
  json::object evidence;   // {"field","text","start","end"} or {"email"}, {"linkId"}
  bool inherited = false;  // taken over from the thread's or the parent's link
};

// Decisions so far, by strategy.
using Feedback = std::map<std::string, storage::LinkFeedback, std::less<>>;

// What is said by the links of what the content belongs to: its thread's and its parent's.
struct Context {
  std::vector<storage::Link> thread;  // attached to opportunities: by a person, or explicit and not inherited
  std::vector<storage::Link> parent;  // attached, to anything
};

// All signals for a content. Error: the store's.
Result<std::vector<Signal>> find_signals(const storage::Reader& reader, const Directory& directory,
                                         const Content& content, const Context& context);

// Confidence of a strategy after people's decisions about it, inside the strategy's band.
double calibrated(std::string_view strategy, double confidence, const Feedback& feedback);

struct Decided {
  ShardId to;
  std::string to_type;
  std::string strategy;  // the strongest
  int confidence = 0;
  std::string status;  // attached, suggested, ignored
  std::string reason;
  json::array evidence;
  bool inherited = false;
};
// Merges the signals of each target, strongest first, and sorts the targets into the bands.
std::vector<Decided> decide(std::vector<Signal> signals, const Feedback& feedback);

}  // namespace castiel::linking
