#include "content/mail/mbox.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace castiel::content::mail {
namespace {

constexpr std::size_t kMaxLineBytes =
    1U << 20;  // of a line that is looked at whole; a longer one is no separator

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view without_end(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// "From jane@x.example Wed Mar  4 10:00:00 2026": a time of day and a year or a day's name.
bool is_separator(std::string_view line) {
  if (!line.starts_with("From ") || line.size() > 998) return false;
  bool time = false;
  bool year = false;
  for (std::size_t i = 5; i + 4 < line.size() + 1; ++i) {
    if (i + 4 < line.size() && is_digit(line[i]) && is_digit(line[i + 1]) && line[i + 2] == ':' &&
        is_digit(line[i + 3]))
      time = true;
    if (i + 4 <= line.size() && (line.substr(i, 2) == "19" || line.substr(i, 2) == "20") &&
        is_digit(line[i + 2]) && is_digit(line[i + 3]) && (i == 0 || !is_digit(line[i - 1])))
      year = true;
  }
  return time && year;
}

bool is_header_line(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == line.npos || colon == 0 || colon > 76) return line.starts_with(">From ");
  return std::ranges::all_of(line.substr(0, colon), [](char c) { return c > 32 && c < 127; });
}

}  // namespace

MboxSplitter::MboxSplitter(std::uint64_t offset, std::size_t max_message_bytes)
    : max_message_bytes_(max_message_bytes), offset_(offset) {}

void MboxSplitter::push(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const auto piece = bytes.substr(0, end == bytes.npos ? bytes.size() : end + 1);
    bytes.remove_prefix(piece.size());
    if (carry_.empty() && piece.ends_with('\n')) {
      take_line(piece);
      continue;
    }
    carry_ += piece;
    if (!piece.ends_with('\n') && carry_.size() <= kMaxLineBytes) continue;
    // A line over the limit goes on as several.
    const std::string line = std::exchange(carry_, {});
    take_line(line);
  }
}

void MboxSplitter::finish() {
  if (!carry_.empty()) take_line(std::exchange(carry_, {}));
  if (!pending_.empty()) {
    append(std::exchange(pending_, {}));
  }
  close(offset_);
}

void MboxSplitter::take_line(std::string_view line) {
  const auto text = without_end(line);
  const bool continues = line_dropped_;  // the rest of a line over the limit
  line_dropped_ = !line.ends_with('\n');
  if (!pending_.empty()) {
    if (is_header_line(text)) {
      close(pending_offset_);
      open_ = true;
      current_.offset = pending_offset_;
      pending_.clear();
    } else {
      append(std::exchange(pending_, {}));
    }
  }
  if (!continues && is_separator(text)) {
    close(offset_);
    open_ = true;
    current_.offset = offset_;
  } else if (!continues && blank_before_ && text.starts_with("From ")) {
    pending_ = std::string(line);
    pending_offset_ = offset_;
  } else {
    append(line);
  }
  blank_before_ = !continues && text.empty();
  offset_ += line.size();
}

void MboxSplitter::append(std::string_view line) {
  if (!open_) return;  // text before the first message
  // mboxrd: any number of '>' before "From " is one more than the writer had; mboxo's own are the same with
  // one.
  if (line.starts_with('>')) {
    const auto mark = line.find_first_not_of('>');
    if (mark != line.npos && line.substr(mark).starts_with("From ")) line.remove_prefix(1);
  }
  if (current_.bytes.size() + line.size() > max_message_bytes_) {
    current_.truncated = true;
    line = line.substr(0, max_message_bytes_ - std::min(max_message_bytes_, current_.bytes.size()));
  }
  current_.bytes += line;
}

void MboxSplitter::close(std::uint64_t end) {
  if (!open_) return;
  current_.end_offset = end;
  // The empty line before the next separator is the mailbox's, not the message's.
  auto& bytes = current_.bytes;
  if (bytes.ends_with("\r\n\r\n")) {
    bytes.resize(bytes.size() - 2);
  } else if (bytes.ends_with("\n\n")) {
    bytes.resize(bytes.size() - 1);
  }
  ready_.push_back(std::move(current_));
  current_ = {};
  open_ = false;
}

bool MboxSplitter::next(MboxMessage& out) {
  if (ready_.empty()) return false;
  out = std::move(ready_.front());
  ready_.pop_front();
  return true;
}

bool is_mbox(std::string_view head) {
  while (head.starts_with('\n') || head.starts_with('\r')) head.remove_prefix(1);
  if (!head.starts_with("From ")) return false;
  const auto end = head.find('\n');
  if (end == head.npos) return false;
  auto second = head.substr(end + 1);
  return is_separator(without_end(head.substr(0, end))) ||
         is_header_line(without_end(second.substr(0, second.find('\n'))));
}

Result<ParsedMail> parse_mailbox(std::string_view bytes) {
  ParsedMail out;
  json::array messages;
  json::array warnings;
  MboxSplitter splitter;
  std::size_t failed = 0;
  const auto take = [&] {
    MboxMessage message;
    while (splitter.next(message)) {
      if (messages.size() >= kMaxMailboxMessages) continue;
      auto mail = parse_message(message.bytes);
      if (!mail) {
        if (++failed <= 20)
          warnings.emplace_back(fmt::format("message at byte {}: {}", message.offset, mail.error().message));
        continue;
      }
      const std::size_t base = out.parts.size();
      for (auto& entry : mail->structure["attachments"].as_array())
        entry.as_object()["part"] = entry.as_object()["part"].to_number<std::size_t>() + base;
      if (auto* part = mail->structure.if_contains("calendarPart"))
        *part = part->to_number<std::size_t>() + base;
      if (message.truncated)
        mail->structure["warnings"].as_array().emplace_back(
            "the message is longer than the limit, its end is left out");
      std::ranges::move(mail->parts, std::back_inserter(out.parts));
      messages.push_back(std::move(mail->structure));
    }
  };
  constexpr std::size_t kChunk = 1U << 16;
  for (std::size_t i = 0; i < bytes.size(); i += kChunk) {
    splitter.push(bytes.substr(i, kChunk));
    take();
  }
  splitter.finish();
  take();
  if (messages.empty()) return permanent("corrupt", "this is no mailbox: it has no message that can be read");
  if (messages.size() >= kMaxMailboxMessages) warnings.emplace_back("messages over the limit are left out");
  out.structure = {{"kind", "mailbox"}, {"messages", std::move(messages)}, {"warnings", std::move(warnings)}};
  return out;
}

}  // namespace castiel::content::mail
