#pragma once
// What endangers an open deal: a score of 0 to 100 made of factors that each name their evidence.
// Pure functions; any thread.

#include <string>
#include <string_view>
#include <vector>

#include "intelligence/as_of.hpp"
#include "intelligence/engagement.hpp"
#include "intelligence/evidence.hpp"
#include "intelligence/facts.hpp"
#include "intelligence/probability.hpp"

namespace castiel::intelligence {

enum class RiskLevel { low, medium, high };
std::string_view to_string(RiskLevel level);

// Stable ids of factors.
namespace factor {
inline constexpr std::string_view kStageAge = "stage_age";
inline constexpr std::string_view kZombie = "stale";
inline constexpr std::string_view kAge = "age";
inline constexpr std::string_view kSilence = "silence";
inline constexpr std::string_view kCloseDatePast = "close_date_past";
inline constexpr std::string_view kPushed = "close_date_pushed";
inline constexpr std::string_view kNoCloseDate = "no_close_date";
inline constexpr std::string_view kAmountCut = "amount_cut";
inline constexpr std::string_view kNoAmount = "no_amount";
inline constexpr std::string_view kSkipped = "stage_skipped";
inline constexpr std::string_view kRegressed = "stage_regressed";
inline constexpr std::string_view kNoContact = "no_contact";
inline constexpr std::string_view kSingleContact = "single_contact";
inline constexpr std::string_view kNoExecutive = "no_executive";
inline constexpr std::string_view kNoNextStep = "no_next_step";
inline constexpr std::string_view kOwnerChanged = "owner_changed";
inline constexpr std::string_view kLowProbability = "low_probability";
inline constexpr std::string_view kProgress = "recent_progress";
inline constexpr std::string_view kExecutive = "executive_contact";
inline constexpr std::string_view kOnTime = "on_time";
inline constexpr std::string_view kAmountRaised = "amount_raised";
// From what is linked to the deal; silent without it.
inline constexpr std::string_view kNoInbound = "no_inbound";  // replaces kSilence
inline constexpr std::string_view kNoReply = "no_reply";
inline constexpr std::string_view kSingleThreaded = "single_threaded";  // replaces kSingleContact
inline constexpr std::string_view kOverduePromise = "overdue_promise";
inline constexpr std::string_view kUnanswered = "unanswered_request";
inline constexpr std::string_view kNoMeeting = "no_future_meeting";
inline constexpr std::string_view kCompetitor = "competitor";
inline constexpr std::string_view kChampionLeft = "champion_left";
inline constexpr std::string_view kContactLeft = "contact_left";
inline constexpr std::string_view kBudgetFrozen = "budget_frozen";
inline constexpr std::string_view kPriceObjection = "price_objection";
inline constexpr std::string_view kFading = "fewer_contacts";
inline constexpr std::string_view kSour = "negative_sentiment";
inline constexpr std::string_view kEngaged = "engaged_people";
inline constexpr std::string_view kMeetingPlanned = "meeting_planned";
inline constexpr std::string_view kRecentInbound = "recent_inbound";
}  // namespace factor

struct RiskFactor {
  std::string id;
  std::string label;
  int points = 0;  // negative: speaks for the deal
  std::string detail;
  std::vector<Evidence> evidence;
};

struct Risk {
  int score = 0;                     // 0..100: the sum of the points, held inside
  RiskLevel level = RiskLevel::low;  // medium from 25, high from 50
  std::vector<RiskFactor> factors;   // most points first
};

struct RiskOptions {
  std::vector<std::string> disabled;  // factor ids a tenant has switched off
  int silence_warn_days = 14;
  int silence_risk_days = 21;
  int push_warn_days = 30;  // a close date moved out by this many days in all counts, however often
  double amount_cut = .2;   // share of the largest amount so far that has to be gone
  int enough_won = 30;      // from this many won deals their quantiles replace the defaults
};

// Zero for a deal that is not open. `peer_probability`: the median of open deals in the same stage, below 0
// if unknown. `engagement`: what is linked to the deal at the view's instant; null or empty: nothing is.
Risk assess(const DealView& view, const TenantFacts& facts, const Prediction& prediction,
            double peer_probability = -1, const RiskOptions& options = {},
            const EngagementView* engagement = nullptr);

// "VP Sales", "Geschäftsführer", "Director of IT": a title at or above director level.
bool is_executive(std::string_view title);

}  // namespace castiel::intelligence
