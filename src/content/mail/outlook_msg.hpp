#pragma once
// An Outlook message file (.msg: OLE2 compound file with MAPI properties, [MS-OXMSG], [MS-CFB]) as the
// structure that parse_message gives. Pure, thread-safe.

#include <string_view>

#include "base/result.hpp"
#include "content/mail/message.hpp"

namespace castiel::content::mail {

inline constexpr std::size_t kMaxMsgEntries = 20'000;  // of the compound file's directory
inline constexpr std::size_t kMaxMsgDepth = 8;         // messages embedded in each other

// Whether the bytes are a compound file: with the entry "__properties_version1.0" a message.
bool is_outlook_msg(std::string_view bytes);
// Errors: too_large, corrupt, unsupported (a compound file that is no message).
Result<ParsedMail> parse_outlook_msg(std::string_view bytes);

}  // namespace castiel::content::mail
