#include "content/mail/impl/spam_signs.hpp"

#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "content/mail/impl/mail_words.hpp"

namespace castiel::content::mail::impl {
namespace {

constexpr std::size_t kReadBytes = 20'000;  // of the text
constexpr std::size_t kMaxAnswerable = 3;   // recipients of a person's first mail, usually

struct Kind {
  std::string_view name;
  int points;  // for the first phrase of the kind
  std::initializer_list<std::string_view> phrases;
};
// What such mails sell and say about themselves. A second phrase of a kind counts one point more.
const Kind kKinds[] = {
    {"says that it is no spam",
     4,
     {"this is not spam", "this is not unsolicited", "this message is not spam", "cannot be considered spam",
      "s. 1618", "s.1618", "senate bill 1618", "section 301", "this is a one time mailing",
      "one time mailing", "one-time mailing", "removed from our mailing",
      "you have received this email because you opted", "you opted in", "opt-in list",
      "received this message in error", "never receive another"}},
    {"removal by command",
     3,
     {"to be removed", "to remove your", "click here to remove", "removal instructions", "remove me",
      "with remove in the subject", "\"remove\" in the subject", "type remove", "put remove", "word remove",
      "to be taken off", "to unsubscribe", "to opt out", "to opt-out", "remove yourself"}},
    {"money for nothing",
     4,
     {"make money",
      "earn money",
      "extra income",
      "financial freedom",
      "work from home",
      "work at home",
      "be your own boss",
      "home based business",
      "home-based business",
      "multi-level",
      "mlm",
      "get paid",
      "earn $",
      "per week from",
      "income opportunity",
      "business opportunity",
      "unlimited income",
      "cash bonus",
      "pyramid",
      "cents on the dollar"}},
    {"a treasure abroad",
     5,
     {"million united states dollars", "million us dollars", "million u.s. dollars", "next of kin",
      "transfer of the sum", "foreign account", "confidential business proposal",
      "strictly confidential business", "beneficiary of", "late president", "your assistance in transferring",
      "dormant account", "inheritance fund", "lottery winner", "you have won", "winning notification"}},
    {"loans and debts",
     4,
     {"mortgage rate", "refinance", "lowest rates", "consolidate your debt", "debt consolidation",
      "bad credit", "credit repair", "eliminate your debt", "no credit check", "life insurance quote",
      "term life", "home equity", "pre-approved", "merchant account", "unsecured credit"}},
    {"medicine",
     5,
     {"viagra", "cialis", "weight loss", "lose weight", "human growth hormone", " hgh ",
      "without a prescription", "no prescription", "online pharmacy", "enlarge", "penis",
      "breast enhancement", "herbal", "anti-aging", "burn fat", "diet pill"}},
    {"shame",
     5,
     {"xxx", "porn", "hot girls", "adult site", "teen sluts", "webcam girls", "hardcore", "barely legal",
      "naked", "singles in your area", "adults only", "over 18"}},
    {"offers",
     2,
     {"act now",
      "limited time",
      "order now",
      "order today",
      "no obligation",
      "risk free",
      "risk-free",
      "100% free",
      "absolutely free",
      "free trial",
      "special offer",
      "call now",
      "satisfaction guaranteed",
      "money back guarantee",
      "money-back guarantee",
      "toll free",
      "while supplies last",
      "offer expires",
      "once in a lifetime",
      "don't miss",
      "free gift",
      "save up to",
      "lowest price",
      "best prices",
      "100% guaranteed"}},
    {"addresses for sale",
     5,
     {"email addresses", "e-mail addresses", "bulk email", "bulk e-mail", "email marketing", "targeted email",
      "mass email", "million emails", "search engine ranking", "top of the search engines", "cd rom of"}},
    {"shares",
     4,
     {"penny stock", "strong buy", "stock alert", "hot stock", "investor alert", "forward-looking statements",
      "price target", "stock pick"}},
    {"claims to be you",
     2,
     {"dear friend", "dear sir/madam", "dear homeowner", "dear customer", "dear member",
      "dear business owner", "dear webmaster", "dear winner"}},
    {"cable and toner",
     4,
     {"cable descrambler", "toner cartridge", "ink cartridge", "university diploma", "copy dvd",
      "satellite tv", "spy software", "cell phone booster", "long distance rate", "casino",
      "vacation package"}},
};

bool has(std::string_view text, std::string_view phrase) {
  return text.find(phrase) != text.npos;
}

}  // namespace

SpamSigns spam_signs(const json::object& structure) {
  SpamSigns out;
  int most = 0;
  const auto sign = [&](int& part, std::string_view name, int points) {
    part += points;
    if (points <= most) return;
    most = points;
    out.strong = name;
  };
  const std::string subject = string_or(structure, "subject");
  const std::string body = string_or(structure, "text").substr(0, kReadBytes);
  std::string text = fold(subject) + "\n" + fold(body);
  for (char& c : text) {
    if (c == '\n' || c == '\r' || c == '\t') c = ' ';
  }
  // The line by which filters are tried.
  if (has(body, "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"))
    return {kSpamPoints, kSpamPoints, "the test line of filters"};
  for (const auto& kind : kKinds) {
    const auto seen =
        std::ranges::count_if(kind.phrases, [&](std::string_view phrase) { return has(text, phrase); });
    if (seen > 0)
      sign(out.words, kind.name, kind.points + static_cast<int>(std::min<std::ptrdiff_t>(seen - 1, 2)));
  }
  const auto capitals = std::ranges::count_if(subject, [](char c) { return c >= 'A' && c <= 'Z'; });
  const auto small = std::ranges::count_if(subject, [](char c) { return c >= 'a' && c <= 'z'; });
  if (capitals > 8 && capitals > 2 * small) sign(out.make, "a subject in capitals", 2);
  if (has(subject, "!!") || has(subject, "$$") || has(subject, "     "))
    sign(out.make, "a shouting subject", 2);
  const auto* to = get_array(structure, "to");
  const std::size_t recipients = to == nullptr ? 0 : to->size();
  if (recipients == 0 || recipients > 4 * kMaxAnswerable)
    sign(out.make, "nobody's or everybody's address", 1);
  if (const auto* from = get_object(structure, "from")) {
    const std::string address = fold(string_or(*from, "email"));
    const auto local = std::string_view(address).substr(0, address.find('@'));
    if (std::ranges::count_if(local, [](char c) { return c >= '0' && c <= '9'; }) >= 3)
      sign(out.make, "a numbered sender", 2);
  }
  if (structure.contains("html") && structure.at("html").is_string()) {
    const auto words = std::ranges::count(body, ' ');
    if (words < 25) sign(out.make, "a page without words", 1);
  }
  return out;
}

}  // namespace castiel::content::mail::impl
