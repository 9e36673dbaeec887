#include "intelligence/facts.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <set>

#include "intelligence/as_of.hpp"
#include "intelligence/impl/days.hpp"
#include "intelligence/impl/stages.hpp"
#include "model/entity.hpp"

namespace castiel::intelligence {
namespace {

using impl::date_text;
using impl::days_between;
using impl::in_view;

constexpr double kCarriedShare = 0.10;  // a field at least this many deals have is one the source carries
constexpr double kTrackedShare = 0.01;  // the same for fields with changes
constexpr int kEnoughForUsual = 10;     // won deals before a rarely visited stage counts as optional

struct NamedPosition {
  std::string_view word;
  double position;
};
// The common vocabulary of sales stages; the first word found decides.
constexpr std::array kUsualPositions{
    NamedPosition{"closed", 1.0},     NamedPosition{"negotiat", .8},   NamedPosition{"contract", .85},
    NamedPosition{"verbal", .9},      NamedPosition{"commit", .9},     NamedPosition{"sign", .9},
    NamedPosition{"legal", .85},      NamedPosition{"procure", .85},   NamedPosition{"decision", .7},
    NamedPosition{"proposal", .6},    NamedPosition{"quote", .6},      NamedPosition{"offer", .6},
    NamedPosition{"angebot", .6},     NamedPosition{"pricing", .6},    NamedPosition{"perception", .5},
    NamedPosition{"trial", .5},       NamedPosition{"pilot", .5},      NamedPosition{"poc", .5},
    NamedPosition{"evaluat", .5},     NamedPosition{"value prop", .4}, NamedPosition{"presentation", .4},
    NamedPosition{"demo", .4},        NamedPosition{"solution", .4},   NamedPosition{"needs", .3},
    NamedPosition{"discover", .25},   NamedPosition{"engag", .3},      NamedPosition{"meeting", .25},
    NamedPosition{"appointment", .2}, NamedPosition{"qualif", .2},     NamedPosition{"contact", .15},
    NamedPosition{"prospect", .1},    NamedPosition{"lead", .1},       NamedPosition{"new", .05},
};

Spread spread(std::vector<double> values) {
  Spread result;
  result.n = static_cast<int>(values.size());
  if (values.empty()) return result;
  std::ranges::sort(values);
  const auto at = [&](double q) {
    return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
  };
  result.p25 = at(.25);
  result.p50 = at(.5);
  result.p75 = at(.75);
  result.p90 = at(.9);
  result.max = values.back();
  return result;
}

double quantile(std::vector<double>& values, double q) {
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

bool is_share(int part, int whole, double share) {
  return part > 0 && part >= share * whole;
}

struct Visit {
  std::string_view stage;
  Timestamp from;
  std::optional<Timestamp> to;
};

// The stages of a deal in view, oldest first; the first starts at creation where the history covers it.
std::vector<Visit> visits(const Deal& deal, Timestamp as_of, Timestamp known_at,
                          std::optional<Timestamp> closed) {
  std::vector<Visit> result;
  for (const Change& change : deal.history) {
    if (change.field != field::kStage || !in_view(change, as_of, known_at)) continue;
    if (result.empty() && change.old_value && deal.created) {
      result.push_back({*change.old_value, std::min(start_of(*deal.created), change.effective_at), {}});
    }
    if (!result.empty()) result.back().to = change.effective_at;
    if (change.new_value) result.push_back({*change.new_value, change.effective_at, {}});
  }
  if (!result.empty() && closed && !result.back().to && result.back().from < *closed)
    result.back().to = closed;
  return result;
}

// What is known of one stage name while the deals are read.
struct StageSeen {
  int open = 0, won = 0, lost = 0;  // deals standing in it
  int left = 0;                     // changes out of it
  std::vector<double> won_days;
  std::map<std::string, int, std::less<>>
      processes;  // where it occurs, with the won deals that went through it
  double probability_sum = 0;
  int probability_count = 0;
  double position = 0.5;
};
using StagesSeen = std::map<std::string_view, StageSeen, std::less<>>;
using Precedence = std::map<std::pair<std::string_view, std::string_view>, int>;

std::optional<Status> closing_of(std::string_view name, const StageSeen& seen) {
  const auto named = parse_status(model::status_of_stage(name));
  if (named != Status::open) return named;
  if (seen.open > 0 || seen.left > 0) return std::nullopt;
  if (seen.won >= 3 && seen.lost == 0) return Status::won;
  if (seen.lost >= 3 && seen.won == 0) return Status::lost;
  return std::nullopt;
}

// Learnt order: a stage's place is the number of stages it follows more often than it precedes them
// (Copeland); pairs that never met fall back to their positions.
std::vector<std::string_view> order_stages(const StagesSeen& seen, const Precedence& before) {
  std::vector<std::pair<double, std::string_view>> scored;
  for (const auto& [name, own] : seen) {
    if (closing_of(name, own)) continue;
    double score = 0;
    for (const auto& [other, theirs] : seen) {
      if (other == name || closing_of(other, theirs)) continue;
      const auto count = [&](std::string_view a, std::string_view b) {
        const auto it = before.find({a, b});
        return it == before.end() ? 0 : it->second;
      };
      const int after = count(other, name), ahead = count(name, other);
      if (after != ahead) {
        score += after > ahead;
      } else {
        score += own.position > theirs.position ? 1 : own.position == theirs.position ? .5 : 0;
      }
    }
    scored.emplace_back(score + own.position * 1e-3, name);
  }
  std::ranges::sort(scored);
  std::vector<std::string_view> names;
  for (const auto& [_, name] : scored) names.push_back(name);
  return names;
}

class Observer {
 public:
  Observer(Timestamp as_of, Timestamp known_at) : as_of_(as_of), known_at_(known_at) { facts_.as_of = as_of; }

  void see(const Deal& deal) {
    const auto closed = closed_at(deal);
    const bool is_closed = closed && *closed <= as_of_;
    if (deal.created ? *deal.created > date_of(as_of_) : deal.recorded_at > known_at_) return;
    ++facts_.deals;
    const bool present = as_of_ >= impl::state_from(deal);
    const Status status = is_closed ? deal.status : Status::open;
    status == Status::open ? ++facts_.open : status == Status::won ? ++facts_.won : ++facts_.lost;
    created_ += deal.created.has_value();
    if (status == Status::open && present) see_fields(deal);
    if (present || is_closed) see_stage(deal, status);
    see_history(deal, status, is_closed ? closed : std::nullopt);
  }

  TenantFacts finish(std::span<const std::string> stage_order) {
    const int deals = facts_.deals;
    facts_.has_created = is_share(created_, deals, kCarriedShare);
    facts_.has_amount = is_share(amounts_, present_open_, kCarriedShare);
    facts_.has_close_date = is_share(close_dates_, present_open_, kCarriedShare);
    facts_.has_next_step = is_share(next_steps_, present_open_, kCarriedShare);
    facts_.has_activity = is_share(activities_, present_open_, kCarriedShare);
    facts_.has_source_probability = is_share(probabilities_, present_open_, kCarriedShare);
    facts_.has_contacts = is_share(contacts_, present_open_, kCarriedShare);
    facts_.has_contact_titles = is_share(titles_, present_open_, kCarriedShare);
    const auto tracking = [&](const Counter& counter) {
      return TenantFacts::Tracking{is_share(counter.any, deals, kTrackedShare),
                                   is_share(counter.back, deals, kTrackedShare)};
    };
    facts_.stage_history = tracking(stage_);
    facts_.amount_history = tracking(amount_);
    facts_.close_date_history = tracking(close_date_);
    facts_.owner_history = tracking(owner_);
    facts_.probability_history = tracking(probability_);
    facts_.next_step_history = tracking(next_step_);
    const auto all = tracking(all_);
    facts_.has_history = all.any;
    facts_.history_reaches_back = all.reaches_back;
    facts_.won_cycle = spread(std::move(won_cycle_));
    facts_.lost_cycle = spread(std::move(lost_cycle_));
    if (facts_.close_date_history.any) facts_.won_pushes = spread(std::move(won_pushes_));
    facts_.won_silence = spread(std::move(won_silence_));
    facts_.won_amount = spread(std::move(won_amount_));
    finish_stages(stage_order);
    return std::move(facts_);
  }

 private:
  struct Counter {
    int any = 0, back = 0;  // deals
    bool now_any = false, now_back = false;
    void see(bool reaches_back) {
      now_any = true;
      now_back |= reaches_back;
    }
    void next() {
      any += now_any;
      back += now_back;
      now_any = now_back = false;
    }
  };

  void see_fields(const Deal& deal) {
    ++present_open_;
    amounts_ += deal.amount.has_value();
    close_dates_ += deal.close_date.has_value();
    next_steps_ += !deal.next_step.empty();
    activities_ += deal.last_activity.has_value();
    probabilities_ += deal.source_probability.has_value();
    contacts_ += !deal.contacts.empty();
    titles_ +=
        std::ranges::any_of(deal.contacts, [](const DealContact& contact) { return !contact.title.empty(); });
  }

  void see_stage(const Deal& deal, Status status) {
    if (deal.stage.empty()) return;
    StageSeen& seen = stages_[deal.stage];
    seen.processes[process_of(deal)];
    status == Status::open ? ++seen.open : status == Status::won ? ++seen.won : ++seen.lost;
    if (status == Status::open && deal.source_probability) {
      seen.probability_sum += *deal.source_probability;
      ++seen.probability_count;
    }
  }

  void see_history(const Deal& deal, Status status, std::optional<Timestamp> closed) {
    Timestamp last = deal.created ? start_of(*deal.created) : Timestamp{};
    bool reaches_back = false;
    int pushes = 0, gap = 0;
    for (const Change& change : deal.history) {
      if (!in_view(change, as_of_, known_at_)) continue;
      const bool back = change.origin == "history_export" ||
                        change.effective_at.micros + 2 * impl::kDayMicros < deal.recorded_at.micros;
      reaches_back |= back;
      if (last.micros > 0) gap = std::max(gap, days_between(last, change.effective_at));
      last = change.effective_at;
      all_.see(back);
      if (change.field == field::kStage) {
        stage_.see(back);
        if (change.old_value) ++stages_[*change.old_value].left;
      } else if (change.field == field::kAmount) {
        amount_.see(back);
      } else if (change.field == field::kCloseDate) {
        close_date_.see(back);
        const auto from = date_text(change.old_value), to = date_text(change.new_value);
        pushes += from && to && *to > *from;
      } else if (change.field == field::kOwnerId || change.field == field::kOwnerName) {
        owner_.see(back);
      } else if (change.field == field::kProbability) {
        probability_.see(back);
      } else if (change.field == field::kNextStep) {
        next_step_.see(back);
      }
    }
    for (Counter* counter : {&all_, &stage_, &amount_, &close_date_, &owner_, &probability_, &next_step_}) {
      counter->next();
    }
    see_visits(deal, status, closed);
    if (!closed) return;
    if (deal.created) {
      const auto days = static_cast<double>(days_between(start_of(*deal.created), *closed));
      (status == Status::won ? won_cycle_ : lost_cycle_).push_back(days);
    }
    if (status != Status::won) return;
    won_pushes_.push_back(pushes);
    if (reaches_back && last.micros > 0) {
      won_silence_.push_back(std::max(gap, days_between(last, *closed)));
    }
    if (deal.amount && !deal.amount->is_zero()) won_amount_.push_back(deal.amount->to_double());
  }

  void see_visits(const Deal& deal, Status status, std::optional<Timestamp> closed) {
    const auto stages = visits(deal, as_of_, known_at_, closed);
    const std::string process = process_of(deal);
    std::vector<std::string_view> first_entries;
    for (const Visit& visit : stages) {
      if (std::ranges::find(first_entries, visit.stage) == first_entries.end()) {
        for (const auto earlier : first_entries) ++before_[{earlier, visit.stage}];
        first_entries.push_back(visit.stage);
      }
      StageSeen& seen = stages_[visit.stage];
      seen.processes[process];
      if (status == Status::won && visit.to) {
        seen.won_days.push_back(static_cast<double>(days_between(visit.from, *visit.to)));
      }
    }
    if (status == Status::won && stages.size() > 1) {
      ++won_with_stages_[process];
      for (const auto stage : first_entries) ++stages_[stage].processes[process];
    }
  }

  void finish_stages(std::span<const std::string> given) {
    for (auto& [name, seen] : stages_) {
      if (const auto usual = usual_position(name)) {
        seen.position = *usual;
      } else if (seen.probability_count > 0) {
        seen.position = seen.probability_sum / seen.probability_count;
      }
    }
    std::vector<std::string_view> order;
    for (const auto& name : given) order.push_back(name);
    for (const auto name : order_stages(stages_, before_)) {
      if (std::ranges::find(order, name) == order.end()) order.push_back(name);
    }
    const int open_stages = static_cast<int>(order.size());
    for (const auto& [name, seen] : stages_) {
      if (closing_of(name, seen) && std::ranges::find(order, name) == order.end()) order.push_back(name);
    }
    for (std::size_t i = 0; i < order.size(); ++i) {
      StageFact fact;
      fact.name = order[i];
      fact.order = static_cast<int>(i) + 1;
      const auto it = stages_.find(order[i]);
      if (static_cast<int>(i) >= open_stages) {
        fact.closing = closing_of(order[i], it->second);
        fact.position = 1;
      } else {
        // From the name and, the more stages there are, from the rank: one stage alone has no rank to speak
        // of.
        const double rank = (static_cast<double>(i) + .5) / open_stages;
        const double weight = std::min(.5, .15 * (open_stages - 1));
        fact.position = it == stages_.end() ? rank : weight * rank + (1 - weight) * it->second.position;
      }
      if (it != stages_.end()) {
        StageSeen& seen = it->second;
        fact.won_visits = static_cast<int>(seen.won_days.size());
        if (fact.won_visits > 0) {
          fact.median_days = quantile(seen.won_days, .5);
          fact.p80_days = quantile(seen.won_days, .8);
          fact.p95_days = quantile(seen.won_days, .95);
        }
        for (const auto& [process, won] : seen.processes) {
          const auto all = won_with_stages_.find(process);
          const int of = all == won_with_stages_.end() ? 0 : all->second;
          if (of < kEnoughForUsual || 2 * won >= of) fact.usual_in.push_back(process);
        }
      }
      facts_.stages.push_back(std::move(fact));
    }
  }

  Timestamp as_of_, known_at_;
  TenantFacts facts_;
  int created_ = 0, present_open_ = 0, amounts_ = 0, close_dates_ = 0, next_steps_ = 0, activities_ = 0,
      probabilities_ = 0, contacts_ = 0, titles_ = 0;
  std::map<std::string, int, std::less<>> won_with_stages_;  // won deals with a known course, by process
  Counter all_, stage_, amount_, close_date_, owner_, probability_, next_step_;
  StagesSeen stages_;
  Precedence before_;
  std::vector<double> won_cycle_, lost_cycle_, won_pushes_, won_silence_, won_amount_;
};

}  // namespace

const StageFact* TenantFacts::stage(std::string_view name) const {
  const auto it = std::ranges::find(stages, name, &StageFact::name);
  return it == stages.end() ? nullptr : &*it;
}

double TenantFacts::position_of(std::string_view stage_name) const {
  if (const StageFact* fact = stage(stage_name)) return fact->position;
  return usual_position(stage_name).value_or(.5);
}

std::optional<double> usual_position(std::string_view stage_name) {
  std::string lower(stage_name);
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const auto& [word, position] : kUsualPositions) {
    if (lower.find(word) != std::string::npos) return position;
  }
  return std::nullopt;
}

TenantFacts observe(std::span<const Deal> deals, Timestamp as_of, Timestamp known_at,
                    std::span<const std::string> stage_order) {
  Observer observer(as_of, known_at);
  for (const Deal& deal : deals) observer.see(deal);
  return observer.finish(stage_order);
}

namespace impl {

std::optional<Status> closing_status(std::string_view stage, const TenantFacts* facts) {
  const auto named = parse_status(model::status_of_stage(stage));
  if (named != Status::open) return named;
  if (facts) {
    if (const StageFact* fact = facts->stage(stage)) return fact->closing;
  }
  return std::nullopt;
}

int compare_stages(std::string_view from, std::string_view to, const TenantFacts* facts) {
  if (from == to) return 0;
  const StageFact* a = facts ? facts->stage(from) : nullptr;
  const StageFact* b = facts ? facts->stage(to) : nullptr;
  if (a && b) return a->order < b->order ? -1 : 1;
  const auto pa = usual_position(from), pb = usual_position(to);
  if (!pa || !pb || *pa == *pb) return 0;
  return *pa < *pb ? -1 : 1;
}

int stages_skipped(std::string_view from, std::string_view to, const TenantFacts* facts,
                   std::string_view process, std::span<const std::string_view> visited) {
  const StageFact* a = facts ? facts->stage(from) : nullptr;
  const StageFact* b = facts ? facts->stage(to) : nullptr;
  if (!a || !b) return 0;
  return static_cast<int>(std::ranges::count_if(facts->stages, [&](const StageFact& stage) {
    return stage.order > a->order && stage.order < b->order && !stage.closing &&
           std::ranges::find(stage.usual_in, process) != stage.usual_in.end() &&
           std::ranges::find(visited, stage.name) == visited.end();
  }));
}

}  // namespace impl
}  // namespace castiel::intelligence
