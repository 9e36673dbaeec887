#include "content/name_key.hpp"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <array>
#include <vector>

namespace castiel::content {
namespace {

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// Letters that Unicode does not decompose, and what they are written as where they are missing.
const char16_t* plain_letter(UChar32 c) {
  switch (c) {
    case 0x00E6:
      return u"ae";
    case 0x0153:
      return u"oe";
    case 0x00F8:
      return u"o";
    case 0x0142:
      return u"l";
    case 0x0111:
    case 0x00F0:
      return u"d";
    case 0x00FE:
      return u"th";
    case 0x0131:
      return u"i";
    default:
      return nullptr;
  }
}

std::string unicode_key(std::string_view text) {
  UErrorCode status = U_ZERO_ERROR;
  const auto* fold = icu::Normalizer2::getNFKCCasefoldInstance(status);
  const auto* decompose = icu::Normalizer2::getNFDInstance(status);
  if (U_FAILURE(status)) return {};
  const auto source = icu::UnicodeString::fromUTF8({text.data(), static_cast<int32_t>(text.size())});
  const auto folded = decompose->normalize(fold->normalize(source, status), status);
  if (U_FAILURE(status)) return {};
  icu::UnicodeString kept;
  for (int32_t i = 0; i < folded.length(); i = folded.moveIndex32(i, 1)) {
    const UChar32 c = folded.char32At(i);
    if (c >= 0x0300 && c <= 0x036F) continue;  // accents of Latin, Greek and Cyrillic letters
    if (const auto* letters = plain_letter(c)) kept.append(letters, -1);
    // Marks of other scripts are vowels, not accents, and stay.
    else if (u_isalnum(c) || (U_GET_GC_MASK(c) & U_GC_M_MASK) != 0)
      kept.append(c);
  }
  std::string out;
  kept.toUTF8String(out);
  return out;
}

constexpr std::array<std::string_view, 48> kLegalForms{
    "inc",  "incorporated", "ltd", "limited", "gmbh", "ag",   "sa",  "llc", "llp", "lp",
    "corp", "corporation",  "co",  "company", "bv",   "nv",   "kg",  "ohg", "ug",  "se",
    "sas",  "sarl",         "spa", "srl",     "sl",   "oy",   "oyj", "ab",  "as",  "asa",
    "aps",  "pty",          "plc", "kgaa",    "mbh",  "ek",   "ev",  "sp",  "zoo", "kft",
    "doo",  "pte",          "kk",  "sprl",    "lda",  "ltda", "gbr", "sro"};

}  // namespace

std::string name_key(std::string_view text) {
  if (!is_ascii(text)) return unicode_key(text);
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c >= 'A' && c <= 'Z')
      out.push_back(static_cast<char>(c - 'A' + 'a'));
    else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
      out.push_back(c);
  }
  return out;
}

std::string company_key(std::string_view text) {
  // Words end at white space, commas, '&', '/' and brackets; points and apostrophes are inside of words:
  // "S.A.".
  std::vector<std::string> words;
  std::size_t from = 0;
  const auto cut = [&](std::size_t to) {
    auto key = name_key(text.substr(from, to - from));
    if (!key.empty()) words.push_back(std::move(key));
  };
  constexpr std::string_view kBreaks = " \t\r\n,;&/()-_+|";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool wide_space = text.substr(i, 2) == "\xC2\xA0";
    if (kBreaks.find(text[i]) == kBreaks.npos && !wide_space) continue;
    cut(i);
    i += wide_space ? 1 : 0;
    from = i + 1;
  }
  cut(text.size());
  // "A/S", "s. r. o."
  while (words.size() > 2 && words.back().size() < 3 && words[words.size() - 2].size() == 1) {
    const auto last = std::move(words.back());
    words.pop_back();
    words.back() += last;
  }
  std::size_t begin = 0, end = words.size();
  const auto is_form = [&](const std::string& word) {
    return std::ranges::find(kLegalForms, word) != kLegalForms.end();
  };
  while (end - begin > 1 && is_form(words[end - 1])) --end;
  if (end - begin > 1 && words[begin] == "the") ++begin;
  // "Hollis & Tarr" is "Hollis and Tarr": '&' is no letter, so the word for it does not count between others.
  const auto is_and = [](const std::string& word) {
    return word == "and" || word == "und" || word == "et" || word == "y";
  };
  std::string out;
  for (std::size_t i = begin; i < end; ++i) {
    if (i > begin && i + 1 < end && is_and(words[i])) continue;
    out += words[i];
  }
  return out;
}

std::size_t edit_distance_at_most(std::string_view a, std::string_view b, std::size_t k) {
  if (a.size() > b.size()) std::swap(a, b);
  if (b.size() - a.size() > k) return k + 1;
  const std::size_t n = b.size(), too_far = k + 1;
  // Three rows of the table, of which only the band |i - j| <= k is filled.
  std::vector<std::size_t> before(n + 1, too_far), above(n + 1, too_far), row(n + 1, too_far);
  for (std::size_t j = 0; j <= std::min(n, k); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    const std::size_t first = i > k ? i - k : 0, last = std::min(n, i + k);
    std::ranges::fill(row, too_far);
    if (first == 0) row[0] = i;
    std::size_t best = row[0];
    for (std::size_t j = std::max<std::size_t>(1, first); j <= last; ++j) {
      std::size_t cost = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost = std::min({cost, above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        cost = std::min(cost, before[j - 2] + 1);
      row[j] = std::min(cost, too_far);
      best = std::min(best, row[j]);
    }
    // A swap reaches back over one row, so two rows must be out of reach before giving up.
    if (best > k && *std::ranges::min_element(above) > k) return too_far;
    std::swap(before, above);
    std::swap(above, row);
  }
  return std::min(above[n], too_far);
}

}  // namespace castiel::content
