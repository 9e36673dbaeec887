// One import of everything: sums that add up, a second one that changes nothing, and files that are hostile
// or too large, which are told while the rest goes on (DOC-3, DOC-4, COMM-1, MEET-5, CAL-1).

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "crm_files.hpp"
#include "mixed_files.hpp"

namespace castiel::functional {
namespace {

namespace fs = std::filesystem;

constexpr CrmShape kSmall{
    .accounts = 20, .users = 4, .products = 5, .opportunities = 40, .changes_each = 1, .bad_rows = false};
constexpr std::int64_t kMaxOwnMemory = std::int64_t{1536} << 20;  // of `castiel`, whatever the files

void expect_adds_up(const json::object& s) {
  EXPECT_EQ(number(s, "records.read"), number(s, "records.mapped") + number(s, "records.deadLettered") +
                                           number(s, "records.quarantined"))
      << json::serialize(*find(s, "records"));
}
void expect_nothing_new(const json::object& s) {
  for (const auto& [type, counts] : find(s, "shards")->get_object()) {
    EXPECT_EQ(number(counts.get_object(), "created"), 0) << std::string_view(type);
    EXPECT_EQ(number(counts.get_object(), "updated"), 0) << std::string_view(type);
  }
}

struct Measured : Finished {
  std::int64_t own_peak = 0;  // resident bytes of the process itself, without its workers
};

class MixedImport : public testing::Test {
 protected:
  Measured run(const std::vector<Path>& paths, Millis limit = 120s) {
    std::vector<std::string> arguments{"import", "--tenant", "acme", "--data", data().string(), "--json"};
    for (const auto& path : paths) arguments.push_back(path.string());
    Process process(arguments);
    Measured done;
    for (auto left = limit; left > 0ms && !process.ended_within(20ms); left -= 20ms) {
      const auto status = read_text(fmt::format("/proc/{}/status", process.pid()));
      if (const auto at = status.find("VmHWM:"); at != status.npos)
        done.own_peak = std::max<std::int64_t>(done.own_peak, std::stoll(status.substr(at + 6)) * 1024);
    }
    static_cast<Finished&>(done) = process.finish(1s);
    return done;
  }
  std::map<std::string, json::object> shards_of(const std::string& type) {
    std::map<std::string, json::object> found;
    for (auto& shard :
         castiel({"shards", "list", "--type", type, "--tenant", "acme", "--data", data().string(), "--json"})
             .lines())
      found[text(shard, "externalId")] = shard.at("data").get_object();
    return found;
  }
  Path data() const { return folder_.path() / "data"; }
  TempFolder folder_;
};

// CAL-1: the same entry in several messages. LAST-MODIFIED is missing, as in most invitations.
TEST_F(MixedImport, of_calendar_entries_keeps_the_latest_word_of_each) {
  const auto entry = [](std::string_view method, std::string_view stamp, int sequence,
                        std::string_view more) {
    return fmt::format(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//"
        "EN\r\nMETHOD:{}\r\nBEGIN:VEVENT\r\nUID:review-1\r\n"
        "DTSTAMP:{}\r\nSEQUENCE:{}\r\n{}END:VEVENT\r\nEND:VCALENDAR\r\n",
        method, stamp, sequence, more);
  };
  constexpr std::string_view kInvited =
      "ORGANIZER:mailto:nina@ours.example\r\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:amir@client.example\r\n"
      "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:beth@client.example\r\n";
  const auto at = [&](int hour) {
    return fmt::format("DTSTART:20260914T{:02}0000Z\r\nDTEND:20260914T{:02}3000Z\r\nSUMMARY:Review\r\n{}",
                       hour, hour, kInvited);
  };
  // Files are read in the order of their names: the later word comes first.
  const auto folder = folder_.path() / "calendar";
  folder_.write("calendar/1.ics", entry("REQUEST", "20260902T080000Z", 1, at(11)));
  folder_.write("calendar/2.ics", entry("REQUEST", "20260901T080000Z", 0, at(9)));
  folder_.write(
      "calendar/3.ics",
      entry("REPLY", "20260903T080000Z", 1,
            "DTSTART:20260914T110000Z\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:beth@client.example\r\n"));
  folder_.write("calendar/4.ics", entry("COUNTER", "20260904T080000Z", 1, at(15)));
  folder_.write("calendar/5.ics", entry("REQUEST", "20260902T080000Z", 2, at(12)));
  folder_.write("calendar/6.ics", entry("REPLY", "20260904T090000Z", 2,
                                        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:amir@client.example\r\n"));
  folder_.write(
      "calendar/7.ics",
      "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nDTSTART:20260915T090000Z\r\nSUMMARY:No name\r\n"
      "END:VEVENT\r\nEND:VCALENDAR\r\n");
  auto done = run({folder});
  EXPECT_EQ(done.status, 0) << done.out;
  expect_adds_up(done.last());
  EXPECT_EQ(number(done.last(), "records.deadLettered"), 0) << done.out;
  auto events = shards_of("event");
  ASSERT_EQ(events.size(), 2u);
  const auto& review = events.at("review-1");
  EXPECT_EQ(text(review, "startTime"), "2026-09-14T12:00:00Z");
  std::map<std::string, std::string> answers;
  for (const auto& one : review.at("attendees").get_array())
    answers[text(one.get_object(), "email")] = text(one.get_object(), "status");
  EXPECT_EQ(answers, (std::map<std::string, std::string>{{"amir@client.example", "accepted"},
                                                         {"beth@client.example", "needs_action"}}));

  folder_.write("calendar/8.ics", entry("CANCEL", "20260905T080000Z", 3, "DTSTART:20260914T120000Z\r\n"));
  done = run({folder});
  EXPECT_EQ(done.status, 0) << done.out;
  events = shards_of("event");
  ASSERT_EQ(events.size(), 2u);
  EXPECT_TRUE(events.at("review-1").at("cancelled").as_bool());
  EXPECT_EQ(text(events.at("review-1"), "title"), "Review");
  EXPECT_EQ(events.at("review-1").at("attendees").get_array().size(), 2u);
  expect_nothing_new(run({folder}).last());
}

TEST_F(MixedImport, of_every_kind_of_source_adds_up_and_a_second_one_changes_nothing) {
  const auto crm = write_crm(folder_, 5, kSmall);
  const auto mixed = write_mixed(folder_, 5);
  const std::vector<Path> paths{folder_.path() / "crm", folder_.path() / "mixed"};
  const auto done = run(paths);
  EXPECT_EQ(done.status, 0) << done.err << done.out;
  const auto s = done.last();
  expect_adds_up(s);
  EXPECT_EQ(number(s, "records.read"), crm.records + mixed.records());
  EXPECT_EQ(number(s, "records.deadLettered"), 0);
  EXPECT_EQ(number(s, "shards.email.created"), mixed.emails);
  EXPECT_EQ(number(s, "shards.meeting.created"), mixed.meetings);
  EXPECT_EQ(number(s, "shards.event.created"), mixed.events);
  EXPECT_EQ(number(s, "shards.message.created"), mixed.messages);
  EXPECT_EQ(number(s, "shards.document.created"), mixed.documents + mixed.attachments);
  EXPECT_EQ(number(s, "problemCount"), 0) << json::serialize(*find(s, "problems"));
  EXPECT_GT(number(s, "links.attached") + number(s, "links.suggested"), 0);
  for (const auto& [id, document] : shards_of("document"))
    EXPECT_FALSE(text(document, "extractedText").empty()) << id;
  EXPECT_GT(shards_of("task").size(), 0u);

  const auto again = run(paths);
  EXPECT_EQ(again.status, 0) << again.err;
  expect_adds_up(again.last());
  expect_nothing_new(again.last());
}

TEST_F(MixedImport, tells_what_it_cannot_read_and_keeps_a_shard_that_says_so) {
  folder_.write("in/a good.txt", "A good text about pumps.\n");
  folder_.write("in/broken.pdf", "%PDF-1.7\nthis is none");
  folder_.write("in/z good.html", "<p>Another good one.</p>");
  folder_.write("in/broken.zip", std::string("PK\x03\x04 this is no zip at all", 25));
  const auto done = run({folder_.path() / "in"});
  EXPECT_EQ(done.status, 3) << done.out << done.err;
  const auto s = done.last();
  expect_adds_up(s);
  EXPECT_EQ(problems_of(s, "/broken.pdf"), std::vector<std::string>{"corrupt 0"});
  EXPECT_EQ(problems_of(s, "/broken.zip").size(), 1u);
  const auto documents = shards_of("document");
  ASSERT_EQ(documents.size(), 3u);
  const auto& broken = documents.at((folder_.path() / "in/broken.pdf").string());
  EXPECT_EQ(text(broken, "error.code"), "corrupt");
  EXPECT_FALSE(text(broken, "error.message").empty());
}

// Files of a size nobody means to send. The last of them must not keep the good one from being read.
TEST_F(MixedImport, of_huge_files_is_bounded_in_memory_and_names_each) {
  folder_.write("in/a good.txt", "A good text about pumps.\n");
  const Path huge = folder_.path() / "in/huge.txt", box = folder_.path() / "in/box.mbox";
  {
    std::ofstream out(huge, std::ios::binary);
    const std::string line = "All work and no play makes the pump a dull machine.\n";
    for (std::size_t n = 0; n < 100'000'000; n += line.size()) out << line;
  }
  {
    std::ofstream out(box, std::ios::binary);
    const auto mail = [&](int i) {
      out << fmt::format(
          "From a Mon Sep 07 09:00:00 2026\nMessage-ID: <h{0}@x.example>\nFrom: a@x.example\nTo: "
          "b@y.example\nSubject: Mail {0}\nDate: 7 Sep 2026 09:00:00 +0000\n\n",
          i);
    };
    mail(1);
    out << "A small one.\n\n";
    mail(2);
    const std::string line(99, 'x');
    for (int n = 0; n < 2'000'000; ++n) out << line << '\n';
    out << '\n';
    mail(3);
    out << "A small one, too.\n\n";
  }
  std::vector<std::pair<std::string, std::string>> many;
  for (int i = 0; i < 60'000; ++i) many.emplace_back(fmt::format("m/{}.txt", i), "x");
  folder_.write("in/many.zip", zip_of(many));
  const auto done = run({folder_.path() / "in"}, 300s);
  EXPECT_EQ(done.status, 3) << done.out.substr(0, 3000) << done.err;
  const auto s = done.last();
  expect_adds_up(s);
  EXPECT_LT(done.own_peak, kMaxOwnMemory);
  std::printf("peak resident memory of castiel: %lld MiB\n", static_cast<long long>(done.own_peak >> 20));
  EXPECT_EQ(problems_of(s, "/box.mbox"), std::vector<std::string>{"too_large 2"});
  EXPECT_EQ(problems_of(s, "/many.zip"), std::vector<std::string>{"too_large 0"});
  EXPECT_EQ(number(s, "shards.email.created"), 2);
  const auto documents = shards_of("document");
  EXPECT_TRUE(documents.contains((folder_.path() / "in/a good.txt").string()));
  const auto it = documents.find(huge.string());
  ASSERT_NE(it, documents.end());
  EXPECT_TRUE(it->second.contains("error") || !text(it->second, "extractedText").empty());
}

// --- the test data ---

std::optional<Path> test_data(const char* what) {
  const char* named = std::getenv("CASTIEL_TEST_DATA");
  // As the program tells its files.
  const Path data = std::filesystem::weakly_canonical(
      named != nullptr ? Path(named) : Path(CASTIEL_SOURCE_DIR) / "../shared/data");
  if (fs::exists(data / what)) return data;
  std::printf("NOTICE: the test data folder is not present; 1 check of %s was not run\n", what);
  return std::nullopt;
}
// Each file, where the time is no matter.
bool all_of_it() {
  return std::getenv("TEST_DATA_ALL") != nullptr;
}

// The files of a folder, each `step`th.
std::vector<Path> files_of(const Path& folder, std::size_t step) {
  std::vector<Path> all;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && !entry.path().filename().string().starts_with('.'))
      all.push_back(entry.path());
  }
  std::ranges::sort(all);
  std::vector<Path> some;
  for (std::size_t i = 0; i < all.size(); i += step) some.push_back(all[i]);
  return some;
}

TEST_F(MixedImport, of_the_test_data_adds_up_and_a_second_one_changes_nothing) {
  const auto base = test_data("email");
  if (!base) return;
  const std::size_t step = all_of_it() ? 1 : 25;
  std::vector<Path> paths{*base / "crm/maven_crm"};
  for (const char* set :
       {"email/spamassassin", "documents/docling", "calendars/libical", "meetings/webvtt_docling"}) {
    const auto some = files_of(*base / set, set[0] == 'm' ? 1 : step);
    paths.insert(paths.end(), some.begin(), some.end());
  }
  const auto done = run(paths, 1500s);
  EXPECT_TRUE(done.status == 0 || done.status == 3) << done.err;
  const auto s = done.last();
  ASSERT_NE(find(s, "records"), nullptr) << json::serialize(s);
  expect_adds_up(s);
  EXPECT_EQ(number(s, "shards.opportunity.created"), 4616);
  EXPECT_GT(number(s, "shards.email.created"), 0);
  EXPECT_GT(number(s, "shards.document.created"), 0);
  EXPECT_GT(number(s, "shards.event.created"), 0);
  EXPECT_GT(number(s, "shards.meeting.created"), 0);
  std::printf("castiel: %lld MiB; records %s; links %s; %lld problems; %.1f s\n",
              static_cast<long long>(done.own_peak >> 20), json::serialize(*find(s, "records")).c_str(),
              json::serialize(*find(s, "links")).c_str(), static_cast<long long>(number(s, "problemCount")),
              find(s, "seconds")->to_number<double>());
  const auto again = run(paths, 1500s);
  EXPECT_TRUE(again.status == 0 || again.status == 3) << again.err;
  expect_adds_up(again.last());
  expect_nothing_new(again.last());
}

TEST_F(MixedImport, of_hostile_files_ends_with_a_shard_or_a_problem_for_each) {
  const auto base = test_data("hostile");
  if (!base) return;
  const auto files = files_of(*base / "hostile", all_of_it() ? 1 : 6);
  const auto done = run(files, 1500s);
  EXPECT_TRUE(done.status == 0 || done.status == 1 || done.status == 3) << done.status << done.err;
  EXPECT_LT(done.own_peak, kMaxOwnMemory);
  const auto s = done.last();
  ASSERT_NE(find(s, "records"), nullptr) << json::serialize(s);
  expect_adds_up(s);
  std::set<std::string> told;
  for (const auto& p : find(s, "problems")->get_array()) told.insert(text(p.get_object(), "file"));
  for (const auto& shard :
       castiel({"shards", "list", "--tenant", "acme", "--data", data().string(), "--json"}, {}, 300s)
           .lines()) {
    if (const auto* source = find(shard, "source.file")) told.insert(std::string(source->get_string()));
    if (const auto* origin = find(shard, "origin.file")) told.insert(std::string(origin->get_string()));
    told.insert(text(shard, "externalId"));
  }
  std::size_t silent = 0;
  for (const auto& file : files) {
    const auto name = file.string();
    const auto it = told.lower_bound(name);
    if (it != told.end() && it->starts_with(name)) continue;  // itself, or a file inside it
    ++silent;
    std::printf("said nothing of: %s\n", name.c_str());
  }
  EXPECT_EQ(number(s, "files.read") + number(s, "files.skipped") + number(s, "files.failed") > 0, true);
  // The same bytes once more, and the same entry in several calendars.
  std::int64_t known = number(s, "files.skipped");
  for (const auto& [type, counts] : find(s, "shards")->get_object())
    known += number(counts.get_object(), "unchanged");
  EXPECT_LE(silent, static_cast<std::size_t>(known));
}

}  // namespace
}  // namespace castiel::functional
