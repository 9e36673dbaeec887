#include "content/mail/classify.hpp"

#include <algorithm>
#include <array>

#include "content/mail/impl/mail_words.hpp"
#include "content/mail/impl/spam_signs.hpp"
#include "content/mail/reply.hpp"
#include "content/values.hpp"

namespace castiel::content::mail {
namespace {

using Words = std::string_view;

bool contains_any(std::string_view text, std::initializer_list<Words> words) {
  return std::ranges::any_of(words, [&](Words word) { return text.find(word) != text.npos; });
}

// A mail's fields, folded.
class Fields {
 public:
  explicit Fields(const json::object& mail) : headers_(get_object(mail, "headers")) {
    if (const auto* from = get_object(mail, "from")) {
      address = impl::fold(string_or(*from, "email"));
      local = address.substr(0, address.find('@'));
      domain = domain_of(address);
    }
    subject = impl::fold(string_or(mail, "subject"));
  }
  bool has(Words name) const { return headers_ != nullptr && headers_->contains(name); }
  std::string get(Words name) const {
    std::string out;
    const auto* values = headers_ == nullptr ? nullptr : get_array(*headers_, name);
    if (values == nullptr) return out;
    for (const auto& value : *values) {
      if (!value.is_string()) continue;
      if (!out.empty()) out += ' ';
      out += impl::fold(value.get_string());
    }
    return out;
  }
  std::string address, local, domain, subject;

 private:
  const json::object* headers_;
};

std::optional<std::string> bounce(const Fields& mail) {
  const std::string type = mail.get("content-type");
  if (type.find("multipart/report") != type.npos && type.find("delivery-status") != type.npos)
    return "report: delivery-status";
  if (mail.has("x-failed-recipients")) return "header: x-failed-recipients";
  const std::string path(trim(mail.get("return-path")));
  const bool daemon =
      mail.local == "mailer-daemon" || mail.local == "postmaster" || mail.local == "mail-daemon";
  const bool says = contains_any(
      mail.subject, {"undeliver", "delivery status", "delivery failure", "failure notice", "returned mail",
                     "mail delivery failed", "delivery has failed", "unzustellbar", "non remis",
                     "no se puede entregar", "mailzustellung", "non consegnabile", "nicht zugestellt",
                     "delivery incomplete", "delayed mail", "warning: could not send"});
  if (path == "<>" && (daemon || says)) return "return-path: empty";
  if (daemon && says) return "sender: " + mail.local;
  if (daemon && type.find("multipart/report") != type.npos) return "report: from " + mail.local;
  return std::nullopt;
}

std::optional<std::string> auto_reply(const Fields& mail) {
  const std::string submitted = mail.get("auto-submitted");
  if (submitted.starts_with("auto-replied")) return "header: auto-submitted";
  for (const Words name :
       {"x-autoreply", "x-autorespond", "x-autoreply-from", "x-mail-autoreply", "x-vacation"})
    if (mail.has(name) && !mail.get(name).starts_with("no")) return "header: " + std::string(name);
  const std::string precedence = mail.get("precedence");
  if (precedence.starts_with("auto_reply") || precedence.starts_with("auto-reply"))
    return "header: precedence";
  static constexpr std::array kSubjects = std::to_array<Words>({"automatic reply",
                                                                "auto reply",
                                                                "autoreply",
                                                                "auto-reply",
                                                                "auto response",
                                                                "out of office",
                                                                "out of the office",
                                                                "abwesenheitsnotiz",
                                                                "automatische antwort",
                                                                "abwesend",
                                                                "réponse automatique",
                                                                "absence du bureau",
                                                                "absent du bureau",
                                                                "respuesta automática",
                                                                "fuera de la oficina",
                                                                "risposta automatica",
                                                                "fuori sede",
                                                                "resposta automática",
                                                                "fora do escritório",
                                                                "automatisch antwoord",
                                                                "afwezigheidsbericht",
                                                                "autosvar",
                                                                "automatiskt svar",
                                                                "automatisk svar",
                                                                "fraværende",
                                                                "frånvaro",
                                                                "poissa",
                                                                "automaattinen vastaus",
                                                                "odpowiedź automatyczna",
                                                                "autoodpowiedź",
                                                                "automatická odpověď",
                                                                "automatická odpoveď",
                                                                "automatikus válasz",
                                                                "otomatik yanıt",
                                                                "автоматический ответ",
                                                                "автоответ",
                                                                "自動応答",
                                                                "不在",
                                                                "自动答复",
                                                                "răspuns automat",
                                                                "vacation reply",
                                                                "on vacation:"});
  const Words subject = trim(mail.subject);
  for (const auto word : kSubjects)
    if (subject.starts_with(word)) return "subject: " + std::string(word);
  return std::nullopt;
}

std::optional<std::string> calendar(const json::object& mail) {
  std::string method = impl::fold(string_or(mail, "calendarMethod"));
  if (const auto* parsed = get_object(mail, "calendar")) method = impl::fold(string_or(*parsed, "method"));
  if (method.empty()) return std::nullopt;  // a file somebody attached
  return "part: text/calendar, method " + method;
}

bool is_machine_name(Words local) {
  static constexpr std::array kExact = std::to_array<Words>({"notifications",
                                                             "notification",
                                                             "alerts",
                                                             "alert",
                                                             "automated",
                                                             "system",
                                                             "daemon",
                                                             "cron",
                                                             "root",
                                                             "nobody",
                                                             "bounce",
                                                             "jira",
                                                             "jenkins",
                                                             "gitlab",
                                                             "github",
                                                             "build",
                                                             "ci",
                                                             "billing-noreply",
                                                             "notify",
                                                             "reminder",
                                                             "confirmation",
                                                             "bugzilla-daemon",
                                                             "security-noreply",
                                                             "drive-shares-noreply",
                                                             "invoice+statements",
                                                             "receipts",
                                                             "mailer",
                                                             "webmaster-noreply"});
  if (std::ranges::find(kExact, local) != kExact.end()) return true;
  return contains_any(local, {"noreply", "no-reply", "no_reply", "donotreply", "do-not-reply", "do_not_reply",
                              "nicht-antworten", "keine-antwort", "nepasrepondre", "ne-pas-repondre",
                              "non-rispondere", "norespond", "no.reply", "notreply", "bugzilla-daemon"});
}

bool is_service(Words domain) {
  static constexpr std::array kServices = std::to_array<Words>(
      {"github.com",       "gitlab.com",   "atlassian.net", "atlassian.com",  "slack.com",     "zoom.us",
       "docusign.net",     "docusign.com", "calendly.com",  "salesforce.com", "hubspot.com",   "linkedin.com",
       "facebookmail.com", "twitter.com",  "asana.com",     "trello.com",     "notion.so",     "dropbox.com",
       "stripe.com",       "paypal.com",   "zendesk.com",   "intercom.io",    "pagerduty.com", "sentry.io",
       "datadoghq.com",    "monday.com",   "figma.com",     "xero.com"});
  return std::ranges::any_of(kServices, [&](Words service) {
    return domain == service || (domain.size() > service.size() && domain.ends_with(service) &&
                                 domain[domain.size() - service.size() - 1] == '.');
  });
}

bool is_human_relay(const Fields& mail) {
  // Services that carry a person's own words under their own name say whom the answer goes to.
  return mail.has("x-github-sender") || mail.has("x-linkedin-id") ||
         mail.local.find("inmail") != std::string::npos;
}

std::optional<std::string> notification(const Fields& mail) {
  const std::string submitted = mail.get("auto-submitted");
  if (!submitted.empty() && !submitted.starts_with("no")) return "header: auto-submitted";
  if (is_machine_name(mail.local)) return "sender: " + mail.local;
  const std::string signed_by = mail.get("dkim-signature");
  if (is_service(mail.domain) && !is_human_relay(mail)) return "sender domain: " + mail.domain;
  if (mail.has("x-github-reason") || mail.has("x-jira-fingerprint") || mail.has("x-gitlab-project") ||
      mail.has("x-bugzilla-reason"))
    return "header: of a tool";
  return std::nullopt;
}

std::optional<std::string> list(const Fields& mail) {
  for (const Words name :
       {"list-id", "list-post", "x-mailing-list", "mailing-list", "x-beenthere", "x-mailman-version"})
    if (mail.has(name)) return "header: " + std::string(name);
  if (mail.get("precedence").starts_with("list")) return "header: precedence";
  return std::nullopt;
}

std::optional<std::string> marketing(const Fields& mail, const json::object& structure) {
  const bool reply = !string_or(structure, "inReplyTo").empty();
  if (reply) return std::nullopt;
  const bool unsubscribe = mail.has("list-unsubscribe");
  const bool bulk = mail.get("precedence").starts_with("bulk") || mail.get("precedence").starts_with("junk");
  const std::string path = mail.get("return-path");
  const bool sender = contains_any(
      path, {"sendgrid", "mailchimp", "mcsv.net", "mcdlv.net", "rsgsv.net", "amazonses", "sparkpost",
             "mailgun", "exacttarget", "mktomail", "hubspotemail", "cmail", "createsend", "bounce.",
             "bounces+", "bounce-", "constantcontact", "ccsend", "klaviyo"});
  const bool campaign = mail.has("x-campaign") || mail.has("x-campaignid") || mail.has("x-mailer-campaign") ||
                        mail.has("x-mc-user") || mail.has("x-csa-complaints") || mail.has("x-report-abuse") ||
                        mail.has("x-mailgun-tag") || mail.has("x-sg-eid") || mail.has("x-feedback-id");
  if (unsubscribe && (bulk || mail.has("feedback-id") || sender || campaign))
    return bulk ? "headers: list-unsubscribe, precedence" : "headers: list-unsubscribe of a bulk sender";
  if (bulk && !mail.has("list-id")) return "header: precedence bulk";
  // Without such headers: the words of a mailing and its way out.
  if (unsubscribe && structure.contains("html") && structure.at("html").is_string()) {
    const std::string text = impl::fold(string_or(structure, "text").substr(0, 200'000));
    if (contains_any(text, {"unsubscribe", "abmelden", "désabonner", "desabonner", "cancelar la suscripción",
                            "opt out", "opt-out", "view in browser", "view this email",
                            "manage your preferences", "email preferences"}))
      return "header: list-unsubscribe, and words of a mailing";
  }
  return std::nullopt;
}

}  // namespace

MailClass classify(const json::object& structure) {
  const Fields mail(structure);
  if (auto why = bounce(mail)) return {"bounce", *why};
  if (auto why = auto_reply(mail)) return {"auto_reply", *why};
  if (auto why = calendar(structure)) return {"calendar", *why};
  if (auto why = notification(mail)) return {"notification", *why};
  if (auto why = list(mail)) return {"list", *why};
  if (auto why = marketing(mail, structure)) return {"marketing", *why};
  if (mail.get("x-spam-flag").starts_with("yes")) return {"spam", "header: x-spam-flag"};
  if (string_or(structure, "inReplyTo").empty()) {
    const auto signs = impl::spam_signs(structure);
    if (signs.is_spam()) return {"spam", "words: " + signs.strong};
  }
  return {"person", "no sign of a machine"};
}

std::string_view mail_type(std::string_view subject, std::string_view reply_text, bool is_reply) {
  const std::string title = impl::fold(subject);
  const std::string text = impl::fold(reply_text.substr(0, 20'000));
  struct Rule {
    Words type;
    std::initializer_list<Words> words;
  };
  // Words by type; the type with the most different ones wins, a word in the subject counts twice.
  static const Rule kRules[] = {
      {"negotiation", {"discount",       "negotiat",      "counter offer",
                       "counteroffer",   "best price",    "lower the price",
                       "too expensive",  "payment terms", "redline",
                       "contract terms", "rabatt",        "nachlass",
                       "verhandl",       "remise",        "descuento",
                       "concession",     "final offer",   "terms and conditions",
                       "markup",         "msa",           "liability cap"}},
      {"proposal",
       {"proposal", "quote", "quotation", "pricing", "our offer", "statement of work", " sow", "angebot",
        "offerte", "devis", "propuesta", "proposta", "rfp", "estimate", "price list"}},
      {"scheduling", {"schedule",     "reschedul",     "calendar",      "what time",        "available on",
                      "availability", "does tuesday",  "does monday",   "does wednesday",   "does thursday",
                      "does friday",  "works for you", "set up a call", "set up a meeting", "book a",
                      "time slot",    "invite for",    "termin",        "rendez-vous",      "reunión",
                      "meet on",      "meeting at",    "meeting on",    "let's meet"}},
      {"support",
       {"issue", "problem", "error", "bug", "not working", "doesn't work", "broken", "ticket", "fails",
        "failure", "help with", "support", "crash", "störung", "fehler", "erreur", "outage", "how do i"}},
      {"follow_up", {"following up",         "follow up",           "follow-up",
                     "checking in",          "any update",          "any news",
                     "touching base",        "circle back",         "circling back",
                     "just wanted to check", "gentle reminder",     "reminder",
                     "nachfassen",           "rückmeldung",         "relance",
                     "seguimiento",          "as discussed",        "per our conversation",
                     "great meeting you",    "thanks for your time"}},
      {"intro",
       {"introduc", "nice to meet", "my name is", "reaching out", "i came across", "connect you",
        "meet my colleague", "i work at", "i am with", "vorstellen", "présente", "presentarme",
        "would love to connect", "learn more about your"}},
  };
  Words best = "other";
  int most = 0;
  for (const auto& rule : kRules) {
    int score = 0;
    for (const auto word : rule.words) {
      if (title.find(word) != title.npos) score += 2;
      if (text.find(word) != text.npos) score += 1;
    }
    if (rule.type == "intro" && is_reply) score /= 2;
    if (score > most) {
      most = score;
      best = rule.type;
    }
  }
  return best;
}

}  // namespace castiel::content::mail
