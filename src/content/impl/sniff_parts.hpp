#pragma once
// The questions sniff() asks of text and of zip files. Pure; any thread.

#include <string>
#include <string_view>
#include <vector>

namespace castiel::content::impl {

std::string_view trim(std::string_view text);
std::string_view trim_front(std::string_view text);
// Removes the first line, with its end, from `text` and returns it without.
std::string_view take_line(std::string_view& text);
bool starts_with_fold(std::string_view text, std::string_view prefix);  // ASCII letters of either case
std::string extension_of(std::string_view name);                        // lower case, without the dot

bool looks_like_mbox(std::string_view text);
bool looks_like_srt(std::string_view text);
bool looks_like_html(std::string_view text);
// A block of header fields, by the names among them; `named`: the file's name says it is a message.
bool looks_like_mail(std::string_view text, bool named);
// JSON whose arrays hold what was said: objects with words and with a speaker or a time. `text` may be cut.
bool looks_like_transcript_json(std::string_view text);

// The names in a zip's local headers (`head`) and in its directory (`head` and `tail`), as far as they are
// there.
std::vector<std::string_view> zip_member_names(std::string_view head, std::string_view tail);

}  // namespace castiel::content::impl
