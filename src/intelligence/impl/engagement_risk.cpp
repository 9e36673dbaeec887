#include "intelligence/impl/engagement_risk.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "intelligence/impl/days.hpp"

namespace castiel::intelligence::impl {
namespace {

// Stage positions from which something is expected: the second, third and fourth of six usual stages.
constexpr double kTwoPeopleFrom = .25, kMeetingFrom = .4, kThreePeopleFrom = .55;
constexpr std::size_t kManyPeople = 3;
constexpr int kNoReplyDays = 7, kNoReplyMails = 2;  // ours, the first so long ago
constexpr int kRecentDays = 7;
constexpr double kUsualRate = .75;  // weighted contacts a week from which fewer of them mean something
constexpr int kVeryLateDays = 14;
constexpr std::size_t kMaxEvidence = 4;

std::string days(int n) {
  return fmt::format("{} day{}", n, n == 1 ? "" : "s");
}

Evidence absence(std::string text) {
  return {EvidenceKind::absence, std::move(text), {}, {}, {}, {}, {}};
}

std::string what_of(const Touch& touch) {
  const std::string name = touch.subject.empty() ? std::string() : fmt::format(" \"{}\"", touch.subject);
  return (touch.way == Way::both ? "Meeting" : touch.type == "message" ? "Message" : "Mail") + name;
}

std::string who_of(const Touch& touch) {
  if (touch.from) return touch.from->name.empty() ? touch.from->email : touch.from->name;
  return {};
}

class Rules {
 public:
  Rules(const DealView& view, const EngagementView& talk, std::optional<double> position,
        const RiskOptions& options)
      : view_(view), talk_(talk), position_(position), options_(options) {}

  std::vector<RiskFactor> run() {
    silence();
    people();
    departures();
    promises();
    meeting();
    words();
    rate();
    return std::move(factors_);
  }

 private:
  void add(std::string_view id, std::string label, int points, std::string detail,
           std::vector<Evidence> evidence) {
    factors_.push_back({std::string(id), std::move(label), points, std::move(detail), std::move(evidence)});
  }
  bool from(double position) const { return position_ && *position_ >= position; }

  // Our mails nobody answered, oldest first.
  std::vector<Evidence> unanswered() const {
    std::vector<Evidence> list;
    for (const Touch* touch : talk_.unanswered) {
      if (list.size() + 1 >= kMaxEvidence) break;
      list.push_back(touch_evidence(
          *touch, fmt::format("{} of {} went unanswered", what_of(*touch), to_string(date_of(touch->at)))));
    }
    return list;
  }

  void silence() {
    if (talk_.last_inbound == nullptr) {
      if (talk_.outbound < kNoReplyMails || !talk_.outbound_days || *talk_.outbound_days < kNoReplyDays ||
          talk_.unanswered.empty())
        return;
      add(factor::kNoReply, "Nobody has ever answered", 12,
          fmt::format("{} messages of ours since {} and no answer.", talk_.outbound,
                      to_string(date_of(talk_.unanswered.front()->at))),
          unanswered());
      return;
    }
    const Touch& last = *talk_.last_inbound;
    const int quiet = *talk_.inbound_days;
    std::vector<Evidence> evidence{touch_evidence(
        last, fmt::format("The last of theirs: {}{} on {}", what_of(last),
                          last.from ? " from " + who_of(last) : "", to_string(date_of(last.at))))};
    if (quiet <= options_.silence_warn_days) {
      if (quiet <= kRecentDays)
        add(factor::kRecentInbound, "They are in touch", -4, fmt::format("Heard from {} ago.", days(quiet)),
            std::move(evidence));
      return;
    }
    const bool severe = quiet > options_.silence_risk_days;
    const auto ours = unanswered();
    evidence.insert(evidence.end(), ours.begin(), ours.end());
    const auto moved = view_.last_step && last.at < *view_.last_step;
    std::string detail = fmt::format("Nothing from them for {}", days(quiet));
    if (!talk_.unanswered.empty()) detail += fmt::format(", {} of ours unanswered", talk_.unanswered.size());
    if (moved) {
      detail += fmt::format("; the stage moved on {} all the same", to_string(date_of(*view_.last_step)));
      const Change& change = *view_.stage_changes.back();
      evidence.push_back(
          {EvidenceKind::change,
           fmt::format("Stage moved from {} to {} on {}", change.old_value.value_or("nothing"),
                       change.new_value.value_or("nothing"), to_string(date_of(change.effective_at))),
           change.field, change.old_value, change.new_value, change.effective_at, change.correlation});
    }
    add(factor::kNoInbound, severe ? "They have gone quiet" : "They are getting quiet",
        (severe ? 18 : 9) + (talk_.unanswered.size() >= 2 ? 4 : 0), detail + ".", std::move(evidence));
  }

  std::vector<Evidence> people_evidence() const {
    std::vector<Evidence> evidence;
    for (std::size_t i = 0; i < talk_.engaged.size() && evidence.size() < kMaxEvidence; ++i) {
      const Touch& touch = *talk_.engaged_in[i];
      evidence.push_back(touch_evidence(touch, fmt::format("{}: {} on {}", talk_.engaged[i], what_of(touch),
                                                           to_string(date_of(touch.at)))));
    }
    return evidence;
  }

  void people() {
    const std::size_t n = talk_.engaged.size();
    if (talk_.inbound == 0) return;
    if (n >= kManyPeople) {
      add(factor::kEngaged, "Several people take part", -6,
          fmt::format("{} of theirs take part: {}.", n, fmt::join(talk_.engaged, ", ")), people_evidence());
    } else if (n <= 1 && from(kTwoPeopleFrom)) {
      auto evidence = people_evidence();
      evidence.push_back(absence("Nobody else of theirs wrote or met us"));
      add(factor::kSingleThreaded, n == 1 ? "Hangs on one person" : "Nobody takes part any more", 12,
          n == 1 ? fmt::format("Only {} ever answers.", talk_.engaged.front())
                 : std::string("Whoever answered has left."),
          std::move(evidence));
    } else if (from(kThreePeopleFrom)) {
      add(factor::kSingleThreaded, "Few people take part", 5,
          fmt::format("At stage {} only {} take part.", *view_.stage, fmt::join(talk_.engaged, " and ")),
          people_evidence());
    }
  }

  void departures() {
    if (talk_.departures.empty()) return;
    const Departure& gone = talk_.departures.front();
    auto evidence = gone.evidence;
    evidence.push_back({EvidenceKind::field,
                        gone.role.empty() ? fmt::format("{} is on the deal", gone.name)
                                          : fmt::format("{} is on the deal as {}", gone.name, gone.role),
                        "contacts",
                        {},
                        {},
                        {},
                        {}});
    add(gone.champion ? factor::kChampionLeft : factor::kContactLeft,
        gone.champion ? "The champion has left" : "A contact has left", gone.champion ? 25 : 10,
        fmt::format("{}{} is not with the customer any more.", gone.name,
                    gone.role.empty() ? "" : ", " + gone.role + ","),
        std::move(evidence));
  }

  void promises() {
    if (!talk_.overdue.empty()) {
      const Overdue& worst = talk_.overdue.front();
      std::vector<Evidence> evidence;
      for (const Overdue& item : talk_.overdue) {
        if (evidence.size() < kMaxEvidence) evidence.push_back(item.evidence);
      }
      // Who asks for it makes it pressing.
      if (talk_.waiting && evidence.size() < kMaxEvidence + 1) evidence.push_back(talk_.waiting->evidence);
      add(factor::kOverduePromise,
          worst.sending ? "What we promised was not sent" : "A promise of ours is overdue",
          (worst.sending ? 14 : 8) + (worst.days > kVeryLateDays ? 4 : 0),
          fmt::format("Promised for {}, {} ago: {}", to_string(worst.due), days(worst.days), worst.what),
          std::move(evidence));
    }
    if (talk_.waiting) {
      add(factor::kUnanswered, "They wait for an answer", talk_.waiting->days > kRecentDays ? 10 : 6,
          fmt::format("{} asked {} ago and nobody answered: {}", talk_.waiting->who,
                      days(talk_.waiting->days), talk_.waiting->what),
          {talk_.waiting->evidence});
    }
  }

  void meeting() {
    if (talk_.next_meeting != nullptr) {
      const Touch& next = *talk_.next_meeting;
      add(factor::kMeetingPlanned, "A meeting is planned", -6,
          fmt::format("{} on {}.", what_of(next), to_string(date_of(next.at))),
          {touch_evidence(next, fmt::format("{} on {}", what_of(next), to_string(date_of(next.at))))});
    } else if (talk_.sees_calendar && from(kMeetingFrom)) {
      add(factor::kNoMeeting, "No meeting planned", 7,
          fmt::format("At stage {} no meeting with them is planned.", *view_.stage),
          {absence("No meeting in the calendar, while other deals have them")});
    }
  }

  void words() {
    if (!talk_.competitor.empty()) {
      // With the offer out it is worse: they compare.
      const bool late = from(kThreePeopleFrom);
      add(factor::kCompetitor, late ? "A competitor after the offer" : "A competitor is in play",
          late ? 12 : 7,
          talk_.competitor_name.empty()
              ? std::string("They look at another offer.")
              : fmt::format("They look at another offer: {}.", talk_.competitor_name),
          talk_.competitor);
    }
    if (!talk_.budget.empty())
      add(factor::kBudgetFrozen, "The budget is frozen or cut", 15, talk_.budget.back().text, talk_.budget);
    if (!talk_.price.empty())
      add(factor::kPriceObjection, "They object to the price", 8, talk_.price.back().text, talk_.price);
    if (talk_.sour) add(factor::kSour, "The tone has soured", 6, talk_.sour->text, {*talk_.sour});
  }

  void rate() {
    if (talk_.rate_usual < kUsualRate || talk_.rate_recent >= talk_.rate_usual / 2 ||
        (talk_.inbound_days && *talk_.inbound_days > options_.silence_risk_days))
      return;
    std::vector<Evidence> evidence;
    if (talk_.last_inbound != nullptr)
      evidence.push_back(touch_evidence(
          *talk_.last_inbound, fmt::format("The last of theirs: {} on {}", what_of(*talk_.last_inbound),
                                           to_string(date_of(talk_.last_inbound->at)))));
    add(factor::kFading, "Fewer contacts than before", 5,
        fmt::format("{:.1f} a week in two weeks, {:.1f} in eight (a meeting counts four).", talk_.rate_recent,
                    talk_.rate_usual),
        std::move(evidence));
  }

  const DealView& view_;
  const EngagementView& talk_;
  std::optional<double> position_;
  const RiskOptions& options_;
  std::vector<RiskFactor> factors_;
};

}  // namespace

std::vector<RiskFactor> engagement_factors(const DealView& view, const EngagementView& talk,
                                           std::optional<double> position, const RiskOptions& options) {
  return Rules(view, talk, position, options).run();
}

}  // namespace castiel::intelligence::impl
