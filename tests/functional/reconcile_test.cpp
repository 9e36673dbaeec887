// Rows taken away behind the program's back are named and brought back.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "support.hpp"

namespace castiel::functional {
namespace {

using Strings = std::vector<std::string>;

void sql(const std::filesystem::path& data, const std::string& text) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((data / "castiel.db").c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, text.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
  sqlite3_close(db);
}

std::vector<std::string> kinds(const json::object& result) {
  std::vector<std::string> list;
  for (const auto& item : result.at("missing").as_array())
    list.push_back(text(item.as_object(), "kind") + " " + text(item.as_object(), "type"));
  std::ranges::sort(list);
  return list;
}

// FLOW-11
TEST(Reconcile, names_what_is_missing_and_brings_it_back) {
  TempFolder folder;
  const auto data = folder.path() / "data";
  const auto ask = [&](Strings arguments) {
    arguments.insert(arguments.end(), {"--data", data.string(), "--json"});
    return castiel(arguments);
  };
  folder.write("in/accounts.csv", "Id,Name,LastModifiedDate\na-1,Globex,2026-10-01T00:00:00Z\n");
  folder.write("in/deals.csv",
               "Id,Name,StageName,Amount,CloseDate,AccountId,LastModifiedDate\n"
               "d-1,One,Proposal,100,2026-12-01,a-1,2026-10-01T00:00:00Z\n"
               "d-2,Two,Proposal,200,2026-12-01,a-1,2026-10-01T00:00:00Z\n"
               "d-3,Three,Proposal,300,2026-12-01,a-1,2026-10-01T00:00:00Z\n");
  ASSERT_EQ(ask({"import", (folder.path() / "in").string(), "--tenant", "acme"}).status, 0);
  const auto good = ask({"reconcile", "--tenant", "acme"});
  EXPECT_EQ(good.status, 0) << good.out;
  EXPECT_EQ(number(good.last(), "drift"), 0) << good.out;

  sql(data,
      "DELETE FROM insight WHERE shard_id IN (SELECT id FROM shard WHERE external_id='d-1');"
      "DELETE FROM shard WHERE external_id='d-2';"
      "DELETE FROM shard WHERE external_id='a-1'");
  const auto named = ask({"reconcile", "--tenant", "acme"});
  EXPECT_EQ(named.status, 3);
  EXPECT_EQ(kinds(named.last()), (Strings{"insight opportunity", "shard account", "shard opportunity"}))
      << named.out;

  const auto repaired = ask({"reconcile", "--tenant", "acme", "--repair"});
  EXPECT_EQ(repaired.status, 0) << repaired.out;
  EXPECT_EQ(number(repaired.last(), "driftAfter"), 0) << repaired.out;
  std::vector<std::string> deals;
  for (const auto& deal : ask({"deals", "--tenant", "acme"}).lines())
    deals.push_back(text(deal, "name") + " of " + text(deal, "account.name"));
  std::ranges::sort(deals);
  EXPECT_EQ(deals, (Strings{"One of Globex", "Three of Globex", "Two of Globex"}));
  EXPECT_EQ(number(ask({"reconcile", "--tenant", "acme"}).last(), "drift"), 0);
  EXPECT_EQ(ask({"reconcile"}).status, 2) << "of which tenant?";
}

}  // namespace
}  // namespace castiel::functional
