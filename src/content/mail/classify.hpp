#pragma once
// What kind of mail a mail is: a person's words, or a machine's, and what a person's mail is about. Rules,
// first match wins; every answer names its rule. Pure, thread-safe.

#include <string>
#include <string_view>

#include "base/json.hpp"

namespace castiel::content::mail {

struct MailClass {
  std::string_view name;  // person, marketing, list, notification, auto_reply, bounce, calendar, spam
  std::string reason;     // "rule: what was seen"
};
// `structure`: of parse_message, with "headers".
MailClass classify(const json::object& structure);

// intro, proposal, negotiation, follow_up, scheduling, support or other, of a person's own words.
std::string_view mail_type(std::string_view subject, std::string_view reply_text, bool is_reply);

}  // namespace castiel::content::mail
