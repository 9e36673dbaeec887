#pragma once
// What a tenant's CRM says that linking has to know: deals with their account, people, owner and dates, the
// accounts' domains, who is of our own side, and all names. A snapshot for one version of the tenant's
// directory; immutable, any thread.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/time.hpp"
#include "linking/mentions.hpp"
#include "storage/store.hpp"
#include "tenancy/own_people.hpp"

namespace castiel::linking {

struct Deal {
  ShardId id;
  model::ShardKey key;
  std::string name;
  ShardId account;  // empty: none
  ShardId owner;    // a user
  std::vector<ShardId> contacts;
  std::vector<ShardId> products;
  bool open = true;
  std::optional<Date> created, closes;
  std::string amount;  // decimal string, may be empty

  // Whether people would be at work on it: until it was closed, and from some time before it was entered.
  bool is_active(Timestamp at) const;
};

class Directory {
 public:
  // More are not linked by name.
  static constexpr std::size_t kMaxAccounts = 200'000, kMaxDeals = 200'000, kMaxContacts = 200'000;

  static Result<std::shared_ptr<const Directory>> load(const storage::Reader& reader,
                                                       const std::vector<std::string>& mail_domains);

  std::int64_t version() const { return version_; }
  const Deal* deal(const ShardId& id) const;
  const std::vector<const Deal*>& deals_of_account(const ShardId& account) const;
  const std::vector<const Deal*>& deals_of_contact(const ShardId& contact) const;
  const std::string& account_name(const ShardId& account) const;
  // The contact's account; empty: none.
  ShardId account_of_contact(const ShardId& contact) const;
  // Whether they are records of one person: with one address, or at one company.
  bool is_one_person(std::span<const ShardId> contacts) const;
  // Accounts whose web or mail domain this is; none for public mail services.
  std::vector<ShardId> accounts_of_domain(std::string_view domain) const;
  // The user with this address; empty: none.
  ShardId user_of(std::string_view address) const;
  const tenancy::OwnPeople& own() const { return own_; }
  const Gazetteer& names() const { return names_; }
  // Whether they are records of one company: several sources have it.
  bool is_one_company(std::span<const ShardId> accounts) const;
  // The deal with this external or shard id, as the token stands in a text.
  const Deal* deal_of_token(std::string_view token) const;

 private:
  Result<> load_accounts(const storage::Reader& reader);
  void add_short_names();
  Result<> load_deals(const storage::Reader& reader);
  Result<> load_contacts(const storage::Reader& reader);
  Result<> load_relations(const storage::Reader& reader);

  std::int64_t version_ = 0;
  std::map<ShardId, Deal> deals_;
  std::map<ShardId, std::vector<const Deal*>> by_account_, by_contact_;
  std::map<ShardId, std::string> accounts_;
  struct Contact {
    std::string email;  // lower case
    ShardId account;
  };
  std::map<ShardId, Contact> contacts_;  // those with a first and a last name
  std::multimap<std::string, ShardId, std::less<>> domains_;
  std::map<std::string, ShardId, std::less<>> users_;
  std::unordered_map<std::string, const Deal*> tokens_;
  tenancy::OwnPeople own_;
  Gazetteer names_;
};

// The newest directory of each tenant lately used. Threads: any.
class DirectoryCache {
 public:
  static constexpr std::size_t kMaxTenants = 32;
  using MailDomains = std::function<std::vector<std::string>(const storage::Reader&)>;

  explicit DirectoryCache(MailDomains mail_domains) : mail_domains_(std::move(mail_domains)) {}
  // Loads when there is none of the reader's directory version. Blocks on disk.
  Result<std::shared_ptr<const Directory>> open(const storage::Reader& reader);

 private:
  MailDomains mail_domains_;
  std::mutex mutex_;
  std::map<TenantId, std::shared_ptr<const Directory>> newest_;
};

}  // namespace castiel::linking
