#include "intelligence/deal_book.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <thread>

#include "intelligence/risk_handler.hpp"
#include "messaging/consumer.hpp"
#include "messaging/embedded/embedded_broker.hpp"
#include "model/event_types.hpp"
#include "storage/sqlite/sqlite_store.hpp"

namespace castiel::intelligence {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const TenantId kAcme("acme"), kOther("other");

struct BookTest : testing::Test {
  BookTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "castiel-XXXXXX").string();
    folder = mkdtemp(pattern.data());
    storage::SqliteStore::Options options;
    options.path = (folder / "castiel.db").string();
    options.sync = false;
    store = storage::SqliteStore::open(options, clock).value();
    EXPECT_TRUE(store->create_tenant(kAcme, soon()));
    EXPECT_TRUE(store->create_tenant(kOther, soon()));
  }
  ~BookTest() override {
    store.reset();
    std::filesystem::remove_all(folder);
  }
  Deadline soon() { return Deadline::after(clock, 5s); }
  std::unique_ptr<storage::Transaction> begin(const TenantId& tenant = kAcme) {
    return store->begin(tenant, soon()).value();
  }
  std::unique_ptr<storage::Reader> read(const TenantId& tenant = kAcme) {
    return store->read(tenant).value();
  }

  ShardId put(storage::Transaction& tx, std::string type, std::string external_id, std::string data) {
    storage::ShardWrite write;
    write.shard.id = ShardId(ids.next());
    write.shard.key = {std::move(type), "files", std::move(external_id)};
    write.shard.version = 1;
    write.shard.data = std::move(data);
    write.shard.source = "a line";
    write.shard.origin = R"({"file":"deals.csv","line":7,"encoding":"utf-8"})";
    write.shard.correlation = CorrelationId("import-1");
    write.shard.created_at = write.shard.updated_at = clock.now();
    EXPECT_TRUE(tx.put_shards({&write, 1}));
    return write.shard.id;
  }
  // Names by which a relation finds its target.
  void name(storage::Transaction& tx, const ShardId& shard, std::string kind, std::string key) {
    const storage::Alias alias{std::move(kind), std::move(key), "files", shard};
    EXPECT_TRUE(tx.put_aliases({&alias, 1}));
  }
  static storage::Relation relation(const ShardId& from, std::string role, std::string kind,
                                    std::string key) {
    storage::Relation r;
    r.from = from;
    r.role = std::move(role);
    r.integration = "files";
    r.kind = std::move(kind);
    r.key = key;
    r.text = std::move(key);
    return r;
  }
  ShardId put_deal(storage::Transaction& tx, const std::string& external_id, std::string_view stage,
                   std::string_view amount, std::string_view created = "2026-10-05",
                   std::string_view closes = "2026-12-15") {
    json::object data{{"name", "Deal " + external_id},
                      {"stage", stage},
                      {"createdDate", created},
                      {"closeDate", closes},
                      {"currency", "USD"}};
    data["status"] = stage == "Won" ? "won" : stage == "Lost" ? "lost" : "open";
    if (!amount.empty()) data["amount"] = amount;
    return put(tx, "opportunity", external_id, json::serialize(data));
  }
  void add_change(storage::Transaction& tx, const std::string& external_id, std::string name,
                  std::string from, std::string to, std::string_view at) {
    model::FieldChange change;
    change.shard = {"opportunity", "files", external_id};
    change.field = std::move(name);
    change.old_value = std::move(from);
    change.new_value = std::move(to);
    change.effective_at = parse_timestamp(at).value();
    change.recorded_at = clock.now();
    change.origin = "import";
    change.correlation = CorrelationId("import-1");
    EXPECT_TRUE(tx.add_changes({&change, 1}));
  }

  std::filesystem::path folder;
  ManualClock clock{parse_timestamp("2026-11-01T12:00:00Z").value()};
  SeededRandom random{1};
  IdGenerator ids{clock, random};
  std::unique_ptr<storage::SqliteStore> store;
  DealBook book{clock};
};

std::vector<std::string> names(const json::object& page) {
  std::vector<std::string> result;
  for (const auto& item : page.at("items").as_array()) result.push_back(string_or(item.as_object(), "name"));
  return result;
}

TEST_F(BookTest, loads_a_deal_with_names_team_contacts_and_history) {
  auto tx = begin();
  const auto account = put(*tx, "account", "A1", R"({"name":"Globex"})");
  const auto user = put(*tx, "user", "U1", R"({"name":"Kim Lee","team":"West"})");
  const auto person =
      put(*tx, "contact", "C1",
          R"({"firstName":"Ann","lastName":"Ray","title":"CFO","email":"ann@globex.example"})");
  name(*tx, user, "user:name", "k lee");
  const auto id = put_deal(*tx, "O1", "Proposal", "1000.50");
  const auto role = put(*tx, "contact_role", "R1", R"({"role":"Decision maker"})");
  const std::vector relations{
      relation(id, "account", "account:id", "A1"), relation(id, "owner", "user:name", "k lee"),
      relation(role, "opportunity", "opportunity:id", "O1"), relation(role, "contact", "contact:id", "C1")};
  ASSERT_TRUE(tx->put_relations(relations));
  add_change(*tx, "O1", "stage", "Discovery", "Proposal", "2026-10-01T00:00:00Z");
  add_change(*tx, "O1", "description", "long", "longer", "2026-09-01T00:00:00Z");
  ASSERT_TRUE(tx->commit());

  const auto deals = load_deals(*read()).value();
  ASSERT_EQ(deals.size(), 1);
  const Deal& deal = deals.front();
  EXPECT_EQ(deal.amount->str(), "1000.50");
  EXPECT_EQ(deal.account, "Globex");
  EXPECT_EQ(deal.account_id, account.str());
  EXPECT_EQ(deal.owner, "Kim Lee");
  EXPECT_EQ(deal.team, "West");
  ASSERT_EQ(deal.contacts.size(), 1);
  EXPECT_EQ(deal.contacts[0].name, "Ann Ray");
  EXPECT_EQ(deal.contacts[0].title, "CFO");
  EXPECT_EQ(deal.contacts[0].role, "Decision maker");
  ASSERT_EQ(deal.history.size(), 2);
  EXPECT_EQ(deal.history[0].field, "description");
  EXPECT_FALSE(deal.history[0].new_value) << "values of fields that are not read are not kept";
  EXPECT_EQ(deal.history[1].new_value, "Proposal");
}

TEST_F(BookTest, a_name_without_a_record_behind_it_stays_the_name) {
  auto tx = begin();
  const auto id = put_deal(*tx, "O1", "Proposal", "5");
  const auto owner = relation(id, "owner", "user:name", "Kim Lee");
  ASSERT_TRUE(tx->put_relations({&owner, 1}));
  ASSERT_TRUE(tx->commit());
  const auto deals = load_deals(*read()).value();
  EXPECT_EQ(deals[0].owner, "Kim Lee");
  EXPECT_EQ(deals[0].owner_id, "");
}

TEST_F(BookTest, lists_deals_in_order_and_page_by_page) {
  auto tx = begin();
  for (const char* amount : {"30", "10", "50", "20", "40"}) put_deal(*tx, amount, "Proposal", amount);
  put_deal(*tx, "none", "Proposal", "");
  put_deal(*tx, "won", "Won", "99", "2026-01-01", "2026-02-01");
  ASSERT_TRUE(tx->commit());
  DealQuery query;
  query.sort = "-amount";
  query.limit = 4;
  const auto reader = read();
  const auto first = book.deals(*reader, query).value();
  EXPECT_THAT(names(first), ElementsAre("Deal 50", "Deal 40", "Deal 30", "Deal 20"));
  EXPECT_EQ(first.at("total").to_number<int>(), 6);
  query.cursor = string_or(first, "next");
  const auto second = book.deals(*reader, query).value();
  EXPECT_THAT(names(second), ElementsAre("Deal 10", "Deal none"));
  EXPECT_TRUE(second.at("next").is_null());
  query.cursor = "";
  query.status = "won";
  EXPECT_THAT(names(book.deals(*reader, query).value()), ElementsAre("Deal won"));
  query.status = "all";
  query.q = "AL 5";
  EXPECT_THAT(names(book.deals(*reader, query).value()), ElementsAre("Deal 50"));
}

TEST_F(BookTest, refuses_a_cursor_of_another_list) {
  auto tx = begin();
  for (const char* amount : {"30", "10"}) put_deal(*tx, amount, "Proposal", amount);
  ASSERT_TRUE(tx->commit());
  DealQuery query;
  query.limit = 1;
  query.cursor = string_or(book.deals(*read(), query).value(), "next");
  ASSERT_FALSE(query.cursor.empty());
  query.sort = "name";
  EXPECT_EQ(book.deals(*read(), query).error().code, "invalid_cursor");
  query.cursor = "zz";
  EXPECT_EQ(book.deals(*read(), query).error().code, "invalid_cursor");
  query.sort = "nothing";
  EXPECT_EQ(book.deals(*read(), query).error().code, "invalid_parameter");
}

TEST_F(BookTest, a_deal_comes_with_its_data_and_its_source) {
  auto tx = begin();
  const auto id = put_deal(*tx, "O1", "Proposal", "10");
  ASSERT_TRUE(tx->commit());
  const auto deal = book.deal(*read(), id).value();
  EXPECT_EQ(deal.at("data").at("stage"), "Proposal");
  EXPECT_EQ(deal.at("source").at("file"), "deals.csv");
  EXPECT_EQ(deal.at("source").at("line"), 7);
  EXPECT_EQ(deal.at("source").at("correlationId"), "import-1");
  EXPECT_TRUE(deal.at("risk").as_object().contains("factors"));
  EXPECT_EQ(book.deal(*read(), ShardId("nothing")).error().code, "not_found");
  EXPECT_EQ(book.deal(*read(kOther), id).error().code, "not_found");
  EXPECT_EQ(book.deal(*read(), id, parse_date("2026-07-01").value()).error().code, "not_found");
}

TEST_F(BookTest, the_past_does_not_know_the_future) {
  auto tx = begin();
  const auto id = put_deal(*tx, "O1", "Won", "10", "2026-01-10", "2026-06-30");
  add_change(*tx, "O1", "stage", "Proposal", "Won", "2026-06-30T09:00:00Z");
  ASSERT_TRUE(tx->commit());
  const auto then = book.deal(*read(), id, parse_date("2026-05-01").value()).value();
  EXPECT_EQ(then.at("status"), "open");
  EXPECT_EQ(then.at("stage"), "Proposal");
  EXPECT_EQ(then.at("asOf"), "2026-05-01T23:59:59.999999Z");
  EXPECT_EQ(book.deal(*read(), id).value().at("status"), "won");
}

TEST_F(BookTest, the_timeline_tells_each_thing_once_newest_first) {
  auto tx = begin();
  const auto id = put_deal(*tx, "O1", "Won", "10", "2026-01-10", "2026-06-30");
  add_change(*tx, "O1", "stage", "Proposal", "Won", "2026-06-30T09:00:00Z");
  add_change(*tx, "O1", "status", "open", "won", "2026-06-30T09:00:00Z");
  add_change(*tx, "O1", "amount", "8", "10", "2026-03-01T09:00:00Z");
  ASSERT_TRUE(tx->commit());
  const auto page = book.timeline(*read(), id, "", 2).value();
  const auto& items = page.at("items").as_array();
  ASSERT_EQ(items.size(), 2);
  EXPECT_EQ(items[0].at("title"), "Stage changed from Proposal to Won");
  EXPECT_EQ(items[1].at("kind"), "amount");
  const auto rest = book.timeline(*read(), id, string_or(page, "next"), 2).value();
  ASSERT_EQ(rest.at("items").as_array().size(), 1);
  EXPECT_EQ(rest.at("items").at(0).at("kind"), "created");
  EXPECT_EQ(book.timeline(*read(), id, "x").error().code, "invalid_cursor");
}

TEST_F(BookTest, the_overview_adds_up_one_currency_exactly) {
  auto tx = begin();
  put_deal(*tx, "a", "Discovery", "0.10");
  put_deal(*tx, "b", "Proposal", "0.20");
  put_deal(*tx, "w", "Won", "7", "2026-01-01", "2026-06-01");
  put_deal(*tx, "l", "Lost", "7", "2026-01-01", "2026-06-01");
  put_deal(*tx, "old", "Won", "7", "2024-01-01", "2024-06-01");
  put(*tx, "opportunity", "eur",
      R"({"name":"E","stage":"Proposal","status":"open","amount":"1000","currency":"EUR"})");
  ASSERT_TRUE(tx->commit());
  const auto overview = book.overview(*read()).value();
  EXPECT_EQ(overview.at("currency"), "USD");
  EXPECT_EQ(overview.at("pipeline").at("open"), 3);
  EXPECT_EQ(overview.at("pipeline").at("amount").at("amount"), "0.30");
  EXPECT_EQ(overview.at("pipeline").at("otherCurrencies").at(0).at("amount").at("amount"), "1000");
  EXPECT_EQ(overview.at("won").at("count"), 1);
  EXPECT_DOUBLE_EQ(overview.at("won").at("winRate").as_double(), 0.5);
  EXPECT_EQ(overview.at("forecastPeriods").as_array().size(), 6);
  EXPECT_EQ(overview.at("forecast").at("period"), "2026-Q4");
  EXPECT_FALSE(overview.at("changes").as_array().empty());
  EXPECT_EQ(book.overview(*read(kOther)).value().at("pipeline").at("open"), 0)
      << "an empty tenant has an overview too";
}

TEST_F(BookTest, a_forecast_is_the_same_twice_and_names_a_bad_period) {
  auto tx = begin();
  for (int i = 0; i < 20; ++i) put_deal(*tx, std::to_string(i), "Proposal", "100");
  ASSERT_TRUE(tx->commit());
  ForecastQuery query;
  query.period = "2026-Q4";
  const auto one = book.forecast(*read(), query).value();
  DealBook another(clock);
  EXPECT_EQ(one, another.forecast(*read(), query).value());
  query.period = "soon";
  EXPECT_EQ(book.forecast(*read(), query).error().code, "invalid_period");
  EXPECT_TRUE(book.backtest(*read()).value().contains("coverage"));
}

TEST_F(BookTest, is_made_once_for_the_same_data_and_anew_for_other_data) {
  auto tx = begin();
  put_deal(*tx, "a", "Proposal", "1");
  ASSERT_TRUE(tx->commit());
  std::vector<std::shared_ptr<const Book>> books(8);
  std::vector<std::thread> threads;
  for (auto& slot : books) threads.emplace_back([&] { slot = book.open(*read()).value(); });
  for (auto& thread : threads) thread.join();
  for (const auto& made : books) EXPECT_EQ(made, books.front());
  tx = begin();
  put_deal(*tx, "b", "Proposal", "1");
  ASSERT_TRUE(tx->commit());
  EXPECT_NE(book.open(*read()).value(), books.front());
}

// ---- what is linked

struct LinkedTest : BookTest {
  LinkedTest() {
    auto tx = begin();
    const auto ann = put(*tx, "user", "U1", R"({"name":"Ann Own","email":"ann@own.example"})");
    name(*tx, ann, "user:email", "ann@own.example");
    deal = put_deal(*tx, "O1", "Negotiation", "100", "2026-08-01", "2026-12-15");
    EXPECT_TRUE(tx->commit());
  }
  ShardId put_mail(const std::string& key, std::string_view from, std::string_view to, std::string_view at,
                   std::string_view text, std::string_view mail_class = "person") {
    auto tx = begin();
    const auto id =
        put(*tx, "email", key,
            json::serialize(json::object{{"messageId", key},
                                         {"threadId", "thread-1"},
                                         {"class", mail_class},
                                         {"from", {{"email", from}, {"name", ""}}},
                                         {"to", json::array{json::object{{"email", to}, {"name", ""}}}},
                                         {"subject", "Pumps"},
                                         {"bodyPlainText", text},
                                         {"attachments", json::array()},
                                         {"sentAt", at}}));
    const storage::Footprint thread{"thread", "thread-1"};
    EXPECT_TRUE(tx->put_footprints(id, {&thread, 1}));
    EXPECT_TRUE(tx->commit());
    return id;
  }
  // As linking does, with an activity beside it.
  void link(const ShardId& from, std::string_view status, int confidence = 90) {
    auto tx = begin();
    storage::Link made;
    made.id = ids.next();
    made.from = from;
    made.from_type = "email";
    made.to = deal;
    made.to_type = "opportunity";
    made.strategy = "participant";
    made.confidence = confidence;
    made.status = status;
    made.created_by = "linking";
    made.created_at = made.last_verified_at = clock.now();
    EXPECT_TRUE(tx->put_links({&made, 1}));
    put(*tx, "activity", "a" + made.id, "{}");
    EXPECT_TRUE(tx->commit());
  }
  std::map<std::string, json::object> factors(std::optional<Date> as_of = {}) {
    std::map<std::string, json::object> found;
    const auto document = book.deal(*read(), deal, as_of).value();
    for (const auto& item : document.at("risk").at("factors").as_array())
      found[string_or(item.get_object(), "id")] = item.get_object();
    return found;
  }
  ShardId deal;
};

TEST_F(LinkedTest, judges_a_deal_by_the_mails_attached_to_it) {
  const auto mail =
      put_mail("m1", "pat@orbis.example", "ann@own.example", "2026-10-02T09:00:00Z", "The budget is frozen.");
  EXPECT_FALSE(factors().contains("no_inbound"));
  link(mail, "attached");
  const auto found = factors();
  ASSERT_TRUE(found.contains("no_inbound"));
  ASSERT_TRUE(found.contains("budget_frozen"));
  EXPECT_FALSE(found.contains("silence"));
  const auto& evidence = found.at("budget_frozen").at("evidence").as_array().front().get_object();
  EXPECT_EQ(string_or(evidence, "kind"), "email");
  EXPECT_EQ(string_or(evidence, "quote"), "The budget is frozen.");
  EXPECT_EQ(string_or(evidence, "shardId"), mail.str());
  EXPECT_EQ(string_or(evidence, "type"), "email");
  EXPECT_EQ(evidence.at("locator").at("start").as_int64(), 0);
  EXPECT_FALSE(factors(parse_date("2026-10-01").value()).contains("budget_frozen"))
      << "nobody had written yet";
}

TEST_F(LinkedTest, follows_a_link_that_is_rejected_and_a_mail_that_changes) {
  const auto mail =
      put_mail("m1", "pat@orbis.example", "ann@own.example", "2026-10-20T09:00:00Z", "It is too expensive.");
  link(mail, "attached");
  EXPECT_TRUE(factors().contains("price_objection"));
  auto tx = begin();
  storage::ShardWrite write;
  write.shard = *tx->shard(mail).value();
  write.expected_version = 1;
  write.shard.version = 2;
  auto data = parse_json(write.shard.data).value().get_object();
  data["bodyPlainText"] = "All is well.";
  write.shard.data = json::serialize(data);
  ASSERT_TRUE(tx->put_shards({&write, 1}));
  ASSERT_TRUE(tx->commit());
  EXPECT_FALSE(factors().contains("price_objection"));
  EXPECT_TRUE(factors().contains("single_threaded"));
  link(mail, "rejected");
  EXPECT_FALSE(factors().contains("single_threaded"));
}

TEST_F(BookTest, tells_no_sides_apart_while_nobody_is_known_to_be_ours) {
  auto tx = begin();
  const auto deal = put_deal(*tx, "O1", "Negotiation", "100", "2026-08-01", "2026-12-15");
  const auto mail =
      put(*tx, "email", "m1",
          R"({"class":"person","from":{"email":"ann@own.example"},"sentAt":"2026-09-01T00:00:00Z"})");
  storage::Link link;
  link.id = ids.next();
  link.from = mail;
  link.from_type = "email";
  link.to = deal;
  link.to_type = "opportunity";
  link.confidence = 90;
  link.status = "attached";
  ASSERT_TRUE(tx->put_links({&link, 1}));
  ASSERT_TRUE(tx->commit());
  EXPECT_THAT(json::serialize(book.deal(*read(), deal).value()), Not(HasSubstr("no_inbound")));
}

TEST_F(LinkedTest, finds_the_bounce_in_the_thread_of_our_mail) {
  auto tx = begin();
  put(*tx, "contact", "C1", R"({"name":"Pat Doe","email":"pat@orbis.example"})");
  const auto role = put(*tx, "contact_role", "R1", R"({"role":"Champion"})");
  const std::vector relations{relation(role, "opportunity", "opportunity:id", "O1"),
                              relation(role, "contact", "contact:id", "C1")};
  ASSERT_TRUE(tx->put_relations(relations));
  ASSERT_TRUE(tx->commit());
  link(put_mail("m1", "ann@own.example", "pat@orbis.example", "2026-10-20T09:00:00Z", "Hello?"), "attached");
  put_mail("m2", "mailer-daemon@orbis.example", "ann@own.example", "2026-10-20T09:01:00Z",
           "<pat@orbis.example>: 550 5.1.1 user unknown", "bounce");
  const auto found = factors();
  ASSERT_TRUE(found.contains("champion_left"));
}

TEST_F(LinkedTest, holds_us_to_a_task_of_ours_until_it_is_done) {
  const auto mail = put_mail("m1", "ann@own.example", "pat@orbis.example", "2026-10-02T09:00:00Z",
                             "I'll send you the drawings by 5 October.");
  link(mail, "attached");
  auto tx = begin();
  json::object task{
      {"title", "I'll send you the drawings by 5 October."},
      {"kind", "commitment"},
      {"owner", "Ann Own"},
      {"ownerSide", "own"},
      {"dueDate", "2026-10-05"},
      {"status", "open"},
      {"confidence", .9},
      {"evidence", {{"text", "I'll send you the drawings by 5 October."}, {"start", 0}, {"end", 40}}},
      {"source", {{"type", "email"}, {"externalId", "m1"}, {"id", mail.str()}}}};
  const auto id = put(*tx, "task", "email:m1:1", json::serialize(task));
  ASSERT_TRUE(tx->commit());
  const auto found = factors();
  ASSERT_TRUE(found.contains("overdue_promise"));
  EXPECT_THAT(std::string(found.at("overdue_promise").at("detail").as_string()), HasSubstr("2026-10-05"));
  tx = begin();
  storage::ShardWrite write;
  write.shard = *tx->shard(id).value();
  write.expected_version = 1;
  write.shard.version = 2;
  task["status"] = "done";
  write.shard.data = json::serialize(task);
  ASSERT_TRUE(tx->put_shards({&write, 1}));
  ASSERT_TRUE(tx->commit());
  EXPECT_FALSE(factors().contains("overdue_promise"));
}

// ---- the stage

struct RiskTest : BookTest {
  RiskTest() {
    broker = messaging::EmbeddedBroker::create(*store, clock).value();
    schemas = messaging::SchemaRegistry::create(messaging::builtin_schemas()).value();
    publisher = std::make_unique<messaging::Publisher>(*schemas, clock, ids);
    messaging::ConsumerOptions options;
    options.queue = {std::string(model::queue::kAnalyticsRisk), RiskHandler::patterns(), 5};
    messaging::ConsumerParts parts{store.get(), broker.get(), schemas.get(), publisher.get(),
                                   &clock,      &random,      &ids,          {}};
    consumer = std::make_unique<messaging::Consumer>(parts, options, handler);
    EXPECT_TRUE(consumer->declare());
    EXPECT_TRUE(broker->declare({"probe", {"risk.#", "forecast.#", "recommendation.#"}, 5}));
    EXPECT_TRUE(broker->declare({"upstream", {std::string(model::event::kImportRead)}, 5}));
  }
  void publish_updated(const ShardId& id, std::string_view correlation = "webhook-1") {
    auto tx = begin();
    EXPECT_TRUE(publisher->publish(
        *tx, "crm", {CorrelationId(std::string(correlation)), ""},
        {model::event::kOpportunityUpdated, "", json::object{{"records", {{{"shardId", id.str()}}}}}, 0, 1}));
    EXPECT_TRUE(tx->commit());
  }
  bool step() { return consumer->step(Deadline::after(clock, 0s)).value(); }
  std::map<std::string, int> published() {
    std::map<std::string, int> counts;
    for (;;) {
      const auto deliveries = broker->receive("probe", {}, Deadline::after(clock, 0s)).value();
      if (deliveries.empty()) return counts;
      auto tx = begin();
      for (const auto& d : deliveries) ++counts[d.type];
      EXPECT_TRUE(broker->settle(*tx, deliveries));
      EXPECT_TRUE(tx->commit());
      broker->settled(deliveries);
    }
  }
  ShardId put_one_deal(std::string_view closes = "2026-09-15") {
    auto tx = begin();
    const auto id = put_deal(*tx, "O1", "Proposal", "100", "2026-08-20", closes);
    EXPECT_TRUE(tx->commit());
    return id;
  }
  // An unfinished run has somebody who is at it for `leased`.
  void put_run(std::string_view correlation, std::string status, Duration leased = 1h) {
    auto tx = begin();
    const CorrelationId run{std::string(correlation)};
    if (status == "running") {
      EXPECT_TRUE(tx->take_lease(storage::import_lease(run), "reader", leased).value());
    }
    EXPECT_TRUE(tx->put_import_run({run, std::move(status), clock.now(), {}, "{}"}));
    EXPECT_TRUE(tx->commit());
  }

  std::unique_ptr<messaging::EmbeddedBroker> broker;
  std::unique_ptr<messaging::SchemaRegistry> schemas;
  std::unique_ptr<messaging::Publisher> publisher;
  RiskHandler handler{book, clock};
  std::unique_ptr<messaging::Consumer> consumer;
};

TEST_F(RiskTest, says_what_is_new_and_says_it_once) {
  const auto id = put_one_deal();
  publish_updated(id);
  ASSERT_TRUE(step());
  const auto insight = read()->insight("deal", id).value();
  ASSERT_TRUE(insight);
  EXPECT_THAT(insight->payload, HasSubstr("close_date_past"));
  auto said = published();
  EXPECT_EQ(said["risk.evaluated"], 1);
  EXPECT_EQ(said["recommendation.created"], 1);
  EXPECT_EQ(said["forecast.updated"], 1);
  publish_updated(id, "webhook-2");
  ASSERT_TRUE(step());
  EXPECT_TRUE(published().empty()) << "nothing changed, so there is nothing to say";
}

TEST_F(RiskTest, scores_a_deal_when_something_is_linked_to_it) {
  const auto id = put_one_deal();
  auto tx = begin();
  const auto link = [&](std::string_view type, const ShardId& to) {
    return json::object{
        {"linkId", "l1"},       {"sourceType", "email"}, {"sourceId", "m1"},          {"targetType", type},
        {"targetId", to.str()}, {"confidence", 90},      {"strategy", "participant"}, {"status", "attached"}};
  };
  ASSERT_TRUE(publisher->publish(
      *tx, "linking", {CorrelationId("webhook-1"), ""},
      {model::event::kEntityLinked, "",
       json::object{{"records", json::array{link("opportunity", id), link("account", ShardId("a1"))}}}, 0,
       2}));
  ASSERT_TRUE(tx->commit());
  ASSERT_TRUE(step());
  EXPECT_TRUE(read()->insight("deal", id).value());
  EXPECT_EQ(read()->insights("deal").value().size(), 1);
}

TEST_F(RiskTest, passes_over_deals_that_are_gone_and_closed_ones_never_scored) {
  auto tx = begin();
  const auto won = put_deal(*tx, "W", "Won", "1", "2026-01-01", "2026-02-01");
  ASSERT_TRUE(tx->commit());
  publish_updated(won);
  publish_updated(ShardId("gone"));
  while (step()) {
  }
  EXPECT_TRUE(published().empty());
  EXPECT_TRUE(read()->insights("deal").value().empty());
}

TEST_F(RiskTest, waits_for_the_other_stages_of_a_running_import_but_not_for_itself) {
  const auto id = put_one_deal();
  put_run("import-9", "running");
  auto tx = begin();
  ASSERT_TRUE(
      publisher->publish(*tx, "files", {CorrelationId("import-9"), ""},
                         {model::event::kImportRead, "",
                          json::object{{"importId", "import-9"}, {"files", 1}, {"records", 1}}, 0, 1}));
  ASSERT_TRUE(tx->commit());
  publish_updated(id, "import-9");
  publish_updated(id, "import-9");
  ASSERT_TRUE(step());
  EXPECT_FALSE(read()->insight("deal", id).value()) << "another stage has work of the import";
  const auto upstream = broker->receive("upstream", {}, Deadline::after(clock, 0s)).value();
  tx = begin();
  ASSERT_TRUE(broker->settle(*tx, upstream));
  ASSERT_TRUE(tx->commit());
  broker->settled(upstream);
  clock.advance(1s);
  ASSERT_TRUE(step());
  EXPECT_TRUE(read()->insight("deal", id).value());
  EXPECT_EQ(read()->pending(CorrelationId("import-9"), model::queue::kAnalyticsRisk).value(), 0);
}

TEST_F(RiskTest, does_not_wait_for_an_import_whose_process_was_killed) {
  const auto id = put_one_deal();
  put_run("import-9", "running", 15s);
  auto tx = begin();
  ASSERT_TRUE(
      publisher->publish(*tx, "files", {CorrelationId("import-9"), ""},
                         {model::event::kImportRead, "",
                          json::object{{"importId", "import-9"}, {"files", 1}, {"records", 1}}, 0, 1}));
  ASSERT_TRUE(tx->commit());
  publish_updated(id, "import-9");
  ASSERT_TRUE(step());
  EXPECT_FALSE(read()->insight("deal", id).value()) << "its lease still runs";
  clock.advance(15s);
  ASSERT_TRUE(step());
  EXPECT_TRUE(read()->insight("deal", id).value());
}

TEST_F(RiskTest, does_not_wait_for_ever_when_nobody_serves_the_other_queues) {
  const auto id = put_one_deal();
  put_run("import-9", "running");
  auto tx = begin();
  ASSERT_TRUE(
      publisher->publish(*tx, "files", {CorrelationId("import-9"), ""},
                         {model::event::kImportRead, "",
                          json::object{{"importId", "import-9"}, {"files", 1}, {"records", 1}}, 0, 1}));
  ASSERT_TRUE(tx->commit());
  publish_updated(id, "import-9");
  int steps = 0;
  // Each step gives the message back for a while.
  while (!read()->insight("deal", id).value()) {
    ASSERT_LT(++steps, 1'000);
    step();
    clock.advance(200ms);
  }
  EXPECT_TRUE(read()->insight("deal", id).value());
  EXPECT_GT(steps, 10);
}

}  // namespace
}  // namespace castiel::intelligence
