#pragma once
// Who belongs to the tenant's own organisation: by its mail domains, as set or as its users' addresses show
// them, and by its users' addresses and names. A snapshot; immutable, any thread.

#include <set>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "storage/store.hpp"

namespace castiel::tenancy {

class OwnPeople {
 public:
  static constexpr std::size_t kMaxUsers = 20'000;

  OwnPeople() = default;
  // `mail_domains`: the setting tenant.mail_domains. Error: the store's.
  static Result<OwnPeople> load(const storage::Reader& reader, std::span<const std::string> mail_domains);

  // Compares without case. A public mail service is nobody's domain: there only a user's whole address
  // counts.
  bool is_own(std::string_view address) const;
  // `name_key` as content::name_key gives it.
  bool is_own_name(std::string_view name_key) const { return names_.contains(name_key); }
  const std::set<std::string, std::less<>>& domains() const { return domains_; }
  // How many domains, addresses and names are known.
  std::size_t size() const { return domains_.size() + addresses_.size() + names_.size(); }
  bool knows_anybody() const { return !domains_.empty() || !addresses_.empty() || !names_.empty(); }

 private:
  std::set<std::string, std::less<>> domains_, addresses_, names_;
};

// gmail.com and its like: an address there says nothing about an organisation.
bool is_public_mail_domain(std::string_view domain);
// The part after the '@' in lower case; empty when there is none.
std::string mail_domain_of(std::string_view address);

}  // namespace castiel::tenancy
