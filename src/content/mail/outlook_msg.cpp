#include "content/mail/outlook_msg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/digest.hpp"
#include "base/utf8.hpp"
#include "content/mail/impl/charset.hpp"
#include "content/mail/impl/compound_file.hpp"
#include "content/mail/impl/header_fields.hpp"
#include "content/mail/impl/html_text.hpp"
#include "content/mail/impl/message_builder.hpp"
#include "content/text_encoding.hpp"
#include "content/values.hpp"

namespace castiel::content::mail {
namespace {

using impl::CompoundFile;

// Property ids of [MS-OXPROPS] that a mail's structure needs.
enum Property : std::uint16_t {
  kMessageClass = 0x001A,
  kImportance = 0x0017,
  kSubject = 0x0037,
  kSubmitTime = 0x0039,
  kRepresentingName = 0x0042,
  kRepresentingAddress = 0x0065,
  kTransportHeaders = 0x007D,
  kRecipientType = 0x0C15,
  kSenderName = 0x0C1A,
  kSenderAddress = 0x0C1F,
  kDisplayTo = 0x0E04,
  kDeliveryTime = 0x0E06,
  kBody = 0x1000,
  kRtf = 0x1009,
  kHtml = 0x1013,
  kMessageId = 0x1035,
  kReferences = 0x1039,
  kInReplyTo = 0x1042,
  kDisplayName = 0x3001,
  kAddress = 0x3003,
  kAttachData = 0x3701,
  kAttachShortName = 0x3704,
  kAttachLongName = 0x3707,
  kAttachMimeType = 0x370E,
  kAttachContentId = 0x3712,
  kSmtpAddress = 0x39FE,
  kInternetCodepage = 0x3FDE,
  kMessageCodepage = 0x3FFD,
  kSenderSmtp = 0x5D01,
  kRepresentingSmtp = 0x5D02,
};

constexpr std::uint16_t kTypeObject = 0x000D;
constexpr std::uint16_t kTypeString8 = 0x001E;
constexpr std::uint16_t kTypeUnicode = 0x001F;
constexpr std::size_t kMaxMsgChildren = 5'000;  // recipients and attachments of a message
constexpr std::int64_t kFileTimeEpochSeconds = 11'644'473'600;

std::uint64_t little(std::string_view bytes, std::size_t at, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = count; i-- > 0;)
    value = value << 8 | static_cast<unsigned char>(at + i < bytes.size() ? bytes[at + i] : 0);
  return value;
}

// The properties of one storage: of a message, a recipient or an attachment.
class Properties {
 public:
  Properties(const CompoundFile& file, std::size_t storage, std::size_t header_bytes) : file_(file) {
    for (const auto index : file.children(storage)) {
      const auto& entry = file.entry(index);
      const std::string_view name = entry.name;
      if (name.starts_with("__substg1.0_") && name.size() >= 20) {
        const auto tag = static_cast<std::uint32_t>(std::strtoul(entry.name.c_str() + 12, nullptr, 16));
        streams_[static_cast<std::uint16_t>(tag >> 16)] = {static_cast<std::uint16_t>(tag), index};
      } else if (name == "__properties_version1.0") {
        const std::string table = file.read(index);
        for (std::size_t at = header_bytes; at + 16 <= table.size(); at += 16)
          fixed_[static_cast<std::uint16_t>(little(table, at + 2, 2))] = little(table, at + 8, 8);
      }
      others_.push_back(index);
    }
    const auto page = number(kMessageCodepage).value_or(number(kInternetCodepage).value_or(1252)) & 0xFFFF;
    charset_ = page == 65001 ? "utf-8" : fmt::format("windows-{}", page);
  }
  std::optional<std::uint64_t> number(std::uint16_t id) const {
    const auto found = fixed_.find(id);
    return found == fixed_.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<Timestamp> time(std::uint16_t id) const {
    const auto ticks = number(id);
    if (!ticks || *ticks == 0 || *ticks > 0x0300000000000000) return std::nullopt;
    return Timestamp{static_cast<std::int64_t>(*ticks / 10) - kFileTimeEpochSeconds * 1'000'000};
  }
  bool has(std::uint16_t id) const { return streams_.contains(id); }
  std::string bytes(std::uint16_t id) const {
    const auto found = streams_.find(id);
    return found == streams_.end() ? std::string() : file_.read(found->second.index);
  }
  std::string text(std::uint16_t id) const {
    const auto found = streams_.find(id);
    if (found == streams_.end()) return {};
    const std::string raw = file_.read(found->second.index);
    std::string out;
    if (found->second.type == kTypeUnicode) {
      out = decode_text(raw, {Encoding::utf16le, 0, true});
    } else {
      const auto page =
          found->second.type == kTypeString8 ? number(kMessageCodepage) : number(kInternetCodepage);
      out = impl::to_utf8(raw, page && (*page & 0xFFFF) == 65001 ? "utf-8" : charset_).text;
    }
    std::erase(out, '\0');
    return out;
  }
  // The storage of an embedded message.
  std::optional<std::size_t> object(std::uint16_t id) const {
    const auto found = streams_.find(id);
    if (found == streams_.end() || found->second.type != kTypeObject) return std::nullopt;
    return found->second.index;
  }
  const std::vector<std::size_t>& children() const { return others_; }

 private:
  struct Stream {
    std::uint16_t type;
    std::size_t index;
  };
  const CompoundFile& file_;
  std::map<std::uint16_t, Stream> streams_;
  std::map<std::uint16_t, std::uint64_t> fixed_;
  std::vector<std::size_t> others_;
  std::string charset_;
};

std::vector<impl::HeaderField> header_fields(std::string_view block) {
  std::vector<impl::HeaderField> out;
  for (std::size_t at = 0; at < block.size() && out.size() < kMaxHeaders;) {
    auto end = block.find('\n', at);
    while (end != block.npos && end + 1 < block.size() && (block[end + 1] == ' ' || block[end + 1] == '\t'))
      end = block.find('\n', end + 1);
    if (end == block.npos) end = block.size();
    const auto field = block.substr(at, end - at);
    at = end + 1;
    const auto colon = field.find(':');
    if (colon == field.npos || colon == 0 || colon > 80) continue;
    std::string name(trim(field.substr(0, colon)));
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    out.push_back({std::move(name), field.substr(colon + 1)});
  }
  return out;
}

std::string without_brackets(std::string_view id) {
  const auto ids = impl::parse_ids(id);
  return ids.empty() ? std::string() : ids.front();
}

class MsgReader {
 public:
  explicit MsgReader(const CompoundFile& file) : file_(file) {}

  ParsedMail read(std::size_t storage, std::size_t depth) {
    ParsedMail out;
    out.structure = impl::empty_mail();
    std::vector<std::string> warnings;
    const Properties message(file_, storage, depth == 0 ? 32 : 24);
    const std::string block = message.text(kTransportHeaders);
    if (!block.empty()) impl::put_headers(out.structure, header_fields(block), warnings);
    put_own(out.structure, message);
    if (!out.structure.at("sentAt").is_null()) std::erase(warnings, "no date");
    put_people(out.structure, message);
    put_text(out.structure, message, warnings);
    put_attachments(out, message, depth, warnings);
    out.structure["warnings"] = impl::to_json(warnings);
    return out;
  }

 private:
  static void put_own(json::object& mail, const Properties& message) {
    if (auto subject = message.text(kSubject); !subject.empty()) mail["subject"] = std::string(trim(subject));
    const auto put_id = [&](const char* key, std::uint16_t id) {
      const std::string value = without_brackets(message.text(id));
      if (mail[key].is_null() && !value.empty()) mail[key] = value;
    };
    put_id("messageId", kMessageId);
    put_id("inReplyTo", kInReplyTo);
    if (mail["references"].as_array().empty())
      mail["references"] = impl::to_json(impl::parse_ids(message.text(kReferences)));
    const auto sent = message.time(kSubmitTime);
    if (mail["sentAt"].is_null()) mail["sentAt"] = impl::to_json(sent ? sent : message.time(kDeliveryTime));
    if (mail["receivedAt"].is_null()) mail["receivedAt"] = impl::to_json(message.time(kDeliveryTime));
    if (const auto importance = message.number(kImportance))
      mail["importance"] = (*importance & 0xFFFFFFFF) == 2   ? "high"
                           : (*importance & 0xFFFFFFFF) == 0 ? "low"
                                                             : "normal";
  }

  void put_people(json::object& mail, const Properties& message) const {
    if (mail["from"].is_null()) {
      Mailbox from{message.text(kRepresentingName), message.text(kRepresentingSmtp)};
      if (from.name.empty()) from.name = message.text(kSenderName);
      for (const auto id : {kSenderSmtp, kRepresentingAddress, kSenderAddress})
        if (from.email.find('@') == std::string::npos) from.email = message.text(id);
      if (from.email.find('@') == std::string::npos)
        from.email.clear();  // an address of the Exchange directory
      if (from.name == from.email) from.name.clear();
      if (!from.name.empty() || !from.email.empty()) mail["from"] = impl::to_json(from);
    }
    const bool have = !mail["to"].as_array().empty() || !mail["cc"].as_array().empty();
    std::size_t count = 0;
    for (const auto index : message.children()) {
      if (!file_.entry(index).name.starts_with("__recip_version1.0_") || ++count > kMaxMsgChildren) continue;
      const Properties recipient(file_, index, 8);
      const auto type = recipient.number(kRecipientType).value_or(1) & 0xF;
      if (have && type != 3) continue;
      Mailbox box{recipient.text(kDisplayName), recipient.text(kSmtpAddress)};
      if (box.email.empty()) box.email = recipient.text(kAddress);
      if (box.email.find('@') == std::string::npos) box.email.clear();
      if (box.name == box.email) box.name.clear();
      if (box.name.empty() && box.email.empty()) continue;
      mail[type == 2 ? "cc" : type == 3 ? "bcc" : "to"].as_array().push_back(impl::to_json(box));
    }
    if (mail["to"].as_array().empty() && count == 0)
      mail["to"] = impl::to_json(parse_mailboxes(message.text(kDisplayTo)));
  }

  static void put_text(json::object& mail, const Properties& message, std::vector<std::string>& warnings) {
    std::string text = impl::with_line_feeds(message.text(kBody));
    const std::string html = impl::with_line_feeds(message.text(kHtml));
    if (text.empty() && !html.empty()) text = impl::html_to_text(html);
    if (text.empty() && html.empty() && message.has(kRtf))
      warnings.emplace_back("the text is only there as RTF and is left out");
    mail["text"] = utf8_prefix(text, kMaxTextBytes);
    if (!html.empty()) mail["html"] = utf8_prefix(html, kMaxTextBytes);
  }

  void put_attachments(ParsedMail& out, const Properties& message, std::size_t depth,
                       std::vector<std::string>& warnings) {
    for (const auto index : message.children()) {
      if (!file_.entry(index).name.starts_with("__attach_version1.0_")) continue;
      if (++attachments_ > kMaxMimeParts) {
        warnings.emplace_back("parts over the limit are left out");
        return;
      }
      const Properties attachment(file_, index, 8);
      MailPart part;
      part.name = impl::clean_file_name(attachment.text(kAttachLongName));
      if (part.name.empty()) part.name = impl::clean_file_name(attachment.text(kAttachShortName));
      part.media_type = attachment.text(kAttachMimeType);
      if (part.media_type.empty()) part.media_type = "application/octet-stream";
      json::object entry;
      if (const auto inner_storage = attachment.object(kAttachData)) {
        if (depth + 1 >= kMaxMsgDepth) {
          warnings.emplace_back("parts nested too deep are left out");
          continue;
        }
        const ParsedMail inner = read(*inner_storage, depth + 1);
        part.name = impl::clean_file_name(string_or(inner.structure, "subject", "message")) + ".eml";
        part.media_type = "message/rfc822";
        part.bytes = as_eml(inner.structure);
        entry["text"] = inner.structure.at("text");
        entry["subject"] = inner.structure.at("subject");
        entry["from"] = inner.structure.at("from");
      } else {
        part.bytes = attachment.bytes(kAttachData);
        // Streams may share their sectors; together they are not larger than a message may be.
        bytes_read_ += part.bytes.size();
        if (bytes_read_ > kMaxMessageBytes) {
          warnings.emplace_back("attachments over the limit are left out");
          return;
        }
      }
      part.sha256 = sha256_hex(part.bytes);
      const std::string id = without_brackets(attachment.text(kAttachContentId));
      entry["name"] = part.name;
      entry["mimeType"] = part.media_type;
      entry["size"] = part.bytes.size();
      entry["sha256"] = part.sha256;
      entry["contentId"] = id.empty() ? json::value(nullptr) : json::value(id);
      entry["inline"] = !id.empty();
      entry["part"] = out.parts.size();
      if (part.media_type == "text/calendar" && !out.structure.contains("calendarPart"))
        out.structure["calendarPart"] = out.parts.size();
      out.structure["attachments"].as_array().push_back(std::move(entry));
      out.parts.push_back(std::move(part));
    }
  }

  // An embedded message has no bytes of its own; its words as a mail.
  static std::string as_eml(const json::object& mail) {
    std::string out;
    if (const auto* from = get_object(mail, "from"))
      out += fmt::format("From: \"{}\" <{}>\r\n", string_or(*from, "name"), string_or(*from, "email"));
    out +=
        fmt::format("Subject: {}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{}",
                    string_or(mail, "subject"), string_or(mail, "text"));
    return out;
  }

  const CompoundFile& file_;
  std::size_t attachments_ = 0;
  std::size_t bytes_read_ = 0;
};

}  // namespace

bool is_outlook_msg(std::string_view bytes) {
  return bytes.starts_with(std::string_view("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", 8));
}

Result<ParsedMail> parse_outlook_msg(std::string_view bytes) {
  if (bytes.size() > kMaxMessageBytes)
    return permanent("too_large", fmt::format("the message has more than {} MiB", kMaxMessageBytes >> 20));
  CASTIEL_ASSIGN(const CompoundFile file, CompoundFile::open(bytes));
  const auto children = file.children(CompoundFile::kRoot);
  const bool message = std::ranges::any_of(
      children, [&](std::size_t i) { return file.entry(i).name == "__properties_version1.0"; });
  if (!message) return permanent("unsupported", "this compound file is no Outlook message");
  return MsgReader(file).read(CompoundFile::kRoot, 0);
}

}  // namespace castiel::content::mail
