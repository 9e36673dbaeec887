#include <algorithm>
#include <array>
#include <cstdint>
#include <unordered_map>

#include "content/text/impl/source.hpp"

namespace castiel::content::text {
namespace impl {
namespace {

struct Subject {
  std::string_view name;
  std::string_view words;    // between spaces
  std::string_view phrases;  // of two words, between bars
};
constexpr std::array<Subject, 14> kSubjects{{
    {"pricing",
     " price prices pricing priced discount discounts quote quotes quotation cost costs rate rates fee fees "
     "expensive cheaper preis preise rabatt angebot prix tarif precio precios descuento ",
     "|list price|per seat|per user|"},
    {"budget", " budget budgets budgeted funding funds spend capex opex ", "|cost center|purchase order|"},
    {"contract",
     " contract contracts agreement agreements msa sow nda redline redlines redlined clause clauses "
     "amendment "
     "signature countersigned docusign vertrag contrat contrato terms ",
     "|sign off|order form|"},
    {"legal",
     " legal lawyer lawyers counsel liability indemnity indemnification compliance gdpr dpa jurisdiction "
     "warranty ",
     "|data processing|"},
    {"security",
     " security secure soc2 iso27001 penetration pentest encryption encrypted sso saml vulnerability "
     "vulnerabilities audit infosec firewall ",
     "|soc 2|iso 27001|single sign-on|security questionnaire|"},
    {"timeline",
     " timeline timelines deadline deadlines schedule schedules milestone milestones delay delayed delays "
     "postpone postponed eta launch roadmap golive ",
     "|go live|time frame|kick off|"},
    {"implementation",
     " implementation implement implementing onboarding rollout deployment deploy migration migrate "
     "installation setup configuration go-live ",
     "|roll out|"},
    {"integration",
     " integration integrations integrate api apis webhook webhooks connector connectors sync erp crm ", ""},
    {"product",
     " feature features functionality product products demo demonstration module modules dashboard "
     "requirement requirements prototype poc pilot trial ",
     "|proof of|use case|"},
    {"competition",
     " competitor competitors competition competing alternative alternatives versus incumbent vendor "
     "vendors ",
     "|other vendors|"},
    {"support",
     " support ticket tickets bug bugs outage incident incidents downtime sla slas troubleshooting helpdesk "
     "escalation escalate ",
     "|service level|"},
    {"renewal",
     " renewal renewals renew renewing renewed churn cancellation cancel expiry expire expires extension "
     "upsell ",
     ""},
    {"payment",
     " invoice invoices invoiced payment payments paid billing billed remittance overdue refund rechnung "
     "zahlung facture factura ",
     "|wire transfer|net 30|"},
    {"meeting",
     " meeting meetings call agenda calendar invite reschedule rescheduled availability conference webinar ",
     ""},
}};

// Which subjects a word, or two words with a space, speak of: a bit each.
const std::unordered_map<std::string_view, std::uint16_t>& subjects_of_words() {
  static_assert(kSubjects.size() <= 16);
  static const auto made = [] {
    std::unordered_map<std::string_view, std::uint16_t> out;
    const auto add = [&](std::string_view list, char between, std::size_t subject) {
      while (!list.empty()) {
        const auto end = std::min(list.find(between), list.size());
        if (end > 0) out[list.substr(0, end)] |= static_cast<std::uint16_t>(1U << subject);
        list.remove_prefix(std::min(end + 1, list.size()));
      }
    };
    for (std::size_t i = 0; i < kSubjects.size(); ++i) {
      add(kSubjects[i].words, ' ', i);
      add(kSubjects[i].phrases, '|', i);
    }
    return out;
  }();
  return made;
}

}  // namespace
}  // namespace impl

std::vector<std::string> topics(std::string_view text, std::size_t limit) {
  using namespace impl;
  const Source source(text);
  std::array<std::size_t, kSubjects.size()> counts{};
  std::string last;
  for (const auto& [start, end] : word_ranges(source.text())) {
    constexpr std::size_t kLongestWord = 24;
    if (end - start > kLongestWord) {
      last.clear();
      continue;
    }
    std::string word = lower(source.text().substr(start, end - start));
    const auto& known = subjects_of_words();
    std::uint16_t said = 0;
    if (const auto found = known.find(word); found != known.end()) said |= found->second;
    if (!last.empty()) {
      if (const auto found = known.find(last + " " + word); found != known.end()) said |= found->second;
    }
    for (std::size_t i = 0; said != 0; ++i, said >>= 1) counts[i] += said & 1U;
    last = std::move(word);
  }
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < counts.size(); ++i)
    if (counts[i] > 0) order.push_back(i);
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return counts[a] > counts[b]; });
  std::vector<std::string> out;
  for (const std::size_t i : order) {
    if (out.size() == limit) break;
    out.emplace_back(kSubjects[i].name);
  }
  return out;
}

}  // namespace castiel::content::text
