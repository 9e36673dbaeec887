#include "intelligence/recommend.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace castiel::intelligence {
namespace {

constexpr std::size_t kMostAdvice = 4, kMostAdviceWithTalk = 6;

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
          std::span<const DealContact> others, const EngagementView* talk)
      : view_(view),
        facts_(facts),
        risk_(risk),
        others_(others),
        talk_(talk != nullptr && talk->any ? talk : nullptr) {}

  std::vector<Recommendation> run() {
    if (const RiskFactor* stale = find(risk_, factor::kZombie)) {
      // Nothing else is worth advising on a deal that is most likely dead.
      add("close_out", "Close the deal as lost, or restart it with a new date", *stale, 50);
      return finish();
    }
    close_date();
    contacts();
    stage();
    if (talk_ != nullptr) talk();
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

  bool has_left(std::string_view name) const {
    return talk_ != nullptr &&
           std::ranges::find(talk_->departures, name, &Departure::name) != talk_->departures.end();
  }

  // Who to talk to: an executive on the deal, else its first contact, else the account.
  std::string person() const {
    const DealContact* found = nullptr;
    for (const DealContact& contact : view_.contacts) {
      if (contact.name.empty() || has_left(contact.name)) continue;
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
    } else if (const RiskFactor* one = single()) {
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

  // Too few people, by those who answer or by those in the CRM.
  const RiskFactor* single() const {
    const RiskFactor* threaded = find(risk_, factor::kSingleThreaded);
    return threaded != nullptr ? threaded : find(risk_, factor::kSingleContact);
  }

  // What was said and promised.
  void talk() {
    if (const RiskFactor* late = find(risk_, factor::kOverduePromise); late && !talk_->overdue.empty()) {
      const Overdue& promise = talk_->overdue.front();
      const std::string who = promise.owner.empty() ? "our side" : promise.owner;
      add(promise.sending ? "send_promised" : "keep_promise",
          promise.sending
              ? fmt::format("Send what {} promised for {}: {}", who, to_string(promise.due), promise.what)
              : fmt::format("Do what {} promised for {}: {}", who, to_string(promise.due), promise.what),
          *late, late->points + 3);
    }
    if (const RiskFactor* open = find(risk_, factor::kUnanswered); open && talk_->waiting) {
      add("answer_question", fmt::format("Answer {}: {}", talk_->waiting->who, talk_->waiting->what), *open,
          open->points + 2);
    }
    if (const RiskFactor* left = find(risk_, factor::kChampionLeft)) {
      add("replace_champion",
          fmt::format("Find a new champion in place of {}; start with {}", talk_->departures.front().name,
                      person()),
          *left, left->points);
    } else if (const RiskFactor* gone = find(risk_, factor::kContactLeft)) {
      add("replace_contact", fmt::format("Find out who follows {}", talk_->departures.front().name), *gone,
          gone->points);
    }
    if (const RiskFactor* budget = find(risk_, factor::kBudgetFrozen))
      add("clarify_budget", fmt::format("Clarify with {} when money is there again", person()), *budget,
          budget->points);
    if (const RiskFactor* price = find(risk_, factor::kPriceObjection))
      add("address_price", fmt::format("Answer the objection to the price with {}", person()), *price,
          price->points);
    if (const RiskFactor* other = find(risk_, factor::kCompetitor)) {
      add("answer_competitor",
          talk_->competitor_name.empty()
              ? fmt::format("Find out with {} how the other offer compares", person())
              : fmt::format("Show {} where we are better than {}", person(), talk_->competitor_name),
          *other, other->points);
    }
    if (const RiskFactor* quiet = find(risk_, factor::kNoInbound);
        quiet || (quiet = find(risk_, factor::kNoReply)))
      add("reach_out", fmt::format("Call {}: writing did not help", person()), *quiet, quiet->points);
    if (const RiskFactor* none = find(risk_, factor::kNoMeeting))
      add("plan_meeting", fmt::format("Plan the next meeting with {}", person()), *none, none->points);
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
      if (result.size() < (talk_ ? kMostAdviceWithTalk : kMostAdvice))
        result.push_back(std::move(advice.recommendation));
    }
    return result;
  }

  const DealView& view_;
  const TenantFacts& facts_;
  const Risk& risk_;
  std::span<const DealContact> others_;
  const EngagementView* talk_;
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
                                      std::span<const DealContact> account_contacts,
                                      const EngagementView* engagement) {
  if (view.status != Status::open) return {};
  return Adviser(view, facts, risk, account_contacts, engagement).run();
}

}  // namespace castiel::intelligence
