// What an import means: what it stores, counts and says, and what a second one does.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "crm_files.hpp"

namespace castiel::functional {
namespace {

constexpr std::uint64_t kSeed = 7;
constexpr CrmShape kSmall{
    .accounts = 20, .users = 4, .products = 5, .opportunities = 60, .changes_each = 2, .bad_rows = false};

class Import : public testing::Test {
 protected:
  Finished run(const std::vector<Path>& paths, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"import", "--tenant", "acme", "--data", data().string(), "--json"};
    for (const auto& path : paths) arguments.push_back(path.string());
    arguments.insert(arguments.end(), more.begin(), more.end());
    return castiel(arguments);
  }
  Path data() const { return folder_.path() / "data"; }
  TempFolder folder_;
};

void expect_nothing_new(const json::object& summary) {
  for (const auto& [type, counts] : find(summary, "shards")->get_object()) {
    EXPECT_EQ(number(counts.get_object(), "created"), 0) << std::string_view(type);
    EXPECT_EQ(number(counts.get_object(), "updated"), 0) << std::string_view(type);
  }
}

TEST_F(Import, prints_the_promised_summary) {
  const auto counts = write_crm(folder_, kSeed, kSmall);
  const auto done = run({folder_.path() / "crm"});
  EXPECT_EQ(done.status, 0) << done.err;
  ASSERT_EQ(done.lines().size(), 1u);
  const auto s = done.last();
  EXPECT_EQ(text(s, "tenant"), "acme");
  EXPECT_TRUE(text(s, "correlationId").starts_with("import-"));
  EXPECT_EQ(number(s, "files.read"), 5);
  EXPECT_EQ(number(s, "files.skipped"), 0);
  EXPECT_EQ(number(s, "files.failed"), 0);
  EXPECT_EQ(number(s, "records.read"), counts.records);
  EXPECT_EQ(number(s, "records.mapped"), counts.records);
  EXPECT_EQ(number(s, "records.deadLettered"), 0);
  EXPECT_EQ(number(s, "records.quarantined"), 0);
  EXPECT_EQ(number(s, "shards.opportunity.created"), kSmall.opportunities);
  EXPECT_EQ(number(s, "shards.opportunity.updated"), 0);
  EXPECT_EQ(number(s, "shards.opportunity.unchanged"), 0);
  EXPECT_EQ(number(s, "shards.account.created"), kSmall.accounts);
  EXPECT_EQ(number(s, "shards.user.created"), kSmall.users);
  EXPECT_EQ(number(s, "shards.product.created"), kSmall.products);
  EXPECT_EQ(number(s, "links.attached"), 0);
  EXPECT_EQ(number(s, "links.suggested"), 0);
  ASSERT_NE(find(s, "problems"), nullptr);
  EXPECT_TRUE(find(s, "problems")->is_array());
  ASSERT_NE(find(s, "seconds"), nullptr);
  EXPECT_GT(find(s, "seconds")->to_number<double>(), 0);
}

TEST_F(Import, of_dated_files_a_second_time_changes_nothing_and_counts_the_unchanged) {
  write_crm(folder_, kSeed, kSmall);
  ASSERT_EQ(run({folder_.path() / "crm"}).status, 0);
  const auto before = stored(data(), "acme");
  const auto again = run({folder_.path() / "crm"});
  EXPECT_EQ(again.status, 0) << again.err;
  const auto s = again.last();
  expect_nothing_new(s);
  EXPECT_EQ(number(s, "shards.opportunity.unchanged"), kSmall.opportunities);
  EXPECT_EQ(number(s, "shards.account.unchanged"), kSmall.accounts);
  EXPECT_EQ(stored(data(), "acme"), before);
  const auto forced = run({folder_.path() / "crm"}, {"--again"});
  EXPECT_EQ(forced.status, 0) << forced.err;
  expect_nothing_new(forced.last());
  EXPECT_EQ(stored(data(), "acme"), before);
}

TEST_F(Import, of_undated_files_a_second_time_skips_them_until_forced) {
  const auto deals = folder_.write("deals.csv",
                                   "Id,Name,StageName,Amount,CloseDate\nd-1,One,Proposal,100,2026-12-01\nd-2,"
                                   "Two,Proposal,200,2026-12-01\n");
  EXPECT_EQ(number(run({deals}).last(), "shards.opportunity.created"), 2);
  const auto second = run({deals});
  EXPECT_EQ(second.status, 0);
  EXPECT_EQ(number(second.last(), "files.skipped"), 1);
  EXPECT_EQ(number(second.last(), "files.read"), 0);
  expect_nothing_new(second.last());
  const auto forced = run({deals}, {"--again"}).last();
  EXPECT_EQ(number(forced, "files.read"), 1);
  EXPECT_EQ(number(forced, "records.read"), 2);
  expect_nothing_new(forced);
  EXPECT_EQ(number(forced, "shards.opportunity.unchanged"), 2);
}

TEST_F(Import, of_a_later_export_updates_what_changed_and_keeps_its_history) {
  constexpr const char* kHeader =
      "Id,Name,StageName,Amount,CurrencyIsoCode,CloseDate,CreatedDate,LastModifiedDate\n";
  const auto row = [](const char* stage, int amount, const char* modified) {
    return fmt::format("006X00000000000001,One,{},{},EUR,2026-12-01,2026-01-01T10:00:00.000Z,{}\n", stage,
                       amount, modified);
  };
  ASSERT_EQ(
      run({folder_.write("may/Opportunity.csv", kHeader + row("Proposal", 100, "2026-05-01T10:00:00.000Z"))})
          .status,
      0);
  const auto june = run({folder_.write("june/Opportunity.csv",
                                       kHeader + row("Negotiation", 150, "2026-06-01T10:00:00.000Z"))})
                        .last();
  EXPECT_EQ(number(june, "shards.opportunity.updated"), 1);
  // An older export that comes late changes nothing.
  const auto april = run({folder_.write("april/Opportunity.csv",
                                        kHeader + row("Qualification", 50, "2026-04-01T10:00:00.000Z"))})
                         .last();
  expect_nothing_new(april);
  const auto shard =
      castiel({"shards", "list", "--tenant", "acme", "--data", data().string(), "--json"}).last();
  EXPECT_EQ(text(shard, "data.stage"), "Negotiation");
  EXPECT_EQ(text(shard, "data.amount"), "150");
  EXPECT_EQ(number(shard, "version"), 2);
  const auto history = castiel({"shards", "history", "--tenant", "acme", "--data", data().string(), "--id",
                                text(shard, "id"), "--json"})
                           .lines();
  const auto has = [&](std::string_view field, std::string_view from, std::string_view to) {
    return std::ranges::any_of(history, [&](const json::object& c) {
      const auto* was = find(c, "from");
      const auto* is = find(c, "to");
      return text(c, "field") == field && was->is_string() && was->get_string() == from && is->is_string() &&
             is->get_string() == to;
    });
  };
  EXPECT_TRUE(has("stage", "Proposal", "Negotiation"));
  EXPECT_TRUE(has("amount", "100", "150"));
}

TEST_F(Import, says_by_its_exit_status_how_it_went) {
  const auto good =
      folder_.write("good.csv", "Id,Name,StageName,Amount,CloseDate\nd-1,One,Proposal,100,2026-12-01\n");
  const auto flawed = folder_.write(
      "flawed.csv", "Id,Name,StageName,Amount,CloseDate\nd-2,Two,Proposal,200,2026-12-01\nd-3,Three\n");
  EXPECT_EQ(run({good}).status, 0);
  EXPECT_EQ(run({flawed}).status, 3);
  const auto missing = run({folder_.path() / "missing.csv"});
  EXPECT_EQ(missing.status, 1);
  EXPECT_EQ(text(missing.last(), "error.code"), "unreadable");
  EXPECT_EQ(run({}).status, 2);
  EXPECT_EQ(castiel({"import", good.string(), "--data", data().string()}).status, 2) << "no tenant";
  EXPECT_EQ(castiel({"import", good.string(), "--tenant", "Not A Name", "--data", data().string()}).status,
            2);
  EXPECT_EQ(run({good}, {"--no-such-option"}).status, 2);
}

TEST_F(Import, takes_a_source_map) {
  const auto odd = folder_.write("odd.csv", "foo,bar,baz\no-1,First deal,1200\n");
  EXPECT_EQ(run({odd}).status, 3);
  const auto map = folder_.write("map.yaml",
                                 "files:\n  - match: \"odd.csv\"\n    entity: opportunity\n    columns: "
                                 "{foo: id, bar: name, baz: amount}\n");
  const auto done = run({odd}, {"--source-map", map.string()});
  EXPECT_EQ(done.status, 0) << done.err << done.out;
  const auto shard =
      castiel({"shards", "list", "--tenant", "acme", "--data", data().string(), "--json"}).last();
  EXPECT_EQ(text(shard, "externalId"), "o-1");
  EXPECT_EQ(text(shard, "data.name"), "First deal");
  EXPECT_EQ(text(shard, "data.amount"), "1200");
}

}  // namespace
}  // namespace castiel::functional
