#include "content/mail/impl/message_builder.hpp"

#include <fmt/format.h>
#include <gmime/gmime.h>

#include <algorithm>
#include <array>

#include "base/utf8.hpp"
#include "content/mail/impl/charset.hpp"
#include "content/mail/impl/header_fields.hpp"
#include "content/values.hpp"

namespace castiel::content::mail::impl {
namespace {

constexpr std::size_t kMaxKeptValueBytes = 600;
constexpr std::size_t kMaxKeptFields = 150;
constexpr std::size_t kMaxReferences = 500;

std::string lowered(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

// Fields that are long and say nothing about the kind of mail.
bool is_dropped(std::string_view name) {
  static constexpr std::array<std::string_view, 12> kNames{"subject",
                                                           "to",
                                                           "cc",
                                                           "bcc",
                                                           "references",
                                                           "received",
                                                           "x-received",
                                                           "arc-seal",
                                                           "arc-message-signature",
                                                           "arc-authentication-results",
                                                           "x-google-dkim-signature",
                                                           "autocrypt"};
  return std::ranges::find(kNames, name) != kNames.end() || name.starts_with("x-ms-exchange-") ||
         name.starts_with("x-microsoft-") || name.starts_with("x-ms-office365-") ||
         name.starts_with("x-forefront-");
}

}  // namespace

json::value to_json(const Mailbox& box) {
  return json::object{{"name", box.name}, {"email", box.email}};
}
json::array to_json(const std::vector<Mailbox>& boxes) {
  json::array out;
  out.reserve(boxes.size());
  for (const auto& box : boxes) out.push_back(to_json(box));
  return out;
}
json::array to_json(const std::vector<std::string>& texts) {
  json::array out;
  for (const auto& text : texts) out.emplace_back(text);
  return out;
}
json::value to_json(const std::optional<Timestamp>& time) {
  return time ? json::value(castiel::to_string(*time)) : json::value(nullptr);
}

std::optional<Timestamp> parse_mail_date(std::string_view raw) {
  const std::string text = decode_words(raw.substr(0, 300));
  if (text.empty()) return std::nullopt;
  if (const auto iso = parse_timestamp(text)) return *iso;
  if (std::ranges::none_of(text, [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  if (GDateTime* time = g_mime_utils_header_decode_date(text.c_str())) {
    const std::int64_t seconds = g_date_time_to_unix(time);
    const int year = g_date_time_get_year(time);
    g_date_time_unref(time);
    if (year > 1900 && year < 2200) return Timestamp{seconds * 1'000'000};
  }
  if (const auto value = parse_time_value(text); value && !value->implausible && !value->date_only)
    return value->time;
  return std::nullopt;
}

std::string clean_file_name(std::string_view name) {
  const auto slash = name.find_last_of("/\\");
  if (slash != name.npos) name.remove_prefix(slash + 1);
  std::string out;
  for (const char c : name)
    if (static_cast<unsigned char>(c) >= 32 && c != 127) out.push_back(c);
  return std::string(trim(utf8_prefix(out, 255)));
}

std::string_view importance_of(std::string_view importance, std::string_view x_priority,
                               std::string_view priority) {
  const std::string said = lowered(trim(importance));
  if (said == "high" || said == "low") return said == "high" ? "high" : "low";
  const auto digit = trim(x_priority);
  if (!digit.empty() && (digit[0] == '1' || digit[0] == '2')) return "high";
  if (!digit.empty() && (digit[0] == '4' || digit[0] == '5')) return "low";
  const std::string urgent = lowered(trim(priority));
  if (urgent == "urgent" || urgent == "high") return "high";
  if (urgent == "non-urgent" || urgent == "low") return "low";
  return "normal";
}

json::object empty_mail() {
  return {{"kind", "email"},
          {"messageId", nullptr},
          {"inReplyTo", nullptr},
          {"references", json::array()},
          {"from", nullptr},
          {"replyTo", json::array()},
          {"to", json::array()},
          {"cc", json::array()},
          {"bcc", json::array()},
          {"subject", ""},
          {"sentAt", nullptr},
          {"receivedAt", nullptr},
          {"importance", "normal"},
          {"receiptRequested", false},
          {"text", ""},
          {"html", nullptr},
          {"attachments", json::array()},
          {"calendar", nullptr},
          {"headers", json::object()},
          {"warnings", json::array()}};
}

namespace {

class FieldReader {
 public:
  explicit FieldReader(const std::vector<HeaderField>& fields) : fields_(fields) {}
  std::string_view first(std::string_view name) const {
    for (const auto& field : fields_)
      if (field.name == name && !trim(field.raw).empty()) return field.raw;
    return {};
  }
  std::vector<Mailbox> addresses(std::string_view name) const {
    std::vector<Mailbox> out;
    for (const auto& field : fields_) {
      if (field.name != name) continue;
      auto some = parse_addresses(field.raw);
      out.insert(out.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
      if (out.size() >= kMaxAddresses) break;
    }
    return out;
  }

 private:
  const std::vector<HeaderField>& fields_;
};

json::object kept_headers(const std::vector<HeaderField>& fields) {
  json::object kept;
  std::size_t count = 0;
  for (const auto& field : fields) {
    if (is_dropped(field.name) || ++count > kMaxKeptFields || field.name.size() > 100 || !is_utf8(field.name))
      continue;
    auto& values = kept[field.name];
    if (!values.is_array()) values.emplace_array();
    if (values.get_array().size() >= 20) continue;
    values.get_array().emplace_back(
        utf8_prefix(decode_words(field.raw.substr(0, 4 * kMaxKeptValueBytes)), kMaxKeptValueBytes));
  }
  return kept;
}

}  // namespace

void put_headers(json::object& mail, const std::vector<HeaderField>& fields,
                 std::vector<std::string>& warnings) {
  const FieldReader reader(fields);
  if (auto ids = parse_ids(reader.first("message-id")); !ids.empty()) mail["messageId"] = ids.front();
  if (auto ids = parse_ids(reader.first("in-reply-to")); !ids.empty()) mail["inReplyTo"] = ids.front();
  auto references = parse_ids(reader.first("references"));
  if (references.size() > kMaxReferences)
    references.erase(references.begin() + 1, references.end() - kMaxReferences + 1);
  mail["references"] = to_json(references);
  const auto from = reader.addresses("from");
  const auto sender = from.empty() ? reader.addresses("sender") : std::vector<Mailbox>();
  if (!from.empty()) {
    mail["from"] = to_json(from.front());
  } else if (!sender.empty()) {
    mail["from"] = to_json(sender.front());
  }
  mail["replyTo"] = to_json(reader.addresses("reply-to"));
  mail["to"] = to_json(reader.addresses("to"));
  mail["cc"] = to_json(reader.addresses("cc"));
  mail["bcc"] = to_json(reader.addresses("bcc"));
  mail["subject"] = decode_words(reader.first("subject"));
  const auto date = reader.first("date");
  const auto sent = parse_mail_date(date);
  if (trim(date).empty()) {
    warnings.emplace_back("no date");
  } else if (!sent) {
    warnings.emplace_back("the date cannot be read");
  }
  mail["sentAt"] = to_json(sent);
  const auto received = reader.first("received");
  if (const auto semicolon = received.rfind(';'); semicolon != received.npos)
    mail["receivedAt"] = to_json(parse_mail_date(received.substr(semicolon + 1)));
  auto importance = reader.first("importance");
  if (importance.empty()) importance = reader.first("x-msmail-priority");
  mail["importance"] = importance_of(importance, reader.first("x-priority"), reader.first("priority"));
  mail["receiptRequested"] = !reader.first("disposition-notification-to").empty() ||
                             !reader.first("return-receipt-to").empty() ||
                             !reader.first("x-confirm-reading-to").empty();
  mail["headers"] = kept_headers(fields);
}

}  // namespace castiel::content::mail::impl
