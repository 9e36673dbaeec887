// The timeline of a deal, links with their two ends, and shards with what they are linked to.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "api/content_json.hpp"
#include "api/operations.hpp"
#include "messaging/embedded/embedded_broker.hpp"
#include "model/task_key.hpp"
#include "storage/sqlite/sqlite_store.hpp"

namespace castiel::api {
namespace {

using namespace std::chrono_literals;
const TenantId kAcme("acme");

json::value text(const ShardId& id) {
  return json::value(id.str());
}
json::value only(const ShardId& id) {
  json::array one;
  one.push_back(text(id));
  return one;
}

struct ContentTest : testing::Test {
  ContentTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "castiel-XXXXXX").string();
    folder = mkdtemp(pattern.data());
    storage::SqliteStore::Options options;
    options.path = (folder / "castiel.db").string();
    options.sync = false;
    store = storage::SqliteStore::open(options, clock).value();
    broker = messaging::EmbeddedBroker::create(*store, clock).value();
    EXPECT_TRUE(store->create_tenant(kAcme, Deadline::after(clock, 10s)));
    services = std::unique_ptr<Services>(new Services{.store = *store,
                                                      .broker = *broker,
                                                      .deals = book,
                                                      .clock = clock,
                                                      .ids = ids,
                                                      .settings = settings()});
    fill();
  }
  ~ContentTest() override {
    services.reset();
    settings_.reset();
    broker.reset();
    store.reset();
    std::filesystem::remove_all(folder);
  }
  tenancy::TenantSettings& settings() {
    settings_ = std::make_unique<tenancy::TenantSettings>(*store, clock, SettingValues());
    return *settings_;
  }

  ShardId put(storage::Transaction& tx, std::string type, std::string external_id, std::string data) {
    storage::ShardWrite write;
    write.shard.id = ShardId(ids.next());
    write.shard.key = {std::move(type), "files", std::move(external_id)};
    write.shard.version = 1;
    write.shard.data = std::move(data);
    write.shard.created_at = write.shard.updated_at = clock.now();
    EXPECT_TRUE(tx.put_shards({&write, 1}));
    return write.shard.id;
  }
  void link(storage::Transaction& tx, const ShardId& from, std::string from_type, std::string status,
            std::string evidence = "[]") {
    storage::Link made;
    made.id = ids.next();
    made.from = from;
    made.from_type = std::move(from_type);
    made.to = deal;
    made.to_type = "opportunity";
    made.strategy = "content";
    made.confidence = 70;
    made.status = std::move(status);
    made.reason = "names it";
    made.evidence = std::move(evidence);
    made.created_at = made.last_verified_at = clock.now();
    EXPECT_TRUE(tx.put_links({&made, 1}));
  }
  void fill() {
    auto tx = store->begin(kAcme, Deadline::after(clock, 10s)).value();
    deal = put(*tx, "opportunity", "O1", R"({"name":"Big","stage":"Proposal","createdDate":"2026-10-01"})");
    mail =
        put(*tx, "email", "m1",
            R"({"subject":"Offer","threadId":"t1","sentAt":"2026-10-20T08:00:00Z","bodyPlainText":"See it.",
                   "from":{"name":"Ada","email":"ada@acme.test"},"to":[{"email":"bo@big.test"}],
                   "attachments":[{"name":"offer.pdf","documentId":"m1/1"}],
                   "actionItems":[{"kind":"commitment","text":"I will call."},{"kind":"request","text":"Well?"}]})");
    reply = put(
        *tx, "email", "m2",
        R"({"subject":"Re: Offer","threadId":"t1","sentAt":"2026-10-21T08:00:00Z","bodyPlainText":"Thanks"})");
    for (const auto& id : {mail, reply}) {
      const storage::Footprint print{"thread", "t1"};
      EXPECT_TRUE(tx->put_footprints(id, {&print, 1}));
    }
    task = put(*tx, "task", model::task_key("email", "m1", "commitment", "I will call."),
               R"({"title":"I will call.","owner":"Ada","dueDate":"2026-10-30","status":"open"})");
    document = put(*tx, "document", "m1/1",
                   R"({"title":"Offer","modifiedAt":"2026-10-19T08:00:00Z","extractedText":"one two three",
                       "pages":[{"number":1,"text":"one"},{"number":2,"text":"two three"}]})");
    call = put(*tx, "meeting", "c1",
               R"({"title":"Call","startTime":"2026-10-22T08:00:00Z","transcript":{"segments":[
                   {"index":0,"startTime":3,"text":"Hello"},{"index":1,"speaker":"Bo","startTime":90,"text":"Too dear"}]},
                   "analysis":{"keyMoments":[{"type":"question","segment":0,"text":"?"},
                   {"type":"objection","segment":1,"speaker":"Bo","text":"Too dear"}]}})");
    event = put(*tx, "event", "e1",
                R"({"title":"Kick-off","startTime":"2030-01-01T08:00:00Z","cancelled":true})");
    link(*tx, mail, "email", "attached");
    link(*tx, reply, "email", "rejected");
    link(*tx, document, "document", "suggested",
         R"([{"field":"extractedText","text":"two","start":4,"end":7}])");
    link(*tx, call, "meeting", "attached", R"([{"field":"transcript.segments[1].text","text":"dear"}])");
    link(*tx, event, "event", "attached");
    EXPECT_TRUE(tx->commit());
  }

  Result<json::value> run(std::string_view operation, std::map<std::string, std::string> parameters) {
    Call asked;
    asked.parameters.add("tenant", "acme");
    for (const auto& [name, value] : parameters) asked.parameters.add(name, value);
    return run_operation(*services, operation, asked);
  }
  json::array entries(std::map<std::string, std::string> parameters = {}) {
    parameters["id"] = deal.str();
    return run("deals.timeline", parameters).value().at("entries").as_array();
  }

  ManualClock clock{parse_timestamp("2026-11-01T00:00:00Z").value()};
  SeededRandom random{7};
  IdGenerator ids{clock, random};
  std::filesystem::path folder;
  std::unique_ptr<storage::SqliteStore> store;
  std::unique_ptr<messaging::EmbeddedBroker> broker;
  intelligence::DealBook book{clock};
  std::unique_ptr<tenancy::TenantSettings> settings_;
  std::unique_ptr<Services> services;
  ShardId deal, mail, reply, task, document, call, event;
};

TEST_F(ContentTest, a_timeline_merges_changes_with_what_is_linked_newest_first) {
  const auto all = entries();
  std::string kinds;
  for (const auto& one : all) kinds += string_or(one.as_object(), "kind") + " ";
  EXPECT_EQ(kinds, "event meeting email task document change ");
  EXPECT_TRUE(all.at(0).at("future").as_bool());
  EXPECT_TRUE(all.at(0).at("cancelled").as_bool());
  EXPECT_FALSE(all.at(1).at("future").as_bool());
  EXPECT_EQ(all.at(2).at("people"), json::value({"Ada", "bo@big.test"}));
  EXPECT_EQ(all.at(2).at("link").at("status"), "attached");
  EXPECT_EQ(all.at(4).at("link").at("status"), "suggested");
  EXPECT_TRUE(all.at(5).at("link").is_null());
}

TEST_F(ContentTest, an_entry_says_where_in_its_source_to_look) {
  const auto all = entries();
  EXPECT_EQ(all.at(1).at("locator").at("segment"), 1);
  EXPECT_EQ(all.at(1).at("locator").at("minute"), 1.5);
  ASSERT_EQ(all.at(1).at("moments").as_array().size(), 1u);
  EXPECT_EQ(all.at(1).at("moments").at(0).at("type"), "objection");
  EXPECT_EQ(all.at(4).at("locator"), json::value({{"page", 2}}));
}

TEST_F(ContentTest, a_promise_is_a_task_of_the_mail_it_stands_in) {
  const auto made = entries().at(3);
  EXPECT_EQ(made.at("shardId"), text(mail));
  EXPECT_EQ(made.at("taskId"), text(task));
  EXPECT_EQ(made.at("due"), "2026-10-30");
  EXPECT_EQ(made.at("owner"), "Ada");
}

TEST_F(ContentTest, copies_of_a_document_and_files_of_invitations_are_told_once) {
  {
    auto tx = store->begin(kAcme, Deadline::after(clock, 10s)).value();
    for (const char* name : {"d1", "d2"})
      link(*tx, put(*tx, "document", name, R"({"title":"Copy","sha256":"aa","modifiedAt":"2026-10-02"})"),
           "document", "attached");
    link(*tx, put(*tx, "document", "m1/2", R"({"documentType":"calendar","parent":{"type":"email"}})"),
         "document", "attached");
    EXPECT_TRUE(tx->commit());
  }
  const auto all = entries();
  EXPECT_EQ(all.size(), 7u);
  EXPECT_EQ(std::ranges::count_if(all, [](const auto& e) { return e.at("title") == "Copy"; }), 1);
}

TEST_F(ContentTest, a_new_owner_has_a_name) {
  {
    auto tx = store->begin(kAcme, Deadline::after(clock, 10s)).value();
    put(*tx, "user", "005A", R"({"name":"Kim Lee"})");
    model::FieldChange change;
    change.shard = {"opportunity", "files", "O1"};
    change.field = "ownerId";
    change.old_value = "005X";
    change.new_value = "005A";
    change.effective_at = change.recorded_at = clock.now();
    EXPECT_TRUE(tx->add_changes({&change, 1}));
    EXPECT_TRUE(tx->commit());
  }
  const auto owner = entries().at(1);
  EXPECT_EQ(owner.at("type"), "owner");
  EXPECT_EQ(owner.at("from"), "005X");
  EXPECT_EQ(owner.at("to"), "Kim Lee");
}

TEST_F(ContentTest, a_timeline_in_pages_has_each_entry_once) {
  json::array together;
  std::string cursor;
  do {
    const auto page = run("deals.timeline", {{"id", deal.str()}, {"limit", "1"}, {"cursor", cursor}}).value();
    for (const auto& one : page.at("entries").as_array()) together.push_back(one);
    cursor = string_or(page.as_object(), "next");
  } while (!cursor.empty() && together.size() < 20);
  EXPECT_EQ(together, entries());
  EXPECT_EQ(run("deals.timeline", {{"id", deal.str()}, {"cursor", "x"}}).error().code, "invalid_cursor");
  EXPECT_EQ(run("deals.timeline", {{"id", mail.str()}}).error().code, "not_found");
}

TEST_F(ContentTest, a_shard_shows_what_it_is_attached_to_and_its_thread) {
  const auto one = run("shards.get", {{"id", mail.str()}}).value();
  EXPECT_EQ(one.at("data").at("linkedOpportunities"), only(deal));
  EXPECT_TRUE(one.at("data").at("linkedAccounts").as_array().empty());
  EXPECT_EQ(one.at("data").at("attachments").at(0).at("documentId"), text(document));
  EXPECT_EQ(one.at("links").at(0).at("to").at("name"), "Big");
  ASSERT_EQ(one.at("thread").as_array().size(), 2u);
  EXPECT_EQ(one.at("thread").at(0).at("from"), "Ada");
  EXPECT_EQ(one.at("thread").at(1).at("id"), text(reply));
  // A suggestion is no link yet, a rejected one none at all.
  const auto offer = run("shards.get", {{"id", document.str()}}).value();
  EXPECT_TRUE(offer.at("data").at("linkedOpportunities").as_array().empty());
  EXPECT_EQ(offer.at("links").at(0).at("status"), "suggested");
  EXPECT_TRUE(run("shards.get", {{"id", reply.str()}}).value().at("links").as_array().empty());
  const auto listed = run("shards", {{"type", "email"}}).value().at("items").at(0);
  EXPECT_EQ(listed.at("data").at("linkedOpportunities"), only(deal));
  EXPECT_FALSE(run("shards.get", {{"id", deal.str()}}).value().as_object().contains("links"));
}

TEST_F(ContentTest, a_link_shows_its_two_ends) {
  const auto items = run("links", {{"status", "suggested"}}).value().at("items");
  ASSERT_EQ(items.as_array().size(), 1u);
  const auto& one = items.at(0);
  EXPECT_EQ(one.at("from").at("id"), text(document));
  EXPECT_EQ(one.at("from").at("title"), "Offer");
  EXPECT_EQ(one.at("from").at("text"), "one two three");
  EXPECT_EQ(one.at("to"), json::value({{"id", text(deal)}, {"type", "opportunity"}, {"name", "Big"}}));
  EXPECT_EQ(one.at("evidence").at(0).at("start"), 4);
}

TEST(ContentJson, a_snippet_is_one_line_that_ends_between_letters) {
  EXPECT_EQ(snippet("  a\n\n b\tc "), "a b c");
  std::string umlauts;
  for (std::size_t i = 0; i < kSnippetBytes; ++i) umlauts += "ü";
  const auto cut = snippet(umlauts);
  EXPECT_LE(cut.size(), kSnippetBytes + 3);
  EXPECT_TRUE(cut.ends_with("ü…"));
}

}  // namespace
}  // namespace castiel::api
