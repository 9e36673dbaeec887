#include "contents.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <cstdlib>

#include "base/json.hpp"

namespace castiel::sim {

namespace {

using Members = std::vector<std::pair<std::string, std::string>>;

std::string zipped(const Members& members) {
  std::size_t room = 4096;
  for (const auto& [name, bytes] : members) room += 2 * bytes.size() + 4 * name.size() + 1024;
  std::string buffer(room, '\0');
  std::size_t used = 0;
  archive* handle = archive_write_new();
  archive_write_set_format_zip(handle);
  if (archive_write_open_memory(handle, buffer.data(), buffer.size(), &used) != ARCHIVE_OK) std::abort();
  for (const auto& [name, bytes] : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(bytes.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_write_header(handle, entry);
    archive_write_data(handle, bytes.data(), bytes.size());
    archive_entry_free(entry);
  }
  archive_write_close(handle);
  archive_write_free(handle);
  buffer.resize(used);
  return buffer;
}

// "Mon, 07 Sep 2026 09:00:00 +0000", without the day of the week.
std::string mail_date(std::int64_t seconds) {
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::string iso = to_string(Timestamp{seconds * 1'000'000});
  return fmt::format("{} {} {} {} +0000", iso.substr(8, 2), kMonths[std::stoi(iso.substr(5, 2)) - 1],
                     iso.substr(0, 4), iso.substr(11, 8));
}

std::string ics_time(std::int64_t seconds) {
  std::string text;
  for (const char c : to_string(Timestamp{seconds * 1'000'000})) {
    if (c != '-' && c != ':') text += c;
  }
  return text;
}

constexpr const char* kSentences[] = {
    "Could you send us the price list by 2026-03-20?", "I will send you the contract tomorrow.",
    "We are happy with the offer.", "The budget is not approved yet.", "Please call me on Monday."};

}  // namespace

ContentMaker::ContentMaker(SeededRandom& random, Timestamp from, std::string tenant, std::string mark,
                           int deals)
    : random_(random),
      now_(from.micros / 1'000'000),
      tenant_(std::move(tenant)),
      mark_(std::move(mark)),
      deals_(deals) {}

// Of a deal by name, an account by name, or nothing in particular.
std::string ContentMaker::about() {
  switch (random_.below(4)) {
    case 0:
      return fmt::format("About Deal {}, {}.", random_.below(static_cast<std::uint64_t>(deals_)), mark_);
    case 1:
      return fmt::format("For Company {} {}.", random_.below(4) * 1117, mark_);
    case 2:
      return fmt::format("See OPP-{}, {}.", random_.below(static_cast<std::uint64_t>(deals_)), mark_);
    default:
      return fmt::format("Note {}.", mark_);
  }
}

ContentMaker::Mail ContentMaker::mail() {
  Mail made;
  auto& record = made.record;
  const int number = ++numbers_;
  record.type = "email";
  record.key = fmt::format("m{}@{}.example", number, tenant_);
  record.rank = now_ - 86'400 * static_cast<std::int64_t>(1 + random_.below(60)) - number;
  record.field = "subject";
  record.value = fmt::format("Subject {} {}", number, mark_);
  record.content = record.key;
  const bool outbound = chance(2);
  const std::string ours = fmt::format("Person 0 {} <p0@{}.example>", mark_, tenant_);
  const std::string theirs =
      fmt::format("Buyer {0} <buyer{0}@customer-{1}.example>", random_.below(3), tenant_);
  std::string head =
      fmt::format("Message-ID: <{}>\r\nFrom: {}\r\nTo: {}\r\nSubject: {}\r\nDate: {}\r\n", record.key,
                  outbound ? ours : theirs, outbound ? theirs : ours, record.value, mail_date(record.rank));
  if (!mails_.empty() && chance(2)) {
    // The whole way back, so that the thread is the same whichever of them comes first.
    const auto& before = mails_[random_.below(mails_.size())];
    const auto at = before.text.find("References: ");
    std::string way =
        at == before.text.npos ? "" : before.text.substr(at + 12, before.text.find("\r\n", at) - at - 12);
    way += fmt::format("{}<{}>", way.empty() ? "" : " ", before.record.key);
    head += fmt::format("References: {}\r\nIn-Reply-To: <{}>\r\n", way, before.record.key);
  }
  const std::string body =
      fmt::format("Hello {},\r\n\r\n{} {}\r\n", mark_, about(), kSentences[random_.below(5)]);
  const int attachments = chance(3) ? 1 + static_cast<int>(random_.below(2)) : 0;
  if (attachments == 0) {
    made.text = head + "\r\n" + body;
    return made;
  }
  made.text = head + "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\n" +
              "Content-Type: text/plain\r\n\r\n" + body;
  for (int i = 1; i <= attachments; ++i) {
    const std::string name = fmt::format("sheet-{}-{}.txt", number, i);
    made.text += fmt::format(
        "--b1\r\nContent-Type: text/plain; name={0}\r\nContent-Disposition: attachment; filename={0}\r\n\r\n"
        "Attachment {1} of mail {2}, {3}. {4}\r\n",
        name, i, number, mark_, about());
    record.attachments.push_back(
        {"document", fmt::format("{}/{}", record.key, i), name, record.rank, "title", name, {}});
  }
  made.text += "--b1--\r\n";
  return made;
}

ContentFile ContentMaker::mailbox(const std::string& folder) {
  ContentFile file{fmt::format("/{}/{}/all.mbox", tenant_, folder), "mailbox", "", {}};
  const int more = 1 + static_cast<int>(random_.below(3));
  for (int i = 0; i < more; ++i) mails_.push_back(mail());
  for (const auto& m : mails_) {
    file.bytes += "From somebody Mon Sep 07 09:00:00 2026\r\n" + m.text + "\r\n";
    file.records.push_back(m.record);
  }
  return file;
}

ContentFile ContentMaker::letter(const std::string& path, const Mail& m) {
  return {path, "email", m.text, {m.record}};
}

ContentFile ContentMaker::calendar(const std::string& folder) {
  ContentFile file{fmt::format("/{}/{}/own.ics", tenant_, folder), "calendar", "", {}};
  const int more = 1 + static_cast<int>(random_.below(2));
  for (auto& event : events_) {
    if (!chance(2)) continue;
    // Moved on, or an older state: that must not win.
    event.rank += static_cast<std::int64_t>(random_.below(7200)) - 3600;
    event.value = fmt::format("Review {} again {}", ++numbers_, mark_);
    event.content = event.value;
  }
  for (int i = 0; i < more; ++i) {
    const int number = ++numbers_;
    const std::string title = fmt::format("Review {} {}", number, mark_);
    events_.push_back({"event",
                       fmt::format("e{}@{}.example", number, tenant_),
                       title,
                       now_ - 86'400 * static_cast<std::int64_t>(1 + random_.below(20)),
                       "title",
                       title,
                       {}});
  }
  file.bytes = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//sim//EN\r\n";
  for (const auto& event : events_) {
    file.bytes += fmt::format(
        "BEGIN:VEVENT\r\nUID:{}\r\nDTSTAMP:20260101T000000Z\r\nLAST-MODIFIED:{}\r\nDTSTART:"
        "20260310T100000Z\r\n"
        "DTEND:20260310T110000Z\r\nSUMMARY:{}\r\nORGANIZER:mailto:p0@{}.example\r\n"
        "ATTENDEE:mailto:buyer1@customer-{}.example\r\nEND:VEVENT\r\n",
        event.key, ics_time(event.rank), event.value, tenant_, tenant_);
    file.records.push_back(event);
  }
  file.bytes += "END:VCALENDAR\r\n";
  return file;
}

ContentFile ContentMaker::call(const std::string& folder) {
  const int number = ++numbers_;
  const std::string title = fmt::format("2026-02-{:02} call {}", 1 + random_.below(25), number);
  ContentFile file{fmt::format("/{}/{}/{}.vtt", tenant_, folder, title), "transcript", "", {}};
  file.bytes = fmt::format(
      "WEBVTT\n\n00:00:01.000 --> 00:00:05.000\n<v Buyer 1>{}</v>\n\n00:00:06.000 --> 00:00:10.000\n"
      "<v Person 0 {}>I will send you the security questionnaire by Friday.</v>\n",
      about(), mark_);
  file.records.push_back({"meeting", file.path, file.path, 0, "title", title, {}});
  return file;
}

ContentFile ContentMaker::chat(const std::string& folder) {
  ContentFile file{fmt::format("/{}/{}/chat.zip", tenant_, folder), "chat", "", {}};
  for (auto& message : messages_) {
    if (!chance(3)) continue;
    message.value = fmt::format("Edited {}: {}", ++numbers_, about());
    message.content = message.value;
    message.rank += 60;
  }
  const int more = 1 + static_cast<int>(random_.below(3));
  for (int i = 0; i < more; ++i) {
    const std::int64_t at = now_ - 86'400 * 10 + 1000 * ++numbers_;
    const std::string text = fmt::format("Message {}: {}", numbers_, about());
    messages_.push_back({"message", fmt::format("C1:{}.000100", at), text, at, "body", text, {}});
  }
  json::array day;
  for (const auto& message : messages_) {
    const std::string ts = message.key.substr(3);
    json::object item{{"type", "message"}, {"user", "U1"}, {"ts", ts}, {"text", message.value}};
    const std::string at = fmt::format("{}.000000", message.rank);
    if (std::stoll(ts) != message.rank) item["edited"] = json::object{{"user", "U1"}, {"ts", at}};
    day.push_back(std::move(item));
    file.records.push_back(message);
  }
  file.bytes = zipped(
      {{"users.json",
        fmt::format(
            R"([{{"id":"U1","name":"p0","profile":{{"real_name":"Person 0 {}","email":"p0@{}.example"}}}}])",
            mark_, tenant_)},
       {"channels.json", R"([{"id":"C1","name":"general"}])"},
       {"general/2026-02-20.json", json::serialize(day)}});
  return file;
}

ContentFile ContentMaker::document(const std::string& path, int kind) {
  const int number = ++numbers_;
  const std::string title = fmt::format("Paper {} {}", number, mark_);
  ContentFile file{path, "document", "", {}};
  const std::string name = path.substr(path.rfind('/') + 1);
  ContentRecord record{"document", path, path, 0, "", "", {}};
  switch (kind) {
    case 0:
      file.bytes = fmt::format("{}\n\n{} The pumps are old, and they want new ones.\n", title, about());
      break;
    case 1:
      file.bytes =
          fmt::format("<html><head><title>{}</title></head><body><p>{}</p></body></html>\n", title, about());
      record.field = "title";
      record.value = title;
      break;
    default:
      // Cannot be read: the shard says so.
      file.bytes = fmt::format("%PDF-1.7\nnot really, {}\n", mark_);
      file.bytes += std::to_string(number);
      record.field = "title";
      record.value = name;
  }
  file.records.push_back(std::move(record));
  return file;
}

Contents ContentMaker::make(const std::string& folder) {
  Contents made;
  const std::string base = fmt::format("/{}/{}", tenant_, folder);
  if (!chance(3)) made.files.push_back(mailbox(folder));
  if (chance(2)) {
    made.files.push_back(letter(base + "/one.eml", mail()));
    if (!mails_.empty() && chance(2)) made.files.push_back(letter(base + "/two.eml", mails_.front()));
  }
  if (chance(2)) made.files.push_back(calendar(folder));
  if (chance(2)) made.files.push_back(call(folder));
  if (chance(3)) made.files.push_back(chat(folder));
  const int documents = static_cast<int>(random_.below(3));
  for (int i = 0; i < documents; ++i) {
    const int kind = chance(5) ? 2 : static_cast<int>(random_.below(2));
    static constexpr const char* kEndings[] = {"txt", "html", "pdf"};
    made.files.push_back(document(fmt::format("{}/paper-{}.{}", base, i, kEndings[kind]), kind));
  }
  if (chance(3)) {
    const std::string path = base + "/pack.zip";
    std::vector<ContentFile> inside{document(path + "!/a.txt", 0), document(path + "!/b.html", 1)};
    if (chance(2)) inside.push_back(letter(path + "!/letter.eml", mail()));
    Members members;
    for (auto& file : inside) {
      members.emplace_back(file.path.substr(path.size() + 2), file.bytes);
      made.files.push_back(std::move(file));
    }
    made.archives.emplace_back(path, zipped(members));
  }
  return made;
}

}  // namespace castiel::sim
