#pragma once
// What parse_message and parse_outlook_msg share: the structure's members from raw values.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"
#include "content/mail/message.hpp"
#include "content/mail/reply.hpp"

namespace castiel::content::mail::impl {

json::value to_json(const Mailbox& box);
json::array to_json(const std::vector<Mailbox>& boxes);
json::array to_json(const std::vector<std::string>& texts);
// Null, or RFC 3339.
json::value to_json(const std::optional<Timestamp>& time);

// Of a Date field, or of what follows a Received field's last semicolon.
std::optional<Timestamp> parse_mail_date(std::string_view raw);

// The last piece of a path, without control characters.
std::string clean_file_name(std::string_view name);

// "importance": low, normal or high by the fields that say so.
std::string_view importance_of(std::string_view importance, std::string_view x_priority,
                               std::string_view priority);

// A structure with every member, empty.
json::object empty_mail();

struct HeaderField {
  std::string name;  // lower case
  std::string_view raw;
};
// Fills the members that header fields give, "headers" included.
void put_headers(json::object& mail, const std::vector<HeaderField>& fields,
                 std::vector<std::string>& warnings);

}  // namespace castiel::content::mail::impl
