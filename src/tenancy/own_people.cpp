#include "tenancy/own_people.hpp"

#include <algorithm>
#include <array>

namespace castiel::tenancy {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace

bool is_public_mail_domain(std::string_view domain) {
  static constexpr auto kPublic = std::to_array<std::string_view>(
      {"126.com",        "163.com",       "aol.com",    "bluewin.ch", "fastmail.com",   "free.fr",
       "gmail.com",      "gmx.at",        "gmx.com",    "gmx.de",     "gmx.net",        "googlemail.com",
       "hotmail.com",    "hotmail.co.uk", "hotmail.fr", "icloud.com", "laposte.net",    "libero.it",
       "live.com",       "mac.com",       "mail.com",   "mail.ru",    "me.com",         "msn.com",
       "orange.fr",      "outlook.com",   "outlook.de", "proton.me",  "protonmail.com", "qq.com",
       "rediffmail.com", "t-online.de",   "wanadoo.fr", "web.de",     "yahoo.com",      "yahoo.co.uk",
       "yahoo.de",       "yahoo.fr",      "yandex.ru",  "zoho.com"});
  return std::ranges::find(kPublic, domain) != kPublic.end();
}

std::string mail_domain_of(std::string_view address) {
  const auto at = address.rfind('@');
  return at == address.npos ? std::string() : lower(address.substr(at + 1));
}

Result<OwnPeople> OwnPeople::load(const storage::Reader& reader, std::span<const std::string> mail_domains) {
  OwnPeople people;
  for (const auto& domain : mail_domains) people.domains_.insert(lower(domain));
  CASTIEL_ASSIGN(const auto addresses, reader.aliases_of_kind("user:email", kMaxUsers));
  for (const auto& alias : addresses) {
    people.addresses_.insert(lower(alias.key));
    if (!mail_domains.empty()) continue;
    if (auto domain = mail_domain_of(alias.key); !domain.empty() && !is_public_mail_domain(domain))
      people.domains_.insert(std::move(domain));
  }
  CASTIEL_ASSIGN(const auto names, reader.aliases_of_kind("user:name", kMaxUsers));
  for (const auto& alias : names) people.names_.insert(alias.key);
  return people;
}

bool OwnPeople::is_own(std::string_view address) const {
  const std::string whole = lower(address);
  if (addresses_.contains(whole)) return true;
  const std::string domain = mail_domain_of(whole);
  if (domain.empty()) return false;
  // mail.example.com belongs to example.com.
  for (std::string_view rest = domain;;) {
    if (domains_.contains(rest)) return true;
    const auto dot = rest.find('.');
    if (dot == rest.npos) return false;
    rest.remove_prefix(dot + 1);
  }
}

}  // namespace castiel::tenancy
