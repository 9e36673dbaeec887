#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "api/live_feed.hpp"
#include "api/operations.hpp"
#include "api/routes.hpp"
#include "http/testing/test_server.hpp"
#include "messaging/consumer.hpp"
#include "messaging/embedded/embedded_broker.hpp"
#include "model/event_types.hpp"
#include "storage/sqlite/sqlite_store.hpp"
#include "tenancy/tenant_settings.hpp"

namespace castiel::api {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;
using testing::UnorderedElementsAre;

const TenantId kAcme("acme"), kOther("other");
const std::string kQueue = "shelf";

// Puts every record it gets on record.
class NotingHandler final : public messaging::Handler {
 public:
  std::vector<std::string> seen;
  Result<std::unique_ptr<messaging::Plan>> prepare(const storage::Reader&,
                                                   std::span<const messaging::Incoming> batch) override {
    for (const auto& in : batch) seen.push_back(in.event.id);
    return std::make_unique<NoPlan>();
  }

 private:
  struct NoPlan final : messaging::Plan {
    Result<> apply(messaging::Step&) override { return {}; }
    std::span<const messaging::RecordFailure> failures() const override { return {}; }
    std::string summary() const override { return "noted"; }
  };
};

struct ApiTest : testing::Test {
  ApiTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "castiel-XXXXXX").string();
    folder = mkdtemp(pattern.data());
    storage::SqliteStore::Options options;
    options.path = (folder / "castiel.db").string();
    options.sync = false;
    store = storage::SqliteStore::open(options, clock).value();
    broker = messaging::EmbeddedBroker::create(*store, clock).value();
    schemas = messaging::SchemaRegistry::create(messaging::builtin_schemas()).value();
    publisher = std::make_unique<messaging::Publisher>(*schemas, clock, ids);
    EXPECT_TRUE(broker->declare({kQueue, {"opportunity.updated"}, 5}));
    EXPECT_TRUE(store->create_tenant(kAcme, soon()));
    EXPECT_TRUE(store->create_tenant(kOther, soon()));
    book = std::make_unique<intelligence::DealBook>(clock);
    settings = std::make_unique<tenancy::TenantSettings>(*store, clock, SettingValues());
    services = std::unique_ptr<Services>(new Services{.store = *store,
                                                      .broker = *broker,
                                                      .deals = *book,
                                                      .clock = clock,
                                                      .ids = ids,
                                                      .settings = *settings});
    services->metrics = &metrics;
    rehearsal = messaging::Rehearsal({store.get(), schemas.get(), &clock, &ids});
    rehearsal.add(kQueue, noting, true);
    services->rehearsal = &rehearsal;
    services->ready = [this] { return ready; };
    fill();
  }
  ~ApiTest() override {
    services.reset();
    broker.reset();
    store.reset();
    std::filesystem::remove_all(folder);
  }

  Deadline soon() { return Deadline::after(clock, 10s); }
  std::unique_ptr<storage::Transaction> begin(const TenantId& tenant) {
    return store->begin(tenant, soon()).value();
  }

  ShardId put(storage::Transaction& tx, std::string type, std::string external_id, std::string data) {
    storage::ShardWrite write;
    write.shard.id = ShardId(ids.next());
    write.shard.key = {std::move(type), "files", std::move(external_id)};
    write.shard.version = 1;
    write.shard.data = std::move(data);
    write.shard.source = "a,b";
    write.shard.origin = R"({"file":"deals.csv","line":2})";
    write.shard.correlation = CorrelationId("import-1");
    write.shard.created_at = write.shard.updated_at = clock.now();
    EXPECT_TRUE(tx.put_shards({&write, 1}));
    return write.shard.id;
  }

  void fill() {
    auto tx = begin(kAcme);
    const auto account = put(*tx, "account", "A1", R"({"name":"Globex"})");
    deal = put(
        *tx, "opportunity", "O1",
        R"({"amount":"100.00","closeDate":"2026-12-01","createdDate":"2026-10-20","currency":"USD","name":"Big","stage":"Proposal","status":"open"})");
    put(*tx, "opportunity", "O2",
        R"({"amount":"50","createdDate":"2026-10-21","name":"Small","stage":"Discovery","status":"open"})");
    storage::Relation relation;
    relation.from = deal;
    relation.role = "account";
    relation.integration = "files";
    relation.kind = "account:id";
    relation.key = relation.text = "A1";
    EXPECT_TRUE(tx->put_relations({&relation, 1}));
    model::FieldChange change;
    change.shard = {"opportunity", "files", "O1"};
    change.field = "stage";
    change.old_value = "Discovery";
    change.new_value = "Proposal";
    change.effective_at = parse_timestamp("2026-10-25T08:00:00Z").value();
    change.recorded_at = clock.now();
    change.origin = "import";
    change.correlation = CorrelationId("import-1");
    EXPECT_TRUE(tx->add_changes({&change, 1}));
    EXPECT_TRUE(tx->put_import_run(
        {CorrelationId("import-1"), "done", clock.now() - 60s, clock.now(), R"({"paths":["/x"]})"}));
    EXPECT_TRUE(tx->count(CorrelationId("import-1"), kQueue, "in", 3));
    EXPECT_TRUE(tx->add_flow_entry(CorrelationId("import-1"),
                                   {clock.now(), kQueue, "step", "opportunity.updated", "m1", "noted", 3}));
    EXPECT_TRUE(tx->commit());
  }

  // A message that is dead, as the consumer leaves it behind.
  std::string put_letter(const std::string& key = {}) {
    messaging::Event event;
    event.id = ids.next();
    event.type = "opportunity.updated";
    event.source = "/castiel/test";
    event.time = clock.now();
    event.tenant = kAcme;
    event.correlation = CorrelationId("import-1");
    event.data = {{"tenantId", "acme"}, {"records", {{{"shardId", "s1"}, {"key", key}}}}};
    storage::DeadLetter letter;
    letter.id = ids.next();
    letter.tenant = kAcme;
    letter.queue = kQueue;
    letter.type = event.type;
    letter.at = clock.now();
    letter.deliveries = 5;
    letter.code = "bad";
    letter.message = "no good";
    letter.key = key;
    letter.correlation = event.correlation;
    letter.payload = messaging::serialize(event);
    letter.errors = {{clock.now(), "bad", "no good"}};
    auto tx = begin(kAcme);
    EXPECT_TRUE(tx->put_dead_letter(letter));
    // The consumer has the message's id in its inbox.
    EXPECT_TRUE(tx->add_to_inbox(kQueue, event.id));
    EXPECT_TRUE(tx->commit());
    return letter.id;
  }

  http::Response send(const http::Router& router, std::string method, std::string_view target,
                      std::string body = {}, bool local = true, std::string key = {}) {
    http::Request request(soon());
    request.method = std::move(method);
    EXPECT_TRUE(http::set_target(request, target));
    request.body = std::move(body);
    request.is_local_socket = local;
    if (!key.empty()) request.headers.set("Idempotency-Key", key);
    return router.handle(std::move(request));
  }
  http::Router router() { return http::Router::create(routes(*services)).value(); }
  http::Response get(std::string_view target) { return send(router(), "GET", target); }
  static json::value body(const http::Response& response) {
    return parse_json(std::get<std::string>(response.body)).value_or(json::value());
  }
  json::value good(std::string_view target) {
    const auto response = get(target);
    EXPECT_EQ(response.status, 200) << target << ": " << json::serialize(body(response));
    return body(response);
  }
  // The status and the code of the problem.
  std::pair<int, std::string> bad(const http::Response& response) {
    EXPECT_EQ(response.headers.get_or("Content-Type", ""), "application/problem+json");
    return {response.status, string_or(body(response).as_object(), "code")};
  }
  std::pair<int, std::string> bad(std::string_view target) { return bad(get(target)); }
  static std::pair<int, std::string> problem(int status, std::string code) {
    return {status, std::move(code)};
  }

  std::filesystem::path folder;
  ManualClock clock{parse_timestamp("2026-11-01T12:00:00Z").value()};
  SeededRandom random{1};
  IdGenerator ids{clock, random};
  telemetry::Metrics metrics;
  bool ready = true;
  std::unique_ptr<storage::SqliteStore> store;
  std::unique_ptr<messaging::EmbeddedBroker> broker;
  std::unique_ptr<messaging::SchemaRegistry> schemas;
  std::unique_ptr<messaging::Publisher> publisher;
  std::unique_ptr<intelligence::DealBook> book;
  std::unique_ptr<tenancy::TenantSettings> settings;
  NotingHandler noting;
  messaging::Rehearsal rehearsal{{}};
  std::unique_ptr<Services> services;
  ShardId deal;
};

TEST_F(ApiTest, lists_tenants_with_their_shards) {
  const auto page = good("/api/v1/tenants?limit=1");
  EXPECT_EQ(page.at("items").at(0).at("tenant"), "acme");
  EXPECT_EQ(page.at("items").at(0).at("shards").at("opportunity"), 2);
  EXPECT_EQ(good("/api/v1/tenants?cursor=" + std::string(page.at("next").as_string()))
                .at("items")
                .at(0)
                .at("tenant"),
            "other");
  EXPECT_EQ(bad("/api/v1/tenants?cursor=%21"), problem(400, "invalid_cursor"));
}

TEST_F(ApiTest, creates_a_tenant_over_the_local_socket_only) {
  const auto table = router();
  EXPECT_EQ(bad(send(table, "POST", "/api/v1/tenants", R"({"tenant":"new"})", false)).first, 403);
  EXPECT_EQ(send(table, "POST", "/api/v1/tenants", R"({"tenant":"new"})").status, 200);
  EXPECT_TRUE(store->tenant_exists(TenantId("new")).value());
  EXPECT_EQ(bad(send(table, "POST", "/api/v1/tenants", R"({"tenant":"No Good"})")),
            problem(400, "invalid_tenant"));
  EXPECT_EQ(bad(send(table, "POST", "/api/v1/tenants", "[]")), problem(400, "invalid_json"));
}

TEST_F(ApiTest, shows_and_sets_a_tenants_settings) {
  const auto table = router();
  const std::string at = "/api/v1/tenants/acme/settings";
  EXPECT_EQ(good(at).at("settings").at("tenant.timezone").at("origin"), "default");
  EXPECT_EQ(bad(send(table, "POST", at, R"({"settings":{"tenant.timezone":"UTC"}})", false)).first, 403);
  EXPECT_EQ(send(table, "POST", at,
                 R"({"settings":{"tenant.timezone":"Europe/Berlin","deals.stale_data_days":"30"}})")
                .status,
            200);
  EXPECT_EQ(good(at).at("settings").at("tenant.timezone").at("value"), "Europe/Berlin");
  EXPECT_EQ(settings->of(kAcme).value().get(settings::kStaleDataDays), 30);
  EXPECT_EQ(bad(send(table, "POST", at, R"({"settings":{"tenant.timezone":"Moon/Base"}})")),
            problem(400, "invalid_setting"));
  EXPECT_EQ(bad(send(table, "POST", at, R"({"settings":{"server.workers":"3"}})")),
            problem(400, "global_setting"));
  EXPECT_EQ(bad(send(table, "POST", at, R"({"settings":{"a":1}})")), problem(400, "invalid_parameter"));
}

TEST_F(ApiTest, erases_a_tenant_with_everything_kept_of_it) {
  const auto table = router();
  EXPECT_EQ(good("/api/v1/deals?tenant=acme").at("total"), 2);
  EXPECT_TRUE(settings->set(kAcme, "deals.stale_data_days", "30", "test"));
  EXPECT_EQ(settings->of(kAcme).value().get(settings::kStaleDataDays), 30);
  EXPECT_EQ(bad(send(table, "DELETE", "/api/v1/tenants/acme", "", false)).first, 403);
  const auto erased = send(table, "DELETE", "/api/v1/tenants/acme");
  ASSERT_EQ(erased.status, 200);
  EXPECT_EQ(body(erased).at("erased").at("shard"), 3);
  EXPECT_EQ(bad("/api/v1/deals?tenant=acme"), problem(404, "unknown_tenant"));
  EXPECT_EQ(bad(send(table, "DELETE", "/api/v1/tenants/acme")), problem(404, "unknown_tenant"));
  ASSERT_TRUE(store->create_tenant(kAcme, soon()));
  EXPECT_EQ(good("/api/v1/deals?tenant=acme").at("total"), 0);
  EXPECT_EQ(settings->of(kAcme).value().get(settings::kStaleDataDays), 90);
}

TEST_F(ApiTest, every_tenant_call_refuses_an_unknown_tenant_and_a_missing_one) {
  int checked = 0;
  for (const auto& operation : operations()) {
    if (operation.method != "GET" || operation.parameters.empty() || operation.parameters[0].name != "tenant")
      continue;
    Call call;
    call.parameters.add("tenant", "nobody");
    call.parameters.add("id", deal.str());
    call.parameters.add("correlationId", "import-1");
    call.parameters.add("q", "price");
    const auto refused = run_operation(*services, operation.name, call);
    ASSERT_FALSE(refused) << operation.name;
    EXPECT_THAT(refused.error().code, testing::AnyOf("unknown_tenant", "not_found")) << operation.name;
    ++checked;
    if (!operation.parameters[0].required) continue;
    EXPECT_EQ(run_operation(*services, operation.name, {}).error().code, "invalid_parameter")
        << operation.name;
  }
  EXPECT_GT(checked, 10);
  EXPECT_EQ(bad("/api/v1/deals?tenant=nobody"), problem(404, "unknown_tenant"));
  EXPECT_EQ(bad("/api/v1/deals"), problem(400, "invalid_parameter"));
  EXPECT_EQ(bad("/api/v1/deals?tenant=A%20B"), problem(400, "invalid_tenant"));
}

TEST_F(ApiTest, lists_deals_and_refuses_bad_parameters) {
  const auto page = good("/api/v1/deals?tenant=acme&sort=-amount&limit=1");
  EXPECT_EQ(page.at("items").at(0).at("name"), "Big");
  EXPECT_EQ(page.at("items").at(0).at("account").at("name"), "Globex");
  EXPECT_EQ(page.at("items").at(0).at("amount").at("amount"), "100.00");
  const std::string next(page.at("next").as_string());
  EXPECT_EQ(
      good("/api/v1/deals?tenant=acme&sort=-amount&limit=1&cursor=" + next).at("items").at(0).at("name"),
      "Small");
  EXPECT_EQ(bad("/api/v1/deals?tenant=acme&cursor=xyz"), problem(400, "invalid_cursor"));
  EXPECT_EQ(bad("/api/v1/deals?tenant=acme&sort=luck"), problem(400, "invalid_parameter"));
  EXPECT_EQ(bad("/api/v1/deals?tenant=acme&limit=501"), problem(400, "invalid_parameter"));
  EXPECT_EQ(bad("/api/v1/deals?tenant=acme&asOf=yesterday").first, 400);
  EXPECT_TRUE(good("/api/v1/deals?tenant=acme&detail=true")
                  .at("items")
                  .at(0)
                  .as_object()
                  .contains("recommendations"));
}

TEST_F(ApiTest, shows_a_deal_its_timeline_and_the_overview) {
  const auto one = good("/api/v1/deals/" + deal.str() + "?tenant=acme");
  EXPECT_EQ(one.at("source").at("file"), "deals.csv");
  EXPECT_EQ(bad("/api/v1/deals/nothing?tenant=acme"), problem(404, "not_found"));
  const auto timeline = good("/api/v1/deals/" + deal.str() + "/timeline?tenant=acme");
  EXPECT_EQ(timeline.at("entries").at(0).at("kind"), "change");
  EXPECT_EQ(timeline.at("entries").at(0).at("type"), "stage");
  const auto overview = good("/api/v1/overview?tenant=acme");
  EXPECT_EQ(overview.at("pipeline").at("open"), 2);
  EXPECT_EQ(overview.at("system").at("status"), "ok");
  EXPECT_EQ(overview.at("system").at("lastImport").at("correlationId"), "import-1");
}

TEST_F(ApiTest, forecasts_and_backtests) {
  EXPECT_EQ(good("/api/v1/forecast?tenant=acme&period=2026-Q4").at("items").at(0).at("period"), "2026-Q4");
  EXPECT_EQ(bad("/api/v1/forecast?tenant=acme&period=soon"), problem(400, "invalid_period"));
  EXPECT_EQ(bad("/api/v1/forecast?tenant=acme&by=luck"), problem(400, "invalid_parameter"));
  EXPECT_TRUE(good("/api/v1/forecast/backtest?tenant=acme").at("items").is_array());
}

TEST_F(ApiTest, shows_shards_with_their_relations_and_history) {
  const auto page = good("/api/v1/shards?tenant=acme&type=opportunity&limit=1");
  const auto& shard = page.at("items").at(0);
  EXPECT_EQ(shard.at("externalId"), "O1");
  EXPECT_EQ(shard.at("data").at("accountName"), "Globex");
  EXPECT_EQ(shard.at("data").at("accountExternalId"), "A1");
  EXPECT_EQ(shard.at("source").at("text"), "a,b");
  EXPECT_TRUE(shard.at("deletedAt").is_null());
  EXPECT_EQ(
      good("/api/v1/shards?tenant=acme&type=opportunity&cursor=" + std::string(page.at("next").as_string()))
          .at("items")
          .as_array()
          .size(),
      1);
  EXPECT_EQ(good("/api/v1/shards/" + deal.str() + "?tenant=acme"), shard);
  EXPECT_EQ(good("/api/v1/shards/" + deal.str() + "/history?tenant=acme").at("items").at(0).at("to"),
            "Proposal");
  EXPECT_EQ(bad("/api/v1/shards?tenant=acme&cursor=%27"), problem(400, "invalid_cursor"));
  EXPECT_EQ(bad("/api/v1/shards/none?tenant=acme"), problem(404, "not_found"));
}

TEST_F(ApiTest, nothing_crosses_tenants) {
  const auto letter = put_letter();
  for (const std::string& path :
       {"deals/" + deal.str(), "deals/" + deal.str() + "/timeline", "shards/" + deal.str(),
        "shards/" + deal.str() + "/history", std::string("imports/import-1"),
        std::string("imports/import-1/summary"), "dlq/" + letter, std::string("trace/import-1")}) {
    EXPECT_EQ(bad("/api/v1/" + path + "?tenant=other"), problem(404, "not_found")) << path;
  }
  for (const char* list : {"deals", "shards", "imports", "dlq"}) {
    EXPECT_TRUE(good("/api/v1/" + std::string(list) + "?tenant=other").at("items").as_array().empty())
        << list;
  }
  const auto overview = good("/api/v1/overview?tenant=other");
  EXPECT_EQ(overview.at("pipeline").at("open"), 0);
  EXPECT_EQ(overview.at("system").at("deadLetters"), 0);
  EXPECT_EQ(bad(send(router(), "POST", "/api/v1/dlq/" + letter + "/replay?tenant=other")),
            problem(404, "not_found"));
  EXPECT_EQ(
      body(send(router(), "POST", "/api/v1/dlq/replay?tenant=other&all=true&confirm=true")).at("replayed"),
      0);
}

TEST_F(ApiTest, shows_imports_and_refuses_one_where_none_can_run) {
  EXPECT_EQ(good("/api/v1/imports?tenant=acme").at("items").at(0).at("status"), "done");
  EXPECT_EQ(good("/api/v1/imports/import-1?tenant=acme").at("paths").at(0), "/x");
  EXPECT_EQ(good("/api/v1/imports/import-1/summary?tenant=acme").at("tenant"), "acme");
  EXPECT_EQ(bad("/api/v1/imports?tenant=acme&cursor=x"), problem(400, "invalid_cursor"));
  const auto table = router();
  EXPECT_EQ(bad(send(table, "POST", "/api/v1/imports?tenant=acme", R"({"paths":["/x"]})", false)).first, 403);
  EXPECT_EQ(bad(send(table, "POST", "/api/v1/imports?tenant=acme", R"({"paths":["/x"]})")).second,
            "not_available");
}

TEST_F(ApiTest, a_dead_letter_is_replayed_once_and_handled_again) {
  const auto id = put_letter("k");
  EXPECT_EQ(good("/api/v1/dlq").at("items").at(0).at("id").as_string(), id);
  EXPECT_EQ(good("/api/v1/dlq/" + id).at("errors").at(0).at("code"), "bad");
  const auto table = router();
  const std::string target = "/api/v1/dlq/" + id + "/replay?confirm=true";
  EXPECT_EQ(body(send(table, "POST", target)).at("replayed"), 1);
  const auto again = body(send(table, "POST", target));
  EXPECT_EQ(again.at("replayed"), 0);
  EXPECT_EQ(again.at("already"), 1);
  EXPECT_EQ(again.at("items").at(0).at("result"), "already");
  EXPECT_EQ(bad(send(table, "DELETE", "/api/v1/dlq/" + id)), problem(409, "conflict"));
  EXPECT_TRUE(good("/api/v1/dlq").at("items").as_array().empty());

  NotingHandler handler;
  messaging::ConsumerParts parts{store.get(), broker.get(), schemas.get(), publisher.get(),
                                 &clock,      &random,      &ids,          {}};
  messaging::ConsumerOptions options;
  options.queue = {kQueue, {"opportunity.updated"}, 5};
  messaging::Consumer consumer(parts, options, handler);
  EXPECT_TRUE(consumer.step(Deadline::after(clock, 0s)).value());
  EXPECT_EQ(handler.seen.size(), 1) << "the inbox knows the old message, yet the replayed one counts";
  EXPECT_FALSE(store->read(kAcme).value()->any_parked(kQueue).value()) << "the key is free again";

  std::vector<std::string> actions;
  const auto entries = store->read(kAcme).value()->audit(10).value();
  for (const auto& entry : entries) actions.push_back(entry.action);
  EXPECT_THAT(actions, UnorderedElementsAre("dlq.list", "dlq.get", "dlq.replay"));
}

TEST_F(ApiTest, a_replayed_record_waits_behind_one_of_its_key) {
  const auto first = put_letter("k"), second = put_letter("k");
  EXPECT_EQ(
      body(send(router(), "POST", "/api/v1/dlq/replay?tenant=acme&all=true&confirm=true")).at("replayed"), 2);
  EXPECT_EQ(broker->receive(kQueue, {}, Deadline::after(clock, 0s)).value().size(), 1)
      << "the other is parked";
}

TEST_F(ApiTest, a_dead_letter_is_purged) {
  const auto id = put_letter();
  EXPECT_EQ(body(send(router(), "DELETE", "/api/v1/dlq/" + id + "?tenant=acme")).at("purged"), 1);
  EXPECT_EQ(good("/api/v1/dlq/" + id + "?tenant=acme").at("state"), "purged");
  EXPECT_EQ(bad(send(router(), "DELETE", "/api/v1/dlq/nothing")), problem(404, "not_found"));
}

TEST_F(ApiTest, a_replay_is_rehearsed_unless_it_is_confirmed) {
  const auto id = put_letter("k");
  EXPECT_EQ(bad(send(router(), "POST", "/api/v1/dlq/replay")), problem(400, "invalid_parameter"))
      << "not everything by an oversight";
  const auto told = body(send(router(), "POST", "/api/v1/dlq/replay?all=true"));
  EXPECT_EQ(told.at("dryRun"), true);
  EXPECT_EQ(told.at("would").at("effect"), 1);
  EXPECT_EQ(told.at("items").at(0).at("id").as_string(), id);
  EXPECT_EQ(told.at("items").at(0).at("summary"), "noted");
  EXPECT_EQ(good("/api/v1/dlq/" + id).at("state"), "dead");
  EXPECT_EQ(store->read(kAcme).value()->audit(2).value().at(1).action, "dlq.rehearse");
}

TEST_F(ApiTest, replays_are_paced_and_share_their_pace) {
  std::vector<std::string> ids_of;
  for (int i = 0; i < 3; ++i) ids_of.push_back(put_letter());
  ASSERT_TRUE(settings->set(kAcme, "replay.per_second", "2", "test"));
  const auto first =
      body(send(router(), "POST", "/api/v1/dlq/replay?confirm=true&ids=" + ids_of[0] + "," + ids_of[1]));
  EXPECT_EQ(first.at("items").at(0).at("at"), "2026-11-01T12:00:00Z");
  EXPECT_EQ(first.at("lastAt"), "2026-11-01T12:00:00.500Z");
  const auto second = body(send(router(), "POST", "/api/v1/dlq/" + ids_of[2] + "/replay?confirm=true"));
  EXPECT_EQ(second.at("lastAt"), "2026-11-01T12:00:01Z");
  EXPECT_EQ(broker->receive(kQueue, {}, Deadline::after(clock, 0s)).value().size(), 1u)
      << "the rest is not due";
}

TEST_F(ApiTest, letters_are_grouped_and_replays_counted) {
  const auto id = put_letter("k");
  put_letter("l");
  const auto groups = good("/api/v1/dlq/groups?by=cause");
  ASSERT_EQ(groups.at("items").as_array().size(), 1u);
  EXPECT_EQ(groups.at("items").at(0).at("count"), 2);
  const std::string cause(groups.at("items").at(0).at("key").as_string());
  EXPECT_EQ(good("/api/v1/dlq?cause=" + cause).at("items").as_array().size(), 2u);
  EXPECT_TRUE(good("/api/v1/dlq?cause=none").at("items").as_array().empty());
  EXPECT_EQ(good("/api/v1/dlq/groups?by=queue").at("items").at(0).at("key").as_string(), kQueue);
  EXPECT_EQ(bad("/api/v1/dlq/groups?by=luck"), problem(400, "invalid_parameter"));
  send(router(), "POST", "/api/v1/dlq/" + id + "/replay?confirm=true");
  const auto counts = good("/api/v1/dlq/replays?tenant=acme");
  EXPECT_EQ(counts.at("replayed"), 1);
  EXPECT_EQ(counts.at("pending"), 1);
  EXPECT_TRUE(counts.at("successRate").is_null());
  EXPECT_EQ(good("/api/v1/dlq/replays?tenant=other").at("replayed"), 0);
}

TEST_F(ApiTest, all_are_purged_only_by_their_number) {
  put_letter();
  put_letter();
  const auto table = router();
  EXPECT_EQ(bad(send(table, "POST", "/api/v1/dlq/purge?all=true")), problem(409, "conflict"));
  EXPECT_EQ(bad(send(table, "POST", "/api/v1/dlq/purge?all=true&count=1")), problem(409, "conflict"));
  EXPECT_EQ(good("/api/v1/dlq").at("items").as_array().size(), 2u);
  EXPECT_EQ(body(send(table, "POST", "/api/v1/dlq/purge?all=true&count=2")).at("purged"), 2);
  EXPECT_TRUE(good("/api/v1/dlq").at("items").as_array().empty());
  EXPECT_EQ(store->read(kAcme).value()->audit(2).value().at(0).action, "dlq.purge");
}

// RETRY-4
TEST_F(ApiTest, the_quarantine_is_a_place_of_its_own_and_masks_what_it_shows) {
  const auto dead = put_letter();
  storage::DeadLetter letter;
  letter.id = ids.next();
  letter.tenant = kAcme;
  letter.queue = kQueue;
  letter.type = "opportunity.updated";
  letter.at = clock.now();
  letter.code = "crashed";
  letter.message = "the process ended";
  letter.place = storage::LetterPlace::quarantine;
  letter.signature = messaging::signature_of(letter.code, letter.message, "");
  letter.reason = "crashes";
  letter.fix = "report it";
  letter.payload = store->read(kAcme).value()->dead_letter(dead).value()->payload;
  letter.shown = "masked";
  auto tx = begin(kAcme);
  ASSERT_TRUE(tx->put_dead_letter(letter));
  ASSERT_TRUE(tx->commit());
  EXPECT_EQ(good("/api/v1/dlq").at("items").as_array().size(), 1u);
  const auto listed = good("/api/v1/quarantine");
  ASSERT_EQ(listed.at("items").as_array().size(), 1u);
  EXPECT_EQ(listed.at("items").at(0).at("reason"), "crashes");
  const auto shown = good("/api/v1/quarantine/" + letter.id);
  EXPECT_EQ(shown.at("payload"), "masked");
  EXPECT_EQ(shown.at("metadata").at("type"), "opportunity.updated");
  EXPECT_EQ(bad("/api/v1/dlq/" + letter.id), problem(404, "not_found"));
  EXPECT_EQ(bad("/api/v1/quarantine/" + dead), problem(404, "not_found"));

  const auto table = router();
  EXPECT_EQ(body(send(table, "POST", "/api/v1/quarantine/block?cause=" + letter.id)).at("cause").as_string(),
            letter.signature);
  EXPECT_THAT(settings->of(kAcme).value().get(settings::kQuarantineBlocked),
              testing::ElementsAre(letter.signature));
  EXPECT_EQ(good("/api/v1/quarantine/blocked?tenant=acme").at("items").at(0).at("cause").as_string(),
            letter.signature);
  EXPECT_EQ(body(send(table, "POST", "/api/v1/quarantine/unblock?tenant=acme&cause=" + letter.signature))
                .at("tenants")
                .at(0),
            "acme");
  EXPECT_TRUE(settings->of(kAcme).value().get(settings::kQuarantineBlocked).empty());
  EXPECT_EQ(bad(send(table, "POST", "/api/v1/quarantine/block?cause=nothing")),
            problem(400, "invalid_parameter"));
  EXPECT_EQ(
      body(send(table, "POST", "/api/v1/quarantine/" + letter.id + "/replay?confirm=true")).at("replayed"),
      1);
  EXPECT_TRUE(good("/api/v1/quarantine").at("items").as_array().empty());
}

TEST_F(ApiTest, the_same_idempotency_key_gives_the_same_answer) {
  const auto id = put_letter();
  const auto table = router();
  const std::string target = "/api/v1/dlq/" + id + "/replay?confirm=true";
  const auto first = send(table, "POST", target, "", true, "key-1");
  EXPECT_EQ(first.status, 200);
  const auto again = send(table, "POST", target, "", true, "key-1");
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(body(again), body(first));
  EXPECT_EQ(body(send(table, "POST", target, "", true, "key-2")).at("already"), 1);
  EXPECT_EQ(
      bad(send(table, "POST", "/api/v1/dlq/" + put_letter() + "/replay?confirm=true", "", true, "key-1")),
      problem(422, "unprocessable"));
  clock.advance(25h);
  EXPECT_EQ(body(send(table, "POST", target, "", true, "key-1")).at("already"), 1) << "forgotten after a day";
}

TEST_F(ApiTest, traces_a_flow_and_audits_it) {
  const auto story = good("/api/v1/trace/import-1");
  EXPECT_EQ(story.at("tenant"), "acme");
  EXPECT_EQ(story.at("items").at(0).at("text"), "noted");
  EXPECT_EQ(story.at("ledger").at(0).at("in"), 3);
  EXPECT_EQ(store->read(kAcme).value()->audit(1).value().at(0).action, "trace");
  EXPECT_EQ(bad("/api/v1/trace/nothing"), problem(404, "not_found"));
}

TEST_F(ApiTest, shows_queues_with_dead_letters) {
  put_letter();
  const auto queues = good("/api/v1/queues");
  EXPECT_EQ(queues.at("items").at(0).at("name").as_string(), kQueue);
  EXPECT_EQ(queues.at("items").at(0).at("deadLetters"), 1);
  EXPECT_EQ(good("/api/v1/overview?tenant=acme").at("system").at("status"), "degraded");
}

TEST_F(ApiTest, a_rate_is_what_was_settled_over_the_time) {
  RateMeter meter;
  EXPECT_EQ(meter.rate("q", 100, 0s), 0);
  EXPECT_EQ(meter.rate("q", 300, 100ms), 0) << "too short to tell";
  EXPECT_EQ(meter.rate("q", 300, 2s), 100);
  EXPECT_EQ(meter.rate("q", 300, 60s), 0);
}

TEST_F(ApiTest, the_document_lists_every_route) {
  const auto document = good("/api/v1/openapi.json");
  EXPECT_THAT(std::string(document.at("openapi").as_string()), testing::StartsWith("3.1"));
  for (const auto& route : routes(*services)) {
    if (route.hidden) continue;
    std::string method = route.method;
    for (char& c : method) c = static_cast<char>(std::tolower(c));
    EXPECT_TRUE(document.at("paths").as_object().contains(route.pattern) &&
                document.at("paths").at(route.pattern).as_object().contains(method))
        << route.method << " " << route.pattern;
  }
  // Every schema that is referred to is there.
  const auto text = json::serialize(document);
  const auto& components = document.at("components").at("schemas").as_object();
  const std::string prefix = "#/components/schemas/";
  for (auto at = text.find(prefix); at != std::string::npos; at = text.find(prefix, at + 1)) {
    const auto name = text.substr(at + prefix.size(), text.find('"', at) - at - prefix.size());
    EXPECT_TRUE(components.contains(name)) << name;
  }
}

TEST_F(ApiTest, health_and_metrics) {
  EXPECT_EQ(get("/health/live").status, 200);
  EXPECT_EQ(get("/health/startup").status, 200);
  EXPECT_EQ(get("/health/ready").status, 200);
  ready = false;
  EXPECT_EQ(get("/health/ready").status, 503);
  EXPECT_THAT(std::get<std::string>(get("/metrics").body), HasSubstr("castiel_queue_messages"));
}

TEST_F(ApiTest, the_dashboard_answers_its_own_addresses_and_no_others) {
  http::StaticFiles files;
  files.add("index.html", {.content = "<title>Castiel</title>", .gzip = {}});
  const auto table = http::Router::create(routes(*services, &files)).value();
  EXPECT_THAT(std::get<std::string>(send(table, "GET", "/").body), HasSubstr("Castiel"));
  EXPECT_THAT(std::get<std::string>(send(table, "GET", "/deals/1").body), HasSubstr("Castiel"));
  EXPECT_EQ(send(table, "GET", "/api/v1/nothing").status, 404);
  EXPECT_EQ(send(table, "GET", "/health/nothing").status, 404);
  EXPECT_EQ(get("/").status, 200) << "without a dashboard there is a hint";
  EXPECT_EQ(get("/deals").status, 404);
}

TEST_F(ApiTest, the_live_feed_tells_what_changed_and_nothing_twice) {
  LiveFeed feed(*services, {});
  const auto stream = feed.subscribe(kAcme).value();
  feed.poll();
  std::string text;
  stream->drain(text);
  EXPECT_THAT(text, HasSubstr("event: import\n"));
  EXPECT_THAT(text, HasSubstr("event: queues\n"));
  EXPECT_THAT(text, HasSubstr(R"(data: {"tenant":"acme"})"));
  text.clear();
  feed.poll();
  stream->drain(text);
  EXPECT_EQ(text, "");
  auto tx = begin(kOther);
  put(*tx, "account", "A9", R"({"name":"Hidden"})");
  ASSERT_TRUE(tx->commit());
  feed.poll();
  stream->drain(text);
  EXPECT_EQ(text, "") << "another tenant's changes are not this one's";
  tx = begin(kAcme);
  put(*tx, "account", "A9", R"({"name":"New"})");
  ASSERT_TRUE(tx->commit());
  feed.poll();
  stream->drain(text);
  EXPECT_THAT(text, HasSubstr("event: changed\n"));
  EXPECT_THAT(text, Not(HasSubstr("event: import\n")));
  clock.advance(16s);
  text.clear();
  feed.poll();
  stream->drain(text);
  EXPECT_THAT(text, HasSubstr("event: ping\n"));
  EXPECT_EQ(feed.subscribe(TenantId("nobody")).error().code, "unknown_tenant");
  feed.stop();
  EXPECT_TRUE(stream->closed());
  EXPECT_FALSE(feed.subscribe(kAcme));
}

TEST_F(ApiTest, an_operation_gives_the_same_here_and_through_a_server) {
  http::TestServer server(routes(*services));
  auto client = server.local_client();
  Call call;
  call.parameters.add("tenant", "acme");
  call.parameters.add("id", deal.str());
  const auto here = run_operation(*services, "deals.get", call).value();
  EXPECT_EQ(call_operation(client, "deals.get", call, server.soon()).value(), here);
  call.parameters = {};
  call.parameters.add("tenant", "nobody");
  EXPECT_EQ(call_operation(client, "deals", call, server.soon()).error().code, "unknown_tenant");
  EXPECT_EQ(call_operation(client, "deals.get", call, server.soon()).error().code, "invalid_parameter")
      << "the id is missing";
  EXPECT_EQ(call_operation(client, "dance", call, server.soon()).error().code, "unknown_operation");
  Call create;
  create.body["tenant"] = "third";
  EXPECT_EQ(call_operation(client, "tenants.create", create, server.soon()).value().at("tenant"), "third");
  auto over_tcp = server.client();
  EXPECT_EQ(call_operation(over_tcp, "tenants.create", create, server.soon()).error().code,
            "local_socket_only");
}

TEST(PublicBind, is_refused_without_authentication) {
  for (const char* good : {"", "127.0.0.1", "127.8.8.8", "::1", "localhost"})
    EXPECT_TRUE(refuse_public_bind(good)) << good;
  for (const char* bad : {"0.0.0.0", "::", "192.168.1.5", "example.com", "::ffff:10.0.0.1", "1270.0.0.1"}) {
    const auto refused = refuse_public_bind(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, "public_bind_refused");
  }
}

}  // namespace
}  // namespace castiel::api
