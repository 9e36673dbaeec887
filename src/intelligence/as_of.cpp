#include "intelligence/as_of.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "intelligence/impl/days.hpp"
#include "intelligence/impl/stages.hpp"

namespace castiel::intelligence {
namespace {

using impl::date_text;
using impl::days_between;
using impl::decimal_text;
using impl::in_view;

// The value of one field as of the view, after the rules in the header.
struct FieldState {
  enum class Source { change, present, unknown } source = Source::unknown;
  const std::optional<std::string>* text = nullptr;  // set for Source::change
};

class Reader {
 public:
  Reader(const Deal& deal, Timestamp as_of, Timestamp known_at, const TenantFacts* facts)
      : deal_(deal), as_of_(as_of), known_at_(known_at), facts_(facts) {
    holds_ = as_of >= impl::state_from(deal) && known_at >= deal.recorded_at;
  }

  bool present_holds() const { return holds_; }

  FieldState state(std::string_view field, const TenantFacts::Tracking TenantFacts::* tracking) const {
    const Change* last = nullptr;
    const Change* later = nullptr;
    for (const Change& change : deal_.history) {
      if (change.field != field) continue;
      if (in_view(change, as_of_, known_at_)) {
        last = &change;
      } else if (!later) {
        later = &change;
      }
    }
    using enum FieldState::Source;
    if (!later && holds_) return {present, nullptr};
    if (last) return {change, &last->new_value};
    if (later) return {change, &later->old_value};
    if (tracking && facts_ && (facts_->*tracking).reaches_back) return {present, nullptr};
    return {};
  }

 private:
  const Deal& deal_;
  Timestamp as_of_, known_at_;
  const TenantFacts* facts_;
  bool holds_ = false;
};

std::optional<double> fraction_text(const std::optional<std::string>& text) {
  const auto value = decimal_text(text);
  if (!value) return std::nullopt;
  const double p = value->to_double();
  return p >= 0 && p <= 1 ? std::optional(p) : std::nullopt;
}

const Change* closing_change(const Deal& deal) {
  const Change* found = nullptr;
  for (const Change& change : deal.history) {
    if (!change.new_value) continue;
    const bool closes = change.field == field::kStatus
                            ? parse_status(*change.new_value) == deal.status
                            : change.field == field::kStage && *change.new_value == deal.stage;
    if (closes) found = &change;
  }
  return found;
}

// A change of status or stage that says whether the deal is open afterwards.
std::optional<Status> status_after(const Change& change, const Deal& deal, const TenantFacts* facts) {
  if (!change.new_value) return std::nullopt;
  if (change.field == field::kStatus) return parse_status(*change.new_value);
  if (change.field != field::kStage) return std::nullopt;
  if (const auto closing = impl::closing_status(*change.new_value, facts)) return closing;
  // A name of the tenant's own ("Signed"): the deal that ended there tells its meaning.
  if (deal.status != Status::open && *change.new_value == deal.stage && &change == closing_change(deal)) {
    return deal.status;
  }
  return Status::open;
}

void read_status(const Deal& deal, const TenantFacts* facts, DealView& view) {
  for (const Change& change : deal.history) {
    if (!in_view(change, view.as_of, view.known_at)) continue;
    const auto status = status_after(change, deal, facts);
    // A stage that says nothing does not reopen what a status closed.
    if (!status || (*status == Status::open && change.field == field::kStage && view.status != Status::open &&
                    change.effective_at == view.closed_at)) {
      continue;
    }
    if (*status == view.status) continue;
    view.status = *status;
    view.closed_at = *status == Status::open ? std::nullopt : std::optional(change.effective_at);
  }
  if (view.status != Status::open || deal.status == Status::open || closing_change(deal)) return;
  // The closing itself left no change: its date tells.
  if (const auto at = closed_at(deal); at && *at <= view.as_of && view.known_at >= deal.recorded_at) {
    view.status = deal.status;
    view.closed_at = at;
  }
}

void read_values(const Deal& deal, const Reader& reader, DealView& view) {
  using enum FieldState::Source;
  if (const auto s = reader.state(field::kStage, &TenantFacts::stage_history); s.source == present) {
    if (!deal.stage.empty()) view.stage = deal.stage;
  } else if (s.text && *s.text && !(*s.text)->empty()) {
    view.stage = **s.text;
  }
  if (const auto s = reader.state(field::kAmount, &TenantFacts::amount_history); s.source == present) {
    view.amount = deal.amount;
  } else if (s.text) {
    view.amount = decimal_text(*s.text);
  }
  if (const auto s = reader.state(field::kCloseDate, &TenantFacts::close_date_history); s.source == present) {
    view.close_date = deal.close_date;
  } else if (s.text) {
    view.close_date = date_text(*s.text);
  }
  if (const auto s = reader.state(field::kProbability, &TenantFacts::probability_history);
      s.source == present) {
    view.source_probability = deal.source_probability;
  } else if (s.text) {
    view.source_probability = fraction_text(*s.text);
  }
  if (const auto s = reader.state(field::kNextStep, &TenantFacts::next_step_history); s.source == present) {
    view.next_step = deal.next_step;
  } else if (s.text) {
    view.next_step = *s.text ? std::string_view(**s.text) : std::string_view();
  }
  // Owners are no outcome: without any change on record the present one counts for the past as well.
  if (!deal.owner.empty()) view.owner = deal.owner;
  if (const auto s = reader.state(field::kOwnerName, nullptr); s.text && *s.text && !(*s.text)->empty()) {
    view.owner = **s.text;
  } else if (const auto id = reader.state(field::kOwnerId, nullptr);
             id.text && *id.text && **id.text != deal.owner_id) {
    view.owner = **id.text;
  }
}

void count_close_date(const Change& change, DealView& view) {
  const auto from = date_text(change.old_value), to = date_text(change.new_value);
  if (!from || !to || *from == *to) return;
  if (*to > *from) {
    ++view.pushes;
    view.push_days += *to - *from;
    view.push_changes.push_back(&change);
  } else {
    ++view.pulls;
  }
}

void count_amount(const Change& change, DealView& view, double& largest) {
  const auto from = decimal_text(change.old_value), to = decimal_text(change.new_value);
  if (from) largest = std::max(largest, from->to_double());
  if (to) largest = std::max(largest, to->to_double());
  if (!from || !to || *from == *to || from->is_zero()) return;
  if (*to < *from) {
    ++view.amount_cuts;
    view.cut_changes.push_back(&change);
  } else {
    ++view.amount_raises;
  }
}

void count_stage(const Change& change, const TenantFacts* facts, DealView& view,
                 std::vector<std::string_view>& visited) {
  if (!change.new_value) return;
  view.stage_changes.push_back(&change);
  if (change.old_value) visited.push_back(*change.old_value);
  const std::string_view to = *change.new_value;
  if (change.old_value && !impl::closing_status(to, facts)) {
    const int order = impl::compare_stages(*change.old_value, to, facts);
    if (order < 0) {
      ++view.stage_steps;
      view.last_step = change.effective_at;
      const int skipped = impl::stages_skipped(*change.old_value, to, facts, process_of(*view.deal), visited);
      if (skipped > 0) {
        view.skips += skipped;
        view.skip_changes.push_back(&change);
      }
    } else if (order > 0) {
      ++view.regressions;
      view.regression_changes.push_back(&change);
    }
  }
  visited.push_back(to);
}

void count_changes(const Deal& deal, const TenantFacts* facts, DealView& view) {
  bool ids = false;  // owners are counted by id where the history has ids, so that a rename is no change
  for (const Change& change : deal.history) {
    if (change.field == field::kOwnerId && in_view(change, view.as_of, view.known_at)) ids = true;
  }
  const std::string_view owner_field = ids ? field::kOwnerId : field::kOwnerName;
  std::vector<std::string_view> visited;
  double largest = 0;
  for (const Change& change : deal.history) {
    if (!in_view(change, view.as_of, view.known_at)) continue;
    ++view.changes;
    view.last_change = std::max(view.last_change.value_or(change.effective_at), change.effective_at);
    if (change.field == field::kCloseDate) {
      count_close_date(change, view);
    } else if (change.field == field::kAmount) {
      count_amount(change, view, largest);
    } else if (change.field == field::kStage) {
      count_stage(change, facts, view, visited);
    } else if (change.field == owner_field && change.old_value && !change.old_value->empty() &&
               change.new_value && *change.new_value != *change.old_value) {
      ++view.owner_changes;
      view.owner_change = &change;
      view.last_owner_change = change.effective_at;
    }
  }
  if (view.amount && largest > 0) {
    view.amount_cut_share = std::clamp(1 - view.amount->to_double() / largest, 0.0, 1.0);
  }
}

void read_times(const Deal& deal, const TenantFacts* facts, DealView& view) {
  const Timestamp until = view.closed_at.value_or(view.as_of);
  if (view.created) view.age_days = days_between(start_of(*view.created), until);
  if (view.close_date) view.days_to_close = *view.close_date - date_of(view.as_of);

  // Whether the history of this deal covers the time before Castiel stored it.
  const bool back = facts ? facts->stage_history.reaches_back
                          : std::ranges::any_of(deal.history, [&](const Change& change) {
                              return change.field == field::kStage &&
                                     in_view(change, view.as_of, view.known_at) &&
                                     change.effective_at < deal.recorded_at;
                            });
  if (!view.stage_changes.empty()) {
    view.stage_since = view.stage_changes.back()->effective_at;
  } else if (view.current && deal.last_stage_change && *deal.last_stage_change <= view.as_of) {
    view.stage_since = deal.last_stage_change;
  } else if (back && view.created) {
    view.stage_since = start_of(*view.created);
  }
  if (view.stage_since) view.stage_age_days = days_between(*view.stage_since, until);

  if (view.current && deal.last_activity && *deal.last_activity <= date_of(view.as_of)) {
    const Timestamp activity = start_of(*deal.last_activity);
    view.last_change = std::max(view.last_change.value_or(activity), activity);
  }
  // Silence needs an observer: a history that reaches back, an activity date, or Castiel watching since
  // recorded_at.
  const bool any_back = facts ? facts->history_reaches_back : back;
  std::optional<Timestamp> quiet_since = view.last_change;
  if (view.created && (any_back || quiet_since)) {
    quiet_since = std::max(quiet_since.value_or(start_of(*view.created)), start_of(*view.created));
  }
  if (!any_back && facts && facts->has_history && deal.recorded_at <= view.as_of) {
    quiet_since = std::max(quiet_since.value_or(deal.recorded_at), deal.recorded_at);
  }
  if (quiet_since) view.silence_days = days_between(*quiet_since, until);
}

}  // namespace

std::optional<Timestamp> closed_at(const Deal& deal) {
  if (deal.status == Status::open) return std::nullopt;
  if (const Change* change = closing_change(deal)) return change->effective_at;
  const Timestamp latest = impl::state_from(deal);
  return deal.close_date ? std::min(impl::end_of(*deal.close_date), latest) : latest;
}

DealView view_as_of(const Deal& deal, Timestamp as_of, Timestamp known_at, const TenantFacts* facts) {
  DealView view;
  view.deal = &deal;
  view.as_of = as_of;
  view.known_at = known_at;
  view.account = deal.account;
  view.type = deal.type;
  view.lead_source = deal.lead_source;
  view.product = deal.product;
  view.team = deal.team;
  view.pipeline = deal.pipeline;
  view.created = deal.created;

  const Reader reader(deal, as_of, known_at, facts);
  view.current = reader.present_holds();
  if (deal.created) {
    view.exists = *deal.created <= date_of(as_of);
  } else {
    view.exists = view.current || std::ranges::any_of(deal.history, [&](const Change& change) {
                    return in_view(change, as_of, known_at);
                  });
  }
  read_status(deal, facts, view);
  read_values(deal, reader, view);
  count_changes(deal, facts, view);
  read_times(deal, facts, view);
  view.contacts_known = view.current;
  if (view.contacts_known) view.contacts = deal.contacts;
  return view;
}

std::optional<Timestamp> newest_source_change(std::span<const Deal> deals) {
  std::optional<Timestamp> newest;
  const auto see = [&](Timestamp t) { newest = std::max(newest.value_or(t), t); };
  for (const Deal& deal : deals) {
    if (deal.created) see(start_of(*deal.created));
    if (deal.last_activity) see(start_of(*deal.last_activity));
    if (deal.last_stage_change) see(*deal.last_stage_change);
    if (deal.status != Status::open && deal.close_date) {
      see(std::min(impl::end_of(*deal.close_date), deal.recorded_at));
    }
    if (!deal.history.empty()) see(deal.history.back().effective_at);
  }
  return newest;
}

void date_states(std::span<Deal> deals) {
  std::map<std::string, std::optional<Timestamp>, std::less<>> newest;
  for (const Deal& deal : deals) {
    auto& of_integration = newest[deal.integration];
    if (const auto t = newest_source_change({&deal, 1}))
      of_integration = std::max(of_integration.value_or(*t), *t);
  }
  for (Deal& deal : deals) {
    if (deal.state_at) continue;
    deal.state_at = std::min(newest[deal.integration].value_or(deal.recorded_at), deal.recorded_at);
  }
}

AsOfChoice choose_as_of(std::optional<Timestamp> newest_source_change, Timestamp now, int stale_days) {
  if (!newest_source_change || days_between(*newest_source_change, now) <= stale_days) return {now, "now"};
  return {*newest_source_change, "newest_change"};
}

}  // namespace castiel::intelligence
