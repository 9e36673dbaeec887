#include <fmt/format.h>

#include <algorithm>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <charconv>
#include <numeric>

#include "intelligence/as_of.hpp"
#include "intelligence/deal_book.hpp"
#include "intelligence/impl/loaded.hpp"
#include "model/entity.hpp"

namespace castiel::intelligence {
namespace {

using model::FieldChange;
using model::Shard;
using storage::Relation;

std::string text_of(const json::object& data, std::string_view key) {
  const auto* value = data.if_contains(key);
  if (value == nullptr || value->is_null()) return {};
  if (const auto* text = value->if_string()) return std::string(*text);
  return json::serialize(*value);
}

std::optional<double> fraction_of(const json::object& data, std::string_view key) {
  const std::string text = text_of(data, key);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0 || value > 1) return {};
  return value;
}

std::optional<Date> date_field(const json::object& data, std::string_view key) {
  const std::string text = text_of(data, key);
  if (text.empty()) return {};
  const auto date = parse_date(std::string_view(text).substr(0, 10));
  return date ? std::optional(*date) : std::nullopt;
}

std::optional<Timestamp> time_field(const json::object& data, std::string_view key) {
  const std::string text = text_of(data, key);
  if (text.empty()) return {};
  const auto time = parse_timestamp(text);
  return time ? std::optional(*time) : std::nullopt;
}

std::string person_name(const json::object& data) {
  if (auto name = text_of(data, "name"); !name.empty()) return name;
  const std::string first = text_of(data, "firstName"), last = text_of(data, "lastName");
  if (!first.empty() || !last.empty())
    return first.empty() || last.empty() ? first + last : first + " " + last;
  return text_of(data, "email");
}

// Calls `visit(shard, data)` for each shard of a type. The parsed data lives in an arena on the stack.
template <class Visit>
Result<> each_data(const storage::Reader& reader, std::string_view type, Visit visit) {
  return reader.each_shard(type, [&](const Shard& shard) -> Result<> {
    unsigned char arena[8 * 1024];
    json::monotonic_resource memory(arena, sizeof arena);
    boost::system::error_code error;
    const json::value value = json::parse(shard.data, error, &memory);
    if (error || !value.is_object()) {
      return permanent("store_corrupt",
                       fmt::format("shard {} holds data that is no JSON object", shard.id.str()));
    }
    visit(shard, value.get_object());
    return {};
  });
}

void read_deal(const Shard& shard, const json::object& data, SharedTexts& texts, Deal& deal) {
  deal.id = shard.id;
  deal.external_id = shard.key.external_id;
  deal.integration = texts.get(shard.key.integration);
  deal.name = text_of(data, "name");
  deal.name.shrink_to_fit();
  if (const auto amount = text_of(data, "amount"); !amount.empty()) {
    if (auto parsed = Decimal::parse(amount)) deal.amount = *parsed;
  }
  deal.currency = texts.get(text_of(data, "currency"));
  deal.stage = texts.get(text_of(data, "stage"));
  const std::string status = text_of(data, "status");
  deal.status = parse_status(status.empty() ? model::status_of_stage(deal.stage) : std::string_view(status));
  deal.pipeline = texts.get(text_of(data, "pipeline"));
  deal.created = date_field(data, "createdDate");
  if (!deal.created) deal.created = date_field(data, "createdAt");
  deal.close_date = date_field(data, "closeDate");
  deal.type = texts.get(text_of(data, "type"));
  deal.lead_source = texts.get(text_of(data, "leadSource"));
  deal.next_step = texts.get(text_of(data, "nextStep"));
  deal.source_probability = fraction_of(data, "probability");
  deal.last_activity = date_field(data, "lastActivityDate");
  deal.last_stage_change = time_field(data, "lastStageChangeAt");
  deal.recorded_at = shard.created_at;
  // The record's own modification time: nothing has changed at the source since.
  if (shard.source_is_dated) deal.state_at = std::min(shard.source_version, shard.updated_at);
  // For sources that give names without a record behind them; a relation takes precedence.
  deal.account = texts.get(text_of(data, "accountName"));
  deal.owner = texts.get(text_of(data, "ownerName"));
  deal.product = texts.get(text_of(data, "productName"));
}

bool is_read(std::string_view name) {
  return name == field::kStage || name == field::kStatus || name == field::kAmount ||
         name == field::kCloseDate || name == field::kOwnerId || name == field::kOwnerName ||
         name == field::kProbability || name == field::kNextStep;
}

class Loader {
 public:
  explicit Loader(const storage::Reader& reader) : reader_(reader) {}

  Result<impl::Loaded> run() {
    CASTIEL_TRY(read_deals());
    CASTIEL_TRY(read_history());
    CASTIEL_TRY(read_relations());
    CASTIEL_TRY(read_contact_roles());
    CASTIEL_TRY(read_names());
    CASTIEL_TRY(read_contacts());
    for (Deal& deal : loaded_.deals) sort_history(deal);
    date_states(loaded_.deals);
    return std::move(loaded_);
  }

 private:
  Result<> read_deals() {
    // Counted first: a list that grows is in memory twice now and then.
    CASTIEL_ASSIGN(const auto expected, reader_.shard_count(model::type::kOpportunity));
    loaded_.deals.reserve(static_cast<std::size_t>(expected));
    CASTIEL_TRY(
        each_data(reader_, model::type::kOpportunity, [&](const Shard& shard, const json::object& data) {
          read_deal(shard, data, texts_, loaded_.deals.emplace_back());
        }));
    by_id_.resize(loaded_.deals.size());
    std::iota(by_id_.begin(), by_id_.end(), 0U);
    std::ranges::sort(by_id_, {}, [&](std::uint32_t i) { return loaded_.deals[i].id.view(); });
    return {};
  }

  // The place of a deal, by its shard's id.
  std::optional<std::uint32_t> place_of(std::string_view id) const {
    const auto id_at = [&](std::uint32_t i) { return loaded_.deals[i].id.view(); };
    const auto found = std::ranges::lower_bound(by_id_, id, {}, id_at);
    if (found == by_id_.end() || id_at(*found) != id) return std::nullopt;
    return *found;
  }

  // By the source's key, in whose order the deals are.
  Deal* deal_with(const model::ShardKey& key) {
    const auto found = std::ranges::lower_bound(
        loaded_.deals, std::pair<std::string_view, std::string_view>(key.integration, key.external_id), {},
        [](const Deal& deal) {
          return std::pair<std::string_view, std::string_view>(deal.integration, deal.external_id);
        });
    if (found == loaded_.deals.end() || found->integration != key.integration ||
        found->external_id != key.external_id)
      return nullptr;
    return &*found;
  }

  Result<> read_history() {
    CASTIEL_TRY(reader_.each_change(model::type::kOpportunity, [&](const FieldChange& from) -> Result<> {
      Deal* deal = from.field == "*" ? nullptr : deal_with(from.shard);
      if (deal == nullptr) return {};
      Change change;
      change.field = from.field;
      if (is_read(from.field)) {  // of the others only the time counts
        change.old_value = from.old_value;
        change.new_value = from.new_value;
      }
      change.effective_at = from.effective_at;
      change.recorded_at = from.recorded_at;
      change.correlation = from.correlation;
      change.origin = from.origin;
      deal->history.push_back(std::move(change));
      return {};
    }));
    return {};
  }

  void add_contact(Deal& deal, const ShardId& id, std::string_view text, std::string_view role) {
    for (DealContact& known : deal.contacts) {
      if (id.empty() ? known.name != text : known.id != id) continue;
      if (known.role.empty()) known.role = role;
      return;
    }
    if (deal.contacts.size() < impl::kMaxContactsOfDeal) {
      deal.contacts.push_back({id, std::string(text), {}, std::string(role), {}});
    }
  }

  Result<> read_relations() {
    return reader_.each_relation(model::type::kOpportunity, [&](const Relation& relation) -> Result<> {
      const auto place = place_of(relation.from.view());
      if (!place) return {};
      Deal& deal = loaded_.deals[*place];
      const SharedText to = relation.to ? texts_.get(relation.to->view()) : SharedText();
      if (relation.role == "account") {
        deal.account_id = to;
        if (deal.account.empty()) deal.account = texts_.get(relation.text);
      } else if (relation.role == "owner") {
        deal.owner_id = to;
        if (deal.owner.empty()) deal.owner = texts_.get(relation.text);
      } else if (relation.role == "product") {
        if (deal.product.empty()) deal.product = texts_.get(relation.text);
        if (!to.empty()) products_[*place] = to.str();
      } else if (relation.role == "contact") {
        add_contact(deal, ShardId(to.str()), relation.text, {});
      }
      return {};
    });
  }

  Result<> read_contact_roles() {
    struct Link {
      std::uint32_t deal = 0;
      bool has_deal = false, has_contact = false;
      ShardId contact;
      std::string text;
    };
    std::unordered_map<std::string, Link> links;
    CASTIEL_TRY(reader_.each_relation(model::type::kContactRole, [&](const Relation& relation) -> Result<> {
      Link& link = links[relation.from.str()];
      if (relation.role == "opportunity" && relation.to) {
        const auto place = place_of(relation.to->view());
        link.has_deal = place.has_value();
        link.deal = place.value_or(0);
      } else if (relation.role == "contact") {
        link.has_contact = true;
        if (relation.to) link.contact = *relation.to;
        link.text = relation.text;
      }
      return {};
    }));
    if (links.empty()) return {};
    return each_data(reader_, model::type::kContactRole, [&](const Shard& shard, const json::object& data) {
      const auto link = links.find(shard.id.str());
      if (link == links.end() || !link->second.has_deal || !link->second.has_contact) return;
      add_contact(loaded_.deals[link->second.deal], link->second.contact, link->second.text,
                  text_of(data, "role"));
    });
  }

  Result<> read_names() {
    std::unordered_map<std::string, std::string> accounts, products;
    struct Person {
      std::string name, team;
    };
    std::unordered_map<std::string, Person> users;
    for (const Deal& deal : loaded_.deals) {
      if (!deal.account_id.empty()) accounts.try_emplace(deal.account_id);
      if (!deal.owner_id.empty()) users.try_emplace(deal.owner_id);
    }
    for (const auto& [index, id] : products_) products.try_emplace(id);
    CASTIEL_TRY(each_data(reader_, model::type::kAccount, [&](const Shard& shard, const json::object& data) {
      if (const auto it = accounts.find(shard.id.str()); it != accounts.end())
        it->second = text_of(data, "name");
    }));
    CASTIEL_TRY(each_data(reader_, model::type::kUser, [&](const Shard& shard, const json::object& data) {
      if (const auto it = users.find(shard.id.str()); it != users.end()) {
        it->second = {person_name(data), text_of(data, "team")};
      }
    }));
    CASTIEL_TRY(each_data(reader_, model::type::kProduct, [&](const Shard& shard, const json::object& data) {
      if (const auto it = products.find(shard.id.str()); it != products.end())
        it->second = text_of(data, "name");
    }));
    for (Deal& deal : loaded_.deals) {
      if (const auto it = accounts.find(deal.account_id); it != accounts.end() && !it->second.empty()) {
        deal.account = texts_.get(it->second);
      }
      if (const auto it = users.find(deal.owner_id); it != users.end()) {
        if (!it->second.name.empty()) deal.owner = texts_.get(it->second.name);
        deal.team = texts_.get(it->second.team);
      }
    }
    for (const auto& [index, id] : products_) {
      if (const auto& name = products[id]; !name.empty()) loaded_.deals[index].product = texts_.get(name);
    }
    products_ = {};
    return {};
  }

  Result<> read_contacts() {
    for (const Deal& deal : loaded_.deals) {
      if (deal.status == Status::open && !deal.account_id.empty())
        loaded_.account_contacts.try_emplace(deal.account_id);
    }
    std::unordered_map<std::string, std::vector<std::string>> accounts_of;  // by the contact's id
    CASTIEL_TRY(reader_.each_relation(model::type::kContact, [&](const Relation& relation) -> Result<> {
      if (relation.role == "account" && relation.to &&
          loaded_.account_contacts.contains(relation.to->str())) {
        accounts_of[relation.from.str()].push_back(relation.to->str());
      }
      return {};
    }));
    std::unordered_map<std::string, DealContact> on_deals;
    for (const Deal& deal : loaded_.deals) {
      for (const DealContact& contact : deal.contacts) {
        if (!contact.id.empty()) on_deals.try_emplace(contact.id.str());
      }
    }
    if (on_deals.empty() && accounts_of.empty()) return {};
    CASTIEL_TRY(each_data(reader_, model::type::kContact, [&](const Shard& shard, const json::object& data) {
      const auto on_deal = on_deals.find(shard.id.str());
      const auto of_account = accounts_of.find(shard.id.str());
      if (on_deal == on_deals.end() && of_account == accounts_of.end()) return;
      const DealContact contact{
          shard.id, person_name(data), text_of(data, "title"), {}, text_of(data, "email")};
      if (on_deal != on_deals.end()) on_deal->second = contact;
      if (of_account == accounts_of.end()) return;
      for (const auto& account : of_account->second) {
        auto& people = loaded_.account_contacts[account];
        if (people.size() < impl::kMaxContactsOfAccount) people.push_back(contact);
      }
    }));
    for (Deal& deal : loaded_.deals) {
      for (DealContact& contact : deal.contacts) {
        const auto known = on_deals.find(contact.id.str());
        if (known == on_deals.end() || known->second.id.empty()) continue;
        std::string role = std::move(contact.role);
        contact = known->second;
        contact.role = std::move(role);
      }
    }
    std::erase_if(loaded_.account_contacts, [](const auto& entry) { return entry.second.empty(); });
    return {};
  }

  const storage::Reader& reader_;
  impl::Loaded loaded_;
  SharedTexts texts_;
  std::vector<std::uint32_t> by_id_;                         // places in the deals, in order of the ids
  std::unordered_map<std::uint32_t, std::string> products_;  // deal to product shard
};

}  // namespace

Result<impl::Loaded> impl::load(const storage::Reader& reader) {
  return Loader(reader).run();
}

Result<std::vector<Deal>> load_deals(const storage::Reader& reader) {
  CASTIEL_ASSIGN(auto loaded, impl::load(reader));
  return std::move(loaded.deals);
}

}  // namespace castiel::intelligence
