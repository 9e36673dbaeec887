#pragma once
// The words mail programs write around text, in the languages they speak: labels of quoted headers, verbs of
// quote lines, signs of forwarding, closings, prefixes of subjects. Everything is case folded. Pure.

#include <optional>
#include <string>
#include <string_view>

namespace castiel::content::mail::impl {

std::string fold(std::string_view text);  // Unicode simple case folding, Turkish dotted I as i

enum class Label { from, to, cc, date, subject, reply_to };
std::optional<Label> label_of(std::string_view folded);  // "from", "gesendet", …

bool has_forward_word(std::string_view folded);   // "forwarded message", "weitergeleitete nachricht"
bool has_original_word(std::string_view folded);  // "original message", "ursprüngliche nachricht"
bool has_writing_verb(std::string_view folded);   // "wrote", "a écrit", "schrieb"
bool is_closing(std::string_view folded);      // a line that is "best regards," or "thanks!" and little more
bool is_device_line(std::string_view folded);  // "sent from my iphone"
bool is_disclaimer(std::string_view folded);   // a paragraph of "this e-mail is confidential …"

// `either`: "VS" is an answer in Finnish and a forwarded mail in Danish and Norwegian.
enum class SubjectPrefix { none, reply, forward, either };
struct PrefixMatch {
  SubjectPrefix kind = SubjectPrefix::none;
  std::size_t length = 0;  // of the prefix with its colon, in bytes
};
PrefixMatch subject_prefix(std::string_view subject);

}  // namespace castiel::content::mail::impl
