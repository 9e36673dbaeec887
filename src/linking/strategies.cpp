#include "linking/strategies.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "base/decimal.hpp"
#include "content/name_key.hpp"
#include "model/entity.hpp"

namespace castiel::linking {
namespace {

namespace type = model::type;

constexpr std::size_t kMaxSignals = 400;
constexpr std::size_t kManyAccounts = 5;  // a text that names more is about none of them
constexpr std::size_t kManyPeople = 8;
constexpr std::size_t kMinExplicitKey = 5;
constexpr std::size_t kMaxTokenBytes = 64;
constexpr std::size_t kMaxTokens = 5'000;
constexpr auto kNearDates = 14;  // days around a deal's opening and close
constexpr auto kNearStageChange = std::chrono::hours(24);
constexpr double kMinAmount = 100;                           // smaller figures are in every text
constexpr std::int64_t kFirstYear = 1900, kLastYear = 2100;  // figures that are rather years

bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
}

class Finder {
 public:
  Finder(const storage::Reader& reader, const Directory& directory, const Content& content)
      : reader_(&reader), directory_(&directory), content_(&content) {}

  Result<std::vector<Signal>> run(const Context& context) {
    inherit(context);
    ids();
    mentions();
    if (!content_->unwanted) {
      CASTIEL_TRY(participants());
      channel();
      people_in_text();
      names_in_text();
      CASTIEL_TRY(dates());
    } else {
      // What an automatic answer is about is said by the mail it answers.
      std::erase_if(signals_,
                    [](const Signal& s) { return s.strategy != strategy::kExplicit && !s.inherited; });
    }
    return std::move(signals_);
  }

 private:
  void add(Signal signal) {
    if (signals_.size() < kMaxSignals) signals_.push_back(std::move(signal));
  }
  void add_deal(const Deal& deal, std::string_view by, double confidence, std::string reason,
                json::object evidence) {
    add({deal.id, std::string(type::kOpportunity), std::string(by), confidence, std::move(reason),
         std::move(evidence), false});
  }
  std::vector<const Deal*> active(const std::vector<const Deal*>& deals) const {
    std::vector<const Deal*> out;
    std::ranges::copy_if(deals, std::back_inserter(out),
                         [&](const Deal* d) { return d->is_active(content_->at); });
    return out;
  }

  void inherit(const Context& context);
  void ids();
  void mentions();
  Result<> participants();
  Result<> participant(const Person& person, std::span<const ShardId> owners);
  void split(const std::vector<const Deal*>& deals, std::span<const ShardId> owners, double one,
             const std::string& reason, const json::object& evidence);
  void channel();
  void people_in_text();
  void names_in_text();
  Result<> dates();

  const storage::Reader* reader_;
  const Directory* directory_;
  const Content* content_;
  std::vector<Signal> signals_;
  struct Found {
    const TextField* field;
    Mention mention;
  };
  std::vector<Found> accounts_, contacts_, products_;
};

json::object place(const TextField& field, const Mention& mention) {
  return {{"field", field.name}, {"text", mention.text}, {"start", mention.start}, {"end", mention.end}};
}

void Finder::inherit(const Context& context) {
  for (const auto& link : context.thread) {
    add({link.to,
         link.to_type,
         std::string(strategy::kExplicit),
         100,
         "answers a thread that is linked to it",
         {{"field", "threadId"}, {"text", content_->thread}, {"linkId", link.id}},
         true});
  }
  for (const auto& link : context.parent) {
    const bool sure = link.strategy == strategy::kExplicit || !link.decided_by.empty();
    add({link.to,
         link.to_type,
         std::string(sure ? strategy::kExplicit : strategy::kParticipant),
         sure ? 100.0 : std::clamp<double>(link.confidence, 80, 90),
         content_->key.type == type::kEmail ? "answers a mail that is linked to it"
                                            : "came with a mail that is linked to it",
         {{"field", "parent"},
          {"text", content_->parent ? content_->parent->external_id : ""},
          {"linkId", link.id}},
         true});
  }
}

// Ids of deals: in addresses such as deals+006XX@…, in links and in plain text.
void Finder::ids() {
  for (const auto& address : content_->addresses) {
    const auto plus = address.find('+'), at = address.find('@');
    if (at == address.npos || plus > at) continue;
    if (const auto* deal = directory_->deal_of_token(address.substr(plus + 1, at - plus - 1)))
      add_deal(*deal, strategy::kExplicit, 100, "sent to the deal's own address", {{"email", address}});
  }
  for (const auto& field : content_->fields) {
    const std::string_view text = std::string_view(field.text).substr(0, Gazetteer::kMaxTextBytes);
    std::size_t tokens = 0, code_points = 0, counted = 0;
    for (std::size_t i = 0; i < text.size() && tokens < kMaxTokens;) {
      if (!is_word(text[i])) {
        ++i;
        continue;
      }
      const std::size_t from = i;
      bool digit = false, letter = false;
      for (; i < text.size() && is_word(text[i]); ++i) {
        const bool d = text[i] >= '0' && text[i] <= '9';
        digit = digit || d;
        letter = letter || (!d && text[i] != '-' && text[i] != '_');
      }
      const auto token = text.substr(from, i - from);
      if (!digit || token.size() > kMaxTokenBytes) continue;
      // A bare number is an id only where a link or a sign says so.
      if (!letter && (from == 0 || (text[from - 1] != '/' && text[from - 1] != '=' && text[from - 1] != '#')))
        continue;
      ++tokens;
      const auto* deal = directory_->deal_of_token(token);
      if (deal == nullptr) continue;
      for (; counted < from; ++counted)
        code_points += (static_cast<unsigned char>(text[counted]) & 0xC0) != 0x80;
      add_deal(*deal, strategy::kExplicit, 100, fmt::format("names the deal's id {}", token),
               {{"field", field.name},
                {"text", token},
                {"start", code_points},
                {"end", code_points + token.size()}});
    }
  }
}

// Names of deals; those of accounts and products are kept for what follows from them.
void Finder::mentions() {
  for (const auto& field : content_->fields) {
    for (auto& mention : directory_->names().find(field.text)) {
      std::vector<const Deal*> deals;
      bool account = false, contact = false, product = false;
      for (const auto& named : *mention.named) {
        account = account || named.type == type::kAccount;
        contact = contact || named.type == type::kContact;
        product = product || named.type == type::kProduct;
        if (named.type == type::kOpportunity) {
          if (const auto* deal = directory_->deal(named.shard)) deals.push_back(deal);
        }
      }
      const bool whole_channel = field.name == "channel.name" && content::name_key(mention.text).size() + 5 >=
                                                                     content::name_key(field.text).size();
      const bool own_name = !account && !product && deals.size() == 1 &&
                            content::name_key(mention.text).size() >= kMinExplicitKey;
      for (const auto* deal : deals) {
        const bool sure =
            own_name && (mention.after_at || whole_channel || (field.title && content_->is_meeting()));
        if (sure) {
          add_deal(*deal, strategy::kExplicit, 100,
                   mention.after_at ? fmt::format("mentions @{}", deal->name)
                   : whole_channel  ? fmt::format("the channel is the deal's: #{}", field.text)
                                    : fmt::format("its title names the deal {}", deal->name),
                   place(field, mention));
        } else if (deals.size() == 1 || deal->is_active(content_->at)) {
          const double confidence =
              deals.size() > 1 ? 60 : 70 + (field.title ? 5 : 0) + (mention.words > 1 && !account ? 5 : 0);
          add_deal(*deal, strategy::kContent, confidence, fmt::format("names the deal {}", deal->name),
                   place(field, mention));
        }
      }
      if (account) accounts_.push_back({&field, mention});
      if (contact) contacts_.push_back({&field, mention});
      if (product) products_.push_back({&field, mention});
    }
  }
}

// "#deal-nordkai": a channel made for a deal, or for a customer, by what it is called (COMM-2).
void Finder::channel() {
  if (content_->channel.empty() || content_->automatic) return;
  constexpr auto kForDeals = std::to_array<std::string_view>({"deal", "deals", "opp", "opportunity"});
  constexpr auto kForCustomers =
      std::to_array<std::string_view>({"account", "acct", "client", "cust", "customer", "kunde", "ext"});
  const std::string_view name = content_->channel;
  const auto cut = name.find_first_of("-_");
  if (cut == name.npos) return;
  const auto purpose = name.substr(0, cut);
  const bool for_deals = std::ranges::find(kForDeals, purpose) != kForDeals.end();
  if (!for_deals && std::ranges::find(kForCustomers, purpose) == kForCustomers.end()) return;
  const auto* named = directory_->names().lookup(content::name_key(name.substr(cut + 1)));
  // "#deal-hollis-tarr-pilot" begins with the name.
  if (named == nullptr)
    named = directory_->names().lookup(
        content::name_key(name.substr(cut + 1, name.find_first_of("-_", cut + 1) - cut - 1)));
  if (named == nullptr) return;
  std::vector<ShardId> accounts;
  for (const auto& n : *named) {
    if (n.type == type::kAccount) accounts.push_back(n.shard);
  }
  if (accounts.empty() || !directory_->is_one_company(accounts)) return;
  std::vector<const Deal*> deals;
  const json::object evidence{{"field", "channel.name"}, {"text", name}};
  for (const auto& account : accounts) {
    add({account, std::string(type::kAccount), std::string(strategy::kExplicit), 100,
         fmt::format("the channel is for {}: #{}", directory_->account_name(account), name), evidence,
         false});
    for (const auto* deal : active(directory_->deals_of_account(account))) deals.push_back(deal);
  }
  for (const auto* deal : deals) {
    const bool only = deals.size() == 1 && for_deals;
    add_deal(*deal, only ? strategy::kExplicit : strategy::kContent,
             only                ? 100
             : deals.size() == 1 ? 75
                                 : 60,
             deals.size() == 1 ? fmt::format("the channel is for {}, which has only this deal open: #{}",
                                             directory_->account_name(deal->account), name)
                               : fmt::format("the channel is for {}, which has {} deals open: #{}",
                                             directory_->account_name(deal->account), deals.size(), name),
             evidence);
  }
}

// Several deals share what one would have had; the one whose owner is there comes first.
void Finder::split(const std::vector<const Deal*>& deals, std::span<const ShardId> owners, double one,
                   const std::string& reason, const json::object& evidence) {
  if (deals.size() == 1) {
    add_deal(*deals.front(), strategy::kParticipant, one, reason + ", its only open deal", evidence);
    return;
  }
  std::vector<const Deal*> owned;
  std::ranges::copy_if(deals, std::back_inserter(owned), [&](const Deal* d) {
    return !d->owner.empty() && std::ranges::find(owners, d->owner) != owners.end();
  });
  for (const auto* deal : deals) {
    const bool best = owned.size() == 1 && owned.front() == deal;
    add_deal(*deal, strategy::kParticipant,
             best                ? 80
             : deals.size() == 2 ? 60
                                 : 50,
             best ? reason + ", the open deal whose owner takes part"
                  : fmt::format("{}, one of {} open deals", reason, deals.size()),
             evidence);
  }
}

Result<> Finder::participant(const Person& person, std::span<const ShardId> owners) {
  const bool by_name = person.email.empty();
  const std::string who = by_name ? person.name : person.email;
  const auto key = by_name ? content::name_key(person.name) : person.email;
  // A first name alone is nobody in particular.
  if (by_name && (person.name.find(' ') == std::string::npos || directory_->own().is_own_name(key)))
    return {};
  CASTIEL_ASSIGN(const auto aliases, reader_->aliases(by_name ? "contact:name" : "contact:email", key));
  json::object evidence{{"field", person.role}, {"text", who}};
  if (!by_name) evidence["email"] = person.email;
  std::set<ShardId> contacts;
  for (const auto& alias : aliases) contacts.insert(alias.shard);
  if (by_name && contacts.size() != 1) return {};
  // Several sources may know the person; the roles in all of them count together.
  std::vector<const Deal*> roles, of_accounts;
  const auto add_new = [](std::vector<const Deal*>& to, const std::vector<const Deal*>& more) {
    std::ranges::copy_if(more, std::back_inserter(to),
                         [&](const Deal* d) { return std::ranges::find(to, d) == to.end(); });
  };
  std::string account_name;
  for (const auto& contact : contacts) {
    add({contact, std::string(type::kContact), std::string(strategy::kParticipant), by_name ? 85.0 : 90.0,
         fmt::format("{} takes part", who), evidence, false});
    CASTIEL_ASSIGN(const auto relations, reader_->relations_from(contact));
    ShardId account;
    for (const auto& r : relations) {
      if (r.role == "account" && r.to) account = *r.to;
    }
    add_new(roles, active(directory_->deals_of_contact(contact)));
    if (account.empty()) continue;
    account_name = directory_->account_name(account);
    add({account, std::string(type::kAccount), std::string(strategy::kParticipant), by_name ? 85.0 : 90.0,
         fmt::format("{} is a contact of {}", who, account_name), evidence, false});
    add_new(of_accounts, active(directory_->deals_of_account(account)));
  }
  if (!roles.empty()) {
    split(roles, owners, by_name ? 85 : 90, fmt::format("{} has a role", who), evidence);
  } else if (!of_accounts.empty()) {
    split(of_accounts, owners, by_name ? 80 : 85, fmt::format("{} is a contact of {}", who, account_name),
          evidence);
  }
  if (!contacts.empty() || by_name) return {};
  const auto domain = tenancy::mail_domain_of(person.email);
  const auto accounts = directory_->accounts_of_domain(domain);
  for (const auto& account : accounts) {
    const auto& name = directory_->account_name(account);
    const bool only = accounts.size() == 1;
    add({account, std::string(type::kAccount),
         std::string(only ? strategy::kParticipant : strategy::kContent), only ? 85.0 : 60.0,
         fmt::format("{} writes from the domain of {}", who, name), evidence, false});
    const auto deals = active(directory_->deals_of_account(account));
    std::vector<const Deal*> owned;
    std::ranges::copy_if(deals, std::back_inserter(owned), [&](const Deal* d) {
      return !d->owner.empty() && std::ranges::find(owners, d->owner) != owners.end();
    });
    if (owned.size() == 1 && only) {
      add_deal(*owned.front(), strategy::kParticipant, 80,
               fmt::format("{} is of {} and the deal's owner takes part", who, name), evidence);
      continue;
    }
    for (const auto* deal : deals) {
      add_deal(*deal, strategy::kTemporal, deals.size() == 1 && only ? 60 : 45,
               fmt::format("{} is of {}, which had {} open then", who, name,
                           deals.size() == 1 ? "this deal" : "several deals"),
               evidence);
    }
  }
  return {};
}

Result<> Finder::participants() {
  if (content_->people.size() > Content::kMaxPeople) return {};
  std::vector<ShardId> owners;
  for (const auto& person : content_->people) {
    if (auto user = directory_->user_of(person.email); !user.empty()) owners.push_back(std::move(user));
  }
  for (const auto& person : content_->people) {
    if (!person.email.empty() && directory_->own().is_own(person.email)) continue;
    CASTIEL_TRY(participant(person, owners));
  }
  return {};
}

// The figures of a text, in the notations of money: "1,200.50", "1.200,50", "12k", "1.5 million".
std::set<std::int64_t> figures_in(std::string_view text) {
  std::set<std::int64_t> figures;
  text = text.substr(0, Gazetteer::kMaxTextBytes);
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] < '0' || text[i] > '9') {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && ((text[end] >= '0' && text[end] <= '9') ||
                                 ((text[end] == ',' || text[end] == '.' || text[end] == '\'') &&
                                  end + 1 < text.size() && text[end + 1] >= '0' && text[end + 1] <= '9')))
      ++end;
    std::string whole, part;
    const auto number = text.substr(i, end - i);
    const auto mark = number.find_last_of(",.'");
    const std::size_t decimals = mark == number.npos ? 0 : number.size() - mark - 1;
    for (std::size_t k = 0; k < number.size(); ++k) {
      if (number[k] < '0' || number[k] > '9') continue;
      (mark != number.npos && k > mark && decimals != 3 ? part : whole) += number[k];
    }
    std::size_t unit = end;
    if (unit < text.size() && text[unit] == ' ') ++unit;
    const auto rest = text.substr(unit, 8);
    double factor = 1;
    if (rest.starts_with("million") || rest.starts_with("mio")) factor = 1e6;
    if (end < text.size() && end == unit && (text[end] == 'k' || text[end] == 'K')) factor = 1e3;
    if (end < text.size() && end == unit && (text[end] == 'm' || text[end] == 'M')) factor = 1e6;
    if (whole.size() <= 12) {
      const double value = std::stod(whole + "." + (part.empty() ? "0" : part.substr(0, 6))) * factor;
      figures.insert(std::llround(value));
    }
    i = std::max(end, i + 1);
  }
  return figures;
}

// Contacts named in the text who take no part themselves, with their account and their deals.
void Finder::people_in_text() {
  std::map<std::vector<ShardId>, const Found*> named;
  for (const auto& found : contacts_) {
    std::vector<ShardId> contacts;
    for (const auto& n : *found.mention.named) {
      if (n.type == type::kContact) contacts.push_back(n.shard);
    }
    if (!directory_->is_one_person(contacts)) continue;  // a name several have
    const bool takes_part = std::ranges::any_of(signals_, [&](const Signal& s) {
      return s.strategy == strategy::kParticipant && std::ranges::find(contacts, s.to) != contacts.end();
    });
    if (takes_part) continue;
    auto& slot = named[std::move(contacts)];
    if (slot == nullptr || (found.field->title && !slot->field->title)) slot = &found;
  }
  const bool list = named.size() > kManyPeople;
  const auto add_new = [](std::vector<const Deal*>& to, const std::vector<const Deal*>& more) {
    std::ranges::copy_if(more, std::back_inserter(to),
                         [&](const Deal* d) { return std::ranges::find(to, d) == to.end(); });
  };
  // In the order of the text: ids are others in another import of the same files.
  std::vector<std::pair<std::vector<ShardId>, const Found*>> in_order(named.begin(), named.end());
  std::ranges::sort(in_order, {}, [](const auto& one) { return one.second; });
  for (const auto& [contacts, found] : in_order) {
    const auto& who = found->mention.text;
    const auto evidence = place(*found->field, found->mention);
    const double confidence = list ? 55 : found->field->title ? 70 : 65;
    std::vector<const Deal*> roles, of_accounts;
    for (const auto& contact : contacts) {
      add({contact, std::string(type::kContact), std::string(strategy::kContent), confidence,
           fmt::format("names {}", who), evidence, false});
      add_new(roles, active(directory_->deals_of_contact(contact)));
      const auto account = directory_->account_of_contact(contact);
      if (account.empty()) continue;
      add({account, std::string(type::kAccount), std::string(strategy::kContent), list ? 55.0 : 60.0,
           fmt::format("names {}, a contact of {}", who, directory_->account_name(account)), evidence,
           false});
      add_new(of_accounts, active(directory_->deals_of_account(account)));
    }
    const auto& deals = roles.empty() ? of_accounts : roles;
    const bool only = deals.size() == 1 && !list;
    for (const auto* deal : deals) {
      add_deal(*deal, only ? strategy::kContent : strategy::kTemporal,
               !only           ? 45
               : roles.empty() ? 60
                               : confidence,
               only ? fmt::format("names {}, {}", who,
                                  roles.empty() ? "a contact of its account, which had only this deal open"
                                                : "who has a role in no other open deal")
                    : fmt::format("names {}, one of {} open deals", who, deals.size()),
               evidence);
    }
  }
}

// Accounts named in the text, their deals, and products and amounts that tell between deals.
void Finder::names_in_text() {
  std::map<ShardId, const Found*> named;
  for (const auto& found : accounts_) {
    std::vector<ShardId> accounts;
    for (const auto& n : *found.mention.named) {
      if (n.type == type::kAccount) accounts.push_back(n.shard);
    }
    if (!directory_->is_one_company(accounts)) continue;  // a name several have
    for (const auto& account : accounts) {
      auto& slot = named[account];
      if (slot == nullptr || (found.field->title && !slot->field->title)) slot = &found;
    }
  }
  const bool list = named.size() > kManyAccounts;
  std::set<const Deal*> tied;
  for (const auto& [account, found] : named) {
    const auto& name = directory_->account_name(account);
    const bool part = found->mention.named->front().part;
    const double confidence =
        list ? 55 : (part ? 60 : 65) + (found->field->title ? 5 : 0) + (found->mention.words > 1 ? 5 : 0);
    add({account, std::string(type::kAccount), std::string(strategy::kContent), confidence,
         fmt::format("names {}", name), place(*found->field, found->mention), false});
    const auto deals = active(directory_->deals_of_account(account));
    tied.insert(deals.begin(), deals.end());
    for (const auto* deal : deals) {
      const bool only = deals.size() == 1 && !list;
      add_deal(*deal, only ? strategy::kContent : strategy::kTemporal, only ? confidence : 45,
               only ? fmt::format("names {}, which had only this deal open", name)
                    : fmt::format("names {}, which had {} deals open", name, deals.size()),
               place(*found->field, found->mention));
    }
  }
  for (const auto& s : signals_) {
    if (s.to_type == type::kOpportunity) {
      if (const auto* deal = directory_->deal(s.to)) tied.insert(deal);
    }
  }
  if (tied.empty()) return;
  std::map<const TextField*, std::set<std::int64_t>> figures;
  for (const auto* deal : tied) {
    for (const auto& found : products_) {
      const bool its = std::ranges::any_of(*found.mention.named, [&](const Named& n) {
        return std::ranges::find(deal->products, n.shard) != deal->products.end();
      });
      if (!its) continue;
      add_deal(*deal, strategy::kContent, 72, fmt::format("names its product {}", found.mention.text),
               place(*found.field, found.mention));
      break;
    }
    const auto amount = Decimal::parse(deal->amount);
    if (!amount || amount->to_double() < kMinAmount) continue;
    const auto whole = std::llround(amount->to_double());
    if (whole >= kFirstYear && whole <= kLastYear) continue;
    for (const auto& field : content_->fields) {
      auto [it, fresh] = figures.try_emplace(&field);
      if (fresh) it->second = figures_in(field.text);
      if (!it->second.contains(whole)) continue;
      add_deal(*deal, strategy::kContent, 76, fmt::format("names its amount {}", amount->normalized().str()),
               {{"field", field.name}, {"text", amount->normalized().str()}});
      break;
    }
  }
}

// Near the opening, the close or a change of stage of a deal that something else speaks for.
Result<> Finder::dates() {
  std::set<ShardId> candidates;
  for (const auto& s : signals_) {
    if (s.to_type == type::kOpportunity) candidates.insert(s.to);
  }
  constexpr std::size_t kMaxHistories = 20;
  std::size_t read = 0;
  const Date day = date_of(content_->at);
  for (const auto& id : candidates) {
    const auto* deal = directory_->deal(id);
    if (deal == nullptr || ++read > kMaxHistories) continue;
    CASTIEL_ASSIGN(const auto history, reader_->history(deal->key));
    const auto change = std::ranges::find_if(history, [&](const model::FieldChange& c) {
      const auto apart = c.effective_at - content_->at;
      return c.field == "stage" && apart < kNearStageChange && apart > -kNearStageChange;
    });
    const auto near = [&](const std::optional<Date>& date) {
      return date && std::abs(day - *date) <= kNearDates;
    };
    if (change != history.end()) {
      add_deal(*deal, strategy::kTemporal, 55, "within a day of a change of its stage",
               {{"field", "stage"}, {"text", to_string(change->effective_at)}});
    } else if (near(deal->created) || near(deal->closes)) {
      add_deal(*deal, strategy::kTemporal, 50,
               near(deal->closes) ? "near its close date" : "near its opening",
               {{"field", near(deal->closes) ? "closeDate" : "createdDate"},
                {"text", to_string(near(deal->closes) ? *deal->closes : *deal->created)}});
    }
  }
  return {};
}

}  // namespace

Result<std::vector<Signal>> find_signals(const storage::Reader& reader, const Directory& directory,
                                         const Content& content, const Context& context) {
  return Finder(reader, directory, content).run(context);
}

}  // namespace castiel::linking
