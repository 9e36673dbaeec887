#include "connectors/files/file_source.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>

#include "base/digest.hpp"
#include "connectors/testing/memory_file_system.hpp"
#include "content/jsonl.hpp"

namespace castiel::connectors {
namespace {

using testing::MemoryFileSystem;

constexpr std::string_view kHeader = "Deal ID,Deal Name,Stage,Amount,Close Date\n";

struct All {
  std::vector<RawRecord> records;
  std::vector<Problem> problems;
  std::vector<Cursor> cursors;  // after each page
  Cursor end;
};

All read_rest(FileReader& reader, std::size_t max_records = kPageRecords) {
  All all;
  while (true) {
    auto page = reader.next_page(max_records);
    EXPECT_TRUE(page) << page.error().message;
    if (!page || !*page) break;
    for (auto& record : (*page)->records) all.records.push_back(std::move(record));
    for (auto& problem : (*page)->problems) all.problems.push_back(std::move(problem));
    all.cursors.push_back((*page)->after);
    all.end = (*page)->after;
  }
  return all;
}

std::vector<std::string> codes(const All& all) {
  std::vector<std::string> out;
  for (const auto& problem : all.problems) out.push_back(problem.code + "@" + std::to_string(problem.line));
  return out;
}

std::string open_error(const std::string& name, std::string bytes) {
  MemoryFileSystem files;
  files.put(name, std::move(bytes));
  const auto reader = FileReader::open(files, name);
  return reader ? "" : reader.error().code;
}

TEST(FileReader, reads_records_with_keys_lines_and_verbatim_text) {
  MemoryFileSystem files;
  const std::string bytes =
      "\xEF\xBB\xBF" + std::string(kHeader) + "1,\"A\nB\",Won,5,2017-01-02\r\n2,C,Lost,7,2017-01-03\n";
  files.put("deals.csv", bytes);
  auto reader = FileReader::open(files, "deals.csv");
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ(reader->sha256(), sha256_hex(bytes));
  EXPECT_EQ(reader->mapping().entity, "opportunity");
  const auto all = read_rest(*reader);
  ASSERT_EQ(all.records.size(), 2u);
  EXPECT_EQ(all.records[0].key, "1");
  EXPECT_EQ(all.records[0].source, "1,\"A\nB\",Won,5,2017-01-02");
  EXPECT_EQ(all.records[1].line, 4u);
  EXPECT_EQ(all.end.offset, bytes.size());
  EXPECT_EQ(all.end.records, 2u);
}

TEST(FileReader, says_what_a_file_is_that_it_cannot_read) {
  EXPECT_EQ(open_error("a.csv", ""), "empty_file");
  EXPECT_EQ(open_error("a.csv", "\n \n"), "empty_file");
  EXPECT_EQ(open_error("a.csv", std::string(1000, '\0')), "binary_file");
  EXPECT_EQ(open_error("a.pdf", "%PDF"), "unsupported");
  EXPECT_EQ(open_error("README", "Just some words.\nAnd more of them, here.\n"), "unsupported");
  EXPECT_EQ(open_error("a.csv", "station,rain\nA,5\n"), "unrecognised_table");
  EXPECT_EQ(open_error("a.json", "[1,2]"), "unsupported");
  MemoryFileSystem files;
  EXPECT_EQ(FileReader::open(files, "none.csv").error().code, "unreadable");
}

TEST(FileReader, reports_each_bad_record_and_reads_the_others) {
  MemoryFileSystem files;
  files.put("deals.csv",
            std::string(kHeader) +
                "1,A,Won,5,2017-01-02\n2,B,Won\n,C,Won,5,2017-01-02\n1,A2,Lost,5,2017-01-02\n1,A2,Lost,5,"
                "2017-01-02\n3,\xFF,Won,5,2017-01-02\n"
                "4,äöüäöüäöüäöü,Won,5,2017-01-02\n5,\"x,Won,5,2017-01-02\n6,F,Won,5,2017-01-02\n");
  auto reader = FileReader::open(files, "deals.csv");
  ASSERT_TRUE(reader) << reader.error().message;
  const auto all = read_rest(*reader);
  EXPECT_EQ(codes(all), (std::vector<std::string>{"wrong_field_count@3", "missing_id@4", "duplicate_id@5",
                                                  "invalid_encoding@7", "unterminated_quote@9"}));
  EXPECT_EQ(all.records.size(), 5u);
  EXPECT_EQ(all.problems[0].source, "2,B,Won");
  EXPECT_TRUE(all.problems[0].record_lost);
  EXPECT_FALSE(all.problems[2].record_lost);
  EXPECT_EQ(all.problems[3].source, "3,\xFF,Won,5,2017-01-02");
}

TEST(FileReader, leaves_out_a_reports_title_and_closing_lines) {
  MemoryFileSystem files;
  files.put("report.csv", "Deals by owner\nAs of 2017-01-01\n\n" + std::string(kHeader) +
                              "1,A,Won,5,2017-01-02\n2,B,Won,5,2017-01-02\n\n\"Grand Totals (2 "
                              "records)\"\n\"Copyright (c) 2017 x, all rights reserved.\"\n");
  auto reader = FileReader::open(files, "report.csv");
  ASSERT_TRUE(reader) << reader.error().message;
  const auto all = read_rest(*reader);
  EXPECT_EQ(all.records.size(), 2u);
  EXPECT_TRUE(all.problems.empty()) << all.problems[0].source;
  EXPECT_EQ(all.records[0].line, 5u);
}

std::string in_utf16(std::string_view ascii_and_umlauts) {
  std::string out = "\xFF\xFE";
  for (std::size_t i = 0; i < ascii_and_umlauts.size(); ++i) {
    unsigned c = static_cast<unsigned char>(ascii_and_umlauts[i]);
    if (c >= 0xC0) c = (c & 0x1Fu) << 6 | (static_cast<unsigned char>(ascii_and_umlauts[++i]) & 0x3Fu);
    out.push_back(static_cast<char>(c & 0xFF));
    out.push_back(static_cast<char>(c >> 8));
  }
  return out;
}

std::string in_latin1(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned c = static_cast<unsigned char>(text[i]);
    if (c >= 0xC0) c = (c & 0x1Fu) << 6 | (static_cast<unsigned char>(text[++i]) & 0x3Fu);
    out.push_back(static_cast<char>(c));
  }
  return out;
}

TEST(FileReader, goes_on_exactly_where_a_cursor_was_taken_in_any_encoding) {
  std::string text(kHeader);
  for (int i = 0; i < 3000; ++i) {
    text += std::to_string(i) + ",\"Größe " + std::to_string(i) + (i % 7 == 0 ? "\nzweite Zeile" : "") +
            "\",Won,5,2017-01-02\n";
    if (i % 11 == 0) text += "\n,,,,\n";
    if (i % 13 == 0) text += "bad,ü\n";
  }
  std::vector<RawRecord> expected;
  for (const std::string& bytes : {text, "\xEF\xBB\xBF" + text, in_utf16(text), in_latin1(text)}) {
    MemoryFileSystem files;
    files.put("deals.csv", bytes);
    auto reader = FileReader::open(files, "deals.csv");
    ASSERT_TRUE(reader) << reader.error().message;
    const auto whole = read_rest(*reader, 97);
    ASSERT_EQ(whole.records.size(), 3000u);
    EXPECT_EQ(whole.problems.size(), 231u);
    EXPECT_EQ(whole.end.offset, bytes.size());
    if (expected.empty()) expected = whole.records;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(whole.records[i].source, expected[i].source);
      ASSERT_EQ(whole.records[i].line, expected[i].line);
    }
    for (std::size_t page = 0; page < whole.cursors.size(); page += 5) {
      auto again = FileReader::open(files, "deals.csv");
      ASSERT_TRUE(again->seek(whole.cursors[page]));
      const auto rest = read_rest(*again, 97);
      const std::size_t done = whole.cursors[page].records;
      ASSERT_EQ(rest.records.size(), whole.records.size() - done);
      EXPECT_EQ(rest.end, whole.end);
      if (!rest.records.empty()) {
        EXPECT_EQ(rest.records[0].source, whole.records[done].source);
        EXPECT_EQ(rest.records[0].line, whole.records[done].line);
      }
    }
  }
}

TEST(FileReader, bounds_pages_by_records_and_bytes) {
  MemoryFileSystem files;
  std::string text(kHeader);
  for (int i = 0; i < 10; ++i)
    text += std::to_string(i) + "," + std::string(1000, 'x') + ",Won,5,2017-01-02\n";
  files.put("deals.csv", text);
  auto reader = FileReader::open(files, "deals.csv");
  ASSERT_TRUE(reader);
  EXPECT_EQ((*reader->next_page(3, 1 << 20))->records.size(), 3u);
  EXPECT_EQ((*reader->next_page(200, 2500))->records.size(), 2u);
  EXPECT_EQ((*reader->next_page(200, 1))->records.size(), 1u);
  EXPECT_EQ((*reader->next_page())->records.size(), 4u);
  EXPECT_FALSE(reader->next_page()->has_value());
}

TEST(FileReader, reads_json_of_lines_and_of_an_api) {
  MemoryFileSystem files;
  files.put("deals.jsonl",
            "{\"id\":\"1\",\"properties\":{\"dealname\":\"A\",\"amount\":\"5\",\"dealstage\":\"won\",\"hs_"
            "lastmodifieddate\":\"2026-01-01T00:00:00Z\"}}\n{\"id\":\n{\"properties\":{}}\n");
  files.put("sf.json",
            "{\"totalSize\":1,\"records\":[{\"attributes\":{\"type\":\"Account\"},\"Id\":\"001\",\"Name\":"
            "\"Acme\",\"Owner\":{\"Name\":\"Jo\"}}]}");
  auto reader = FileReader::open(files, "deals.jsonl");
  ASSERT_TRUE(reader) << reader.error().message;
  const auto all = read_rest(*reader);
  ASSERT_EQ(all.records.size(), 1u);
  EXPECT_EQ(all.records[0].modified, "2026-01-01T00:00:00Z");
  EXPECT_EQ(codes(all), (std::vector<std::string>{"invalid_json@2", "missing_id@3"}));
  auto answer = FileReader::open(files, "sf.json");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->mapping().entity, "account");
  EXPECT_EQ(answer->mapping().integration, "salesforce");
  EXPECT_EQ(answer->mapping().column_for("ownerName")->column, "Owner.Name");
  EXPECT_EQ(read_rest(*answer).records[0].key, "001");
}

TEST(FileReader, reports_a_failing_disk_and_its_progress) {
  MemoryFileSystem files;
  std::string text(kHeader);
  while (text.size() < (3u << 20)) text += "1,A,Won,5,2017-01-02\n";
  files.put("deals.csv", text);
  std::vector<std::uint64_t> told;
  FileOptions options;
  options.progress = [&](std::uint64_t done, std::uint64_t) { told.push_back(done); };
  EXPECT_TRUE(FileReader::open(files, "deals.csv", options));
  EXPECT_GE(told.size(), 2u);
  files.fail_reads_after(1 << 20);
  EXPECT_EQ(FileReader::open(files, "deals.csv").error().code, "unreadable");
}

TEST(FileReader, gives_history_without_ids_a_key_by_content) {
  MemoryFileSystem files;
  files.put("history.csv",
            "Record ID,Property,Previous value,Value,Changed at\n1,Amount,5,6,2024-05-08 "
            "15:12\n1,Amount,6,7,2024-05-09 15:12\n");
  auto reader = FileReader::open(files, "history.csv");
  ASSERT_TRUE(reader) << reader.error().message;
  const auto all = read_rest(*reader);
  ASSERT_EQ(all.records.size(), 2u);
  EXPECT_EQ(all.records[0].key.size(), 32u);
  EXPECT_NE(all.records[0].key, all.records[1].key);
}

TEST(ListFiles, orders_skips_and_survives_loops) {
  MemoryFileSystem files;
  for (const char* name : {"in/deals.csv", "in/sub/OpportunityFieldHistory.csv", "in/accounts.csv",
                           "in/users.csv", "in/.hidden/x.csv", "in/contacts.csv"})
    files.put(name, "x");
  files.put("in/empty.csv", "");
  files.put("in/secret/a.csv", "x");
  files.deny("in/secret");
  files.link("in/sub/loop", "in");
  const std::vector<std::string> paths{"in/", "in/deals.csv", "gone"};
  const auto listing = list_files(files, paths);
  std::vector<std::string> names;
  for (const auto& file : listing.files) names.push_back(file.path);
  EXPECT_EQ(names, (std::vector<std::string>{"in/users.csv", "in/accounts.csv", "in/contacts.csv",
                                             "in/deals.csv", "in/sub/OpportunityFieldHistory.csv"}));
  std::multiset<std::string> problems;
  for (const auto& problem : listing.problems) problems.insert(problem.code + " " + problem.file);
  EXPECT_EQ(problems, (std::multiset<std::string>{"empty_file in/empty.csv", "unreadable gone",
                                                  "unreadable in/secret"}));
}

// The machine's own files.

std::filesystem::path test_data() {
  if (const char* given = std::getenv("CASTIEL_TEST_DATA")) return given;
  return std::filesystem::current_path().parent_path() / "shared" / "data";
}

TEST(LocalFiles, are_read_as_memory_is) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("castiel-files-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder / "sub");
  std::ofstream(folder / "sub" / "deals.csv") << kHeader << "1,A,Won,5,2017-01-02\n";
  std::filesystem::create_directory_symlink(folder, folder / "sub" / "loop");
  const auto files = make_local_file_system();
  const auto listing = list_files(*files, std::vector<std::string>{folder.string()});
  ASSERT_EQ(listing.files.size(), 1u);
  auto reader = FileReader::open(*files, listing.files[0].path);
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ(read_rest(*reader).records.size(), 1u);
  EXPECT_EQ(FileReader::open(*files, (folder / "none.csv").string()).error().code, "unreadable");
  std::filesystem::remove_all(folder);
}

TEST(LocalFiles, the_maven_tables_are_recognised) {
  const auto folder = test_data() / "crm" / "maven_crm";
  if (!std::filesystem::exists(folder)) {
    std::cout << "NOTICE: " << folder << " not present, 4 checks not run\n";
    GTEST_SKIP();
  }
  const auto files = make_local_file_system();
  std::map<std::string, std::size_t> counts;
  for (const auto& file : list_files(*files, std::vector<std::string>{folder.string()}).files) {
    auto reader = FileReader::open(*files, file.path);
    if (!reader) {
      EXPECT_EQ(reader.error().code, "unsupported") << file.path;
      continue;
    }
    const auto all = read_rest(*reader);
    EXPECT_TRUE(all.problems.empty()) << file.path;
    counts[reader->mapping().entity] += all.records.size();
    for (const auto& column : reader->mapping().columns)
      EXPECT_FALSE(column.field.empty()) << file.path << ": " << column.column;
  }
  EXPECT_EQ(counts, (std::map<std::string, std::size_t>{
                        {"account", 85}, {"opportunity", 4616}, {"product", 7}, {"user", 35}}));
}

TEST(LocalFiles, the_example_workspace_is_recognised) {
  const auto folder = std::filesystem::current_path() / "examples" / "workspace" / "crm";
  if (!std::filesystem::exists(folder)) {
    std::cout << "NOTICE: " << folder << " not present, its checks not run\n";
    GTEST_SKIP();
  }
  const auto files = make_local_file_system();
  std::set<std::string> entities;
  for (const auto& file : list_files(*files, std::vector<std::string>{folder.string()}).files) {
    auto reader = FileReader::open(*files, file.path);
    ASSERT_TRUE(reader) << file.path << ": " << reader.error().message;
    const std::string vendor = file.path.find("salesforce") != file.path.npos ? "salesforce" : "hubspot";
    EXPECT_EQ(reader->mapping().integration, vendor) << file.path;
    const auto all = read_rest(*reader);
    EXPECT_FALSE(all.records.empty()) << file.path;
    for (const auto& problem : all.problems)
      EXPECT_NE(problem.code, "missing_id") << file.path << ":" << problem.line;
    entities.insert(vendor + " " + reader->mapping().entity);
  }
  for (const char* wanted :
       {"salesforce opportunity", "salesforce account", "salesforce contact", "salesforce user",
        "salesforce contact_role", "salesforce opportunity_change", "hubspot opportunity", "hubspot account",
        "hubspot contact", "hubspot user", "hubspot opportunity_change"}) {
    EXPECT_TRUE(entities.contains(wanted)) << wanted;
  }
}

}  // namespace
}  // namespace castiel::connectors
