#include "content/mail/reply.hpp"

#include <algorithm>
#include <span>

#include "content/mail/impl/mail_words.hpp"
#include "content/mail/impl/message_builder.hpp"
#include "content/mail/impl/quote_blocks.hpp"
#include "content/mail/impl/signature.hpp"
#include "content/mail/message.hpp"
#include "content/values.hpp"

namespace castiel::content::mail {
namespace {

using impl::Line;
using impl::QuoteHeader;

constexpr std::size_t kLongSeparator =
    8;                                    // dashes: programs that mark a forwarded mail as "original message"
constexpr std::size_t kOutlookRule = 20;  // underscores
constexpr std::size_t kMaxAnnounceBytes = 90;

enum class Tag : unsigned char { own, quoted, signature };

std::size_t skip_blank(const std::vector<Line>& lines, std::size_t i, std::size_t most) {
  const std::size_t limit = std::min(lines.size(), i + most);
  while (i < limit && lines[i].blank()) ++i;
  return i;
}

// "Begin forwarded message:", in any language: a short line of words with a colon.
bool announces(std::string_view content) {
  if (content.size() > kMaxAnnounceBytes || !(content.ends_with(':') || content.ends_with("：")))
    return false;
  return std::ranges::none_of(content, [](char c) { return (c >= '0' && c <= '9') || c == '@'; });
}

// A quoted or forwarded mail and how it begins.
struct Introduction {
  std::size_t begin = 0;  // first line of the introduction
  std::size_t body = 0;   // first line behind it
  QuoteHeader header;
  bool is_forward = false;
  bool is_line = false;  // "On … wrote:"
};

Introduction with_block(std::size_t begin, QuoteHeader header, bool is_forward) {
  Introduction out;
  out.begin = begin;
  out.body = header.end;
  out.header = std::move(header);
  out.is_forward = is_forward;
  return out;
}

struct SubjectSays {
  bool known = false;
  bool forward = false;
  bool reply = false;
};

// The introduction that begins at line `i`, if one does.
std::optional<Introduction> introduction_at(const std::vector<Line>& lines, std::size_t i,
                                            SubjectSays subject) {
  const auto content = lines[i].content;
  if (const auto separator = impl::read_separator(content)) {
    const std::string words = impl::fold(separator->words);
    const bool original = impl::has_original_word(words);
    const bool forward = impl::has_forward_word(words);
    std::optional<QuoteHeader> header;
    if (!separator->rest.empty()) {
      header = impl::read_inline_block(separator->rest);
      if (header) header->end = i + 1;
    } else {
      header = impl::read_block(lines, skip_blank(lines, i + 1, 4));
    }
    const bool marked = separator->dashes >= kLongSeparator && (lines[i].quotes > 0 || !original);
    if (header) {
      const bool is_forward = forward || subject.forward || (marked && !subject.reply);
      return with_block(i, std::move(*header), is_forward);
    }
    if (original || forward) {
      Introduction out;
      out.begin = i;
      out.body = i + 1;
      return out;
    }
  }
  if (announces(content)) {
    const std::string words = impl::fold(content);
    const bool forward = impl::has_forward_word(words);
    if (forward || (lines[i].quotes > 0 && (i == 0 || lines[i - 1].blank()))) {
      auto header = impl::read_block(lines, skip_blank(lines, i + 1, 4));
      if (header && header->kinds >= 3) return with_block(i, std::move(*header), true);
    }
  }
  std::size_t block = i;
  if (impl::is_rule(content, 5)) block = skip_blank(lines, i + 1, 3);
  if (auto header = impl::read_block(lines, block)) {
    // Without an announcement it takes more to be one: sender, and when or what, and to whom.
    const bool enough = header->kinds >= 3 && (!header->date.empty() || !header->subject.empty());
    // A long line of underscores stands before answers as well as forwarded mails: without a subject to tell,
    // what nothing says to be an answer was passed on.
    const bool ruled = block != i && content.size() >= kOutlookRule && content.front() == '_';
    if (enough) return with_block(i, std::move(*header), subject.forward || (ruled && !subject.known));
  }
  if (auto line = impl::read_attribution(lines, i)) {
    Introduction out = with_block(i, std::move(*line), subject.forward);
    out.is_line = true;
    return out;
  }
  return std::nullopt;
}

std::string joined(std::span<const Line> lines) {
  std::string out;
  for (const auto& line : lines) {
    out += line.raw;
    out.push_back('\n');
  }
  return out;
}

std::string without_edges(std::string_view text) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') {
      begin = i + 1;
    } else if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r') {
      break;
    }
  }
  text.remove_prefix(begin);
  return std::string(text.substr(0, trim(text).empty() ? 0 : text.find_last_not_of(" \t\r\n") + 1));
}

// The text of a forwarded mail without the marks and the indent its forwarding gave it.
std::string forwarded_text(std::span<const Line> lines, std::size_t depth) {
  std::size_t filled = 0;
  std::size_t marked = 0;
  std::size_t indented = 0;
  for (const auto& line : lines) {
    if (line.blank()) continue;
    ++filled;
    if (line.quotes > depth) ++marked;
    if (line.raw.starts_with("    ") || line.raw.starts_with('\t')) ++indented;
  }
  if (depth == 0 && filled > 0 && marked * 2 > filled) depth = 1;
  const bool all_indented = filled > 0 && indented == filled;
  std::string out;
  for (const auto& line : lines) {
    auto text = line.blank() && line.quotes <= depth ? std::string_view() : line.raw;
    if (text.empty()) {
      out.push_back('\n');
      continue;
    }
    for (std::size_t k = 0; k < std::min(depth, line.quotes); ++k) {
      const auto mark = text.find('>');
      text.remove_prefix(mark + 1);
    }
    if (depth > 0 && line.quotes > 0 && text.starts_with(' ')) text.remove_prefix(1);
    if (all_indented) text = text.substr(std::min(text.find_first_not_of(" \t"), text.size()));
    out += text;
    out.push_back('\n');
  }
  return std::string(trim(without_edges(out)));
}

Forwarded forwarded_of(const std::vector<Line>& lines, const Introduction& intro, std::string_view subject) {
  Forwarded out;
  out.from = intro.header.from;
  out.to = intro.header.to;
  out.cc = intro.header.cc;
  out.subject = intro.header.subject;
  if (out.subject.empty()) out.subject = std::string(base_subject(subject));
  out.date = intro.header.date;
  const std::size_t depth = intro.header.end > 0 ? lines[intro.header.end - 1].quotes : 0;
  out.text = forwarded_text(std::span(lines).subspan(intro.body), depth);
  return out;
}

// Which lines are the sender's own: everything that neither is marked nor follows an introduction.
struct Tagged {
  std::vector<Tag> tags;
  std::optional<Introduction> forward;
};

Tagged tag_lines(const std::vector<Line>& lines, SubjectSays subject) {
  Tagged out{std::vector<Tag>(lines.size(), Tag::own), std::nullopt};
  bool quote_seen = false;
  for (std::size_t i = 0; i < lines.size();) {
    if (lines[i].blank() && lines[i].quotes == 0) {
      ++i;
      continue;
    }
    auto intro = quote_seen && lines[i].quotes > 0 ? std::nullopt : introduction_at(lines, i, subject);
    if (!intro) {
      if (lines[i].quotes > 0) {
        out.tags[i] = Tag::quoted;
        quote_seen = true;
      }
      ++i;
      continue;
    }
    if (intro->is_forward && !quote_seen) {
      std::fill(out.tags.begin() + static_cast<std::ptrdiff_t>(intro->begin), out.tags.end(), Tag::quoted);
      out.forward = std::move(intro);
      break;
    }
    const std::size_t next = skip_blank(lines, intro->body, lines.size());
    const bool marked = next < lines.size() && lines[next].quotes > lines[i].quotes;
    if (lines[i].quotes == 0 && (!intro->is_line || !marked)) {
      // Nothing marks the quoted lines: the rest of the mail is the quote.
      std::fill(out.tags.begin() + static_cast<std::ptrdiff_t>(intro->begin), out.tags.end(), Tag::quoted);
      break;
    }
    std::fill(out.tags.begin() + static_cast<std::ptrdiff_t>(intro->begin),
              out.tags.begin() + static_cast<std::ptrdiff_t>(intro->body), Tag::quoted);
    quote_seen = true;
    i = std::max(intro->body, i + 1);
  }
  return out;
}

// Empty lines inside of a quote belong to it.
void join_quotes(const std::vector<Line>& lines, std::vector<Tag>& tags) {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (tags[i] != Tag::quoted) continue;
    std::size_t end = i + 1;
    while (end < lines.size() && lines[end].blank() && tags[end] == Tag::own) ++end;
    if (end < lines.size() && tags[end] == Tag::quoted)
      std::fill(tags.begin() + static_cast<std::ptrdiff_t>(i),
                tags.begin() + static_cast<std::ptrdiff_t>(end), Tag::quoted);
  }
}

struct Signature {
  std::vector<std::string> pieces;  // from the last one up
};

// Signatures are looked for from the end, as long as a run of own lines is nothing else.
Signature tag_signatures(const std::vector<Line>& lines, std::vector<Tag>& tags, const SplitHints& hints) {
  Signature out;
  std::size_t end = lines.size();
  while (end > 0) {
    while (end > 0 && tags[end - 1] == Tag::quoted) --end;
    std::size_t begin = end;
    while (begin > 0 && tags[begin - 1] == Tag::own) --begin;
    const auto run = std::span(lines).subspan(begin, end - begin);
    const auto found = impl::find_signature(run, hints);
    if (found.begin < run.size()) {
      out.pieces.push_back(without_edges(joined(run.subspan(found.begin))));
      if (found.certain)
        std::fill(tags.begin() + static_cast<std::ptrdiff_t>(begin + found.begin),
                  tags.begin() + static_cast<std::ptrdiff_t>(end), Tag::signature);
    }
    const std::size_t own_end = found.certain ? begin + found.begin : end;
    const bool words_left = std::any_of(lines.begin() + static_cast<std::ptrdiff_t>(begin),
                                        lines.begin() + static_cast<std::ptrdiff_t>(own_end),
                                        [](const Line& line) { return !line.blank(); });
    if (words_left) break;
    end = begin;
  }
  return out;
}

std::vector<Fragment> fragments_of(const std::vector<Line>& lines, const std::vector<Tag>& tags) {
  std::vector<Fragment> out;
  for (std::size_t i = 0; i < lines.size();) {
    std::size_t end = i;
    while (end < lines.size() && tags[end] == tags[i]) ++end;
    Fragment fragment;
    fragment.kind = tags[i] == Tag::own      ? FragmentKind::own
                    : tags[i] == Tag::quoted ? FragmentKind::quoted
                                             : FragmentKind::signature;
    fragment.text = joined(std::span(lines).subspan(i, end - i));
    out.push_back(std::move(fragment));
    i = end;
  }
  for (auto fragment = out.rbegin(); fragment != out.rend(); ++fragment) {
    if (fragment->kind == FragmentKind::own && !trim(fragment->text).empty()) break;
    fragment->hidden = true;
  }
  return out;
}

}  // namespace

SplitText split_text(std::string_view text, const SplitHints& hints) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const auto lines = impl::split_lines(text);
  const SubjectSays subject{!trim(hints.subject).empty(), is_forward_subject(hints.subject),
                            is_reply_subject(hints.subject)};
  auto [tags, forward] = tag_lines(lines, subject);
  join_quotes(lines, tags);
  const auto signature = tag_signatures(lines, tags, hints);

  SplitText out;
  if (forward) out.forwarded = forwarded_of(lines, *forward, hints.subject);
  out.fragments = fragments_of(lines, tags);
  for (const auto& fragment : out.fragments) {
    std::string piece = without_edges(fragment.text);
    if (piece.empty()) continue;
    auto& target = fragment.kind == FragmentKind::own ? out.reply : out.quoted;
    if (fragment.kind == FragmentKind::signature) continue;
    if (!target.empty()) target += "\n\n";
    target += piece;
  }
  for (auto piece = signature.pieces.rbegin(); piece != signature.pieces.rend(); ++piece) {
    if (!out.signature.empty()) out.signature += "\n\n";
    out.signature += *piece;
  }
  return out;
}

json::value to_json(const std::optional<Forwarded>& forwarded) {
  if (!forwarded) return nullptr;
  json::object out;
  out["from"] = forwarded->from ? impl::to_json(*forwarded->from) : json::value(nullptr);
  out["to"] = impl::to_json(forwarded->to);
  out["cc"] = impl::to_json(forwarded->cc);
  out["subject"] = forwarded->subject;
  const auto time = impl::parse_mail_date(forwarded->date);
  out["sentAt"] = time                      ? json::value(to_string(*time))
                  : forwarded->date.empty() ? json::value(nullptr)
                                            : json::value(forwarded->date);
  out["text"] = forwarded->text;
  return out;
}

namespace {

std::string_view clean_name(std::string_view name) {
  static constexpr std::string_view kEdges = " \t,;\"'<>[]()*";
  for (;;) {
    const auto before = name.size();
    while (!name.empty() && kEdges.find(name.front()) != std::string_view::npos) name.remove_prefix(1);
    while (!name.empty() && kEdges.find(name.back()) != std::string_view::npos) name.remove_suffix(1);
    for (const std::string_view mark : {"«", "»", "„", "“", "”", "\xC2\xA0"}) {
      if (name.starts_with(mark)) name.remove_prefix(mark.size());
      if (name.ends_with(mark)) name.remove_suffix(mark.size());
    }
    if (name.size() == before) return name;
  }
}

// Names and bare addresses between two addresses in brackets: "a@x.example, Doe, Jane" gives one box and a
// name.
std::string bare_boxes(std::string_view segment, std::vector<Mailbox>& out) {
  std::string name;
  while (!segment.empty()) {
    const auto end = std::min(segment.find_first_of(",;"), segment.size());
    const auto piece = clean_name(segment.substr(0, end));
    segment.remove_prefix(std::min(end + 1, segment.size()));
    if (piece.empty()) continue;
    if (piece.find('@') != piece.npos && piece.find(' ') == piece.npos && !segment.empty()) {
      if (!name.empty()) out.push_back({std::exchange(name, {}), ""});
      out.push_back({"", std::string(piece)});
    } else {
      name += (name.empty() ? "" : ", ") + std::string(piece);
    }
  }
  return name;
}

// The notation of some programs, "Jane <jane@x<mailto:jane@x>>" and "Jane [mailto:jane@x]", as "Jane
// <jane@x>".
std::string without_mailto(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto rest = text.substr(i);
    if (rest.starts_with("<mailto:")) {
      const auto end = rest.find('>');
      const auto address = rest.substr(8, end == rest.npos ? end : end - 8);
      // Behind its own address it says nothing new.
      if (!out.ends_with(address)) out += '<' + std::string(address) + '>';
      i += end == rest.npos ? rest.size() : end + 1;
    } else if (rest.starts_with("[mailto:")) {
      const auto end = rest.find(']');
      out += '<' + std::string(rest.substr(8, end == rest.npos ? end : end - 8)) + '>';
      i += end == rest.npos ? rest.size() : end + 1;
    } else {
      out.push_back(text[i++]);
    }
  }
  return out;
}

}  // namespace

std::vector<Mailbox> parse_mailboxes(std::string_view raw) {
  const std::string clean = without_mailto(raw);
  std::string_view text = clean;
  std::vector<Mailbox> out;
  while (!text.empty() && out.size() < kMaxAddresses) {
    const auto open = text.find('<');
    const auto close = open == text.npos ? open : text.find('>', open);
    if (close == text.npos) break;
    std::string name = bare_boxes(text.substr(0, open), out);
    const auto address = trim(text.substr(open + 1, close - open - 1));
    if (name == address) name.clear();
    if (!address.empty()) out.push_back({std::move(name), std::string(address)});
    text.remove_prefix(close + 1);
  }
  // What is left has no brackets: addresses, or names alone.
  while (!text.empty() && out.size() < kMaxAddresses) {
    const char separator = text.find(';') != text.npos ? ';' : ',';
    const auto end = std::min(text.find(separator), text.size());
    const auto piece = clean_name(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (piece.empty()) continue;
    if (piece.find('@') != piece.npos && piece.find(' ') == piece.npos) {
      out.push_back({"", std::string(piece)});
    } else {
      out.push_back({std::string(piece), ""});
    }
  }
  return out;
}

std::string_view base_subject(std::string_view subject) {
  for (int i = 0; i < 20; ++i) {
    subject = trim(subject);
    const auto prefix = impl::subject_prefix(subject);
    if (prefix.kind != impl::SubjectPrefix::none) {
      subject.remove_prefix(prefix.length);
      continue;
    }
    // "[list] Subject", but a subject that is nothing else keeps it.
    const auto close = subject.starts_with('[') ? subject.find(']') : subject.npos;
    if (close == subject.npos || close > 40 || trim(subject.substr(close + 1)).empty()) break;
    subject.remove_prefix(close + 1);
  }
  return subject;
}

namespace {
bool has_prefix(std::string_view subject, impl::SubjectPrefix kind) {
  subject = trim(subject);
  if (subject.starts_with('[') && subject.find(']') < 40)
    subject = trim(subject.substr(subject.find(']') + 1));
  const auto found = impl::subject_prefix(subject).kind;
  return found == kind || found == impl::SubjectPrefix::either;
}
}  // namespace

bool is_reply_subject(std::string_view subject) {
  return has_prefix(subject, impl::SubjectPrefix::reply);
}
bool is_forward_subject(std::string_view subject) {
  return has_prefix(subject, impl::SubjectPrefix::forward);
}

}  // namespace castiel::content::mail
