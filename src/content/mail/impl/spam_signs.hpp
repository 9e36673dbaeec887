#pragma once
// Signs of unsolicited bulk mail in what a mail says and how it is made: written down by hand, so that
// nobody's mails are in it. Pure.

#include <string>

#include "base/json.hpp"

namespace castiel::content::mail::impl {

// So many points make spam, when both the words and the make of the mail say so: what a business writes and
// what a hurried person's mail looks like are each no sign.
inline constexpr int kSpamPoints = 9;

struct SpamSigns {
  int words = 0;       // points of what it says
  int make = 0;        // points of how it is made
  std::string strong;  // the weightiest sign
  bool is_spam() const { return words > 0 && make > 0 && words + make >= kSpamPoints; }
};
// `structure`: of parse_message.
SpamSigns spam_signs(const json::object& structure);

}  // namespace castiel::content::mail::impl
