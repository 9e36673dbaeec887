#include "intelligence/recommend.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace castiel::intelligence {
namespace {

constexpr std::size_t kMostAdvice = 4;

const RiskFactor* find(const Risk& risk, std::string_view id) {
  const auto it = std::ranges::find(risk.factors, id, &RiskFactor::id);
  return it == risk.factors.end() ? nullptr : &*it;
}

struct Advice {
  Recommendation recommendation;
  double value;  // what acting on it is worth: mostly the points it may take away
};

class Adviser {
 public:
  Adviser(const DealView& view, const TenantFacts& facts, const Risk& risk,
          std::span<const DealContact> others)
      : view_(view), facts_(facts), risk_(risk), others_(others) {}

  std::vector<Recommendation> run() {
    if (const RiskFactor* stale = find(risk_, factor::kZombie)) {
      // Nothing else is worth advising on a deal that is most likely dead.
      add("close_out", "Close the deal as lost, or restart it with a new date", *stale, 50);
      return finish();
    }
    close_date();
    contacts();
    stage();
    if (const RiskFactor* cut = find(risk_, factor::kAmountCut)) {
      add("amount_cut", fmt::format("Ask {} why the amount was cut and what is left out", person()), *cut,
          cut->points);
    }
    if (const RiskFactor* owner = find(risk_, factor::kOwnerChanged)) {
      const std::string before = view_.owner_change && view_.owner_change->field == field::kOwnerName &&
                                         view_.owner_change->old_value
                                     ? *view_.owner_change->old_value
                                     : "the previous owner";
      add("hand_over", fmt::format("Get a hand-over from {}", before), *owner, owner->points + 1);
    }
    if (const RiskFactor* quiet = find(risk_, factor::kSilence)) {
      add("reach_out", fmt::format("Get in touch with {}", person()), *quiet, quiet->points);
    }
    if (const RiskFactor* step = find(risk_, factor::kNoNextStep)) {
      add("next_step", "Agree on a next step and write it down", *step, step->points);
    }
    if (const RiskFactor* amount = find(risk_, factor::kNoAmount)) {
      add("amount", "Estimate the amount", *amount, amount->points);
    }
    return finish();
  }

 private:
  void add(std::string_view id, std::string title, const RiskFactor& from, double value) {
    const Priority priority = from.points >= 15  ? Priority::high
                              : from.points >= 7 ? Priority::medium
                                                 : Priority::low;
    advice_.push_back({{std::string(id), std::move(title), from.detail, priority, from.evidence}, value});
  }

  // Who to talk to: an executive on the deal, else its first contact, else the account.
  std::string person() const {
    const DealContact* found = nullptr;
    for (const DealContact& contact : view_.contacts) {
      if (contact.name.empty()) continue;
      if (!found || (!is_executive(found->title) && is_executive(contact.title))) found = &contact;
    }
    if (found) return found->name;
    return view_.account.empty() ? "the customer" : std::string(view_.account);
  }

  void close_date() {
    if (const RiskFactor* past = find(risk_, factor::kCloseDatePast)) {
      add("confirm_close_date", fmt::format("Agree on a new close date with {}", person()), *past,
          past->points + 2);
    } else if (const RiskFactor* pushed = find(risk_, factor::kPushed)) {
      add("confirm_close_date",
          view_.close_date
              ? fmt::format("Have {} confirm the close date {}", person(), to_string(*view_.close_date))
              : fmt::format("Have {} confirm a close date", person()),
          *pushed, pushed->points);
    } else if (const RiskFactor* none = find(risk_, factor::kNoCloseDate)) {
      add("set_close_date", "Set an expected close date", *none, none->points);
    }
  }

  // Somebody of the account who is not on the deal yet, executives first.
  const DealContact* candidate() const {
    const DealContact* found = nullptr;
    for (const DealContact& other : others_) {
      const bool known = std::ranges::any_of(view_.contacts, [&](const DealContact& contact) {
        return contact.id == other.id || (!contact.email.empty() && contact.email == other.email);
      });
      if (known || other.name.empty()) continue;
      if (!found || (!is_executive(found->title) && is_executive(other.title))) found = &other;
    }
    return found;
  }

  void contacts() {
    const DealContact* other = candidate();
    const std::string who =
        other ? other->title.empty() ? other->name : other->name + ", " + other->title : std::string();
    if (const RiskFactor* none = find(risk_, factor::kNoContact)) {
      add("add_contact",
          other ? fmt::format("Add a contact: {}", who) : "Find out who decides and add the contact", *none,
          none->points + 1);
    } else if (const RiskFactor* one = find(risk_, factor::kSingleContact)) {
      add("multi_thread",
          other ? fmt::format("Bring in a second contact: {}", who)
                : fmt::format("Ask {} who else is involved", person()),
          *one, one->points);
    } else if (const RiskFactor* executive = find(risk_, factor::kNoExecutive)) {
      add("find_decision_maker",
          other && is_executive(other->title) ? fmt::format("Involve a decision maker: {}", who)
                                              : fmt::format("Ask {} who signs", person()),
          *executive, executive->points);
    }
  }

  // The usual stages a deal jumped over, in words.
  std::string skipped_stages() const {
    std::string names;
    const std::string process = process_of(*view_.deal);
    for (const Change* change : view_.skip_changes) {
      const StageFact* from = facts_.stage(change->old_value.value_or(""));
      const StageFact* to = facts_.stage(change->new_value.value_or(""));
      if (!from || !to) continue;
      for (const StageFact& stage : facts_.stages) {
        if (stage.order > from->order && stage.order < to->order && !stage.closing &&
            std::ranges::find(stage.usual_in, process) != stage.usual_in.end()) {
          names += (names.empty() ? "" : ", ") + stage.name;
        }
      }
    }
    return names.empty() ? "the skipped stage" : names;
  }

  void stage() {
    if (const RiskFactor* back = find(risk_, factor::kRegressed)) {
      add("stage_regressed", fmt::format("Find out with {} what is missing to move forward again", person()),
          *back, back->points);
    } else if (const RiskFactor* skipped = find(risk_, factor::kSkipped)) {
      add("skipped_stage", fmt::format("Make up for what was skipped: {}", skipped_stages()), *skipped,
          skipped->points);
    }
    if (const RiskFactor* stuck = find(risk_, factor::kStageAge)) {
      add("unblock_stage", fmt::format("Ask {} what keeps the deal in {}", person(), *view_.stage), *stuck,
          stuck->points - 1);
    } else if (const RiskFactor* old = find(risk_, factor::kAge)) {
      add("requalify", fmt::format("Check with {} whether the need and the budget still exist", person()),
          *old, old->points - 1);
    }
  }

  std::vector<Recommendation> finish() {
    std::ranges::stable_sort(advice_, std::ranges::greater(), &Advice::value);
    std::vector<Recommendation> result;
    for (Advice& advice : advice_) {
      if (result.size() < kMostAdvice) result.push_back(std::move(advice.recommendation));
    }
    return result;
  }

  const DealView& view_;
  const TenantFacts& facts_;
  const Risk& risk_;
  std::span<const DealContact> others_;
  std::vector<Advice> advice_;
};

}  // namespace

std::string_view to_string(Priority priority) {
  switch (priority) {
    case Priority::high:
      return "high";
    case Priority::low:
      return "low";
    case Priority::medium:
      break;
  }
  return "medium";
}

std::vector<Recommendation> recommend(const DealView& view, const TenantFacts& facts, const Risk& risk,
                                      std::span<const DealContact> account_contacts) {
  if (view.status != Status::open) return {};
  return Adviser(view, facts, risk, account_contacts).run();
}

}  // namespace castiel::intelligence
