#include "content/mail/impl/html_text.hpp"

#include <gumbo.h>

#include <algorithm>
#include <array>
#include <memory_resource>
#include <vector>

#include "base/utf8.hpp"

namespace castiel::content::mail::impl {
namespace {

constexpr std::size_t kMaxTreeBytes = 4U << 20;  // of HTML that gets a tree
constexpr std::size_t kMaxTreeTags = 150'000;
constexpr int kMaxTreeDepth = 800;  // unclosed tags; a tree that deep is made by hostile programs
constexpr std::size_t kMaxTagAttributes = 500;
constexpr std::size_t kMaxLinkBytes = 100;  // longer ones are trackers, not meant for reading
constexpr std::size_t kMaxQuoteDepth = 20;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

// Whether a tree of it stays small and cheap; one pass over the tags.
bool fits_a_tree(std::string_view html) {
  if (html.size() > kMaxTreeBytes) return false;
  std::size_t tags = 0;
  int open = 0;
  for (std::size_t i = 0; i < html.size();) {
    i = html.find('<', i);
    if (i == html.npos || i + 1 >= html.size()) break;
    const bool closing = html[i + 1] == '/';
    const char first = lower(html[i + 1 + (closing ? 1 : 0) < html.size() ? i + 1 + (closing ? 1 : 0) : i]);
    if (first < 'a' || first > 'z') {
      ++i;
      continue;
    }
    if (++tags > kMaxTreeTags) return false;
    std::string name;
    std::size_t at = i + (closing ? 2 : 1);
    while (at < html.size() && name.size() < 12 && !is_space(html[at]) && html[at] != '>' && html[at] != '/')
      name.push_back(lower(html[at++]));
    std::size_t attributes = 0;
    char quote = 0;
    for (; at < html.size() && (quote != 0 || html[at] != '>'); ++at) {
      if (quote != 0) {
        if (html[at] == quote) quote = 0;
      } else if (html[at] == '"' || html[at] == '\'') {
        quote = html[at];
        ++attributes;
      } else if (is_space(html[at]) || html[at] == '/') {
        if (++attributes > kMaxTagAttributes) return false;
      }
    }
    static constexpr std::array<std::string_view, 22> kNeverOpen{
        "br", "img", "hr",     "meta",  "link",  "input", "area", "base", "col", "p",   "li",
        "td", "th",  "option", "thead", "tbody", "tr",    "dt",   "dd",   "o:p", "wbr", "font"};
    if (std::ranges::find(kNeverOpen, name) == kNeverOpen.end()) {
      open += closing ? (open > 0 ? -1 : 0) : 1;
      if (open > kMaxTreeDepth) return false;
    }
    i = at;
  }
  return true;
}

std::string decoded_entity(std::string_view html, std::size_t& i) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kNames{{{"amp", "&"},
                                                                                        {"lt", "<"},
                                                                                        {"gt", ">"},
                                                                                        {"quot", "\""},
                                                                                        {"apos", "'"},
                                                                                        {"nbsp", " "},
                                                                                        {"euro", "€"},
                                                                                        {"copy", "©"}}};
  const auto end = html.find(';', i);
  if (end == html.npos || end - i > 10) return std::string(1, html[i++]);
  const auto name = html.substr(i + 1, end - i - 1);
  for (const auto& [known, text] : kNames) {
    if (name != known) continue;
    i = end + 1;
    return std::string(text);
  }
  if (name.size() > 1 && name[0] == '#') {
    std::uint32_t code = 0;
    const bool hex = lower(name[1]) == 'x';
    for (const char c : name.substr(hex ? 2 : 1)) {
      const char l = lower(c);
      if (l >= '0' && l <= '9') {
        code = code * (hex ? 16 : 10) + static_cast<std::uint32_t>(l - '0');
      } else if (hex && l >= 'a' && l <= 'f') {
        code = code * 16 + static_cast<std::uint32_t>(l - 'a' + 10);
      } else {
        return std::string(1, html[i++]);
      }
    }
    std::string out;
    append_utf8(out, code == 0 ? 0xFFFD : static_cast<char32_t>(code));
    i = end + 1;
    return out;
  }
  return std::string(1, html[i++]);
}

std::string stripped(std::string_view html) {
  std::string out;
  for (std::size_t i = 0; i < html.size();) {
    if (html[i] == '<') {
      const auto tag = html.substr(i + 1, 6);
      const bool script = tag.size() == 6 && lower(tag[0]) == 's' &&
                          (lower(tag[1]) == 'c' || lower(tag[1]) == 't') &&
                          (lower(tag[2]) == 'r' || lower(tag[2]) == 'y');
      auto end = html.find('>', i);
      if (end == html.npos) break;
      if (script) {
        const auto close = html.find("</", end);
        end = close == html.npos ? close : html.find('>', close);
        if (end == html.npos) break;
      }
      const bool line =
          !tag.empty() && std::string_view("bptdhlBPTDHL/").find(tag[0]) != std::string_view::npos;
      if (line && !out.empty() && out.back() != '\n') out.push_back('\n');
      i = end + 1;
    } else if (html[i] == '&') {
      out += decoded_entity(html, i);
    } else if (is_space(html[i])) {
      if (!out.empty() && !is_space(out.back())) out.push_back(' ');
      ++i;
    } else {
      out.push_back(html[i++]);
    }
  }
  return out;
}

bool is_hidden(const GumboElement& element) {
  const GumboAttribute* style = gumbo_get_attribute(&element.attributes, "style");
  if (style == nullptr) return false;
  std::string text;
  for (const char* c = style->value; *c != 0 && text.size() < 4000; ++c)
    if (!is_space(*c)) text.push_back(lower(*c));
  return text.find("display:none") != text.npos;
}

class Writer {
 public:
  std::string take() {
    std::string out;
    out.reserve(out_.size());
    // No white space at line ends, no more than one empty line in a row.
    std::size_t empty = 2;
    for (std::size_t i = 0; i <= out_.size();) {
      auto end = out_.find('\n', i);
      if (end == out_.npos) end = out_.size();
      std::string_view line = std::string_view(out_).substr(i, end - i);
      while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
      empty = line.empty() ? empty + 1 : 0;
      if (empty < 2) {
        out += line;
        out.push_back('\n');
      }
      i = end + 1;
    }
    while (out.ends_with('\n')) out.pop_back();
    return out;
  }

  void text(std::string_view words, bool verbatim) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      const char c = words[i];
      if (verbatim && c == '\n') {
        new_line();
        continue;
      }
      if (c == '\r') continue;
      if (words.substr(i, 2) == "\xC2\xA0") {
        word(" ");
        ++i;
        continue;
      }
      if (words.substr(i, 3) == "\xE2\x80\x8B" || words.substr(i, 3) == "\xEF\xBB\xBF") {
        i += 2;
        continue;
      }
      if (is_space(c) && !verbatim) {
        space_ = space_ || !at_line_start_;
        continue;
      }
      const auto length = std::max<std::size_t>(utf8_sequence_length(words.substr(i)), 1);
      word(words.substr(i, length));
      i += length - 1;
    }
  }
  void new_line() {
    if (at_line_start_) prefix();
    out_.push_back('\n');
    at_line_start_ = true;
    space_ = false;
  }
  // The start of a block: a line of its own, and an empty one before it for paragraphs.
  void block(bool paragraph) {
    if (!at_line_start_) new_line();
    wants_empty_ = wants_empty_ || paragraph;
  }
  void cell() {
    if (!at_line_start_) out_.push_back('\t');
    space_ = false;
  }
  void quote(bool begins) {
    block(false);
    if (begins) {
      ++quotes_;
    } else {
      --quotes_;
    }
  }
  std::size_t size() const { return out_.size(); }
  std::string_view since(std::size_t start) const { return std::string_view(out_).substr(start); }

 private:
  bool ends_with_empty_line() const {
    const auto last = out_.size() < 2 ? 0 : out_.rfind('\n', out_.size() - 2);
    const std::size_t begin = last == out_.npos ? 0 : last + 1;
    return out_.size() >= 2 && std::ranges::all_of(std::string_view(out_).substr(begin),
                                                   [](char c) { return c == '\n' || c == '>' || c == ' '; });
  }
  void prefix() {
    for (std::size_t i = 0; i < std::min(quotes_, kMaxQuoteDepth); ++i) out_ += "> ";
  }
  void word(std::string_view bytes) {
    if (wants_empty_ && !out_.empty() && !ends_with_empty_line()) new_line();
    wants_empty_ = false;
    if (at_line_start_) prefix();
    if (space_ && !at_line_start_) out_.push_back(' ');
    space_ = false;
    at_line_start_ = false;
    out_ += bytes;
  }

  std::string out_;
  std::size_t quotes_ = 0;
  bool at_line_start_ = true;
  bool space_ = false;
  bool wants_empty_ = false;  // an empty line comes before the next word
};

struct Frame {
  const GumboNode* node;
  unsigned next = 0;
  bool verbatim = false;
  std::size_t link_start = 0;
};

bool is_block(GumboTag tag) {
  switch (tag) {
    case GUMBO_TAG_DIV:
    case GUMBO_TAG_LI:
    case GUMBO_TAG_DT:
    case GUMBO_TAG_DD:
    case GUMBO_TAG_TR:
    case GUMBO_TAG_TABLE:
    case GUMBO_TAG_CENTER:
    case GUMBO_TAG_SECTION:
    case GUMBO_TAG_ARTICLE:
    case GUMBO_TAG_HEADER:
    case GUMBO_TAG_FOOTER:
    case GUMBO_TAG_ADDRESS:
    case GUMBO_TAG_FORM:
    case GUMBO_TAG_HR:
    case GUMBO_TAG_CAPTION:
    case GUMBO_TAG_BODY:
      return true;
    default:
      return false;
  }
}
bool is_paragraph(GumboTag tag) {
  switch (tag) {
    case GUMBO_TAG_P:
    case GUMBO_TAG_H1:
    case GUMBO_TAG_H2:
    case GUMBO_TAG_H3:
    case GUMBO_TAG_H4:
    case GUMBO_TAG_H5:
    case GUMBO_TAG_H6:
    case GUMBO_TAG_UL:
    case GUMBO_TAG_OL:
    case GUMBO_TAG_DL:
    case GUMBO_TAG_PRE:
      return true;
    default:
      return false;
  }
}
bool is_skipped(GumboTag tag) {
  switch (tag) {
    case GUMBO_TAG_SCRIPT:
    case GUMBO_TAG_STYLE:
    case GUMBO_TAG_HEAD:
    case GUMBO_TAG_TITLE:
    case GUMBO_TAG_NOSCRIPT:
    case GUMBO_TAG_TEMPLATE:
    case GUMBO_TAG_TEXTAREA:
      return true;
    default:
      return false;
  }
}

bool enter(Frame& frame, Writer& out) {
  const GumboElement& element = frame.node->v.element;
  if (is_skipped(element.tag) || is_hidden(element)) return false;
  if (element.tag == GUMBO_TAG_BR) {
    out.new_line();
    return false;
  }
  if (is_block(element.tag)) out.block(false);
  if (is_paragraph(element.tag)) out.block(true);
  if (element.tag == GUMBO_TAG_BLOCKQUOTE) out.quote(true);
  if (element.tag == GUMBO_TAG_TD || element.tag == GUMBO_TAG_TH) out.cell();
  if (element.tag == GUMBO_TAG_LI) out.text("- ", true);
  if (element.tag == GUMBO_TAG_HR) out.text("________________________________", false);
  if (element.tag == GUMBO_TAG_PRE) frame.verbatim = true;
  frame.link_start = out.size();
  return true;
}

void leave(const Frame& frame, Writer& out) {
  const GumboElement& element = frame.node->v.element;
  if (element.tag == GUMBO_TAG_A) {
    const GumboAttribute* href = gumbo_get_attribute(&element.attributes, "href");
    if (href != nullptr) {
      const std::string_view url(href->value);
      const auto shown = out.since(frame.link_start);
      std::string_view core = url;
      if (core.ends_with('/')) core.remove_suffix(1);
      const auto scheme = core.find("://");
      if (scheme != core.npos) core.remove_prefix(scheme + 3);
      const bool web = url.starts_with("http://") || url.starts_with("https://");
      const bool has_words = std::ranges::any_of(shown, [](char c) { return !is_space(c); });
      if (web && has_words && url.size() <= kMaxLinkBytes && shown.find(core) == shown.npos)
        out.text(std::string(" <") + std::string(url) + ">", false);
    }
  }
  if (element.tag == GUMBO_TAG_BLOCKQUOTE) out.quote(false);
  if (is_block(element.tag)) out.block(false);
  if (is_paragraph(element.tag)) out.block(true);
}

}  // namespace

std::string html_to_text(std::string_view html) {
  if (!fits_a_tree(html)) return stripped(html);
  // The tree lives in an arena: taking it down node by node would recurse as deep as the tree.
  std::pmr::monotonic_buffer_resource arena(html.size() * 4 + 4096);
  GumboOptions options = kGumboDefaultOptions;
  options.userdata = &arena;
  options.allocator = [](void* memory, std::size_t size) {
    return static_cast<std::pmr::monotonic_buffer_resource*>(memory)->allocate(size,
                                                                               alignof(std::max_align_t));
  };
  options.deallocator = [](void*, void*) {};
  options.max_errors = 0;
  const GumboOutput* output = gumbo_parse_with_options(&options, html.data(), html.size());
  Writer out;
  std::vector<Frame> stack{{output->root}};
  if (!enter(stack.back(), out)) stack.clear();
  while (!stack.empty()) {
    Frame& top = stack.back();
    const GumboVector& children = top.node->v.element.children;
    if (top.next >= children.length) {
      leave(top, out);
      stack.pop_back();
      continue;
    }
    const auto* child = static_cast<const GumboNode*>(children.data[top.next++]);
    switch (child->type) {
      case GUMBO_NODE_TEXT:
      case GUMBO_NODE_CDATA:
      case GUMBO_NODE_WHITESPACE:
        out.text(child->v.text.text, top.verbatim);
        break;
      case GUMBO_NODE_ELEMENT: {
        Frame frame{child, 0, top.verbatim, 0};
        if (enter(frame, out)) stack.push_back(frame);
        break;
      }
      default:
        break;
    }
  }
  return out.take();
}

}  // namespace castiel::content::mail::impl
