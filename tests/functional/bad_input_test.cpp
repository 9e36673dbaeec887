// Files and machines as they should not be: each flaw is told with file, line and code, the rest goes on.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <fstream>
#include <map>

#include "crm_files.hpp"

namespace castiel::functional {
namespace {

constexpr const char* kHeader =
    "Id,Name,StageName,Amount,CurrencyIsoCode,CloseDate,CreatedDate,LastModifiedDate\n";
constexpr std::int64_t kMemoryLimit = 300'000'000;

struct Deal {
  int id;
  std::string name = "Deal";
  std::string amount = "1000";
  std::string close = "2026-12-01";
  std::string modified = "2026-05-01T10:00:00.000Z";
};
std::string row(const Deal& d) {
  return fmt::format("006X{:014},{},Proposal,\"{}\",EUR,{},2026-01-01T10:00:00.000Z,{}\n", d.id, d.name,
                     d.amount, d.close, d.modified);
}

using Strings = std::vector<std::string>;

class BadInput : public testing::Test {
 protected:
  Finished run(const std::vector<Path>& paths, Limits limits = {}) { return run_into(data(), paths, limits); }
  Finished run_into(const Path& into, const std::vector<Path>& paths, Limits limits = {}) {
    Strings arguments{"import", "--tenant", "acme", "--data", into.string(), "--json"};
    for (const auto& path : paths) arguments.push_back(path.string());
    return castiel(arguments, limits, 100s);
  }
  // A text of each deal's data by the number of its id.
  std::map<int, json::object> deals() {
    std::map<int, json::object> found;
    for (const auto& shard : castiel({"shards", "list", "--type", "opportunity", "--tenant", "acme", "--data",
                                      data().string(), "--json"})
                                 .lines()) {
      found[std::stoi(text(shard, "externalId").substr(4))] = shard.at("data").get_object();
    }
    return found;
  }
  // The file between two good ones: they are stored, it gives the problems.
  json::object import_between_good_ones(const Path& file) {
    const auto done = run({folder_.write("a_good.csv", kHeader + row({901})), file,
                           folder_.write("z_good.csv", kHeader + row({902}))});
    EXPECT_EQ(done.status, 3) << done.out << done.err;
    const auto stored_deals = deals();
    EXPECT_TRUE(stored_deals.contains(901));
    EXPECT_TRUE(stored_deals.contains(902));
    return done.last();
  }
  Path data() const { return folder_.path() / "data"; }
  TempFolder folder_;
};

TEST_F(BadInput, broken_rows_are_told_and_kept_while_the_rest_is_stored) {
  const auto file = folder_.write(
      "broken.csv", kHeader + row({1}) + "006X2,too,few\n" + row({3}) + "006X4,\"never closed,Proposal\n" +
                        row({5}) + "006X6,\xff\xfe,Proposal,1,EUR,2026-12-01,,,and,more\n" + row({7}));
  const auto summary = import_between_good_ones(file);
  const auto problems = problems_of(summary, "/broken.csv");
  EXPECT_NE(std::ranges::find(problems, "wrong_field_count 3"), problems.end());
  EXPECT_NE(std::ranges::find(problems, "unterminated_quote 5"), problems.end());
  EXPECT_EQ(number(summary, "records.deadLettered"), 3);
  const auto found = deals();
  for (const int id : {1, 3, 5, 7}) EXPECT_TRUE(found.contains(id)) << id;
  EXPECT_EQ(found.size(), 6u);
  const auto letters =
      castiel({"dlq", "list", "--tenant", "acme", "--data", data().string(), "--json"}).lines();
  EXPECT_EQ(letters.size(), 3u);
}

TEST_F(BadInput, utf16_and_windows_text_is_read) {
  const std::string utf8 = kHeader + row({11, "Größe – „Maß“"});
  std::string utf16 = "\xff\xfe";
  std::string windows;
  for (std::size_t i = 0; i < utf8.size();) {
    const auto lead = static_cast<unsigned char>(utf8[i]);
    const int length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : 3;
    unsigned code = length == 1 ? lead : length == 2 ? lead & 0x1Fu : lead & 0x0Fu;
    for (int k = 1; k < length; ++k) code = code << 6 | (static_cast<unsigned char>(utf8[i + k]) & 0x3Fu);
    i += length;
    utf16 += static_cast<char>(code & 0xFF);
    utf16 += static_cast<char>(code >> 8);
    windows += static_cast<char>(code == 0x2013   ? 0x96
                                 : code == 0x201E ? 0x84
                                 : code == 0x201C ? 0x93
                                                  : code);
  }
  ASSERT_EQ(run({folder_.write("wide.csv", utf16)}).status, 0);
  EXPECT_EQ(text(deals().at(11), "name"), "Größe – „Maß“");
  std::string other = windows;
  other.replace(other.find("006X00000000000011"), 18, "006X00000000000012");
  ASSERT_EQ(run({folder_.write("windows.csv", other)}).status, 0);
  EXPECT_EQ(text(deals().at(12), "name"), "Größe – „Maß“");
}

TEST_F(BadInput, a_line_of_100_MB_is_a_problem_and_costs_no_memory) {
  const Path file = folder_.write("long.csv", kHeader + row({21}));
  {
    std::ofstream out(file, std::ios::app | std::ios::binary);
    const std::string megabyte(1'000'000, 'x');
    out << "006X22,";
    for (int i = 0; i < 100; ++i) out << megabyte;
    out << "\n" << row({23});
  }
  const auto done = run({file});
  EXPECT_EQ(done.status, 3) << done.err;
  EXPECT_EQ(problems_of(done.last(), "/long.csv"), Strings{"line_too_long 3"});
  EXPECT_LT(done.peak_memory, kMemoryLimit);
  const auto found = deals();
  EXPECT_TRUE(found.contains(21));
  EXPECT_TRUE(found.contains(23));
}

TEST_F(BadInput, a_file_that_is_one_line_of_100_MB_is_refused_without_memory) {
  const Path file = folder_.write("line.csv", "");
  {
    std::ofstream out(file, std::ios::binary);
    const std::string megabyte(1'000'000, 'x');
    for (int i = 0; i < 100; ++i) out << megabyte;
  }
  const auto done = run({file});
  EXPECT_EQ(done.status, 3) << done.err;
  EXPECT_EQ(problems_of(done.last(), "/line.csv"), Strings{"unrecognised_table 0"});
  EXPECT_LT(done.peak_memory, kMemoryLimit);
}

TEST_F(BadInput, an_empty_file_is_told) {
  EXPECT_EQ(problems_of(import_between_good_ones(folder_.write("empty.csv", "")), "/empty.csv"),
            Strings{"empty_file 0"});
}

TEST_F(BadInput, a_binary_file_named_csv_is_told) {
  std::string bytes;
  for (int i = 0; i < 65'536; ++i) bytes += static_cast<char>(i * 7 % 256);
  EXPECT_EQ(problems_of(import_between_good_ones(folder_.write("binary.csv", bytes)), "/binary.csv"),
            Strings{"binary_file 0"});
}

TEST_F(BadInput, a_path_that_cannot_be_read_is_told) {
  EXPECT_EQ(problems_of(import_between_good_ones(folder_.path() / "missing.csv"), "/missing.csv"),
            Strings{"unreadable 0"});
  if (::geteuid() == 0) return;  // who may read everything is refused nothing
  const auto locked = folder_.write("locked.csv", kHeader + row({31}));
  std::filesystem::permissions(locked, std::filesystem::perms::none);
  EXPECT_EQ(problems_of(import_between_good_ones(locked), "/locked.csv"), Strings{"unreadable 0"});
}

TEST_F(BadInput, a_folder_that_contains_itself_is_read_once) {
  folder_.write("loop/deals.csv", kHeader + row({32}));
  std::filesystem::create_directory_symlink(folder_.path() / "loop", folder_.path() / "loop/again");
  const auto done = run({folder_.path() / "loop"});
  EXPECT_TRUE(done.status == 0 || done.status == 3) << done.err;
  EXPECT_EQ(number(done.last(), "files.read"), 1);
  EXPECT_EQ(deals().size(), 1u);
}

TEST_F(BadInput, an_id_twice_in_one_file_is_told_and_the_later_state_wins) {
  const auto file =
      folder_.write("twice.csv", kHeader + row({41}) + row({42}) +
                                     row({41, "Deal", "2000", "2026-12-01", "2026-06-01T10:00:00.000Z"}));
  const auto done = run({file});
  EXPECT_EQ(done.status, 3);
  EXPECT_EQ(problems_of(done.last(), "/twice.csv"), Strings{"duplicate_id 4"});
  EXPECT_EQ(deals().size(), 2u);
  EXPECT_EQ(text(deals().at(41), "amount"), "2000");
}

TEST_F(BadInput, of_two_exports_that_disagree_the_newer_state_wins_in_either_order) {
  const auto newer = folder_.write(
      "a/Opportunity.csv", kHeader + row({51, "New", "200", "2026-12-01", "2026-06-01T10:00:00.000Z"}));
  const auto older = folder_.write(
      "b/Opportunity.csv", kHeader + row({51, "Old", "100", "2026-12-01", "2026-05-01T10:00:00.000Z"}));
  ASSERT_EQ(run({newer, older}).status, 0);
  EXPECT_EQ(text(deals().at(51), "name"), "New");
  EXPECT_EQ(text(deals().at(51), "amount"), "200");
  ASSERT_EQ(run({older, newer}).status, 0);
  EXPECT_EQ(text(deals().at(51), "name"), "New");
}

TEST_F(BadInput, dates_nobody_means_are_told_and_left_out) {
  const auto file = folder_.write("dates.csv", kHeader + row({61, "A", "1", "1900-01-01"}) +
                                                   row({62, "B", "1", "9999-12-31"}) +
                                                   row({63, "C", "1", "2026-02-30"}) + row({64}));
  const auto done = run({file});
  EXPECT_EQ(done.status, 3);
  auto problems = problems_of(done.last(), "/dates.csv");
  std::ranges::sort(problems);
  EXPECT_EQ(problems, (Strings{"implausible_date 2", "implausible_date 3", "invalid_date 4"}));
  auto found = deals();
  ASSERT_EQ(found.size(), 4u);
  for (const int id : {61, 62, 63}) EXPECT_FALSE(found.at(id).contains("closeDate")) << id;
  EXPECT_EQ(text(found.at(64), "closeDate"), "2026-12-01");
  EXPECT_EQ(castiel({"deals", "--tenant", "acme", "--data", data().string(), "--json"}).lines().size(), 4u);
}

TEST_F(BadInput, amounts_in_local_notations_are_understood) {
  const auto german =
      folder_.write("german.csv", kHeader + row({71, "A", "1.234,56"}) + row({72, "B", "(500)"}) +
                                      row({73, "C", "€ 1.200"}) + row({74, "D", "2.500"}));
  const auto swiss =
      folder_.write("swiss.csv", kHeader + row({75, "E", "1'234.50"}) + row({76, "F", "5 or so"}) +
                                     row({78}) + row({79}) + row({80}));
  const auto alone = folder_.write("alone.csv", kHeader + row({77, "G", "€ 1.200"}));
  const auto done = run({german, swiss, alone});
  EXPECT_EQ(done.status, 3);
  const auto bare = run({folder_.write("bare.csv", kHeader + row({81, "H", "1.200"}))}).last();
  EXPECT_NE(json::serialize(*find(bare, "notes")).find("could be read in two ways"), std::string::npos)
      << "doubt is told";
  EXPECT_EQ(problems_of(done.last(), "/german.csv"), Strings{});
  EXPECT_EQ(problems_of(done.last(), "/swiss.csv"), Strings{"invalid_amount 3"});
  auto found = deals();
  EXPECT_EQ(text(found.at(71), "amount"), "1234.56");
  EXPECT_EQ(text(found.at(72), "amount"), "-500");
  EXPECT_EQ(text(found.at(73), "amount"), "1200");
  EXPECT_EQ(text(found.at(74), "amount"), "2500");
  EXPECT_EQ(text(found.at(75), "amount"), "1234.50");
  EXPECT_FALSE(found.at(76).contains("amount"));
  EXPECT_EQ(text(found.at(77), "amount"), "1200");
}

// A full disk: a small file system where mounting is allowed, else a limit on the size of files, which
// refuses the same writes. Both ways an import fails with words, and goes on when there is room again.
void expect_full_disk_is_survived(const TempFolder& folder, const Path& data, Limits limits,
                                  const std::function<void()>& make_room) {
  const auto counts = write_crm(folder, 3);
  const Strings arguments{
      "import", (folder.path() / "crm").string(), "--tenant", "acme", "--data", data.string(), "--json"};
  const auto full = castiel(arguments, limits, 100s);
  EXPECT_EQ(full.status, 1) << full.out << full.err;
  const auto error = full.last();
  EXPECT_TRUE(text(error, "error.code").starts_with("store_")) << json::serialize(error);
  EXPECT_EQ(text(error, "error.message").find("--"), std::string::npos)
      << "the words of a person, not of the database: " << text(error, "error.message");
  make_room();
  const auto done = castiel(arguments);
  EXPECT_EQ(done.status, 3) << done.out << done.err;
  const auto room = castiel({"import", (folder.path() / "crm").string(), "--tenant", "acme", "--data",
                             (folder.path() / "room").string(), "--json"});
  EXPECT_EQ(room.status, 3);
  EXPECT_EQ(number(room.last(), "records.read"), counts.records);
  EXPECT_EQ(stored(data, "acme"), stored(folder.path() / "room", "acme"));
}

TEST_F(BadInput, a_disk_that_fills_up_stops_the_import_with_words_and_loses_nothing) {
  const Path disk = folder_.path() / "disk";
  std::filesystem::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=2m") == 0) {
    expect_full_disk_is_survived(folder_, disk / "data", {}, [&] {
      ASSERT_EQ(::mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=200m"), 0);
    });
    ::umount2(disk.c_str(), MNT_DETACH);
    return;
  }
  std::printf("NOTICE: mounting is not permitted here; the full disk is a limit on the size of files\n");
  expect_full_disk_is_survived(folder_, disk / "data", {.file_bytes = 2'000'000}, [] {});
}

TEST_F(BadInput, writes_that_are_refused_stop_the_import_with_words_and_lose_nothing) {
  expect_full_disk_is_survived(folder_, data(), {.file_bytes = 1'000'000}, [] {});
}

TEST_F(BadInput, a_data_folder_that_is_a_file_is_refused) {
  const auto file = folder_.write("file", "x");
  const auto done = run_into(file, {folder_.write("good.csv", kHeader + row({1}))});
  EXPECT_EQ(done.status, 1);
  EXPECT_EQ(text(done.last(), "error.code"), "data_folder_unusable");
}

TEST_F(BadInput, a_damaged_database_is_refused_with_words) {
  folder_.write("data/castiel.db", std::string(50'000, 'z'));
  const auto done = run({folder_.write("good.csv", kHeader + row({1}))});
  EXPECT_EQ(done.status, 1) << done.out;
  EXPECT_FALSE(text(done.last(), "error.message").empty());
}

TEST_F(BadInput, a_database_without_a_broker_of_its_own_is_refused_and_its_password_not_told) {
  folder_.write("data/castiel.yaml", "store.url: postgresql://castiel:sesame@127.0.0.1:1/castiel\n");
  for (const Strings& command :
       {Strings{"deals", "--tenant", "acme"}, Strings{"tenants", "list"}, Strings{"doctor"}}) {
    Strings arguments = command;
    arguments.insert(arguments.end(), {"--data", data().string(), "--json"});
    const auto done = castiel(arguments);
    EXPECT_NE(done.status, 0) << command.front();
    EXPECT_NE(done.out.find("store.url"), std::string::npos) << done.out;
    EXPECT_EQ((done.out + done.err).find("sesame"), std::string::npos) << done.out << done.err;
  }
}

TEST_F(BadInput, questions_to_a_missing_data_folder_are_refused_and_make_none) {
  for (const Strings& command : {Strings{"deals"}, Strings{"forecast"}, Strings{"shards", "list"},
                                 Strings{"dlq", "list"}, Strings{"trace", "import-x"}}) {
    Strings arguments = command;
    for (const auto& more : {std::string("--tenant"), std::string("acme"), std::string("--data"),
                             data().string(), std::string("--json")})
      arguments.push_back(more);
    const auto done = castiel(arguments);
    EXPECT_EQ(done.status, 1) << command.front();
    EXPECT_EQ(text(done.last(), "error.code"), "no_data_folder") << command.front();
  }
  EXPECT_FALSE(std::filesystem::exists(data()));
}

}  // namespace
}  // namespace castiel::functional
