// HTML by gumbo: the text of a page's blocks, a line each, and its tables.

#include <gumbo.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <map>
#include <memory>

#include "base/utf8.hpp"
#include "content/documents/impl/charset.hpp"
#include "content/documents/impl/formats.hpp"
#include "content/impl/sniff_parts.hpp"

namespace castiel::content::documents::impl {
namespace {

constexpr std::size_t kMaxHtmlBytes = 24u << 20;  // gumbo's tree takes about ten times as much
constexpr int kMaxSpan = 64;
constexpr std::size_t kMaxTableCells = 500'000;
constexpr std::size_t kMaxOpenTags = 20'000;  // gumbo's own walks call themselves once a level

struct Closer {
  void operator()(GumboOutput* output) const { gumbo_destroy_output(&kGumboDefaultOptions, output); }
};

bool is_block(GumboTag tag) {
  switch (tag) {
    case GUMBO_TAG_P:
    case GUMBO_TAG_DIV:
    case GUMBO_TAG_H1:
    case GUMBO_TAG_H2:
    case GUMBO_TAG_H3:
    case GUMBO_TAG_H4:
    case GUMBO_TAG_H5:
    case GUMBO_TAG_H6:
    case GUMBO_TAG_LI:
    case GUMBO_TAG_UL:
    case GUMBO_TAG_OL:
    case GUMBO_TAG_DL:
    case GUMBO_TAG_DT:
    case GUMBO_TAG_DD:
    case GUMBO_TAG_SECTION:
    case GUMBO_TAG_ARTICLE:
    case GUMBO_TAG_HEADER:
    case GUMBO_TAG_FOOTER:
    case GUMBO_TAG_NAV:
    case GUMBO_TAG_MAIN:
    case GUMBO_TAG_ASIDE:
    case GUMBO_TAG_ADDRESS:
    case GUMBO_TAG_BLOCKQUOTE:
    case GUMBO_TAG_FIGURE:
    case GUMBO_TAG_FIGCAPTION:
    case GUMBO_TAG_FORM:
    case GUMBO_TAG_FIELDSET:
    case GUMBO_TAG_LEGEND:
    case GUMBO_TAG_HR:
    case GUMBO_TAG_CAPTION:
    case GUMBO_TAG_DETAILS:
    case GUMBO_TAG_SUMMARY:
    case GUMBO_TAG_BODY:
    case GUMBO_TAG_OPTION:
    case GUMBO_TAG_TITLE:
    case GUMBO_TAG_CENTER:
    case GUMBO_TAG_PRE:
    case GUMBO_TAG_TABLE:
    case GUMBO_TAG_TR:
    case GUMBO_TAG_TD:
    case GUMBO_TAG_TH:
      return true;
    default:
      return false;
  }
}

bool is_hidden(GumboTag tag) {
  return tag == GUMBO_TAG_SCRIPT || tag == GUMBO_TAG_STYLE || tag == GUMBO_TAG_TEMPLATE ||
         tag == GUMBO_TAG_HEAD || tag == GUMBO_TAG_OBJECT || tag == GUMBO_TAG_SVG;
}

std::string_view attribute_of(const GumboElement& element, const char* name) {
  const auto* found = gumbo_get_attribute(&element.attributes, name);
  return found ? std::string_view(found->value) : std::string_view{};
}

int span_of(const GumboElement& element, const char* name) {
  const auto text = attribute_of(element, name);
  int value = 1;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return std::clamp(value, 1, kMaxSpan);
}

class HtmlReader {
 public:
  explicit HtmlReader(Builder& builder) : builder_(builder) {}

  void read(const GumboNode* root) {
    walk(root, 0);
    flush();
  }

 private:
  void put(std::string_view text) {
    for (const char c : text) {
      const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
      if (space && preformatted_ == 0) {
        pending_space_ = !line_.empty() && line_.back() != '\n';
        continue;
      }
      if (pending_space_) line_ += ' ';
      pending_space_ = false;
      line_ += c;
    }
  }

  void flush() {
    pending_space_ = false;
    if (cell_) {
      if (!line_.empty()) *cell_ += (cell_->empty() ? "" : "\n") + line_;
    } else {
      builder_.line(line_);
    }
    line_.clear();
  }

  void walk(const GumboNode* node, int depth) {
    if (depth > kMaxMarkupDepth || builder_.full()) return;
    if (node->type == GUMBO_NODE_TEXT || node->type == GUMBO_NODE_CDATA ||
        node->type == GUMBO_NODE_WHITESPACE) {
      put(node->v.text.text);
      return;
    }
    if (node->type == GUMBO_NODE_DOCUMENT) {
      children(node->v.document.children, depth);
      return;
    }
    if (node->type != GUMBO_NODE_ELEMENT) return;
    const auto& element = node->v.element;
    if (is_hidden(element.tag)) return;
    if (element.tag == GUMBO_TAG_BR) {
      pending_space_ = false;
      line_ += '\n';
      return;
    }
    if (element.tag == GUMBO_TAG_IMG) {
      const auto text = attribute_of(element, "alt");
      if (!text.empty()) put(" "), put(text), put(" ");
      return;
    }
    if (element.tag == GUMBO_TAG_IFRAME) {
      inner_page(attribute_of(element, "srcdoc"));
      return;
    }
    if (element.tag == GUMBO_TAG_TABLE && has_rows(node, 0)) {
      table(node, depth);
      return;
    }
    const bool block = is_block(element.tag);
    if (block) flush();
    preformatted_ += element.tag == GUMBO_TAG_PRE || element.tag == GUMBO_TAG_TEXTAREA;
    children(element.children, depth);
    preformatted_ -= element.tag == GUMBO_TAG_PRE || element.tag == GUMBO_TAG_TEXTAREA;
    if (block) flush();
  }

  void children(const GumboVector& nodes, int depth) {
    for (unsigned i = 0; i < nodes.length; ++i) walk(static_cast<const GumboNode*>(nodes.data[i]), depth + 1);
  }

  void inner_page(std::string_view html) {
    if (html.empty() || inside_frame_) return;
    flush();
    inside_frame_ = true;
    add_html(builder_, html);
    inside_frame_ = false;
  }

  static bool has_rows(const GumboNode* node, int depth) {
    if (depth > 4 || node->type != GUMBO_NODE_ELEMENT) return false;
    const auto& element = node->v.element;
    if (element.tag == GUMBO_TAG_TR) return true;
    for (unsigned i = 0; i < element.children.length; ++i) {
      if (has_rows(static_cast<const GumboNode*>(element.children.data[i]), depth + 1)) return true;
    }
    return false;
  }

  struct Grid {
    Rows rows;
    std::map<std::size_t, std::pair<int, std::string>>
        below;  // by column: rows left, text of a cell from above
  };

  void table(const GumboNode* node, int depth) {
    flush();
    Grid grid;
    rows_of(node, depth, grid);
    flush();
    builder_.table_without_text(grid.rows, "", 0);
  }

  void rows_of(const GumboNode* node, int depth, Grid& grid) {
    if (depth > kMaxMarkupDepth) return;
    const auto& nodes = node->v.element.children;
    for (unsigned i = 0; i < nodes.length; ++i) {
      const auto* part = static_cast<const GumboNode*>(nodes.data[i]);
      if (part->type != GUMBO_NODE_ELEMENT) continue;
      const auto tag = part->v.element.tag;
      if (tag == GUMBO_TAG_TR)
        row(part, depth + 1, grid);
      else if (tag == GUMBO_TAG_THEAD || tag == GUMBO_TAG_TBODY || tag == GUMBO_TAG_TFOOT)
        rows_of(part, depth + 1, grid);
      else
        walk(part, depth + 1);
    }
  }

  void row(const GumboNode* node, int depth, Grid& grid) {
    std::vector<std::string> cells;
    std::string line;
    const auto from_above = [&] {
      for (auto known = grid.below.find(cells.size()); known != grid.below.end() && known->second.first > 0;
           known = grid.below.find(cells.size())) {
        --known->second.first;
        cells.push_back(known->second.second);
      }
    };
    const auto& nodes = node->v.element.children;
    for (unsigned i = 0; i < nodes.length; ++i) {
      const auto* part = static_cast<const GumboNode*>(nodes.data[i]);
      if (part->type != GUMBO_NODE_ELEMENT) continue;
      const auto& element = part->v.element;
      if (element.tag != GUMBO_TAG_TD && element.tag != GUMBO_TAG_TH) continue;
      from_above();
      std::string text = cell(element, depth);
      if (!line.empty() || !cells.empty()) line += '\t';
      line += text;
      const int down = span_of(element, "rowspan");
      for (int column = span_of(element, "colspan"); column > 0 && cells_ < kMaxTableCells;
           --column, ++cells_) {
        if (down > 1) grid.below[cells.size()] = {down - 1, text};
        cells.push_back(text);
      }
    }
    from_above();
    if (cell_)
      *cell_ += (cell_->empty() ? "" : "\n") + line;
    else
      builder_.line(line);
    if (!cells.empty()) grid.rows.push_back(std::move(cells));
  }

  std::string cell(const GumboElement& element, int depth) {
    std::string text;
    std::string* outer = std::exchange(cell_, &text);
    std::string outer_line = std::exchange(line_, {});
    children(element.children, depth + 1);
    flush();
    cell_ = outer;
    line_ = std::move(outer_line);
    return text;
  }

  Builder& builder_;
  std::string line_;
  std::string* cell_ = nullptr;
  int preformatted_ = 0;
  bool pending_space_ = false, inside_frame_ = false;
  std::size_t cells_ = 0;
};

// When a page was written, by the names publishers use.
void read_times(const GumboElement& element, Metadata& metadata) {
  std::string name(attribute_of(element, "name"));
  for (const char* other : {"property", "itemprop", "http-equiv"}) {
    if (name.empty()) name = attribute_of(element, other);
  }
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  constexpr auto kCreated = std::to_array<std::string_view>({"article:published_time", "created", "date",
                                                             "datepublished", "dc.date", "dc.date.created",
                                                             "dcterms.created", "dcterms.date", "pubdate"});
  constexpr auto kModified =
      std::to_array<std::string_view>({"article:modified_time", "datemodified", "dc.date.modified",
                                       "dcterms.modified", "last-modified", "og:updated_time", "revised"});
  const auto content = attribute_of(element, "content");
  if (metadata.created.empty() && std::ranges::find(kCreated, name) != kCreated.end())
    metadata.created = content;
  if (metadata.modified.empty() && std::ranges::find(kModified, name) != kModified.end())
    metadata.modified = content;
}

// Of <title> and <meta>, in the head.
void read_head(const GumboNode* node, Metadata& metadata, int depth) {
  if (depth > 8 || node->type != GUMBO_NODE_ELEMENT) return;
  const auto& element = node->v.element;
  if (element.tag == GUMBO_TAG_BODY) return;
  if (element.tag == GUMBO_TAG_TITLE && metadata.title.empty() && element.children.length > 0) {
    const auto* text = static_cast<const GumboNode*>(element.children.data[0]);
    if (text->type == GUMBO_NODE_TEXT) metadata.title = text->v.text.text;
  }
  if (element.tag == GUMBO_TAG_META &&
      content::impl::starts_with_fold(attribute_of(element, "name"), "author"))
    metadata.author = attribute_of(element, "content");
  if (element.tag == GUMBO_TAG_META) read_times(element, metadata);
  for (unsigned i = 0; i < element.children.length; ++i)
    read_head(static_cast<const GumboNode*>(element.children.data[i]), metadata, depth + 1);
}

// The charset a page names in its first bytes: <meta charset=x> or content="text/html; charset=x".
std::string declared_charset(std::string_view bytes) {
  std::string start(bytes.substr(0, 4096));
  for (char& c : start) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  for (auto at = start.find("<meta"); at != std::string::npos; at = start.find("<meta", at + 5)) {
    const auto end = start.find('>', at);
    const auto tag = start.substr(at, end == std::string::npos ? end : end - at);
    const auto found = tag.find("charset");
    if (found == std::string::npos) continue;
    const auto from = tag.find_first_not_of(" =\"'", found + 7);
    if (from == std::string::npos) continue;
    return tag.substr(from, tag.find_first_of(" \"'/;>", from) - from);
  }
  return {};
}

// Elements that are open at once, at most: what nests them thousands deep is no page.
bool nests_too_deep(std::string_view html) {
  std::size_t open = 0;
  for (std::size_t at = html.find('<'); at != std::string_view::npos && at + 1 < html.size();
       at = html.find('<', at + 1)) {
    if (html[at + 1] == '/')
      open -= open > 0;
    else if ((html[at + 1] | 32) >= 'a' && (html[at + 1] | 32) <= 'z' && ++open > kMaxOpenTags)
      return true;
  }
  return false;
}

}  // namespace

void add_html(Builder& builder, std::string_view html) {
  if (html.size() > kMaxHtmlBytes) {
    builder.warn("the page is longer than is read");
    html = utf8_prefix(html, kMaxHtmlBytes);
  }
  const std::unique_ptr<GumboOutput, Closer> output(
      gumbo_parse_with_options(&kGumboDefaultOptions, html.data(), html.size()));
  if (!output) return;
  if (builder.metadata().title.empty()) read_head(output->root, builder.metadata(), 0);
  HtmlReader(builder).read(output->root);
}

Result<ParsedDocument> read_html(std::string_view bytes) {
  Builder builder;
  const std::string html = to_utf8(bytes, declared_charset(bytes));
  if (nests_too_deep(html)) return permanent("too_large", "the page nests its elements too deep");
  add_html(builder, html);
  return std::move(builder).finish("html", "text/html");
}

}  // namespace castiel::content::documents::impl
