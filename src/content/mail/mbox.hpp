#pragma once
// Mailboxes of the mbox family (mboxo, mboxrd, mboxcl) message by message, in memory that does not grow with
// the file. A splitter has one owner; functions are pure.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "content/mail/message.hpp"

namespace castiel::content::mail {

struct MboxMessage {
  std::uint64_t offset = 0;      // of its "From " line in the file: a splitter may start here again
  std::uint64_t end_offset = 0;  // just behind it: the next one's offset
  std::string bytes;             // the message without the "From " line, ">From " unquoted
  bool truncated = false;        // longer than the limit; `bytes` has its beginning
};

// Separators are "From " lines with a sender and a date, or, after an empty line, any before a line that
// reads like a header. Content-Length is not trusted: a line inside it that is a separator by this rule
// separates.
class MboxSplitter {
 public:
  // `offset`: where in the file the first pushed byte stands; 0 or an MboxMessage's end_offset.
  explicit MboxSplitter(std::uint64_t offset = 0, std::size_t max_message_bytes = kMaxMessageBytes);
  void push(std::string_view bytes);
  void finish();
  // The next whole message; nothing when more bytes are needed, or at the end.
  bool next(MboxMessage& out);

 private:
  void take_line(std::string_view line);
  void append(std::string_view line);
  void close(std::uint64_t end);

  std::size_t max_message_bytes_;
  std::uint64_t offset_;       // of the next line
  std::string carry_;          // a line cut by the end of a chunk
  bool line_dropped_ = false;  // in a line longer than its limit
  bool open_ = false;          // inside a message
  bool blank_before_ = true;   // the line before was empty
  std::string pending_;        // a "From " line that waits for the line after it
  std::uint64_t pending_offset_ = 0;
  MboxMessage current_;
  std::deque<MboxMessage> ready_;
};

inline constexpr std::size_t kMaxMailboxMessages = 100'000;  // that parse_mailbox takes

// Whether a file begins like an mbox.
bool is_mbox(std::string_view head);
// All of it: {"kind":"mailbox","messages":[email …],"warnings"}; the messages' "part" point into `parts`.
// Errors: too_large, corrupt (no message in it). A bad message is a warning.
Result<ParsedMail> parse_mailbox(std::string_view bytes);

}  // namespace castiel::content::mail
