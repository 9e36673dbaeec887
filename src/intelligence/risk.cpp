#include "intelligence/risk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "intelligence/impl/days.hpp"
#include "intelligence/impl/engagement_risk.hpp"
#include "intelligence/impl/stages.hpp"

namespace castiel::intelligence {
namespace {

// "33,000": for a sentence, without the zeros a source appends.
std::string amount_words(const Decimal& amount) {
  std::string text = amount.normalized().str();
  const auto whole = std::min(text.find('.'), text.size());
  const std::size_t first = text.starts_with('-') ? 1 : 0;
  for (std::size_t at = whole; at > first + 3;) {
    at -= 3;
    text.insert(at, ",");
  }
  return text;
}

using impl::days_between;

constexpr int kMediumRisk = 25, kHighRisk = 50;
constexpr double kStaleFactor = 2.5;  // of the longest won cycle: nothing like it was ever won
constexpr int kStaleDaysWithoutData = 730;
constexpr int kEnoughVisits = 5;  // won visits of a stage before its median counts
constexpr double kContactsFrom = .3, kExecutiveFrom = .55, kAmountFrom = .4;  // stage positions
constexpr int kRecentDays = 14, kHandoverDays = 30;

Evidence field_evidence(std::string_view field, std::string text) {
  return {EvidenceKind::field, std::move(text), std::string(field), {}, {}, {}, {}};
}
Evidence absence(std::string_view field, std::string text) {
  return {EvidenceKind::absence, std::move(text), std::string(field), {}, {}, {}, {}};
}
Evidence cohort(std::string text) {
  return {EvidenceKind::cohort, std::move(text), {}, {}, {}, {}, {}};
}
Evidence change(const Change& c, std::string_view what) {
  return {EvidenceKind::change,
          fmt::format("{} from {} to {} on {}", what, c.old_value.value_or("nothing"),
                      c.new_value.value_or("nothing"), to_string(date_of(c.effective_at))),
          c.field,
          c.old_value,
          c.new_value,
          c.effective_at,
          c.correlation};
}
std::vector<Evidence> all_changes(const std::vector<const Change*>& changes, std::string_view what) {
  std::vector<Evidence> result;
  for (const Change* c : changes) result.push_back(change(*c, what));
  return result;
}
std::string days(int n) {
  return fmt::format("{} day{}", n, n == 1 ? "" : "s");
}
std::string percent(double p) {
  return p < .01 ? "Under 1 %" : p > .99 ? "Over 99 %" : fmt::format("{:.0f} %", 100 * p);
}
std::string times(int n) {
  return n == 1 ? "once" : n == 2 ? "twice" : fmt::format("{} times", n);
}

// One assessment. Each rule looks at one thing, adds at most one factor and stays silent where the tenant's
// source cannot show it.
class Assessor {
 public:
  Assessor(const DealView& view, const TenantFacts& facts, const Prediction& prediction, double peer,
           const RiskOptions& options, const EngagementView* engagement)
      : view_(view), facts_(facts), prediction_(prediction), peer_(peer), options_(options) {
    if (engagement != nullptr && engagement->any) talk_ = engagement;
    position_ = view.stage ? std::optional(facts.position_of(*view.stage)) : std::nullopt;
    own_quantiles_ = facts.won_cycle.n >= options.enough_won;
  }

  Risk run() {
    age();
    stage_age();
    silence();
    close_date();
    pushes();
    amount();
    stage_moves();
    contacts();
    next_step();
    owner();
    probability();
    progress();
    on_time();
    if (talk_ != nullptr) {
      for (RiskFactor& factor : impl::engagement_factors(view_, *talk_, position_, options_)) {
        if (std::ranges::find(options_.disabled, factor.id) == options_.disabled.end())
          risk_.factors.push_back(std::move(factor));
      }
    }
    int sum = 0;
    for (const RiskFactor& factor : risk_.factors) sum += factor.points;
    risk_.score = std::clamp(sum, 0, 100);
    risk_.level = risk_.score >= kHighRisk     ? RiskLevel::high
                  : risk_.score >= kMediumRisk ? RiskLevel::medium
                                               : RiskLevel::low;
    std::ranges::stable_sort(risk_.factors, std::ranges::greater(), &RiskFactor::points);
    return std::move(risk_);
  }

 private:
  void add(std::string_view id, std::string label, int points, std::string detail,
           std::vector<Evidence> evidence) {
    if (points == 0 || std::ranges::find(options_.disabled, id) != options_.disabled.end()) return;
    risk_.factors.push_back(
        {std::string(id), std::move(label), points, std::move(detail), std::move(evidence)});
  }

  bool observes(const TenantFacts::Tracking& tracking) const { return tracking.any; }

  void age() {
    if (!view_.age_days) return;
    const Spread& won = facts_.won_cycle;
    const int age = *view_.age_days;
    const std::vector<Evidence> evidence{
        field_evidence("createdDate", fmt::format("Created on {}", to_string(*view_.created)))};
    const auto with_cohort = [&] {
      auto result = evidence;
      result.push_back(cohort(fmt::format("{} won deals took {:.0f} days at the median and {:.0f} at most",
                                          won.n, won.p50, won.max)));
      return result;
    };
    const double stale = own_quantiles_ ? kStaleFactor * std::max(won.max, 14.0) : kStaleDaysWithoutData;
    if (age > stale) {
      add(factor::kZombie, "Open far longer than any won deal", 40,
          own_quantiles_ ? fmt::format("Open for {}; the longest won deal took {:.0f}.", days(age), won.max)
                         : fmt::format("Open for {}, more than two years.", days(age)),
          own_quantiles_ ? with_cohort() : evidence);
    } else if (own_quantiles_ && age > won.max) {
      add(factor::kAge, "Older than any won deal", 25,
          fmt::format("Open for {}; the longest of {} won deals took {:.0f}.", days(age), won.n, won.max),
          with_cohort());
    } else if (own_quantiles_ && age > won.p90 && won.p90 > won.p50) {
      add(factor::kAge, "Older than most won deals", 10,
          fmt::format("Open for {}; nine of ten won deals took at most {:.0f}.", days(age), won.p90),
          with_cohort());
    }
  }

  void stage_age() {
    if (!view_.stage || !view_.stage_age_days) return;
    const StageFact* stage = facts_.stage(*view_.stage);
    if (!stage || !stage->median_days || stage->won_visits < kEnoughVisits) return;
    const double median = std::max(*stage->median_days, 3.0);
    double warn = 1.5 * median, risk = 2.5 * median;
    if (stage->won_visits >= options_.enough_won) {
      warn = std::max(*stage->p80_days, 3.0);
      risk = std::max(*stage->p95_days, warn + 1);
    }
    const int here = *view_.stage_age_days;
    if (here <= warn) return;
    const bool severe = here > risk;
    std::vector<Evidence> evidence;
    if (!view_.stage_changes.empty()) {
      evidence.push_back(change(*view_.stage_changes.back(), "Stage moved"));
    } else {
      evidence.push_back(field_evidence(field::kStage, fmt::format("In {} since {}", *view_.stage,
                                                                   to_string(date_of(*view_.stage_since)))));
    }
    evidence.push_back(cohort(fmt::format("Won deals left {} after {:.0f} days at the median ({} visits)",
                                          *view_.stage, median, stage->won_visits)));
    add(factor::kStageAge, severe ? "Stuck in its stage" : "Long in its stage", severe ? 20 : 10,
        fmt::format("In {} for {}; won deals stay {:.0f} at the median.", *view_.stage, days(here), median),
        std::move(evidence));
  }

  void silence() {
    // Where it is known when they last wrote, that counts, not when somebody last typed into the CRM.
    if (talk_ != nullptr || !view_.silence_days || (!facts_.has_activity && !facts_.has_history)) return;
    double warn = options_.silence_warn_days, risk = options_.silence_risk_days;
    if (facts_.won_silence.n >=
        options_.enough_won) {  // the longest pause won deals took and still came through
      warn = std::max(warn, facts_.won_silence.p50);
      risk = std::max(warn + 7, facts_.won_silence.p90);
    }
    const int quiet = *view_.silence_days;
    if (quiet <= warn) return;
    const bool severe = quiet > risk;
    const std::string since = view_.last_change ? fmt::format("Last recorded change or activity on {}",
                                                              to_string(date_of(*view_.last_change)))
                                                : std::string("No change or activity on record");
    std::vector<Evidence> evidence{absence("lastActivityDate", since)};
    if (facts_.won_silence.n >= options_.enough_won) {
      evidence.push_back(
          cohort(fmt::format("The longest pause of won deals was {:.0f} days at the median, {:.0f} for "
                             "one in ten",
                             facts_.won_silence.p50, facts_.won_silence.p90)));
    }
    add(factor::kSilence, severe ? "Gone quiet" : "Getting quiet", severe ? 18 : 9,
        fmt::format("Nothing recorded for {}.", days(quiet)), std::move(evidence));
  }

  void close_date() {
    if (!view_.close_date) {
      if (facts_.has_close_date && view_.current) {
        add(factor::kNoCloseDate, "No expected close date", 6, "The deal has no expected close date.",
            {absence(field::kCloseDate, "No close date, while most open deals have one")});
      }
      return;
    }
    const int past = -*view_.days_to_close;
    if (past <= 0) return;
    add(factor::kCloseDatePast, "Close date is past", past > 30 ? 25 : 15,
        fmt::format("It was expected to close on {}, {} ago.", to_string(*view_.close_date), days(past)),
        {field_evidence(field::kCloseDate,
                        fmt::format("Expected to close on {}", to_string(*view_.close_date)))});
  }

  void pushes() {
    if (view_.pushes == 0) return;
    // The default asks for two pushes or thirty days; a tenant whose won deals usually slip more asks for
    // more.
    int usual = 1;
    if (facts_.won_pushes.n >= options_.enough_won)
      usual = std::max(1, static_cast<int>(facts_.won_pushes.p75));
    if (view_.pushes <= usual && view_.push_days < options_.push_warn_days) return;
    const int points = std::min(25, 6 + 4 * std::max(0, view_.pushes - usual) + view_.push_days / 30 * 2);
    auto evidence = all_changes(view_.push_changes, "Close date moved");
    if (facts_.won_pushes.n >= options_.enough_won) {
      evidence.push_back(cohort(fmt::format("Three of four won deals were moved out at most {}",
                                            times(static_cast<int>(facts_.won_pushes.p75)))));
    }
    add(factor::kPushed, "Close date keeps moving", points,
        fmt::format("The close date moved out {}, by {} in all.", times(view_.pushes), days(view_.push_days)),
        std::move(evidence));
  }

  void amount() {
    if (!view_.amount || view_.amount->is_zero()) {
      if (view_.current && facts_.has_amount && position_.value_or(0) >= kAmountFrom) {
        add(factor::kNoAmount, "No amount", 5, fmt::format("At stage {} without an amount.", *view_.stage),
            {absence(field::kAmount, "No amount, while other open deals have one")});
      }
      return;
    }
    if (view_.amount_cut_share >= options_.amount_cut) {
      add(factor::kAmountCut, "Amount was cut", view_.amount_cut_share >= .5 ? 20 : 12,
          fmt::format("The amount fell by {:.0f} % to {}.", 100 * view_.amount_cut_share,
                      amount_words(*view_.amount)),
          all_changes(view_.cut_changes, "Amount moved"));
    } else if (view_.amount_raises > 0 && view_.amount_cuts == 0) {
      add(factor::kAmountRaised, "Amount was raised", -4,
          fmt::format("The amount rose to {}.", amount_words(*view_.amount)),
          {field_evidence(field::kAmount, fmt::format("The amount is {}", amount_words(*view_.amount)))});
    }
  }

  void stage_moves() {
    if (view_.skips > 0) {
      add(factor::kSkipped, "Skipped a stage", std::min(10, 5 * view_.skips),
          fmt::format("{} that won deals usually pass {} skipped.",
                      view_.skips == 1 ? "A stage" : fmt::format("{} stages", view_.skips),
                      view_.skips == 1 ? "was" : "were"),
          all_changes(view_.skip_changes, "Stage moved"));
    }
    if (view_.regressions > 0) {
      add(factor::kRegressed, "Moved back", std::min(20, 12 + 4 * (view_.regressions - 1)),
          fmt::format("The stage was moved back {}.", times(view_.regressions)),
          all_changes(view_.regression_changes, "Stage moved back"));
    }
  }

  void contacts() {
    if (!view_.contacts_known || !facts_.has_contacts || !position_ || *position_ < kContactsFrom) return;
    if (view_.contacts.empty()) {
      add(factor::kNoContact, "No contact", 10,
          fmt::format("No contact is on the deal at stage {}.", *view_.stage),
          {absence("contacts", "No contact, while other open deals have them")});
      return;
    }
    std::string names;
    const DealContact* executive = nullptr;
    for (const DealContact& contact : view_.contacts) {
      names += (names.empty() ? "" : ", ") + contact.name;
      if (!executive && (is_executive(contact.title) || is_executive(contact.role))) executive = &contact;
    }
    if (view_.contacts.size() == 1 && (talk_ == nullptr || talk_->engaged.size() != 1)) {
      add(factor::kSingleContact, "Only one contact", 6, fmt::format("All depends on {}.", names),
          {field_evidence("contacts", fmt::format("The only contact is {}", names))});
    }
    if (executive) {
      add(factor::kExecutive, "An executive is involved", -5,
          fmt::format("{}{} is on the deal.", executive->name,
                      executive->title.empty() ? "" : ", " + executive->title + ","),
          {field_evidence("contacts",
                          fmt::format("{}: {}", executive->name,
                                      executive->title.empty() ? executive->role : executive->title))});
    } else if (facts_.has_contact_titles && *position_ >= kExecutiveFrom) {
      add(factor::kNoExecutive, "No decision maker", 5,
          fmt::format("At stage {} nobody with a title from director up is on the deal.", *view_.stage),
          {absence("contacts", fmt::format("Contacts: {}", names))});
    }
  }

  void next_step() {
    if (!facts_.has_next_step || !view_.next_step || !view_.next_step->empty()) return;
    add(factor::kNoNextStep, "No next step", 7, "No next step is written down.",
        {absence(field::kNextStep, "No next step, while other open deals have one")});
  }

  void owner() {
    if (!view_.last_owner_change) return;
    const int ago = days_between(*view_.last_owner_change, view_.as_of);
    if (ago > kHandoverDays) return;
    add(factor::kOwnerChanged, "New owner", 7, fmt::format("The owner changed {} ago.", days(ago)),
        {change(*view_.owner_change, "Owner changed")});
  }

  void probability() {
    if (peer_ <= 0 || prediction_.value >= .8 * peer_) return;
    const double shortfall = 1 - prediction_.value / peer_;
    std::vector<Evidence> evidence{cohort(fmt::format(
        "Open deals {} have {:.0f} % at the median",
        view_.stage ? fmt::format("in {}", *view_.stage) : std::string("without a stage"), 100 * peer_))};
    add(factor::kLowProbability, "Less likely than its peers", static_cast<int>(std::lround(20 * shortfall)),
        fmt::format("{} likely to be won; its peers have {}.", percent(prediction_.value), percent(peer_)),
        std::move(evidence));
  }

  void progress() {
    if (!view_.last_step) return;
    const int ago = days_between(*view_.last_step, view_.as_of);
    if (ago > kRecentDays) return;
    add(factor::kProgress, "Moving forward", -8, fmt::format("The stage moved forward {} ago.", days(ago)),
        {change(*view_.stage_changes.back(), "Stage moved")});
  }

  void on_time() {
    if (!observes(facts_.close_date_history) || !view_.days_to_close || *view_.days_to_close < 0 ||
        view_.pushes > 0 || !view_.age_days || facts_.won_cycle.n < kEnoughVisits ||
        *view_.age_days > facts_.won_cycle.p50) {
      return;
    }
    add(factor::kOnTime, "On time", -5,
        fmt::format("The close date {} has never been moved out, and the deal is {} old.",
                    to_string(*view_.close_date), days(*view_.age_days)),
        {field_evidence(field::kCloseDate,
                        fmt::format("Expected to close on {}", to_string(*view_.close_date)))});
  }

  const DealView& view_;
  const TenantFacts& facts_;
  const Prediction& prediction_;
  double peer_;
  const RiskOptions& options_;
  const EngagementView* talk_ = nullptr;
  std::optional<double> position_;
  bool own_quantiles_ = false;
  Risk risk_;
};

}  // namespace

std::string_view to_string(RiskLevel level) {
  switch (level) {
    case RiskLevel::high:
      return "high";
    case RiskLevel::medium:
      return "medium";
    case RiskLevel::low:
      break;
  }
  return "low";
}

bool is_executive(std::string_view title) {
  static constexpr std::array kWords{"chief",   "director",  "president", "founder",  "owner",
                                     "head of", "executive", "partner",   "geschäft", "vorstand",
                                     "leiter",  "directeur", "directora", "decision", "economic buyer",
                                     "inhaber", "managing",  "gerente"};
  static constexpr std::array kShort{"ceo", "cfo",  "cto", "cio", "coo", "cmo",
                                     "cro", "ciso", "cpo", "vp",  "svp", "evp"};
  std::string lower(title);
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  // Words that look like rank and are none.
  static constexpr std::array kOrdinary{"account executive", "sales executive", "product owner",
                                        "process owner",     "partner manager", "assistant"};
  if (std::ranges::any_of(kOrdinary,
                          [&](const char* word) { return lower.find(word) != std::string::npos; })) {
    return false;
  }
  if (std::ranges::any_of(kWords, [&](const char* word) { return lower.find(word) != std::string::npos; }))
    return true;
  std::string word;
  for (const char c : lower + ' ') {
    if (std::isalpha(static_cast<unsigned char>(c))) {
      word += c;
    } else {
      if (std::ranges::any_of(kShort, [&](const char* s) { return word == s; })) return true;
      word.clear();
    }
  }
  return false;
}

Risk assess(const DealView& view, const TenantFacts& facts, const Prediction& prediction,
            double peer_probability, const RiskOptions& options, const EngagementView* engagement) {
  if (view.status != Status::open) return {};
  return Assessor(view, facts, prediction, peer_probability, options, engagement).run();
}

}  // namespace castiel::intelligence
