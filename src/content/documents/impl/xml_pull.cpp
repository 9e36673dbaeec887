#include "content/documents/impl/xml_pull.hpp"

#include <algorithm>
#include <charconv>

#include "base/utf8.hpp"

namespace castiel::content::documents::impl {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

std::string_view without_prefix(std::string_view name) {
  return name.substr(name.find(':') + 1);
}

}  // namespace

std::string resolve_references(std::string_view text) {
  std::string result;
  for (;;) {
    const auto at = text.find('&');
    result += text.substr(0, at);
    if (at == std::string_view::npos) return result;
    text.remove_prefix(at);
    const auto end = text.substr(0, 12).find(';');
    const auto name = end == std::string_view::npos ? std::string_view{} : text.substr(1, end - 1);
    if (name == "lt")
      result += '<';
    else if (name == "gt")
      result += '>';
    else if (name == "amp")
      result += '&';
    else if (name == "quot")
      result += '"';
    else if (name == "apos")
      result += '\'';
    else if (name.starts_with('#')) {
      const bool hex = name.size() > 1 && (name[1] | 32) == 'x';
      const auto digits = name.substr(hex ? 2 : 1);
      std::uint32_t code = 0;
      std::from_chars(digits.data(), digits.data() + digits.size(), code, hex ? 16 : 10);
      append_utf8(result, code);
    } else {
      result += '&';
      text.remove_prefix(1);
      continue;
    }
    text.remove_prefix(end + 1);
  }
}

XmlPull::Event XmlPull::next() {
  if (closes_itself_) {
    closes_itself_ = false;
    return Event::end;
  }
  while (at_ < xml_.size()) {
    if (xml_[at_] != '<') {
      const auto end = std::min(xml_.find('<', at_), xml_.size());
      text_ = xml_.substr(at_, end - at_);
      at_ = end;
      verbatim_ = false;
      return Event::text;
    }
    const auto rest = xml_.substr(at_);
    const auto skip_to = [&](std::string_view mark) {
      const auto end = rest.find(mark);
      at_ = end == std::string_view::npos ? xml_.size() : at_ + end + mark.size();
      damaged_ |= end == std::string_view::npos;
      return end;
    };
    if (rest.starts_with("<!--")) {
      skip_to("-->");
    } else if (rest.starts_with("<![CDATA[")) {
      const auto end = skip_to("]]>");
      if (end == std::string_view::npos) break;
      text_ = rest.substr(9, end - 9);
      verbatim_ = true;
      return Event::text;
    } else if (rest.starts_with("<?")) {
      skip_to("?>");
    } else if (rest.starts_with("<!")) {
      skip_to(">");
    } else {
      const auto end = skip_to(">");
      if (end == std::string_view::npos) break;
      auto tag = rest.substr(1, end - 1);
      if (tag.starts_with('/')) {
        name_ = without_prefix(tag.substr(1, tag.find_last_not_of(kSpace)));
        return Event::end;
      }
      // A '>' inside an attribute's quotes does not end the tag.
      while (std::count(tag.begin(), tag.end(), '"') % 2 == 1 && at_ < xml_.size()) {
        const auto more = xml_.find('>', at_);
        if (more == std::string_view::npos) {
          at_ = xml_.size();
          damaged_ = true;
          return Event::done;
        }
        at_ = more + 1;
        tag = rest.substr(1, static_cast<std::size_t>(xml_.data() + more - tag.data()));
      }
      closes_itself_ = tag.ends_with('/');
      if (closes_itself_) tag.remove_suffix(1);
      const auto space = tag.find_first_of(kSpace);
      name_ = without_prefix(tag.substr(0, space));
      attributes_ = space == std::string_view::npos ? std::string_view{} : tag.substr(space);
      return Event::start;
    }
  }
  return Event::done;
}

std::string XmlPull::attribute(std::string_view local) const {
  std::string_view rest = attributes_;
  for (;;) {
    const auto from = rest.find_first_not_of(kSpace);
    if (from == std::string_view::npos) return {};
    const auto equals = rest.find('=', from);
    if (equals == std::string_view::npos) return {};
    auto name = rest.substr(from, equals - from);
    name = name.substr(0, name.find_last_not_of(kSpace) + 1);
    const auto open = rest.find_first_of("\"'", equals);
    if (open == std::string_view::npos) return {};
    const auto close = rest.find(rest[open], open + 1);
    if (close == std::string_view::npos) return {};
    if (without_prefix(name) == local) return resolve_references(rest.substr(open + 1, close - open - 1));
    rest = rest.substr(close + 1);
  }
}

std::string XmlPull::text() const {
  return verbatim_ ? std::string(text_) : resolve_references(text_);
}

}  // namespace castiel::content::documents::impl
