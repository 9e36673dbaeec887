#include <algorithm>

#include "content/text/impl/checksums.hpp"
#include "content/text/impl/finders.hpp"
#include "content/text/impl/patterns.hpp"

namespace castiel::content::text {
namespace {

using impl::Range;

struct Found {
  std::string type;
  Range range;
};

// Keeps the earlier one of two that overlap; findings come in by how sure they are.
class Findings {
 public:
  explicit Findings(const impl::Source& source) : source_(source) {}
  void add(std::string_view type, Range range) {
    if (range.start >= range.end) return;
    fresh_.push_back({std::string(type), range});
  }
  // Ends a layer: what overlaps an earlier layer is dropped.
  void close_layer() {
    std::vector<Found> merged;
    std::ranges::stable_sort(fresh_, {}, [](const Found& found) { return found.range.start; });
    auto old = found_.begin();
    std::size_t covered = 0;
    for (auto& item : fresh_) {
      while (old != found_.end() && old->range.start < item.range.start) {
        covered = std::max(covered, old->range.end);
        merged.push_back(std::move(*old++));
      }
      const bool free =
          item.range.start >= covered && (old == found_.end() || item.range.end <= old->range.start);
      if (!free || merged.size() >= impl::kMaxFindings) continue;
      covered = item.range.end;
      merged.push_back(std::move(item));
    }
    std::move(old, found_.end(), std::back_inserter(merged));
    found_ = std::move(merged);
    fresh_.clear();
  }
  template <typename T>
  std::vector<T> take() {
    std::vector<T> out;
    for (auto& item : found_) {
      out.push_back({std::move(item.type), source_.part(item.range.start, item.range.end),
                     source_.span(item.range.start, item.range.end)});
    }
    return out;
  }

 private:
  const impl::Source& source_;
  std::vector<Found> found_;  // by start
  std::vector<Found> fresh_;
};

void add_numbers(Findings& findings, const impl::Source& source) {
  using namespace impl;
  const auto text = source.text();
  const auto each = [&](const re2::RE2& pattern, auto accept) {
    each_match<1>(pattern, text, [&](const auto& groups) {
      const auto whole = view(groups[0]);
      const auto start = static_cast<std::size_t>(whole.data() - text.data());
      const char before = start > 0 ? text[start - 1] : ' ';
      const char after = start + whole.size() < text.size() ? text[start + whole.size()] : ' ';
      if (is_word_byte(before) || is_word_byte(after)) return true;
      accept(whole, Range{start, start + whole.size()});
      return true;
    });
  };
  const auto compact = [](std::string_view written) {
    std::string out;
    for (const char c : written) {
      if (is_digit(c) || is_alpha(c)) out += is_alpha(c) ? static_cast<char>(c & ~0x20) : c;
    }
    return out;
  };
  static const re2::RE2 iban(
      "[A-Za-z]{2}\\d{2}(?:[ \\-]?[A-Za-z0-9]{1,4}){3,8}|[A-Za-z]{2}\\d{2}[A-Za-z0-9]{11,30}");
  each(iban, [&](std::string_view whole, Range range) {
    // Trailing words may have been taken for groups.
    for (std::size_t end = whole.size(); end >= 15; --end) {
      if (end < whole.size() && is_word_byte(whole[end])) continue;
      if (!is_iban(compact(whole.substr(0, end)))) continue;
      findings.add("IBAN_CODE", {range.start, range.start + end});
      return;
    }
  });
  static const re2::RE2 card("\\d(?:[ \\-]?\\d){11,18}");
  each(card, [&](std::string_view whole, Range range) {
    if (is_card_number(compact(whole))) findings.add("CREDIT_CARD", range);
  });
  static const re2::RE2 ssn("\\d{3}[- ]\\d{2}[- ]\\d{4}|\\d{9}");
  each(ssn, [&](std::string_view whole, Range range) {
    if (!is_us_ssn(compact(whole))) return;
    const auto from = range.start > 40 ? range.start - 40 : 0;
    const std::string lead = lower(text.substr(from, range.start - from));
    const bool named = lead.find("ssn") != lead.npos || lead.find("social security") != lead.npos;
    if (named || whole.find('-') != whole.npos) findings.add("US_SSN", range);
  });
  static const re2::RE2 ip4("\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}");
  each(ip4, [&](std::string_view whole, Range range) {
    if (is_ipv4(whole)) findings.add("IP_ADDRESS", range);
  });
  static const re2::RE2 ip6("[0-9A-Fa-f:]{2,39}(?:\\d{1,3}(?:\\.\\d{1,3}){3})?");
  each(ip6, [&](std::string_view whole, Range range) {
    if (whole.size() >= 6 && std::ranges::count(whole, ':') >= 3 && is_ipv6(whole))
      findings.add("IP_ADDRESS", range);
  });
}

}  // namespace

std::vector<Entity> find_entities(std::string_view text) {
  const impl::Source source(text);
  Findings findings(source);
  for (const auto& range : impl::find_emails(source)) findings.add("email", range);
  findings.close_layer();
  for (const auto& range : impl::find_urls(source)) findings.add("url", range);
  findings.close_layer();
  for (const auto& range : impl::find_phones(source)) findings.add("phone", range);
  findings.close_layer();
  for (const auto& name : impl::find_names(source))
    findings.add(name.organization ? "organization" : "person", name.range);
  findings.close_layer();
  auto out = findings.take<Entity>();
  for (auto& amount : find_amounts(text)) out.push_back({"money", std::move(amount.text), amount.span});
  std::ranges::stable_sort(out, {}, [](const Entity& entity) { return entity.span.start; });
  return out;
}

std::vector<PersonalData> find_personal_data(std::string_view text) {
  const impl::Source source(text);
  Findings findings(source);
  add_numbers(findings, source);
  for (const auto& range : impl::find_emails(source)) findings.add("EMAIL_ADDRESS", range);
  findings.close_layer();
  for (const auto& range : impl::find_urls(source)) findings.add("DOMAIN_NAME", range);
  findings.close_layer();
  for (const auto& range : impl::find_phones(source)) findings.add("PHONE_NUMBER", range);
  findings.close_layer();
  for (const auto& name : impl::find_names(source))
    findings.add(name.organization ? "ORGANIZATION" : "PERSON", name.range);
  findings.close_layer();
  return findings.take<PersonalData>();
}

}  // namespace castiel::content::text
