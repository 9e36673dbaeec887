#pragma once
// The lines with which mail programs introduce a quoted or forwarded mail: "On … wrote:", blocks of "From: …
// Subject: …". Pure; views point into the text that was split.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "content/mail/reply.hpp"

namespace castiel::content::mail::impl {

struct Line {
  std::string_view raw;      // without its end
  std::size_t quotes = 0;    // how many '>' stand before it
  std::string_view content;  // behind them, without white space at the ends
  bool blank() const { return content.empty(); }
};
std::vector<Line> split_lines(std::string_view text);

struct QuoteHeader {
  std::size_t begin = 0;  // lines
  std::size_t end = 0;
  int kinds = 0;  // different labels
  std::optional<Mailbox> from;
  std::vector<Mailbox> to, cc;
  std::string subject;
  std::string date;
  std::string rest;  // of a block in one line: what follows it there
};

// Lines "Label: value" from `at` on, in any of the languages.
std::optional<QuoteHeader> read_block(const std::vector<Line>& lines, std::size_t at);
// The same in one line, "From: a <a@x>To: b …", as some web mail programs send it.
std::optional<QuoteHeader> read_inline_block(std::string_view line);
// "On 3 March 2026, Jane <jane@x> wrote:" in one to four lines.
std::optional<QuoteHeader> read_attribution(const std::vector<Line>& lines, std::size_t at);

// "----- Forwarded message -----": the words between the dashes; and how many dashes, what follows them.
struct Separator {
  std::string_view words;
  std::size_t dashes = 0;
  std::string_view rest;
};
std::optional<Separator> read_separator(std::string_view line);
// A line of at least `least` underscores, dashes, equal signs or stars, and nothing else.
bool is_rule(std::string_view line, std::size_t least);

}  // namespace castiel::content::mail::impl
