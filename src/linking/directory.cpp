#include "linking/directory.hpp"

#include <algorithm>
#include <array>

#include "base/json.hpp"
#include "content/name_key.hpp"
#include "model/entity.hpp"

namespace castiel::linking {
namespace {

constexpr int kDaysBeforeEntry = 90;  // a deal is talked about before somebody enters it
constexpr int kDaysAfterClose = 1;
constexpr std::size_t kMinTokenBytes = 6;
constexpr std::size_t kMinShortNameBytes = 5;

// What companies do or are, and words that begin sentences: no name by itself. Keys, see content::name_key.
constexpr auto kTradeWords = std::to_array<std::string_view>(
    {"advanced",     "agency",       "airport",      "allied",       "american",      "applied",
     "associates",   "atlantic",     "automation",   "automotive",   "aviation",      "bakery",
     "better",       "beverage",     "beverages",    "bitte",        "black",         "brauerei",
     "brewery",      "brewing",      "bright",       "british",      "brothers",      "brown",
     "bryggeri",     "bryggerier",   "business",     "cement",       "center",        "central",
     "centre",       "chemical",     "chemicals",    "chemie",       "classic",       "clear",
     "clinic",       "college",      "company",      "construction", "consult",       "consulting",
     "council",      "county",       "creamery",     "dairy",        "danke",         "deutsche",
     "digital",      "direct",       "distribution", "early",        "eastern",       "electric",
     "electronics",  "energetika",   "energia",      "energie",      "energy",        "engineering",
     "enterprise",   "enterprises",  "european",     "express",      "fabrik",        "factory",
     "farms",        "finance",      "financial",    "first",        "foods",         "foundation",
     "foundry",      "freight",      "fresh",        "future",       "gebruder",      "general",
     "german",       "glass",        "global",       "golden",       "grand",         "grande",
     "great",        "green",        "gross",        "grosse",       "group",         "grune",
     "gruppe",       "guten",        "hafen",        "health",       "healthcare",    "hello",
     "holding",      "holdings",     "hospital",     "hotel",        "hotels",        "house",
     "industrial",   "industrie",    "industries",   "institute",    "insurance",     "international",
     "island",       "kleine",       "lakes",        "little",       "logistics",     "logistik",
     "london",       "machine",      "machinery",    "management",   "manufacturing", "marine",
     "market",       "maschinenbau", "media",        "medical",      "merci",         "metals",
     "mills",        "modern",       "molkerei",     "morning",      "motors",        "mountain",
     "national",     "network",      "networks",     "nordic",       "north",         "northern",
     "nouvelle",     "orange",       "pacific",      "paper",        "papier",        "papierfabrik",
     "partner",      "partners",     "perfect",      "pharma",       "plastics",      "please",
     "power",        "premier",      "prime",        "products",     "projects",      "proud",
     "quality",      "quarry",       "railway",      "ready",        "research",      "retail",
     "right",        "river",        "royal",        "school",       "services",      "shipping",
     "silver",       "simple",       "smart",        "social",       "software",      "solutions",
     "south",        "southern",     "special",      "stadtwerke",   "standard",      "state",
     "steel",        "stone",        "street",       "studio",       "studios",       "summer",
     "super",        "supply",       "sweet",        "system",       "systems",       "technik",
     "technologies", "technology",   "telecom",      "terminal",     "textile",       "thanks",
     "total",        "trading",      "transport",    "travel",       "under",         "union",
     "united",       "university",   "urban",        "utilities",    "valley",        "ventures",
     "verein",       "verlag",       "water",        "werke",        "western",       "white",
     "wholesale",    "winter",       "works",        "world",        "young",         "zucker",
     "zuckerfabrik"});

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::optional<Date> date_in(const json::object& data, std::string_view key) {
  const auto text = string_or(data, key);
  if (text.size() < 10) return std::nullopt;
  const auto date = parse_date(std::string_view(text).substr(0, 10));
  return date ? std::optional(*date) : std::nullopt;
}

// "www.acme.com" of "https://www.acme.com/about"
std::string host_of(std::string_view url) {
  if (const auto scheme = url.find("://"); scheme != url.npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#:"));
  if (const auto at = url.find('@'); at != url.npos) url.remove_prefix(at + 1);
  auto host = lower(url);
  if (host.starts_with("www.")) host.erase(0, 4);
  return host.find('.') == host.npos ? std::string() : host;
}

std::vector<std::string> words_of_name(std::string_view name) {
  constexpr std::string_view kBreaks = " \t,;&/()-_+|.";
  const std::string without_form = content::company_key(name);
  std::vector<std::string> words;
  for (std::size_t from = 0; from < name.size();) {
    const std::size_t to = std::min(name.find_first_of(kBreaks, from), name.size());
    const auto word = name.substr(from, to - from);
    from = to + 1;
    const auto key = content::name_key(word);
    const bool digit = std::ranges::any_of(key, [](char c) { return c >= '0' && c <= '9'; });
    if (key.size() < kMinShortNameBytes || digit || without_form.find(key) == without_form.npos) continue;
    if (!std::ranges::binary_search(kTradeWords, std::string_view(key))) words.emplace_back(word);
  }
  return words;
}

template <class Visit>
Result<> each_data(const storage::Reader& reader, std::string_view type, std::size_t limit, Visit visit) {
  std::size_t seen = 0;
  return reader.each_shard(type, [&](const model::Shard& shard) -> Result<> {
    if (++seen > limit) return {};
    const auto data = parse_json_in_arena(shard.data);
    if (data && data->is_object()) visit(shard, data->get_object());
    return {};
  });
}

}  // namespace

bool Deal::is_active(Timestamp at) const {
  const Date day = date_of(at);
  if (created && day < *created - kDaysBeforeEntry) return false;
  if (open) return true;
  return closes && day <= *closes + kDaysAfterClose;
}

Result<std::shared_ptr<const Directory>> Directory::load(const storage::Reader& reader,
                                                         const std::vector<std::string>& mail_domains) {
  auto directory = std::make_shared<Directory>();
  CASTIEL_ASSIGN(directory->version_, reader.directory_version());
  CASTIEL_ASSIGN(directory->own_, tenancy::OwnPeople::load(reader, mail_domains));
  CASTIEL_TRY(directory->load_accounts(reader));
  CASTIEL_TRY(directory->load_contacts(reader));
  CASTIEL_TRY(directory->load_deals(reader));
  CASTIEL_TRY(directory->load_relations(reader));
  return std::shared_ptr<const Directory>(std::move(directory));
}

Result<> Directory::load_accounts(const storage::Reader& reader) {
  CASTIEL_TRY(each_data(reader, model::type::kAccount, kMaxAccounts,
                        [&](const auto& shard, const json::object& data) {
                          const auto name = string_or(data, "name");
                          accounts_[shard.id] = name;
                          names_.add(name, {std::string(model::type::kAccount), shard.id});
                          std::string domain = host_of(string_or(data, "domain"));
                          if (domain.empty()) domain = host_of(string_or(data, "website"));
                          if (!domain.empty() && !tenancy::is_public_mail_domain(domain))
                            domains_.emplace(std::move(domain), shard.id);
                        }));
  add_short_names();
  CASTIEL_TRY(each_data(reader, model::type::kProduct, kMaxAccounts,
                        [&](const auto& shard, const json::object& data) {
                          names_.add(string_or(data, "name"), {std::string(model::type::kProduct), shard.id});
                        }));
  return each_data(reader, model::type::kUser, tenancy::OwnPeople::kMaxUsers,
                   [&](const auto& shard, const json::object& data) {
                     if (const auto email = lower(string_or(data, "email")); !email.empty())
                       users_[email] = shard.id;
                   });
}

// "Nordkai" for "Nordkai Terminal GmbH": a word that no other company's name has, and that its domain has too
// or, where no domain is known, that comes first.
void Directory::add_short_names() {
  std::map<std::string, std::vector<ShardId>> by_word;
  std::map<ShardId, std::string> domains;
  for (const auto& [domain, account] : domains_) domains[account] += content::name_key(domain);
  for (const auto& [account, name] : accounts_) {
    for (const auto& word : words_of_name(name)) {
      auto& having = by_word[content::name_key(word)];
      if (having.empty() || having.back() != account) having.push_back(account);
    }
  }
  for (const auto& [account, name] : accounts_) {
    const auto words = words_of_name(name);
    for (std::size_t i = 0; i < words.size(); ++i) {
      const auto key = content::name_key(words[i]);
      const auto domain = domains.find(account);
      const bool called = domain == domains.end() ? i == 0 : domain->second.find(key) != std::string::npos;
      if (called && is_one_company(by_word[key]))
        names_.add(words[i], {std::string(model::type::kAccount), account, true});
    }
  }
}

bool Directory::is_one_company(std::span<const ShardId> accounts) const {
  const auto key = [&](const ShardId& account) { return content::company_key(account_name(account)); };
  return std::ranges::all_of(accounts, [&](const ShardId& a) { return key(a) == key(accounts.front()); });
}

// People outside, by first and last name together: one of them alone is anybody's.
Result<> Directory::load_contacts(const storage::Reader& reader) {
  CASTIEL_TRY(each_data(reader, model::type::kContact, kMaxContacts,
                        [&](const auto& shard, const json::object& data) {
                          std::string name = string_or(data, "name");
                          if (name.empty())
                            name = string_or(data, "firstName") + " " + string_or(data, "lastName");
                          const auto last = name.find_last_not_of(' ');
                          name.erase(last == std::string::npos ? 0 : last + 1);
                          std::string email = lower(string_or(data, "email"));
                          if (name.find(' ', name.find_first_not_of(' ')) == std::string::npos ||
                              own_.is_own_name(content::name_key(name)) || own_.is_own(email))
                            return;
                          names_.add(name, {std::string(model::type::kContact), shard.id});
                          contacts_[shard.id].email = std::move(email);
                        }));
  return reader.each_relation(model::type::kContact, [&](const storage::Relation& r) -> Result<> {
    if (const auto it = contacts_.find(r.from); it != contacts_.end() && r.role == "account" && r.to)
      it->second.account = *r.to;
    return {};
  });
}

ShardId Directory::account_of_contact(const ShardId& contact) const {
  const auto it = contacts_.find(contact);
  return it == contacts_.end() ? ShardId() : it->second.account;
}

bool Directory::is_one_person(std::span<const ShardId> contacts) const {
  const auto same = [&](const ShardId& one) {
    const auto a = contacts_.find(one), b = contacts_.find(contacts.front());
    if (a == contacts_.end() || b == contacts_.end()) return false;
    if (!a->second.email.empty() && a->second.email == b->second.email) return true;
    const std::array accounts{a->second.account, b->second.account};
    return !accounts[0].empty() && !accounts[1].empty() && is_one_company(accounts);
  };
  return contacts.size() < 2 || std::ranges::all_of(contacts.subspan(1), same);
}

Result<> Directory::load_deals(const storage::Reader& reader) {
  CASTIEL_TRY(each_data(
      reader, model::type::kOpportunity, kMaxDeals, [&](const auto& shard, const json::object& data) {
        Deal deal;
        deal.id = shard.id;
        deal.key = shard.key;
        deal.name = string_or(data, "name");
        const auto status = string_or(data, "status");
        deal.open =
            status.empty() ? model::status_of_stage(string_or(data, "stage")) == "open" : status == "open";
        deal.created = date_in(data, "createdDate");
        if (!deal.created) deal.created = date_in(data, "createdAt");
        deal.closes = date_in(data, "closeDate");
        deal.amount = string_or(data, "amount");
        names_.add(deal.name, {std::string(model::type::kOpportunity), shard.id});
        deals_.emplace(shard.id, std::move(deal));
      }));
  for (const auto& [id, deal] : deals_) {
    tokens_[id.str()] = &deal;
    const auto& external = deal.key.external_id;
    const bool digit = std::ranges::any_of(external, [](char c) { return c >= '0' && c <= '9'; });
    if (digit && external.size() >= kMinTokenBytes) {
      const auto [it, fresh] = tokens_.emplace(external, &deal);
      if (!fresh) it->second = nullptr;  // two sources use the same id
    }
  }
  return {};
}

Result<> Directory::load_relations(const storage::Reader& reader) {
  CASTIEL_TRY(reader.each_relation(model::type::kOpportunity, [&](const storage::Relation& r) -> Result<> {
    const auto it = deals_.find(r.from);
    if (it == deals_.end() || !r.to) return {};
    if (r.role == "account") it->second.account = *r.to;
    if (r.role == "owner") it->second.owner = *r.to;
    if (r.role == "contact") it->second.contacts.push_back(*r.to);
    if (r.role == "product") it->second.products.push_back(*r.to);
    return {};
  }));
  std::map<ShardId, std::pair<ShardId, ShardId>> roles;  // opportunity and contact of each contact role
  CASTIEL_TRY(reader.each_relation(model::type::kContactRole, [&](const storage::Relation& r) -> Result<> {
    if (!r.to) return {};
    if (r.role == "opportunity") roles[r.from].first = *r.to;
    if (r.role == "contact") roles[r.from].second = *r.to;
    return {};
  }));
  for (const auto& [role, ends] : roles) {
    const auto it = deals_.find(ends.first);
    if (it == deals_.end() || ends.second.empty()) continue;
    auto& contacts = it->second.contacts;
    if (std::ranges::find(contacts, ends.second) == contacts.end()) contacts.push_back(ends.second);
  }
  for (const auto& [id, deal] : deals_) {
    if (!deal.account.empty()) by_account_[deal.account].push_back(&deal);
    for (const auto& contact : deal.contacts) by_contact_[contact].push_back(&deal);
  }
  return {};
}

const Deal* Directory::deal(const ShardId& id) const {
  const auto it = deals_.find(id);
  return it == deals_.end() ? nullptr : &it->second;
}

namespace {
const std::vector<const Deal*>& deals_in(const std::map<ShardId, std::vector<const Deal*>>& map,
                                         const ShardId& id) {
  static const std::vector<const Deal*> kNone;
  const auto it = map.find(id);
  return it == map.end() ? kNone : it->second;
}
}  // namespace

const std::vector<const Deal*>& Directory::deals_of_account(const ShardId& account) const {
  return deals_in(by_account_, account);
}
const std::vector<const Deal*>& Directory::deals_of_contact(const ShardId& contact) const {
  return deals_in(by_contact_, contact);
}
const std::string& Directory::account_name(const ShardId& account) const {
  static const std::string kNone;
  const auto it = accounts_.find(account);
  return it == accounts_.end() ? kNone : it->second;
}

std::vector<ShardId> Directory::accounts_of_domain(std::string_view domain) const {
  std::vector<ShardId> found;
  // mail.acme.com belongs to acme.com too.
  while (found.empty() && domain.find('.') != domain.npos) {
    const auto [from, to] = domains_.equal_range(domain);
    for (auto it = from; it != to; ++it) found.push_back(it->second);
    domain.remove_prefix(domain.find('.') + 1);
  }
  return found;
}

ShardId Directory::user_of(std::string_view address) const {
  const auto it = users_.find(lower(address));
  return it == users_.end() ? ShardId() : it->second;
}

const Deal* Directory::deal_of_token(std::string_view token) const {
  const auto it = tokens_.find(std::string(token));
  return it == tokens_.end() ? nullptr : it->second;
}

Result<std::shared_ptr<const Directory>> DirectoryCache::open(const storage::Reader& reader) {
  CASTIEL_ASSIGN(const auto version, reader.directory_version());
  {
    std::lock_guard lock(mutex_);
    if (const auto it = newest_.find(reader.tenant());
        it != newest_.end() && it->second->version() == version)
      return it->second;
  }
  CASTIEL_ASSIGN(auto loaded, Directory::load(reader, mail_domains_(reader)));
  std::lock_guard lock(mutex_);
  if (newest_.size() >= kMaxTenants && !newest_.contains(reader.tenant())) newest_.erase(newest_.begin());
  auto& slot = newest_[reader.tenant()];
  if (slot == nullptr || slot->version() < version) slot = loaded;
  return loaded;
}

}  // namespace castiel::linking
