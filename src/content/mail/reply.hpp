#pragma once
// The text of a mail split into what its sender wrote, what is quoted, the signature, and a forwarded mail.
// Works on plain text, in many languages and the habits of many programs. Pure, thread-safe, linear in the
// text.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace castiel::content::mail {

struct Mailbox {
  std::string name;
  std::string email;
  bool operator==(const Mailbox&) const = default;
};

struct Forwarded {
  std::optional<Mailbox> from;
  std::vector<Mailbox> to, cc;
  std::string subject;
  std::string date;  // as written
  std::string text;
};

enum class FragmentKind { own, quoted, signature };
struct Fragment {
  FragmentKind kind = FragmentKind::own;
  std::string text;
  // Nothing a reader misses at the end of the mail: quoted text, signatures and white space behind the last
  // own words.
  bool hidden = false;
};

struct SplitText {
  std::string reply;      // own words, in order
  std::string quoted;     // with the lines that introduce it
  std::string signature;  // closing lines, name, contact details, device lines, disclaimers of lists
  std::optional<Forwarded> forwarded;
  std::vector<Fragment> fragments;  // the whole text in order
};

struct SplitHints {
  std::string_view sender_name;  // finds the signature
  std::string_view sender_email;
  std::string_view subject;  // "Fwd: …" finds a forwarded mail without a separator
};
SplitText split_text(std::string_view text, const SplitHints& hints = {});

// {"from","to","cc","subject","sentAt","text"}; sentAt is RFC 3339, or as written when it names no instant.
json::value to_json(const std::optional<Forwarded>& forwarded);

// "Jane Doe <jane@acme.example>; bob@b.example" in the notations that quoted headers use.
std::vector<Mailbox> parse_mailboxes(std::string_view text);
// Without "Re:", "Fwd:", "AW:", "[list]" and their like in many languages.
std::string_view base_subject(std::string_view subject);
// Whether its prefix says answer or forward.
bool is_reply_subject(std::string_view subject);
bool is_forward_subject(std::string_view subject);

}  // namespace castiel::content::mail
