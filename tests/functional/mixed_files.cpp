#include "mixed_files.hpp"

#include <fmt/format.h>

#include <boost/crc.hpp>
#include <random>

namespace castiel::functional {

namespace {

void put(std::string& out, std::uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

constexpr const char* kSays[] = {
    "Could you send us the price list by Friday?", "I will send you the contract tomorrow.",
    "We are very happy with the demonstration.", "Legal has not approved the terms yet.",
    "Our budget was cut, the amount of EUR 12,500 is too high."};

class Writer {
 public:
  Writer(const TempFolder& folder, std::uint64_t seed) : folder_(folder), random_(seed) {}

  MixedCounts write(MixedShape shape) {
    std::string mailbox;
    for (int i = 0; i < shape.mails; ++i)
      mailbox += "From somebody Mon Sep 07 09:00:00 2026\r\n" + mail(i, i % 10 == 3) + "\r\n";
    folder_.write("mixed/mail/all.mbox", mailbox);
    for (int i = 0; i < shape.letters; ++i)
      folder_.write(fmt::format("mixed/mail/letter {}.eml", i), mail(1000 + i, i == 1));
    for (int i = 0; i < shape.calls; ++i) call(i);
    calendar(shape.entries);
    chat(shape.messages);
    for (int i = 0; i < shape.documents; ++i) document(i);
    folder_.write("mixed/pack.zip",
                  zip_of({{"inside/notes.txt", "Notes inside an archive.\n\n" + about() + "\n"},
                          {"inside/letter.eml", mail(2000, false)}}));
    ++counts_.documents;
    return counts_;
  }

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<std::uint64_t>(n)); }
  std::string about() {
    return fmt::format("This is about Company {}, Inc. and their pumps. {}", below(20), kSays[below(5)]);
  }

  std::string mail(int i, bool attachment) {
    ++counts_.emails;
    const int buyer = below(20);
    const bool outbound = below(2) == 0;
    const std::string ours = fmt::format("User {0} <user{0}@seller.example>", below(4)),
                      theirs = fmt::format("Buyer {0} <buyer@company{0}.example>", buyer);
    std::string text = fmt::format(
        "Message-ID: <mail-{}@seller.example>\r\nFrom: {}\r\nTo: {}\r\nSubject: Pumps {}\r\nDate: {} Sep "
        "2026 "
        "{:02}:{:02}:00 +0000\r\n",
        i, outbound ? ours : theirs, outbound ? theirs : ours, i, 1 + i % 28, i % 24, i % 60);
    if (i % 4 == 1)
      text += fmt::format(
          "In-Reply-To: <mail-{0}@seller.example>\r\nReferences: <mail-{0}@seller.example>\r\n", i - 1);
    const std::string body = fmt::format("Hello,\r\n\r\nnumber {}. {}\r\n", i, about());
    if (!attachment) return text + "\r\n" + body;
    ++counts_.attachments;
    return text +
           fmt::format(
               "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\nContent-Type: "
               "text/plain\r\n\r\n{}--b1\r\nContent-Type: text/plain; name=sheet.txt\r\nContent-Disposition: "
               "attachment; filename=sheet.txt\r\n\r\nSheet of mail {}. {}\r\n--b1--\r\n",
               body, i, about());
  }

  void call(int i) {
    ++counts_.meetings;
    std::string text = "WEBVTT\n\n";
    for (int s = 0; s < 8; ++s)
      text += fmt::format("00:00:{:02}.000 --> 00:00:{:02}.000\n<v {}>{}</v>\n\n", 5 * s, 5 * s + 4,
                          s % 2 == 0 ? "Buyer 1" : "User 1", about());
    folder_.write(fmt::format("mixed/calls/2026-09-{:02} call {}.vtt", 1 + i, i), text);
  }

  void calendar(int entries) {
    std::string text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n";
    for (int i = 0; i < entries; ++i) {
      ++counts_.events;
      text += fmt::format(
          "BEGIN:VEVENT\r\nUID:entry-{}@seller.example\r\nDTSTAMP:20260901T080000Z\r\nLAST-MODIFIED:"
          "20260901T080000Z"
          "\r\nDTSTART:202609{:02}T100000Z\r\nDTEND:202609{:02}T110000Z\r\nSUMMARY:Review {}\r\n"
          "ORGANIZER:mailto:user1@seller.example\r\nATTENDEE:mailto:buyer@company{}.example\r\nEND:"
          "VEVENT\r\n",
          i, 1 + i, 1 + i, i, below(20));
    }
    folder_.write("mixed/calendar/own.ics", text + "END:VCALENDAR\r\n");
  }

  void chat(int messages) {
    json::array day;
    for (int i = 0; i < messages; ++i) {
      ++counts_.messages;
      day.push_back({{"type", "message"},
                     {"user", "U1"},
                     {"ts", fmt::format("{}.000100", 1'788'000'000 + 60 * i)},
                     {"text", fmt::format("{}: {}", i, about())}});
    }
    folder_.write(
        "mixed/chat.zip",
        zip_of(
            {{"users.json",
              R"([{"id":"U1","name":"user1","profile":{"real_name":"User 1","email":"user1@seller.example"}}])"},
             {"channels.json", R"([{"id":"C1","name":"deals"}])"},
             {"deals/2026-08-29.json", json::serialize(day)}}));
  }

  void document(int i) {
    ++counts_.documents;
    const std::string name = fmt::format("mixed/documents/paper {}", i);
    if (i % 3 == 0) {
      folder_.write(name + ".txt", fmt::format("Paper {}.\n\n{}\n", i, about()));
    } else if (i % 3 == 1) {
      folder_.write(
          name + ".html",
          fmt::format("<html><head><title>Paper {}</title></head><body><p>{}</p></body></html>", i, about()));
    } else {
      folder_.write(name + ".pdf", pdf_of(fmt::format("Paper {} for Company {}, Inc.", i, below(20))));
    }
  }

  const TempFolder& folder_;
  std::mt19937_64 random_;
  MixedCounts counts_;
};

}  // namespace

std::string zip_of(const std::vector<std::pair<std::string, std::string>>& members) {
  std::string out, directory;
  for (const auto& [name, bytes] : members) {
    boost::crc_32_type crc;
    crc.process_bytes(bytes.data(), bytes.size());
    const auto size = static_cast<std::uint32_t>(bytes.size());
    std::string common;
    put(common, 20, 2);  // version needed
    put(common, 0, 4);   // flags, method
    put(common, 0x5A210000, 4);
    put(common, crc.checksum(), 4);
    put(common, size, 4);
    put(common, size, 4);
    put(common, static_cast<std::uint32_t>(name.size()), 2);
    put(common, 0, 2);
    directory += "PK\x01\x02";
    put(directory, 20, 2);
    directory += common;
    put(directory, 0, 10);
    put(directory, static_cast<std::uint32_t>(out.size()), 4);
    directory += name;
    out += "PK\x03\x04" + common + name + bytes;
  }
  const auto at = static_cast<std::uint32_t>(out.size());
  out += directory + "PK\x05\x06";
  put(out, 0, 4);
  put(out, static_cast<std::uint32_t>(members.size()), 2);
  put(out, static_cast<std::uint32_t>(members.size()), 2);
  put(out, static_cast<std::uint32_t>(directory.size()), 4);
  put(out, at, 4);
  put(out, 0, 2);
  return out;
}

std::string pdf_of(const std::string& line) {
  const std::string content = fmt::format("BT /F1 12 Tf 72 700 Td ({}) Tj ET", line);
  const std::vector<std::string> objects{
      "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
      "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R "
      ">> >> >>",
      fmt::format("<< /Length {} >>\nstream\n{}\nendstream", content.size(), content),
      "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"};
  std::string out = "%PDF-1.4\n", table;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    table += fmt::format("{:010} 00000 n \n", out.size());
    out += fmt::format("{} 0 obj\n{}\nendobj\n", i + 1, objects[i]);
  }
  const auto at = out.size();
  return out + fmt::format(
                   "xref\n0 {0}\n0000000000 65535 f \n{1}trailer\n<< /Size {0} /Root 1 0 R "
                   ">>\nstartxref\n{2}\n%%EOF\n",
                   objects.size() + 1, table, at);
}

MixedCounts write_mixed(const TempFolder& folder, std::uint64_t seed, MixedShape shape) {
  return Writer(folder, seed).write(shape);
}

}  // namespace castiel::functional
