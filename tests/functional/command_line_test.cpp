// The commands that ask and keep house: what they print and with which status they end.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "crm_files.hpp"

namespace castiel::functional {
namespace {

using Strings = std::vector<std::string>;

// The example workspace, imported once for all questions.
class Commands : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TempFolder;
    const auto done = castiel({"import", std::string(CASTIEL_SOURCE_DIR) + "/examples/workspace", "--tenant",
                               "acme", "--data", data(), "--json"});
    ASSERT_EQ(done.status, 0) << done.err;
    correlation_ = new std::string(text(done.last(), "correlationId"));
  }
  static void TearDownTestSuite() {
    delete folder_;
    delete correlation_;
  }
  static std::string data() { return (folder_->path() / "data").string(); }
  static Finished ask(Strings arguments) {
    for (const auto& more : {std::string("--data"), data(), std::string("--json")}) arguments.push_back(more);
    return castiel(arguments);
  }
  static inline TempFolder* folder_ = nullptr;
  static inline std::string* correlation_ = nullptr;
};

TEST_F(Commands, deals_prints_a_line_for_each_open_deal_with_its_reasons) {
  const auto done = ask({"deals", "--tenant", "acme"});
  EXPECT_EQ(done.status, 0) << done.err;
  const auto deals = done.lines();
  EXPECT_EQ(deals.size(), 34u);  // 24 and 10, says the workspace's README
  int factors = 0, steps = 0, with_evidence = 0;
  for (const auto& deal : deals) {
    EXPECT_EQ(text(deal, "status"), "open");
    const double p = find(deal, "probability.value")->to_number<double>();
    EXPECT_GT(p, 0);
    EXPECT_LT(p, 1);
    EXPECT_LE(find(deal, "probability.low")->to_number<double>(), p);
    EXPECT_GE(find(deal, "probability.high")->to_number<double>(), p);
    EXPECT_GE(number(deal, "risk.score"), 0);
    EXPECT_LE(number(deal, "risk.score"), 100);
    for (const auto& item : find(deal, "risk.factors")->get_array()) {
      ++factors;
      EXPECT_NE(number(item.get_object(), "points"), 0);
      EXPECT_FALSE(text(item.get_object(), "detail").empty());
      EXPECT_FALSE(find(item.get_object(), "evidence")->get_array().empty()) << json::serialize(item);
    }
    for (const auto& item : find(deal, "recommendations")->get_array()) {
      ++steps;
      EXPECT_FALSE(text(item.get_object(), "title").empty());
      EXPECT_FALSE(text(item.get_object(), "reason").empty());
      if (!find(item.get_object(), "evidence")->get_array().empty()) ++with_evidence;
    }
  }
  EXPECT_GT(factors, 30);
  EXPECT_GT(steps, 10);
  EXPECT_EQ(with_evidence, steps);
}

TEST_F(Commands, forecast_gives_ordered_quantiles_by_period_and_owner) {
  const auto all = ask({"forecast", "--tenant", "acme", "--period", "2026-Q4"});
  EXPECT_EQ(all.status, 0) << all.err;
  const auto forecast = all.last();
  const auto& items = find(forecast, "items")->get_array();
  ASSERT_EQ(items.size(), 1u);
  const auto& row = items.front().get_object();
  EXPECT_EQ(text(row, "period"), "2026-Q4");
  EXPECT_EQ(text(row, "start"), "2026-10-01");
  EXPECT_EQ(text(row, "end"), "2026-12-31");
  const auto money = [&](const char* key) { return std::stod(text(row, fmt::format("{}.amount", key))); };
  EXPECT_LE(money("won"), money("p10"));
  EXPECT_LE(money("p10"), money("p50"));
  EXPECT_LE(money("p50"), money("p90"));
  EXPECT_NE(find(forecast, "quality.brier"), nullptr);
  const auto by_owner = ask({"forecast", "--tenant", "acme", "--period", "2026-Q4", "--by", "owner"}).last();
  std::int64_t open = 0;
  for (const auto& item : find(by_owner, "items")->get_array()) {
    EXPECT_TRUE(item.at("group").is_string());
    open += number(item.get_object(), "open");
  }
  EXPECT_EQ(open, number(row, "open"));
  EXPECT_EQ(ask({"forecast", "--tenant", "acme", "--period", "soon"}).status, 2);
}

TEST_F(Commands, backtest_compares_past_forecasts_with_what_came) {
  const auto done = ask({"forecast", "backtest", "--tenant", "acme"});
  EXPECT_EQ(done.status, 0) << done.err;
  const auto backtest = done.last();
  ASSERT_NE(find(backtest, "coverage"), nullptr) << done.out.substr(0, 300);
  EXPECT_GT(number(backtest, "n"), 0);
  for (const auto& item : find(backtest, "items")->get_array()) {
    const auto& row = item.get_object();
    EXPECT_TRUE(row.contains("actual"));
    EXPECT_TRUE(row.at("inside").is_bool());
  }
}

TEST_F(Commands, shards_are_listed_whole_got_and_explained) {
  const auto all = ask({"shards", "list", "--tenant", "acme"}).lines();
  std::set<std::string> ids;
  for (const auto& shard : all) {
    EXPECT_TRUE(ids.insert(text(shard, "id")).second);
    for (const char* key :
         {"tenant", "type", "externalId", "integration", "correlationId", "createdAt", "updatedAt"})
      EXPECT_FALSE(text(shard, key).empty()) << key;
    EXPECT_GE(number(shard, "version"), 1);
    EXPECT_TRUE(shard.at("data").is_object());
    EXPECT_TRUE(shard.at("source").is_object());
    EXPECT_TRUE(shard.at("deletedAt").is_null());
  }
  const auto deals = ask({"shards", "list", "--tenant", "acme", "--type", "opportunity"}).lines();
  EXPECT_EQ(deals.size(), 204u);
  const auto steinach = std::ranges::find_if(deals, [](const json::object& d) {
    return text(d, "data.name").starts_with("Steinach") && text(d, "data.status") == "open";
  });
  ASSERT_NE(steinach, deals.end());
  const auto got = ask({"shards", "get", "--tenant", "acme", "--id", text(*steinach, "id")});
  EXPECT_EQ(got.status, 0);
  EXPECT_EQ(got.last(), *steinach);
  const auto history = ask({"shards", "history", "--tenant", "acme", "--id", text(*steinach, "id")}).lines();
  EXPECT_EQ(
      std::ranges::count_if(history, [](const json::object& c) { return text(c, "field") == "closeDate"; }),
      3);  // pushed three times
  EXPECT_TRUE(
      std::ranges::is_sorted(history, {}, [](const json::object& c) { return text(c, "effectiveAt"); }));
  const auto none = ask({"shards", "get", "--tenant", "acme", "--id", "01J00000000000000000000000"});
  EXPECT_EQ(none.status, 1);
  EXPECT_EQ(text(none.last(), "error.code"), "not_found");
}

TEST_F(Commands, trace_tells_the_whole_flow_in_order) {
  const auto done = ask({"trace", *correlation_});
  EXPECT_EQ(done.status, 0) << done.err;
  const auto trace = done.last();
  EXPECT_EQ(text(trace, "correlationId"), *correlation_);
  const auto& items = find(trace, "items")->get_array();
  ASSERT_FALSE(items.empty());
  std::set<std::string> kinds;
  std::string last;
  for (const auto& item : items) {
    kinds.insert(text(item.get_object(), "kind"));
    // Fractions have as many digits as they need: without the Z the texts are in the order of the times.
    auto at = text(item.get_object(), "at");
    at.pop_back();
    EXPECT_LE(last, at);
    last = at;
  }
  EXPECT_TRUE(kinds.contains("event"));
  EXPECT_TRUE(std::ranges::any_of(
      items, [](const json::value& i) { return text(i.get_object(), "type") == "shard.created"; }));
  EXPECT_TRUE(kinds.contains("shard"));
  EXPECT_TRUE(kinds.contains("insight"));
  EXPECT_FALSE(find(trace, "ledger")->get_array().empty());
  EXPECT_EQ(ask({"trace", "import-none"}).status, 1);
}

TEST_F(Commands, an_unknown_tenant_is_an_error_in_json) {
  for (const Strings& command : {Strings{"deals"}, Strings{"forecast"}, Strings{"forecast", "backtest"},
                                 Strings{"shards", "list"}, Strings{"dlq", "list"}}) {
    Strings arguments = command;
    arguments.insert(arguments.end(), {"--tenant", "nobody"});
    const auto done = ask(arguments);
    EXPECT_EQ(done.status, 1) << command.front();
    EXPECT_EQ(text(done.last(), "error.code"), "unknown_tenant") << command.front();
    EXPECT_NE(done.err.find("nobody"), std::string::npos);
  }
}

TEST_F(Commands, wrong_usage_ends_with_two) {
  for (const Strings& command :
       {Strings{}, Strings{"dance"}, Strings{"deals"}, Strings{"shards"},
        Strings{"deals", "--tenant", "acme", "--nonsense"}, Strings{"serve", "--role", "king"},
        Strings{"serve", "--listen", "nowhere"}, Strings{"deals", "--tenant", "acme", "--set", "no.such=1"},
        Strings{"deals", "--tenant", "acme", "--set", "tenant.timezone=Moon/Base"}}) {
    EXPECT_EQ(ask(command).status, 2) << fmt::format("{}", fmt::join(command, " "));
  }
  EXPECT_EQ(castiel({"--help"}).status, 0);
  EXPECT_EQ(castiel({"--version"}).status, 0);
}

TEST(DeadLetters, are_listed_shown_replayed_and_purged) {
  TempFolder folder;
  const auto data = (folder.path() / "data").string();
  const auto ask = [&](Strings arguments) {
    arguments.insert(arguments.end(), {"--data", data, "--json"});
    return castiel(arguments);
  };
  const auto file = folder.write(
      "deals.csv",
      "Id,Name,StageName,Amount,CloseDate\nd-1,One,Proposal,100,2026-12-01\nd-2,short\nd-3,short too\n");
  ASSERT_EQ(ask({"import", file.string(), "--tenant", "acme"}).status, 3);
  const auto letters = ask({"dlq", "list", "--tenant", "acme"}).lines();
  ASSERT_EQ(letters.size(), 2u);
  EXPECT_EQ(ask({"dlq", "list"}).lines().size(), 2u) << "an operator sees all tenants";
  const auto first = text(letters[0], "id");
  const auto shown = ask({"dlq", "show", first}).last();
  EXPECT_EQ(text(shown, "code"), "wrong_field_count");
  EXPECT_EQ(text(shown, "payload"), "d-2,short");
  EXPECT_FALSE(find(shown, "errors")->get_array().empty());
  // What was lost before it became a message cannot be put back, and says so; purging gives it up.
  const auto dry = ask({"dlq", "replay", first});
  EXPECT_EQ(dry.status, 0) << dry.out;
  EXPECT_EQ(text(dry.last(), "would"), "impossible");
  EXPECT_NE(text(dry.last(), "summary").find("deals.csv:3"), std::string::npos);
  const auto replayed = ask({"dlq", "replay", "--all", "--tenant", "acme", "--confirm"});
  EXPECT_EQ(replayed.status, 3) << "done with problems";
  EXPECT_EQ(number(replayed.last(), "replayed"), 0);
  EXPECT_EQ(number(replayed.last(), "impossible"), 2);
  EXPECT_EQ(ask({"dlq", "replay", "--confirm"}).status, 2) << "not everything by an oversight";
  EXPECT_EQ(number(ask({"dlq", "list", "--by", "cause"}).last(), "count"), 2);
  EXPECT_EQ(ask({"dlq", "purge", first}).status, 0);
  EXPECT_EQ(ask({"dlq", "list", "--tenant", "acme"}).lines().size(), 1u);
  const auto again = ask({"dlq", "purge", first});
  EXPECT_EQ(again.status, 1);
  EXPECT_EQ(text(again.last(), "error.code"), "conflict");
  EXPECT_EQ(ask({"dlq", "show", "01J00000000000000000000000"}).status, 1);
  EXPECT_EQ(ask({"dlq", "purge", "--all", "--tenant", "acme"}).status, 1) << "not without their number";
  EXPECT_EQ(ask({"dlq", "purge", "--all", "--tenant", "acme", "--count", "1"}).status, 0);
  EXPECT_TRUE(ask({"dlq", "list"}).lines().empty());
}

// RETRY-4
TEST(DeadLetters, are_rehearsed_replayed_followed_and_set_apart_when_nothing_helps) {
  TempFolder folder;
  const auto data = (folder.path() / "data").string();
  const auto ask = [&](Strings arguments) {
    arguments.insert(arguments.end(), {"--data", data, "--json"});
    return castiel(arguments);
  };
  const std::string head = "Id,Name,StageName,Amount,CloseDate,LastModifiedDate\n";
  const auto file =
      folder.write("deals.csv", head + "d-1,One,Proposal,100,2026-12-01,2026-10-01T00:00:00Z\n" +
                                    "d-1,One,Proposal,200,2026-12-01,2026-10-01T00:00:00Z\n");
  ASSERT_EQ(ask({"import", file.string(), "--tenant", "acme"}).status, 3);
  for (int life = 1; life <= 2; ++life) {
    const auto dry = ask({"dlq", "replay", "--all", "--tenant", "acme"});
    EXPECT_EQ(dry.status, 0);
    EXPECT_EQ(text(dry.last(), "would"), "fails");
    EXPECT_EQ(dry.last().at("errors").at(0).at("code"), "key_collision");
    const auto done = ask({"dlq", "replay", text(dry.last(), "id"), "--confirm"});
    EXPECT_EQ(done.status, 3);
    EXPECT_EQ(number(done.last(), "dead"), 1) << done.out;
    EXPECT_EQ(number(done.last(), "pending"), 0);
    const auto again = ask({"dlq", "replay", text(dry.last(), "id"), "--confirm"});
    EXPECT_EQ(number(again.last(), "already"), 1) << "once each";
  }
  EXPECT_TRUE(ask({"dlq", "list"}).lines().empty());
  const auto held = ask({"quarantine", "list", "--tenant", "acme"}).lines();
  ASSERT_EQ(held.size(), 1u);
  EXPECT_EQ(text(held[0], "reason"), "repeats");
  EXPECT_EQ(number(ask({"quarantine", "list", "--by", "cause"}).last(), "count"), 1);
  const auto cause = text(held[0], "cause");
  EXPECT_EQ(ask({"quarantine", "block", cause, "--tenant", "acme"}).status, 0);
  EXPECT_EQ(ask({"quarantine", "unblock", cause, "--tenant", "acme"}).status, 0);
  EXPECT_EQ(text(ask({"quarantine", "show", text(held[0], "id")}).last(), "code"), "key_collision");
}

TEST(Tenants, are_created_listed_set_and_erased_without_touching_others) {
  TempFolder folder;
  const auto data = (folder.path() / "data").string();
  const auto ask = [&](Strings arguments) {
    arguments.insert(arguments.end(), {"--data", data, "--json"});
    return castiel(arguments);
  };
  EXPECT_EQ(ask({"tenants", "create", "one"}).status, 0);
  EXPECT_EQ(ask({"tenants", "create", "one"}).status, 0) << "creating again changes nothing";
  EXPECT_EQ(ask({"tenants", "create", "Not One"}).status, 2);
  const auto file =
      folder.write("deals.csv", "Id,Name,StageName,Amount,CloseDate\nd-1,One,Proposal,100,2026-12-01\n");
  ASSERT_EQ(ask({"import", file.string(), "--tenant", "one"}).status, 0);
  ASSERT_EQ(ask({"import", file.string(), "--tenant", "two"}).status, 0);
  const auto listed = ask({"tenants", "list"}).lines();
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_EQ(text(listed[0], "tenant"), "one");
  EXPECT_EQ(number(listed[0], "shards.opportunity"), 1);
  EXPECT_EQ(ask({"tenants", "set", "one", "tenant.timezone=Europe/Berlin"}).status, 0);
  const auto shown = ask({"tenants", "show", "one"}).last();
  const auto& zone = shown.at("settings").at("tenant.timezone");
  EXPECT_EQ(zone.at("value"), "Europe/Berlin");
  EXPECT_EQ(ask({"tenants", "show", "two"}).last().at("settings").at("tenant.timezone").at("value"), "UTC");
  EXPECT_EQ(ask({"tenants", "set", "one", "tenant.timezone=Moon/Base"}).status, 2);
  EXPECT_EQ(ask({"tenants", "erase", "one"}).status, 2) << "not without --yes";
  EXPECT_EQ(ask({"tenants", "erase", "one", "--yes"}).status, 0);
  EXPECT_EQ(ask({"tenants", "erase", "one", "--yes"}).status, 1);
  EXPECT_EQ(ask({"shards", "list", "--tenant", "one"}).status, 1);
  EXPECT_EQ(ask({"shards", "list", "--tenant", "two"}).lines().size(), 1u);
}

}  // namespace
}  // namespace castiel::functional
