#pragma once
// Values of header fields as mails have them, right or wrong: encoded words, addresses, parameters, ids.
// Pure, thread-safe, linear in the value.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "content/mail/reply.hpp"

namespace castiel::content::mail::impl {

// RFC 2047 words decoded, folds removed, bytes above 127 as UTF-8 or windows-1252, white space at the ends
// removed.
std::string decode_words(std::string_view raw);
// RFC 5322 with what programs make of it; groups give their members.
std::vector<Mailbox> parse_addresses(std::string_view raw);
// Ids without their brackets; a text without brackets gives its words with an '@'.
std::vector<std::string> parse_ids(std::string_view raw);

// "text/plain; charset=x": the value in lower case and parameters by lower-case name, RFC 2231 and 2047
// decoded.
struct Parameters {
  std::string value;
  std::vector<std::pair<std::string, std::string>> items;
  std::string_view get(std::string_view name) const;  // empty when absent
};
Parameters parse_parameters(std::string_view raw);

}  // namespace castiel::content::mail::impl
