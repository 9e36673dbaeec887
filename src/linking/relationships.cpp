#include "linking/relationships.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/json.hpp"
#include "linking/content.hpp"
#include "model/entity.hpp"

namespace castiel::linking {
namespace {

constexpr double kDay = 86'400e6, kYear = 365.25;

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

double weight_of(const storage::Interaction& i, const StrengthWeights& w) {
  double weight = i.type == "meeting" ? w.meeting
                  : i.type == "call"  ? w.call
                  : i.type == "mail"  ? w.mail
                  : i.type == "chat"  ? w.chat
                                      : 0;
  if (i.direction == "outbound") weight *= w.outgoing;
  return weight / std::sqrt(std::max(1, i.size));
}

}  // namespace

Strength strength_of(std::span<const storage::Interaction> interactions, Timestamp now,
                     const StrengthWeights& w) {
  Strength s;
  const auto counts = [&](const storage::Interaction& i) { return i.type != "automatic" && i.at <= now; };
  const auto later = [](std::optional<Timestamp>& slot, Timestamp at) {
    slot = std::max(slot.value_or(at), at);
  };
  for (const auto& i : interactions) {
    if (!counts(i)) continue;
    s.first = std::min(s.first.value_or(i.at), i.at);
    later(s.last, i.at);
    if (i.direction != "outbound") later(s.last_inbound, i.at);
    if (i.direction != "inbound") later(s.last_outbound, i.at);
    if (i.direction == "inbound") ++s.inbound;
    if (i.direction == "outbound") ++s.outbound;
    if (i.direction == "both") ++s.meetings;
  }
  if (!s.first) return s;
  const double years = static_cast<double>((now - *s.first).count()) / kDay / kYear;
  const double half_life = std::min(w.half_life_days + w.half_life_days_per_year * years, w.half_life_most);
  for (const auto& i : interactions) {
    if (!counts(i)) continue;
    const double age = static_cast<double>((now - i.at).count()) / kDay;
    s.rate += weight_of(i, w) * std::exp2(-age / half_life);
  }
  s.score = 100 * (1 - std::exp(-s.rate / w.kappa));
  s.one_way = s.meetings == 0 && (s.inbound == 0 || s.outbound == 0);
  if (s.one_way) s.score = std::min(s.score, w.one_way_most);
  return s;
}

namespace {

class People {
 public:
  People(const storage::Reader& reader, Timestamp now, const StrengthWeights& weights,
         const tenancy::OwnPeople* own)
      : reader_(&reader), now_(now), weights_(&weights), own_(own) {}

  Result<> add_roles(const ShardId& deal) {
    CASTIEL_ASSIGN(const auto own, reader_->relations_from(deal));
    for (const auto& r : own) {
      if (r.role == "contact" && r.to) CASTIEL_TRY(contact(*r.to, ""));
    }
    CASTIEL_ASSIGN(const auto roles, reader_->relations_to(deal));
    for (const auto& role : roles) {
      if (role.role != "opportunity") continue;
      CASTIEL_ASSIGN(const auto shard, reader_->shard(role.from));
      if (!shard || shard->key.type != model::type::kContactRole || shard->deleted_at) continue;
      const auto data = parse_json(shard->data);
      const std::string name = data && data->is_object() ? string_or(data->get_object(), "role") : "";
      CASTIEL_ASSIGN(const auto ends, reader_->relations_from(role.from));
      for (const auto& end : ends) {
        if (end.role == "contact" && end.to) CASTIEL_TRY(contact(*end.to, name));
      }
    }
    return {};
  }

  Result<> add_content(const ShardId& deal) {
    storage::LinkQuery query;
    query.to = deal;
    query.status = "attached";
    query.limit = kMaxDealContent;
    CASTIEL_ASSIGN(const auto links, reader_->links(query));
    for (const auto& link : links) {
      CASTIEL_ASSIGN(const auto prints, reader_->footprints(link.from));
      for (const auto& print : prints) {
        if (print.kind != footprint::kPerson) continue;
        CASTIEL_ASSIGN(const auto contacts, reader_->aliases("contact:email", print.key));
        if (contacts.empty() || (own_ != nullptr && own_->is_own(print.key))) {
          unknown_[print.key].push_back(link.from);
          continue;
        }
        CASTIEL_TRY(contact(contacts.front().shard, ""));
        ++people_[contacts.front().shard].mentions;
      }
    }
    return {};
  }

  Result<std::vector<DealPerson>> take() {
    std::vector<DealPerson> out;
    for (auto& [id, person] : people_) {
      if (!person.email.empty()) {
        CASTIEL_ASSIGN(person.strength, strength(person.email));
      }
      // Several sources may know the person; the one the deal's role is told by speaks for all.
      const auto same = std::ranges::find_if(out, [&](const DealPerson& p) {
        return !person.email.empty() && lower(p.email) == lower(person.email);
      });
      if (same == out.end()) {
        out.push_back(std::move(person));
        continue;
      }
      const auto mentions = same->mentions + person.mentions;
      if (same->role.empty() && !person.role.empty()) *same = std::move(person);
      same->mentions = mentions;
    }
    for (const auto& [email, content] : unknown_) {
      if (own_ != nullptr && own_->is_own(email)) continue;
      CASTIEL_ASSIGN(const auto s, strength(email));
      // Our own side has no interactions with itself.
      if (s.first) CASTIEL_TRY(add(out, email, content, s));
    }
    for (const auto& [email, content] : unknown_) {
      if (own_ == nullptr || !own_->is_own(email)) continue;
      std::vector<storage::Interaction> ties;
      for (const auto& id : content) {
        if (const auto it = met_.find(id); it != met_.end()) ties.push_back(it->second);
      }
      // Who only heard of the deal from a colleague has no tie to its people.
      if (ties.empty()) continue;
      CASTIEL_TRY(add(out, email, content, strength_of(ties, now_, *weights_)));
      out.back().own = true;
    }
    std::ranges::stable_sort(out, [](const DealPerson& a, const DealPerson& b) {
      return a.strength.score != b.strength.score ? a.strength.score > b.strength.score : a.email < b.email;
    });
    return out;
  }

 private:
  Result<Strength> strength(const std::string& email) {
    CASTIEL_ASSIGN(const auto ties, reader_->interactions(email, kMaxInteractions));
    for (const auto& tie : ties) met_.try_emplace(tie.shard, tie);
    return strength_of(ties, now_, *weights_);
  }

  // Somebody whom the CRM does not have as a contact.
  Result<> add(std::vector<DealPerson>& out, const std::string& email, const std::vector<ShardId>& content,
               const Strength& strength) const {
    DealPerson person;
    person.email = email;
    person.mentions = static_cast<std::int64_t>(content.size());
    person.strength = strength;
    CASTIEL_ASSIGN(const auto users, reader_->aliases("user:email", email));
    if (!users.empty()) {
      CASTIEL_ASSIGN(const auto user, reader_->shard(users.front().shard));
      const auto data = user ? parse_json(user->data) : parse_json("{}");
      if (data && data->is_object()) {
        person.name = string_or(data->get_object(), "name");
        person.title = string_or(data->get_object(), "title");
      }
    }
    if (person.name.empty() && !content.empty()) {
      CASTIEL_ASSIGN(const auto shard, reader_->shard(content.front()));
      const auto read = shard ? read_content(*shard) : std::nullopt;
      if (read) {
        const auto it = std::ranges::find(read->people, email, &Person::email);
        if (it != read->people.end()) person.name = it->name;
      }
    }
    out.push_back(std::move(person));
    return {};
  }

  Result<> contact(const ShardId& id, const std::string& role) {
    auto& person = people_[id];
    if (!role.empty()) person.role = role;
    if (!person.contact.empty()) return {};
    person.contact = id;
    CASTIEL_ASSIGN(const auto shard, reader_->shard(id));
    const auto data = shard ? parse_json(shard->data) : parse_json("{}");
    if (data && data->is_object()) {
      const auto& o = data->get_object();
      person.name = string_or(o, "name");
      if (person.name.empty()) person.name = string_or(o, "firstName") + " " + string_or(o, "lastName");
      person.email = string_or(o, "email");
      person.title = string_or(o, "title");
    }
    CASTIEL_ASSIGN(const auto relations, reader_->relations_from(id));
    for (const auto& r : relations) {
      if (r.role == "account" && r.to) person.account = r.to->str();
    }
    return {};
  }

  const storage::Reader* reader_;
  Timestamp now_;
  const StrengthWeights* weights_;
  std::map<ShardId, DealPerson> people_;
  const tenancy::OwnPeople* own_;
  std::map<std::string, std::vector<ShardId>> unknown_;  // address: the deal's content with it
  std::map<ShardId, storage::Interaction> met_;          // one of each content somebody outside took part in
};

}  // namespace

Result<std::vector<DealPerson>> people_of_deal(const storage::Reader& reader, const ShardId& deal,
                                               Timestamp now, const StrengthWeights& weights,
                                               const tenancy::OwnPeople* own) {
  People people(reader, now, weights, own);
  CASTIEL_TRY(people.add_roles(deal));
  CASTIEL_TRY(people.add_content(deal));
  return people.take();
}

}  // namespace castiel::linking
