#include "intelligence/engagement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "content/name_key.hpp"
#include "intelligence/impl/cues.hpp"
#include "intelligence/impl/days.hpp"

namespace castiel::intelligence {
namespace {

using impl::days_between;

constexpr int kRecentDays = 14, kUsualDays = 56;  // windows of the rate of contacts
constexpr int kOverdueDays = 3;                   // a promise this late counts
constexpr int kWaitingDays = 3;                   // a question open for so long counts
constexpr int kForgottenDays = 90;                // older words and promises say little of today
constexpr double kSureEnough = .5;                // of a task
constexpr std::size_t kMaxEvidence = 4;
constexpr std::size_t kSourMails = 5;  // of a person before a mean counts
constexpr double kMeetingWeight = 4, kMailWeight = 1, kChatWeight = .3;

double weight_of(const Touch& touch) {
  return touch.way == Way::both ? kMeetingWeight : touch.type == "message" ? kChatWeight : kMailWeight;
}

std::string quoted(std::string_view text) {
  return fmt::format("\"{}\"", text);
}
std::string day_of(Timestamp at) {
  return to_string(date_of(at));
}

// Who is who on a deal: an address where one is known, else the key of the name.
class People {
 public:
  void learn(const Someone& one) {
    if (one.email.empty()) return;
    const auto key = content::name_key(one.name);
    if (!key.empty()) by_name_.try_emplace(key, one.email);
    if (!one.name.empty()) names_.try_emplace(one.email, one.name);
  }
  void learn(const DealContact& contact) {
    std::string email = contact.email;
    for (char& c : email) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    learn(Someone{email, contact.name});
  }
  std::string id(const Someone& one) const {
    if (!one.email.empty()) return one.email;
    const auto key = content::name_key(one.name);
    const auto it = by_name_.find(key);
    return it == by_name_.end() ? key : it->second;
  }
  std::string name(const Someone& one) const {
    const auto it = names_.find(id(one));
    return it != names_.end() ? it->second : one.name.empty() ? one.email : one.name;
  }

 private:
  std::map<std::string, std::string> by_name_, names_;
};

// Whether a sentence names somebody: by the whole name or the last word of it.
bool names_person(std::string_view sentence, std::string_view name) {
  const auto last = name.substr(name.rfind(' ') == name.npos ? 0 : name.rfind(' ') + 1);
  if (last.size() < 3) return false;
  for (std::size_t at = sentence.find(last); at != sentence.npos; at = sentence.find(last, at + 1)) {
    const auto letter = [&](std::size_t i) {
      return i < sentence.size() && (std::isalnum(static_cast<unsigned char>(sentence[i])) != 0 ||
                                     (static_cast<unsigned char>(sentence[i]) & 0x80) != 0);
    };
    if ((at == 0 || !letter(at - 1)) && !letter(at + last.size())) return true;
  }
  return false;
}

class Viewer {
 public:
  Viewer(const DealEngagement& engagement, const EngagementFacts& facts,
         std::span<const DealContact> contacts, Timestamp as_of, Timestamp known_at)
      : all_(engagement), contacts_(contacts), as_of_(as_of), known_at_(known_at) {
    view_.sees_calendar = facts.calendar_since && *facts.calendar_since <= as_of;
    for (const DealContact& contact : contacts) people_.learn(contact);
    for (const LinkedTouch& linked : all_.touches) {
      if (linked.recorded_at > known_at || linked.touch->recorded_at > known_at ||
          linked.touch->known_at > as_of)
        continue;
      for (const Someone& one : linked.touch->outside) people_.learn(one);
      (linked.touch->at > as_of ? planned_ : seen_).push_back(&linked);
    }
  }

  EngagementView run() {
    contacts_made();
    departures();
    engaged();
    plans();
    promises();
    waiting();
    words();
    sour();
    return std::move(view_);
  }

 private:
  // Mails and messages by people, and meetings that took place.
  static bool is_contact(const Touch& t) {
    return !t.automatic && !t.cancelled &&
           (t.way == Way::inbound || t.way == Way::outbound || (t.way == Way::both && !t.outside.empty()));
  }

  void contacts_made() {
    for (const LinkedTouch* linked : seen_) {
      const Touch& t = *linked->touch;
      if (!is_contact(t)) continue;
      view_.any = true;
      const int ago = days_between(t.at, as_of_);
      if (ago < kRecentDays) view_.rate_recent += weight_of(t) * 7 / kRecentDays;
      if (ago < kUsualDays) view_.rate_usual += weight_of(t) * 7 / kUsualDays;
      if (t.way == Way::outbound) {
        ++view_.outbound;
        view_.last_outbound = &t;
        if (linked->sure) view_.unanswered.push_back(&t);
        if (view_.inbound == 0 && !view_.outbound_days) view_.outbound_days = ago;
      } else {
        ++view_.inbound;
        view_.last_inbound = &t;
        view_.unanswered.clear();
      }
    }
    if (view_.last_inbound != nullptr) {
      view_.inbound_days = days_between(view_.last_inbound->at, as_of_);
      view_.outbound_days.reset();
    }
  }

  void depart(const DealContact& contact, Evidence evidence) {
    auto it = std::ranges::find(view_.departures, contact.name, &Departure::name);
    if (it == view_.departures.end()) {
      view_.departures.push_back({contact.name, contact.role, is_champion(contact.role), {}});
      it = view_.departures.end() - 1;
    }
    // Of one source two sentences: more leave no place for what confirms them.
    const auto said = std::ranges::count(it->evidence, evidence.shard, &Evidence::shard);
    if (said < 2 && it->evidence.size() < kMaxEvidence) it->evidence.push_back(std::move(evidence));
  }

  // What somebody wrote himself says that he leaves; of others it has to name him.
  void departures() {
    for (const DealContact& contact : contacts_) {
      const Someone someone{contact.email, contact.name};
      const std::string id = people_.id(someone);
      if (id.empty()) continue;
      std::optional<Timestamp> first;
      for (const LinkedTouch* linked : seen_) {
        const Touch& t = *linked->touch;
        const bool his = t.from && people_.id(*t.from) == id;
        // A mail, with some time to say goodbye, after the farewell: he is still there.
        if (first && his && !t.automatic && days_between(*first, t.at) > kRecentDays) {
          std::erase_if(view_.departures, [&](const Departure& d) { return d.name == contact.name; });
          first.reset();
        }
        if (!linked->sure) continue;
        for (const Cue& cue : t.cues) {
          const bool gone = cue.kind == CueKind::gone && cue.name == id;
          const bool farewell = cue.kind == CueKind::farewell &&
                                ((his && (cue.of_self || t.automatic) && !names_another(cue.text, contact)) ||
                                 names_person(cue.text, contact.name));
          if (!gone && !farewell) continue;
          if (!first) first = t.at;
          const std::string who = his ? contact.name : t.from ? people_.name(*t.from) : std::string();
          depart(contact,
                 touch_evidence(t,
                                gone ? fmt::format("A mail to {} came back on {}: {}", contact.name,
                                                   day_of(t.at), quoted(cue.text))
                                     : fmt::format("{} on {}: {}", who.empty() ? "Written" : who + " wrote",
                                                   day_of(t.at), quoted(cue.text)),
                                cue.place, cue.text));
        }
      }
    }
    std::ranges::stable_sort(view_.departures, std::ranges::greater(), &Departure::champion);
  }

  bool names_another(std::string_view sentence, const DealContact& contact) const {
    return std::ranges::any_of(contacts_, [&](const DealContact& other) {
      return other.name != contact.name && names_person(sentence, other.name);
    });
  }

  void engaged() {
    std::set<std::string> left;
    for (const Departure& d : view_.departures) left.insert(people_.id({"", d.name}));
    std::set<std::string> known;
    const auto add = [&](const Someone& one, const Touch& t) {
      const std::string id = people_.id(one);
      if (id.empty() || left.contains(id) || !known.insert(id).second) return;
      view_.engaged.push_back(people_.name(one));
      view_.engaged_in.push_back(&t);
    };
    for (const LinkedTouch* linked : seen_) {
      const Touch& t = *linked->touch;
      if (!is_contact(t) || t.way == Way::outbound) continue;
      if (t.way == Way::inbound) {
        if (t.from) add(*t.from, t);
      } else {
        for (const Someone& one : t.outside) add(one, t);
      }
    }
  }

  void plans() {
    for (const LinkedTouch* linked : planned_) {
      const Touch& t = *linked->touch;
      if (t.way != Way::both || t.cancelled || t.outside.empty()) continue;
      if (view_.next_meeting == nullptr || t.at < view_.next_meeting->at) view_.next_meeting = &t;
    }
  }

  const Touch* touch_of(const ShardId& shard, bool& sure) const {
    for (const LinkedTouch* linked : seen_) {
      if (linked->touch->shard != shard) continue;
      sure = linked->sure;
      return linked->touch.get();
    }
    return nullptr;
  }

  bool shares_people(const Touch& a, const Touch& b) const {
    if (!a.thread.empty() && a.thread == b.thread) return true;
    return std::ranges::any_of(a.outside, [&](const Someone& one) {
      return std::ranges::any_of(b.outside,
                                 [&](const Someone& other) { return people_.id(one) == people_.id(other); });
    });
  }

  // Something of ours after it, to the same people: for what had to be sent it has to bring something.
  bool answered_after(const Touch& said, Timestamp at, bool sending) const {
    return std::ranges::any_of(seen_, [&](const LinkedTouch* linked) {
      const Touch& t = *linked->touch;
      if (t.at <= at || t.automatic || t.cancelled || &t == &said) return false;
      if (sending ? t.way != Way::outbound || !t.delivers : t.way != Way::outbound && t.way != Way::both)
        return false;
      return shares_people(said, t);
    });
  }

  void overdue(const Touch& said, std::string_view sentence, std::string owner, Date due,
               const Locator& place) {
    const int days = date_of(as_of_) - due;
    if (days < kOverdueDays || days > kForgottenDays) return;
    const bool sending = impl::is_about_sending(sentence);
    if (answered_after(said, said.at, sending)) return;
    if (owner.empty() && said.from && said.way == Way::outbound) owner = people_.name(*said.from);
    Overdue made;
    made.what = impl::shortened(sentence);
    made.owner = std::move(owner);
    made.due = due;
    made.days = days;
    made.sending = sending;
    made.evidence =
        touch_evidence(said,
                       fmt::format("{} promised for {}, on {}: {}", made.owner.empty() ? "We" : made.owner,
                                   to_string(due), day_of(said.at), quoted(made.what)),
                       place, made.what);
    view_.overdue.push_back(std::move(made));
  }

  void promises() {
    std::set<std::pair<ShardId, std::string>> seen;
    for (const Promise& promise : all_.promises) {
      if (promise.kind != "commitment" || !promise.ours || promise.done || !promise.due ||
          promise.confidence < kSureEnough || promise.recorded_at > known_at_)
        continue;
      bool sure = false;
      const Touch* said = touch_of(promise.source, sure);
      if (said == nullptr || !sure) continue;
      seen.insert({promise.source, to_string(*promise.due)});
      overdue(*said, promise.sentence.empty() ? promise.text : promise.sentence, promise.owner, *promise.due,
              promise.place);
    }
    for (const LinkedTouch* linked : seen_) {
      if (!linked->sure) continue;
      for (const Cue& cue : linked->touch->cues) {
        if (cue.kind != CueKind::promise || !cue.due ||
            seen.contains({linked->touch->shard, to_string(*cue.due)}))
          continue;
        overdue(*linked->touch, cue.text, cue.speaker, *cue.due, cue.place);
      }
    }
    std::ranges::stable_sort(view_.overdue, [](const Overdue& a, const Overdue& b) {
      return a.sending != b.sending ? a.sending : a.days > b.days;
    });
  }

  void waiting() {
    for (auto it = seen_.rbegin(); it != seen_.rend(); ++it) {
      const Touch& t = *(*it)->touch;
      if (t.way != Way::inbound || t.automatic || !t.from) continue;
      const int days = days_between(t.at, as_of_);
      if (days > kForgottenDays) return;
      if (days < kWaitingDays || !(*it)->sure || answered_after(t, t.at, false)) continue;
      std::string what;
      Locator place;
      for (const Promise& promise : all_.promises) {
        if (promise.source != t.shard || promise.kind != "request" || !promise.ours ||
            promise.confidence < kSureEnough || promise.recorded_at > known_at_)
          continue;
        what = promise.sentence.empty() ? promise.text : promise.sentence;
        place = promise.place;
      }
      for (const Cue& cue : t.cues) {
        if (cue.kind != CueKind::question) continue;
        what = cue.text;
        place = cue.place;
      }
      if (what.empty()) continue;
      Waiting made;
      made.who = people_.name(*t.from);
      made.what = impl::shortened(what);
      made.days = days;
      made.evidence = touch_evidence(
          t, fmt::format("{} asked on {}: {}", made.who, day_of(t.at), quoted(made.what)), place, made.what);
      view_.waiting = std::move(made);
      return;
    }
  }

  void words() {
    for (const LinkedTouch* linked : seen_) {
      const Touch& t = *linked->touch;
      if (!linked->sure || t.automatic || t.cancelled || days_between(t.at, as_of_) > kForgottenDays)
        continue;
      for (const Cue& cue : t.cues) {
        // Prices and offers are the other side's to judge; what our side writes home counts for the rest.
        if (cue.ours && (cue.kind == CueKind::price || t.way != Way::internal)) continue;
        auto* list = cue.kind == CueKind::competitor ? &view_.competitor
                     : cue.kind == CueKind::price    ? &view_.price
                     : cue.kind == CueKind::budget   ? &view_.budget
                                                     : nullptr;
        if (list == nullptr) continue;
        const std::string who = !cue.speaker.empty() ? cue.speaker : t.from ? people_.name(*t.from) : "";
        if (cue.kind == CueKind::competitor) {
          if (!view_.competitor_first) view_.competitor_first = t.at;
          if (view_.competitor_name.empty()) view_.competitor_name = cue.name;
        }
        if (list->size() < kMaxEvidence) {
          list->push_back(touch_evidence(
              t,
              fmt::format("{} {} on {}: {}", who.empty() ? "Somebody" : who,
                          t.way == Way::both ? "said" : "wrote", day_of(t.at), quoted(cue.text)),
              cue.place, cue.text));
        }
      }
    }
  }

  // The last mail of somebody, two deviations below the mean of those before.
  void sour() {
    std::map<std::string, std::vector<const Touch*>> mails;
    for (const LinkedTouch* linked : seen_) {
      const Touch& t = *linked->touch;
      if (linked->sure && t.way == Way::inbound && !t.automatic && t.from && t.sentiment)
        mails[people_.id(*t.from)].push_back(&t);
    }
    for (const auto& [id, list] : mails) {
      if (list.size() <= kSourMails || days_between(list.back()->at, as_of_) > kUsualDays) continue;
      const double n = static_cast<double>(list.size() - 1);
      double sum = 0, squares = 0;
      for (std::size_t i = 0; i + 1 < list.size(); ++i) {
        sum += *list[i]->sentiment;
        squares += *list[i]->sentiment * *list[i]->sentiment;
      }
      const double mean = sum / n, sd = std::sqrt(std::max(0., squares / n - mean * mean));
      const double last = *list.back()->sentiment;
      if (last >= 0 || last >= mean - 2 * std::max(sd, .1)) continue;
      view_.sour =
          touch_evidence(*list.back(),
                         fmt::format("The mail of {} on {} reads {:.1f}, others before {:.1f} on average",
                                     people_.name(*list.back()->from), day_of(list.back()->at), last, mean),
                         {"bodyPlainText", {}, {}, {}, {}});
    }
  }

  const DealEngagement& all_;
  std::span<const DealContact> contacts_;
  Timestamp as_of_, known_at_;
  People people_;
  std::vector<const LinkedTouch*> seen_, planned_;
  EngagementView view_;
};

}  // namespace

Evidence touch_evidence(const Touch& touch, std::string text, const Locator& place, std::string quote) {
  Evidence evidence;
  evidence.kind = EvidenceKind::content;
  evidence.text = std::move(text);
  evidence.field = place.field;
  evidence.at = touch.at;
  evidence.shard = touch.shard;
  evidence.type = touch.type;
  evidence.locator = place;
  evidence.quote = std::move(quote);
  return evidence;
}

bool is_champion(std::string_view role) {
  std::string lower(role);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  for (const char* word : {"champion", "sponsor", "decision", "economic", "buyer", "coach", "entscheider"}) {
    if (lower.find(word) != lower.npos) return true;
  }
  return false;
}

EngagementView view_engagement(const DealEngagement& engagement, const EngagementFacts& facts,
                               std::span<const DealContact> contacts, Timestamp as_of, Timestamp known_at) {
  return Viewer(engagement, facts, contacts, as_of, known_at).run();
}

}  // namespace castiel::intelligence
