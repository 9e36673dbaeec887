// Files that are no tables, as records of the source events (FLOW-14), and archives as folders.
#include "connectors/files/content_source.hpp"

#include <gtest/gtest.h>

#include "base/digest.hpp"
#include "connectors/files/archive_files.hpp"
#include "connectors/records.hpp"
#include "connectors/testing/memory_file_system.hpp"
#include "extract/testing/direct_extractor.hpp"
#include "model/event_types.hpp"
#include "storage/testing/memory_blobs.hpp"

namespace castiel::connectors {
namespace {

std::string mail(int n, std::string_view body = "Hello.") {
  return "Message-ID: <m" + std::to_string(n) +
         "@a.example>\r\nFrom: Ann <ann@a.example>\r\nTo: bob@b.example\r\nSubject: No. " +
         std::to_string(n) + "\r\nDate: Mon, 7 Sep 2026 09:00:00 +0000\r\n\r\n" + std::string(body) + "\r\n";
}

struct Source : ::testing::Test {
  SystemClock clock;
  extract::DirectExtractor extractor;
  storage::testing::MemoryBlobs blobs;
  testing::MemoryFileSystem files;

  ContentParts parts(std::size_t inline_bytes = 5 << 20) {
    return {&files, &extractor, &blobs, &clock, TenantId("acme"), inline_bytes};
  }
  Result<ContentReader> open(const std::string& path, std::size_t inline_bytes = 5 << 20) {
    auto sniffed = sniff_file(files, path);
    if (!sniffed) return std::unexpected(sniffed.error());
    return ContentReader::open(parts(inline_bytes), {path, 0, {}}, *sniffed);
  }
};

TEST_F(Source, a_mailbox_is_read_in_pages_and_goes_on_after_any_of_them) {
  std::string mbox;
  for (int i = 0; i < 7; ++i) mbox += "From ann@a.example Mon Sep 07 09:00:00 2026\r\n" + mail(i) + "\r\n";
  files.put("all.mbox", mbox);
  std::vector<std::string> whole;
  std::vector<Cursor> places;
  auto reader = open("all.mbox");
  ASSERT_TRUE(reader) << reader.error().describe();
  EXPECT_FALSE(reader->is_single());
  while (auto page = reader->next_page(2, 1 << 20).value()) {
    for (const auto& r : page->records) {
      EXPECT_EQ(r.event, model::event::kEmailReceived);
      whole.push_back(string_or(r.record, "emailId"));
    }
    places.push_back(page->after);
  }
  ASSERT_EQ(whole.size(), 7u);
  for (std::size_t i = 0; i < places.size(); ++i) {
    auto again = open("all.mbox");
    ASSERT_TRUE(again->seek(places[i]));
    std::vector<std::string> rest;
    while (auto page = again->next_page(3, 1 << 20).value()) {
      for (const auto& r : page->records) rest.push_back(string_or(r.record, "emailId"));
    }
    EXPECT_EQ(rest, std::vector(whole.begin() + static_cast<std::ptrdiff_t>(places[i].records), whole.end()));
  }
}

// A file that has other bytes each time it is gone through, as one that is being written.
class Growing final : public FileSystem {
 public:
  explicit Growing(std::vector<std::string> bytes) : bytes_(std::move(bytes)) {}
  Result<DirectoryEntry> stat(const std::string& path) override {
    return DirectoryEntry{path, DirectoryEntry::Kind::file, bytes_.front().size(), {}, {}};
  }
  Result<std::vector<std::string>> list(const std::string&) override { return std::vector<std::string>{}; }
  Result<std::unique_ptr<ByteStream>> open(const std::string&) override {
    return std::make_unique<Stream>(bytes_);
  }

 private:
  class Stream final : public ByteStream {
   public:
    explicit Stream(const std::vector<std::string>& bytes) : bytes_(bytes) {}
    Result<std::size_t> read(std::span<char> into) override {
      const auto& now = bytes_[std::min(pass_, bytes_.size() - 1)];
      const auto count = std::min(into.size(), now.size() - std::min(now.size(), at_));
      std::copy_n(now.data() + at_, count, into.data());
      at_ += count;
      return count;
    }
    Result<void> seek(std::uint64_t offset) override {
      if (at_ > 0) ++pass_;
      at_ = static_cast<std::size_t>(offset);
      return {};
    }
    std::uint64_t size() const override { return bytes_.front().size(); }

   private:
    const std::vector<std::string>& bytes_;
    std::size_t at_ = 0, pass_ = 0;
  };
  std::vector<std::string> bytes_;
};

TEST_F(Source, a_file_that_changes_while_it_is_read_is_told) {
  std::string two;
  for (int i = 0; i < 2; ++i) two += "From ann@a.example Mon Sep 07 09:00:00 2026\r\n" + mail(i) + "\r\n";
  const std::string one = two.substr(0, two.size() / 2), three = two + one;
  for (const auto& then : {one, three}) {
    Growing growing({two, then});
    auto given = parts();
    given.files = &growing;
    auto reader = ContentReader::open(given, {"all.mbox", 0, {}}, {content::FileKind::mailbox, "", ""});
    ASSERT_TRUE(reader) << reader.error().describe();
    const auto page = reader->next_page(10, 1 << 20);
    ASSERT_FALSE(page);
    EXPECT_EQ(page.error().code, "file_changed");
  }
  Growing shorter({two, two});
  auto given = parts();
  given.files = &shorter;
  EXPECT_TRUE(ContentReader::open(given, {"all.mbox", 0, {}}, {content::FileKind::mailbox, "", ""})
                  ->next_page(10, 1 << 20));
}

TEST_F(Source, a_calendar_without_entries_says_so) {
  files.put("empty.ics", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nEND:VCALENDAR\r\n");
  auto reader = open("empty.ics");
  ASSERT_TRUE(reader) << reader.error().describe();
  const auto page = reader->next_page(10, 1 << 20).value();
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->records.empty());
  ASSERT_EQ(page->problems.size(), 1u);
  EXPECT_EQ(page->problems[0].code, "no_records");
  EXPECT_FALSE(reader->next_page(10, 1 << 20).value());
}

TEST_F(Source, a_mails_bytes_are_kept_as_they_came) {
  files.put("one.eml", mail(1, "caf\xe9"));
  auto reader = open("one.eml");
  ASSERT_TRUE(reader) << reader.error().describe();
  const auto page = reader->next_page(1, 1 << 20).value();
  const auto& source = page->records.at(0).record.at("source").get_object();
  EXPECT_EQ(string_or(source, "encoding"), "base64") << "the bytes are no UTF-8";
  EXPECT_EQ(string_or(source, "text"), to_base64(mail(1, "caf\xe9")));
  EXPECT_FALSE(reader->next_page(1, 1 << 20).value());
}

TEST_F(Source, a_large_source_and_a_large_record_travel_by_way_of_the_blob_store) {
  const std::string large(200 << 10, 'x');
  files.put("large.eml", mail(2, large));
  {
    const auto page = open("large.eml")->next_page(1, 1 << 20).value();
    const auto& source = page->records.at(0).record.at("source").get_object();
    EXPECT_EQ(blobs.get(TenantId("acme"), string_or(source, "blobUrl")).value_or(""), mail(2, large));
  }
  const auto page = open("large.eml", 100 << 10)->next_page(1, 1 << 20).value();
  const auto* claim = get_object(page->records.at(0).record, "claim");
  ASSERT_NE(claim, nullptr);
  EXPECT_EQ(string_or(page->records.at(0).record, "key"), "m2@a.example");
  const auto whole = parse_json(blobs.get(TenantId("acme"), string_or(*claim, "url")).value_or("null"));
  EXPECT_EQ(string_or(whole.value().get_object(), "emailId"), "m2@a.example");
}

TEST_F(Source, a_mail_without_an_id_is_known_by_its_bytes) {
  const std::string bytes = "From: ann@a.example\r\nSubject: none\r\nTo: bob@b.example\r\n\r\nHello.\r\n";
  files.put("none.eml", bytes);
  const auto page = open("none.eml")->next_page(1, 1 << 20).value();
  EXPECT_EQ(string_or(page->records.at(0).record, "emailId"), "sha256:" + sha256_hex(bytes));
}

TEST(RecordNames, give_the_day_of_a_call) {
  EXPECT_EQ(date_in_name("2026-09-10 lyon.vtt"), make_date(2026, 9, 10));
  EXPECT_EQ(date_in_name("GMT20260910-140000_Recording.vtt"), make_date(2026, 9, 10));
  EXPECT_EQ(date_in_name("call 10.09.2026.srt"), make_date(2026, 9, 10));
  EXPECT_EQ(date_in_name("call_2026_09_10.srt"), make_date(2026, 9, 10));
  for (const char* name :
       {"", "call.vtt", "call 12.vtt", "v1.2.3.vtt", "2026-13-40.vtt", "99999999.vtt", "555-12-34567.vtt"})
    EXPECT_FALSE(date_in_name(name)) << name;
}

// A zip of stored members, as small as the format allows.
std::string zip(const std::vector<std::pair<std::string, std::string>>& members) {
  const auto number = [](std::size_t value, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 255);
    return out;
  };
  const auto crc32 = [](std::string_view bytes) {
    std::uint32_t crc = ~0u;
    for (const unsigned char c : bytes) {
      crc ^= c;
      for (int k = 0; k < 8; ++k) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0u);
    }
    return ~crc;
  };
  std::string out, directory;
  for (const auto& [name, bytes] : members) {
    const std::string common = number(20, 2) + number(0, 8) + number(crc32(bytes), 4) +
                               number(bytes.size(), 4) + number(bytes.size(), 4) + number(name.size(), 2) +
                               number(0, 2);
    directory += "PK\x01\x02" + number(20, 2) + common + number(0, 10) + number(out.size(), 4) + name;
    out += "PK\x03\x04" + common + name + bytes;
  }
  return out + directory + "PK\x05\x06" + number(0, 4) + number(members.size(), 2) +
         number(members.size(), 2) + number(directory.size(), 4) + number(out.size(), 4) + number(0, 2);
}

TEST_F(Source, an_archive_is_a_folder_also_inside_another) {
  files.put("in/exports.zip", zip({{"crm/deals.csv", "Id,Name\n1,A\n"},
                                   {"mail/one.eml", mail(1)},
                                   {"old.zip", zip({{"two.eml", mail(2)}})},
                                   {"__MACOSX/one.eml", "x"}}));
  files.put("in/note.txt", "A note.");
  ArchiveFileSystem archives(files, extractor, clock);
  const std::vector<std::string> in{"in"};
  const auto listing = list_files(archives, in);
  std::vector<std::string> paths;
  for (const auto& file : listing.files) paths.push_back(file.path);
  EXPECT_EQ(paths,
            (std::vector<std::string>{"in/note.txt", "in/exports.zip!/crm/deals.csv",
                                      "in/exports.zip!/mail/one.eml", "in/exports.zip!/old.zip!/two.eml"}));
  EXPECT_TRUE(listing.problems.empty());
  const auto stream = archives.open("in/exports.zip!/old.zip!/two.eml");
  ASSERT_TRUE(stream) << stream.error().describe();
  EXPECT_EQ((*stream)->size(), mail(2).size());
}

TEST_F(Source, a_damaged_archive_is_a_problem_of_its_own) {
  files.put("in/bad.zip", "PK\x03\x04 and no more");
  files.put("in/one.eml", mail(1));
  ArchiveFileSystem archives(files, extractor, clock);
  const std::vector<std::string> in{"in"};
  const auto listing = list_files(archives, in);
  ASSERT_EQ(listing.files.size(), 1u);
  ASSERT_EQ(listing.problems.size(), 1u);
  EXPECT_EQ(listing.problems[0].file, "in/bad.zip");
}

// Whatever was behind the break would be lost without a word.
TEST_F(Source, an_archive_that_breaks_off_is_not_read_in_part) {
  const auto whole = zip({{"one.eml", mail(1)}, {"two.eml", mail(2)}});
  files.put("in/half.zip", whole.substr(0, mail(1).size() + 60));
  ArchiveFileSystem archives(files, extractor, clock);
  const std::vector<std::string> in{"in"};
  const auto listing = list_files(archives, in);
  EXPECT_EQ(listing.files.size(), 0u);
  ASSERT_EQ(listing.problems.size(), 1u);
  EXPECT_EQ(listing.problems[0].code, "corrupt");
  EXPECT_NE(listing.problems[0].message.find("breaks off after"), std::string::npos)
      << listing.problems[0].message;
}

}  // namespace
}  // namespace castiel::connectors
