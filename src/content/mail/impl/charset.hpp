#pragma once
// Text of any charset a mail may name as UTF-8. Pure, thread-safe; needs no files at run time (ICU's built-in
// tables).

#include <string>
#include <string_view>

namespace castiel::content::mail::impl {

struct Decoded {
  std::string text;      // UTF-8
  bool guessed = false;  // the charset was unknown or wrong
};

// An empty or wrong charset is guessed: UTF-8 where valid, else windows-1252. Faults become U+FFFD, NULs are
// dropped.
Decoded to_utf8(std::string_view bytes, std::string_view charset);
// Without carriage returns before line feeds; lone ones become line feeds.
std::string with_line_feeds(std::string_view text);

}  // namespace castiel::content::mail::impl
