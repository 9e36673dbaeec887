#include "content/text/impl/finders.hpp"

#include <algorithm>

#include "content/text/impl/checksums.hpp"
#include "content/text/impl/patterns.hpp"

namespace castiel::content::text::impl {
namespace {

Range range_of(std::string_view text, std::string_view part) {
  const auto start = static_cast<std::size_t>(part.data() - text.data());
  return {start, start + part.size()};
}

}  // namespace

std::vector<Range> find_emails(const Source& source) {
  static const re2::RE2 pattern(
      "([A-Za-z0-9._%+'/"
      "=!#$&*?^`{|}~\\-]{0,63}[A-Za-z0-9_+\\-])@((?:[A-Za-z0-9](?:[A-Za-z0-9\\-]{0,61}[A-Za-z0-9])?\\.)+"
      "[A-Za-z]{2,24})");
  std::vector<Range> out;
  each_match<3>(pattern, source.text(), [&](const auto& groups) {
    Range range = range_of(source.text(), view(groups[0]));
    while (range.start < range.end &&
           (!is_word_byte(source.text()[range.start]) || source.text()[range.start] == '\''))
      ++range.start;
    if (source.text()[range.start] != '@') out.push_back(range);
    return out.size() < kMaxFindings;
  });
  return out;
}

std::vector<Range> find_urls(const Source& source) {
  static const re2::RE2 pattern(
      "(?i)\\b(?:https?://|ftp://|www\\d?\\.)[^\\s<>\"\\x{201c}\\x{201d}\\x{2019}{}|\\\\^`\\[\\]]+"
      "|\\b(?:[a-z0-9](?:[a-z0-9\\-]{0,61}[a-z0-9])?\\.)+(?:com|net|org|edu|gov|io|co|ai|app|dev|info|biz|eu|"
      "de|fr|uk|ch|"
      "at|nl|es|it|us|ca|jp|cn|in|example)\\b(?:[/?#][^\\s<>\"{}|\\\\^`\\[\\]]*)?");
  std::vector<Range> out;
  const auto text = source.text();
  each_match<1>(pattern, text, [&](const auto& groups) {
    Range range = range_of(text, view(groups[0]));
    // The rest of an address is no link of its own.
    if (range.start > 0 && (text[range.start - 1] == '@' || text[range.start - 1] == '.')) return true;
    if (range.end < text.size() && text[range.end] == '@') return true;
    const auto opening = std::count(text.begin() + range.start, text.begin() + range.end, '(');
    while (range.end > range.start) {
      const char c = text[range.end - 1];
      if (c == '.' || c == ',' || c == ';' || c == ':' || c == '!' || c == '?' || c == '\'' || c == '*' ||
          (c == ')' && opening == 0))
        --range.end;
      else
        break;
    }
    if (range.end - range.start >= 4) out.push_back(range);
    return out.size() < kMaxFindings;
  });
  return out;
}

std::vector<Range> find_phones(const Source& source) {
  static const re2::RE2 pattern(
      "(?:\\+|\\(\\+?|00)?\\d{1,4}\\)?(?:[ .\\-/\\x{a0}]{0,2}\\(?\\d{1,5}\\)?){1,6}(?:[ ]?(?:ext\\.?|x)[ "
      "]?\\d{1,6})?");
  std::vector<Range> out;
  const auto text = source.text();
  each_match<1>(pattern, text, [&](const auto& groups) {
    const auto whole = view(groups[0]);
    Range range = range_of(text, whole);
    const char before = range.start > 0 ? text[range.start - 1] : ' ';
    const char after = range.end < text.size() ? text[range.end] : ' ';
    if (is_word_byte(before) || before == '.' || before == '/' || before == '$' || before == '#' ||
        before == ':' || before == '-' || before == '_' || before == '=' || before == '@')
      return true;
    if (is_word_byte(after) || after == '@' || after == '%' || after == '_') return true;
    if ((after == '/' || after == '-' || after == '.' || after == ',') && range.end + 1 < text.size() &&
        is_digit(text[range.end + 1]))
      return true;
    std::size_t digits = 0, separators = 0;
    std::string compact;
    for (const char c : whole) {
      if (is_digit(c)) {
        ++digits;
        compact += c;
      } else if (c == 'x' || c == 'e') {
        break;
      } else {
        ++separators;
      }
    }
    if (digits < 7 || digits > 15) return true;
    if (is_ipv4(whole) || is_card_number(compact)) return true;
    const bool international = whole.starts_with('+') || whole.starts_with("(+") || whole.starts_with("00");
    // A date: 2017-03-01, 01.03.2017.
    static const re2::RE2 date(
        "\\d{4}[-/.]\\d{1,2}[-/.]\\d{1,2}(?:[ T].*)?|\\d{1,2}[-/.]\\d{1,2}[-/.]\\d{2,4}(?: .*)?");
    if (!international && re2::RE2::FullMatch({whole.data(), whole.size()}, date)) return true;
    // US social security numbers have their own shape.
    static const re2::RE2 ssn("\\d{3}-\\d{2}-\\d{4}");
    if (re2::RE2::FullMatch({whole.data(), whole.size()}, ssn)) return true;
    if (!international && separators == 0 && digits != 10 && digits != 11) {
      const std::string lead =
          lower(text.substr(range.start > 24 ? range.start - 24 : 0, std::min<std::size_t>(range.start, 24)));
      if (lead.find("phone") == lead.npos && lead.find("tel") == lead.npos &&
          lead.find("mobile") == lead.npos && lead.find("call") == lead.npos &&
          lead.find("fax") == lead.npos && lead.find("cell") == lead.npos)
        return true;
    }
    out.push_back(range);
    return out.size() < kMaxFindings;
  });
  return out;
}

namespace {

// One capitalised word of a name: "Jane", "O'Neill", "Müller-Lüdenscheidt", "J.".
const std::string& upper_letters() {
  static const std::string letters = "A-Z\\x{C0}-\\x{DE}\\x{100}-\\x{17F}\\x{386}-\\x{3AB}\\x{400}-\\x{42F}";
  return letters;
}
const std::string& name_letters() {
  static const std::string letters =
      upper_letters() + "a-z\\x{DF}-\\x{FF}\\x{180}-\\x{24F}\\x{3AC}-\\x{3FF}\\x{430}-\\x{52F}";
  return letters;
}
constexpr std::string_view kNotNames =
    " the this that these those our your my his her their its all team everyone everybody folks there sir "
    "madam monday tuesday "
    "wednesday thursday friday saturday sunday january february march april may june july august september "
    "october november "
    "december please thanks thank regards best hello hi dear i we you he she it they a an and or but if when "
    "as at in on of to "
    "for from by with no yes not what where who how why is are was were customer support sales service "
    "colleagues ladies "
    "gentlemen all guys today tomorrow yesterday ";

void add_names(std::vector<Name>& out, const re2::RE2& pattern, std::string_view text, bool organization) {
  each_match<2>(pattern, text, [&](const auto& groups) {
    const auto name = view(groups[1]);
    const std::string first = lower(name.substr(0, name.find(' ')));
    if (!name.empty() && !in_list(kNotNames, first)) out.push_back({range_of(text, name), organization});
    return out.size() < kMaxFindings;
  });
}

}  // namespace

std::vector<Name> find_names(const Source& source) {
  static const std::string word =
      "(?:[" + upper_letters() + "][" + name_letters() + "'\\x{2019}\\-]+|[" + upper_letters() + "]\\.)";
  static const std::string full =
      word + "(?:[ ](?:(?:de|van|von|der|den|la|le|da|dos|di|bin|al)[ ]){0,2}" + word + "){0,3}";
  static const re2::RE2 titled("\\b(?:Mr|Mrs|Ms|Miss|Dr|Prof|Herr|Frau|Mme|Sir)\\.?[ ](" + full + ")");
  static const re2::RE2 greeted("(?m)^[ \\t]*(?:Hi|Hello|Hey|Dear|Hallo|Liebe|Lieber|Bonjour|Hola)[ ]((?:" +
                                word + "[ ]){0,2}" + word + ")[ ]*(?:[,!.:;\\-\\n]|$)");
  static const re2::RE2 introduced(
      "\\b(?:[Mm]y name is|[Mm]y name's|I am called|I'm|[Tt]his "
      "is|[Nn]ame:|[Cc]ontact:|[Aa]ttn:?|called|named)[ ]{1,4}(" +
      full + ")(?:[,.!;\\s]|$)");
  static const re2::RE2 signed_by(
      "(?m)^[ \\t]*(?:[Bb]est regards|[Kk]ind regards|[Rr]egards|[Tt]hanks|[Tt]hank "
      "you|[Cc]heers|[Ss]incerely|"
      "[Bb]est|[Mm]it freundlichen Gr\\x{fc}\\x{df}en)[,.!]?[ \\t]*\\r?\\n[ \\t\\r\\n]{0,4}(" +
      full + ")[ \\t]*\\r?$");
  static const std::string part = "[" + upper_letters() + "][" + name_letters() + "\\d&'.\\-]*";
  static const re2::RE2 legal("(" + part + "(?:[ ](?:(?:of|and|&|der|und|de)[ ])?" + part +
                              "){0,4},?[ "
                              "](?:Inc|Incorporated|LLC|L\\.L\\.C|Ltd|Limited|Corp|Corporation|Company|Co|"
                              "GmbH|AG|SE|KG|KGaA|OHG|S\\.A|SA|SAS|"
                              "SARL|S\\.r\\.l|SpA|S\\.p\\.A|BV|B\\.V|NV|N\\.V|Oy|AB|ASA|A/"
                              "S|ApS|PLC|plc|LLP|LP|Pty Ltd|Pte Ltd|Group|Holdings|Bank|"
                              "University|Institute|Foundation|Partners|Technologies|Solutions|Consulting|"
                              "Industries|Systems|Labs)\\b\\.?)");
  static const re2::RE2 employed(
      "\\b(?:work for|works for|working for|work at|works at|working at|employed by|joined|on behalf of)[ "
      "](" +
      word + "(?:[ ]" + word + "){0,3})");
  std::vector<Name> out;
  add_names(out, legal, source.text(), true);
  add_names(out, employed, source.text(), true);
  for (const re2::RE2* pattern : {&titled, &greeted, &introduced, &signed_by})
    add_names(out, *pattern, source.text(), false);
  std::ranges::stable_sort(out, [](const Name& a, const Name& b) { return a.range.start < b.range.start; });
  std::vector<Name> kept;
  for (const Name& name : out) {
    if (kept.empty() || name.range.start >= kept.back().range.end) kept.push_back(name);
  }
  return kept;
}

}  // namespace castiel::content::text::impl
