// Strategies, bands, merging, and the stage on a store of its own.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "content/name_key.hpp"
#include "linking/link_handler.hpp"
#include "linking/relationships.hpp"
#include "linking/review.hpp"
#include "linking/strategies.hpp"
#include "messaging/consumer.hpp"
#include "messaging/embedded/embedded_broker.hpp"
#include "model/event_types.hpp"
#include "storage/sqlite/sqlite_store.hpp"

namespace castiel::linking {
namespace {

using namespace std::chrono_literals;
namespace event = model::event;
namespace queue = model::queue;

const Timestamp kNow = parse_timestamp("2026-05-10T09:00:00Z").value();

// Takes events without doing anything: a queue that can lag behind.
class IdleHandler final : public messaging::Handler {
 public:
  Result<std::unique_ptr<messaging::Plan>> prepare(const storage::Reader&,
                                                   std::span<const messaging::Incoming>) override {
    struct Idle final : messaging::Plan {
      Result<> apply(messaging::Step&) override { return {}; }
      std::span<const messaging::RecordFailure> failures() const override { return {}; }
      std::string summary() const override { return "nothing"; }
    };
    return std::make_unique<Idle>();
  }
};

// A tenant with two accounts: Northwind (deal "Northwind Renewal", contact Ada in its role) and Globex (two
// deals, contact Bob). Our side is example.test.
struct LinkingTest : testing::Test {
  std::string folder = [] {
    std::string pattern = (std::filesystem::temp_directory_path() / "castiel-XXXXXX").string();
    return std::string(mkdtemp(pattern.data()));
  }();
  ManualClock clock{kNow};
  SeededRandom random{1};
  IdGenerator ids{clock, random};
  std::unique_ptr<messaging::SchemaRegistry> schemas =
      messaging::SchemaRegistry::create(messaging::builtin_schemas()).value();
  messaging::Publisher publisher{*schemas, clock, ids};
  std::unique_ptr<storage::SqliteStore> store;
  std::unique_ptr<messaging::EmbeddedBroker> broker;
  LinkHandler handler{clock, ids,
                      [](const storage::Reader&) { return std::vector<std::string>{"example.test"}; }};
  IdleHandler idle;
  std::vector<std::unique_ptr<messaging::Consumer>> consumers;
  TenantId tenant{"acme"};
  std::map<std::string, ShardId> shard_ids;  // by "type/external id"

  void SetUp() override {
    storage::SqliteStore::Options options;
    options.path = folder + "/castiel.db";
    options.sync = false;
    store = storage::SqliteStore::open(options, clock).value();
    broker = messaging::EmbeddedBroker::create(*store, clock).value();
    consume(queue::kEntityLinking, LinkHandler::patterns(), handler);
    ASSERT_TRUE(store->create_tenant(tenant, Deadline::after(clock, 5s)));
    record("user", "u1", {{"name", "Kim Own"}, {"email", "kim@example.test"}}, {},
           {{"user:email", "kim@example.test"}});
    record("account", "a1", {{"name", "Northwind Traders"}, {"domain", "northwind.test"}});
    record("account", "a2", {{"name", "Globex Inc"}, {"website", "https://www.globex.test/home"}});
    record("contact", "c1", {{"name", "Ada Byron"}, {"email", "ada@northwind.test"}},
           {{"account", "account", "a1"}},
           {{"contact:email", "ada@northwind.test"}, {"contact:name", "adabyron"}});
    record("contact", "c2", {{"name", "Bob Stone"}, {"email", "bob@globex.test"}},
           {{"account", "account", "a2"}},
           {{"contact:email", "bob@globex.test"}, {"contact:name", "bobstone"}});
    deal("006000000A1", "Northwind Renewal", "a1", "12500");
    deal("006000000B1", "Globex Expansion", "a2", "80000");
    deal("006000000B2", "Globex Support Plan", "a2", "7300");
    record("contact_role", "r1", {{"role", "Decision Maker"}},
           {{"opportunity", "opportunity", "006000000A1"}, {"contact", "contact", "c1"}});
  }
  void TearDown() override {
    consumers.clear();
    broker.reset();
    store.reset();
    std::filesystem::remove_all(folder);
  }

  void consume(std::string_view name, std::vector<std::string> patterns, messaging::Handler& with) {
    messaging::ConsumerOptions options;
    options.queue = {std::string(name), std::move(patterns), 5};
    consumers.push_back(std::make_unique<messaging::Consumer>(
        messaging::ConsumerParts{
            store.get(), broker.get(), schemas.get(), &publisher, &clock, &random, &ids, {}},
        options, with));
    ASSERT_TRUE(consumers.back()->declare());
  }
  std::unique_ptr<storage::Transaction> begin() {
    return store->begin(tenant, Deadline::after(clock, 5s)).value();
  }
  std::unique_ptr<storage::Reader> reader() { return store->read(tenant).value(); }

  struct To {
    std::string role, type, id;
  };
  void record(const std::string& type, const std::string& external, json::object data,
              std::vector<To> relations = {}, std::vector<std::pair<std::string, std::string>> aliases = {},
              std::string_view say = {}) {
    auto tx = begin();
    const model::ShardKey key{type, "files", external};
    const auto before = tx->shard(key).value();
    storage::ShardWrite write;
    write.shard.key = key;
    write.shard.id = before ? before->id : ShardId(ids.next());
    write.expected_version = before ? before->version : 0;
    write.shard.version = write.expected_version + 1;
    write.shard.data = json::serialize(data);
    write.shard.origin = "{}";
    write.shard.source_version = clock.now();
    shard_ids[type + "/" + external] = write.shard.id;
    ASSERT_TRUE(tx->put_shards({{write}}));
    std::vector<storage::Relation> list;
    for (const auto& to : relations)
      list.push_back({write.shard.id, to.role, 0, "files", to.type + ":id", to.id, to.id, {}, {}});
    ASSERT_TRUE(tx->put_relations(list));
    for (const auto& [kind, name] : aliases)
      ASSERT_TRUE(tx->put_aliases({{storage::Alias{kind, name, "files", write.shard.id}}}));
    if (!say.empty()) {
      json::object said{{"key", external}, {"id", write.shard.id.str()}, {"type", type}};
      if (say.starts_with("shard.")) {
        said["externalId"] = external;
        said["version"] = write.shard.version;
      } else {
        for (const char* member : {"emailId", "messageId", "documentId", "meetingId", "eventId"})
          said[member] = external;
        said["sentiment"] = 0.0;
        said["extractedText"] = "";
        said["transcript"] = said["analysis"] = json::object();
        for (const char* member : {"actionItems", "linkedOpportunities", "linkedContacts", "topics",
                                   "entities", "recommendations"})
          said[member] = json::array();
      }
      const auto done = publisher.publish(
          *tx, "test", {CorrelationId("flow"), ""},
          {say, "", json::object{{"integrationId", "files"}, {"records", {std::move(said)}}}, 0, 1});
      ASSERT_TRUE(done) << done.error().describe();
    }
    ASSERT_TRUE(tx->commit());
  }
  void deal(const std::string& id, const std::string& name, const std::string& account,
            const std::string& amount, std::string_view say = {}) {
    record("opportunity", id,
           {{"name", name},
            {"status", "open"},
            {"amount", amount},
            {"createdDate", "2026-03-01"},
            {"closeDate", "2026-09-30"}},
           {{"account", "account", account}, {"owner", "user", "u1"}}, {}, say);
  }
  void mail(const std::string& id, const std::string& from, std::vector<std::string> to,
            const std::string& subject, const std::string& body, const std::string& thread = "",
            const std::string& mail_class = "person") {
    json::array list;
    for (const auto& address : to) list.push_back({{"email", address}, {"name", ""}});
    record("email", id,
           {{"messageId", id},
            {"threadId", thread.empty() ? id : thread},
            {"from", {{"email", from}, {"name", ""}}},
            {"to", std::move(list)},
            {"subject", subject},
            {"bodyPlainText", body},
            {"class", mail_class},
            {"sentAt", "2026-05-04T10:00:00Z"}},
           {}, {}, event::kEmailProcessed);
  }
  void settle() {
    for (int i = 0; i < 1'000; ++i) {
      bool any = false;
      for (auto& consumer : consumers) {
        const auto stepped = consumer->step(Deadline::after(clock, 0s));
        ASSERT_TRUE(stepped) << stepped.error().describe();
        any = any || *stepped;
      }
      if (any) continue;
      const auto due = broker->next_due();
      if (!due) return;
      clock.advance(std::max(Duration(1), *due - clock.now()));
    }
    ADD_FAILURE() << "never idle";
  }
  ShardId id(const std::string& name) { return shard_ids.at(name); }
  std::optional<storage::Link> link(const std::string& from, const std::string& to) {
    for (const char* status : {"", "ignored"}) {
      storage::LinkQuery query;
      query.from = id(from);
      query.to = id(to);
      query.status = status;
      auto found = reader()->links(query).value();
      if (!found.empty()) return found.front();
    }
    return std::nullopt;
  }
  std::string said(const std::string& from, const std::string& to) {
    const auto l = link(from, to);
    return l ? l->strategy + " " + l->status : "none";
  }
  linking::Reviewer reviewer() {
    auto own = tenancy::OwnPeople::load(*reader(), std::vector<std::string>{"example.test"}).value();
    return {&publisher, &ids, &clock, "kim", std::move(own)};
  }
};

TEST_F(LinkingTest, a_contact_with_a_role_on_one_open_deal_is_attached_with_its_account) {
  mail("m1", "ada@northwind.test", {"kim@example.test"}, "Hello", "When can we talk?");
  settle();
  const auto found = link("email/m1", "opportunity/006000000A1");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->strategy, "participant");
  EXPECT_EQ(found->status, "attached");
  EXPECT_GE(found->confidence, 90);
  EXPECT_LT(found->confidence, 100);
  EXPECT_NE(found->reason.find("ada@northwind.test"), std::string::npos);
  EXPECT_EQ(said("email/m1", "contact/c1"), "participant attached");
  EXPECT_EQ(said("email/m1", "account/a1"), "participant attached");
}

TEST_F(LinkingTest, several_open_deals_are_suggested_or_left_until_the_text_tells) {
  mail("m1", "bob@globex.test", {"someone@example.test"}, "Hello", "When can we talk?");
  settle();
  EXPECT_EQ(said("email/m1", "opportunity/006000000B1"), "participant suggested");
  EXPECT_EQ(said("email/m1", "opportunity/006000000B2"), "participant suggested");
  mail("m2", "bob@globex.test", {"someone@example.test"}, "Globex Support Plan", "The 7,300 are fine.");
  settle();
  EXPECT_EQ(link("email/m2", "opportunity/006000000B2")->status, "attached");
  EXPECT_EQ(link("email/m2", "opportunity/006000000B1")->status, "suggested");
}

// COMM-2: what a channel is for, by what people call the customer.
TEST_F(LinkingTest, a_customers_channel_links_to_its_deal) {
  record("account", "a9", {{"name", "Nordkai Terminal GmbH"}, {"domain", "nordkai-terminal.test"}});
  deal("006000000N1", "Crane gearboxes", "a9", "9000");
  const auto message = [&](const std::string& id, const std::string& channel, const std::string& text) {
    record("message", id,
           {{"messageId", id},
            {"from", {{"email", "kim@example.test"}, {"name", "Kim"}}},
            {"bodyPlainText", text},
            {"channel", {{"id", channel}, {"name", channel}, {"type", "channel"}}},
            {"sentAt", "2026-05-04T10:00:00Z"}},
           {}, {}, event::kMessageProcessed);
  };
  message("m1", "deal-nordkai", "They want it in June.");
  message("m2", "customer-nordkai", "They want it in June.");
  message("m3", "general", "Who speaks to Nordkai this week?");
  message("m4", "general", "The terminal is down again.");
  settle();
  EXPECT_EQ(said("message/m1", "opportunity/006000000N1"), "explicit attached");
  EXPECT_EQ(said("message/m1", "account/a9"), "explicit attached");
  EXPECT_EQ(said("message/m2", "account/a9"), "explicit attached");
  EXPECT_EQ(said("message/m2", "opportunity/006000000N1"), "content suggested");
  EXPECT_EQ(said("message/m3", "opportunity/006000000N1"), "content suggested");
  EXPECT_EQ(said("message/m4", "account/a9"), "none");
}

// One person, known to two sources with a deal in each: neither deal is the only one.
TEST_F(LinkingTest, roles_of_one_person_in_several_sources_count_together) {
  record("account", "a9", {{"name", "Nordkai Terminal GmbH"}});
  for (const std::string n : {"1", "2"}) {
    record("contact", "c9" + n, {{"name", "Zoe Lund"}}, {{"account", "account", "a9"}},
           {{"contact:email", "zoe@nordkai.test"}});
    record("opportunity", "006000000N" + n,
           {{"name", "Cranes " + n},
            {"status", "open"},
            {"createdDate", "2026-03-01"},
            {"closeDate", "2026-12-30"}},
           {{"account", "account", "a9"}, {"contact", "contact", "c9" + n}});
  }
  mail("m1", "zoe@nordkai.test", {"someone@example.test"}, "Your offer", "When can we talk?");
  settle();
  EXPECT_EQ(said("email/m1", "opportunity/006000000N1"), "participant suggested");
  EXPECT_EQ(said("email/m1", "opportunity/006000000N2"), "participant suggested");
}

TEST_F(LinkingTest, explicit_references_are_attached_at_100) {
  mail("m1", "x@else.test", {"kim@example.test"}, "See",
       "It is at https://crm.test/o/006000000B1/view today");
  mail("m2", "x@else.test", {"kim@example.test"}, "See", "cc @Globex Support Plan");
  mail("m3", "x@else.test", {"deals+006000000A1@example.test"}, "See", "fine");
  mail("m4", "x@else.test", {"kim@example.test"}, "See", "order x006000000B1y is another number");
  settle();
  EXPECT_EQ(link("email/m1", "opportunity/006000000B1")->confidence, 100);
  EXPECT_EQ(said("email/m2", "opportunity/006000000B2"), "explicit attached");
  EXPECT_EQ(said("email/m3", "opportunity/006000000A1"), "explicit attached");
  EXPECT_EQ(said("email/m4", "opportunity/006000000B1"), "none");
  const auto evidence = parse_json(link("email/m1", "opportunity/006000000B1")->evidence).value().as_array();
  EXPECT_EQ(string_or(evidence.at(0).as_object(), "text"), "006000000B1");
  EXPECT_EQ(int_or(evidence.at(0).as_object(), "start", 0), 28);
}

TEST_F(LinkingTest, a_deal_in_an_events_title_is_explicit_and_in_a_subject_it_is_not) {
  record("event", "e1", {{"title", "Globex Expansion: kick-off"}, {"startTime", "2026-05-04T10:00:00Z"}}, {},
         {}, event::kEventProcessed);
  mail("m1", "x@else.test", {"kim@example.test"}, "Globex Expansion: kick-off", "hello");
  settle();
  EXPECT_EQ(said("event/e1", "opportunity/006000000B1"), "explicit attached");
  EXPECT_EQ(said("email/m1", "opportunity/006000000B1"), "content suggested");
}

TEST_F(LinkingTest, a_domain_with_the_deals_owner_is_suggested) {
  mail("m1", "new@northwind.test", {"kim@example.test"}, "Hi", "Nice to meet you");
  settle();
  const auto found = link("email/m1", "opportunity/006000000A1");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->strategy, "participant");
  EXPECT_EQ(found->status, "suggested");
  EXPECT_EQ(said("email/m1", "account/a1"), "participant attached");
}

TEST_F(LinkingTest, marketing_and_spam_are_linked_by_explicit_references_only) {
  mail("m1", "ada@northwind.test", {"kim@example.test"}, "Sale", "Northwind Traders offers", "", "marketing");
  settle();
  EXPECT_EQ(said("email/m1", "opportunity/006000000A1"), "none");
  EXPECT_EQ(said("email/m1", "account/a1"), "none");
}

TEST_F(LinkingTest, contacts_named_in_a_text_are_suggested_with_their_deal) {
  mail("m1", "kim@example.test", {"lee@example.test"}, "Call",
       "I met Ada Byron at the fair; Bob Stone, too.");
  settle();
  EXPECT_EQ(said("email/m1", "contact/c1"), "content suggested");
  EXPECT_EQ(said("email/m1", "account/a1"), "content suggested");
  EXPECT_EQ(said("email/m1", "opportunity/006000000A1"), "content suggested");
  const auto found = link("email/m1", "contact/c1");
  EXPECT_NE(found->evidence.find(R"("text":"Ada Byron","start":6,"end":15)"), std::string::npos)
      << found->evidence;
  // His company has two deals open, and nothing tells which.
  EXPECT_EQ(said("email/m1", "contact/c2"), "content suggested");
  EXPECT_EQ(said("email/m1", "opportunity/006000000B1"), "temporal ignored");
}

TEST_F(LinkingTest, who_takes_part_is_not_named_once_more_and_a_first_name_is_nobody) {
  mail("m1", "bob@globex.test", {"kim@example.test"}, "Hello", "Regards, Bob Stone. Ada says hello.");
  settle();
  EXPECT_EQ(link("email/m1", "contact/c2")->reason, "bob@globex.test takes part");
  EXPECT_EQ(said("email/m1", "contact/c1"), "none");
}

TEST_F(LinkingTest, a_name_that_two_people_have_is_nobodys) {
  record("contact", "c3", {{"name", "Ada Byron"}, {"email", "ada.byron@globex.test"}},
         {{"account", "account", "a2"}});
  mail("m1", "kim@example.test", {"lee@example.test"}, "Call", "I met Ada Byron at the fair.");
  settle();
  EXPECT_EQ(said("email/m1", "contact/c1"), "none");
  EXPECT_EQ(said("email/m1", "contact/c3"), "none");
}

TEST_F(LinkingTest, a_bounce_and_an_automatic_answer_are_about_the_mail_they_answer) {
  const auto answer = [&](const std::string& id, const std::string& mail_class) {
    record("email", id,
           {{"messageId", id},
            {"threadId", id},
            {"parentMessageId", "m1"},
            {"from", {{"email", "daemon@mail.test"}, {"name", ""}}},
            {"to", {{{"email", "kim@example.test"}, {"name", ""}}}},
            {"subject", "Undelivered"},
            {"bodyPlainText", "Globex Inc cannot deliver"},
            {"class", mail_class},
            {"sentAt", "2026-05-04T10:01:00Z"}},
           {}, {}, event::kEmailProcessed);
  };
  answer("m2", "bounce");
  settle();
  EXPECT_EQ(said("email/m2", "opportunity/006000000A1"), "none");
  mail("m1", "kim@example.test", {"ada@northwind.test"}, "Hello", "When can we talk?");
  settle();
  EXPECT_EQ(said("email/m2", "opportunity/006000000A1"), "participant attached");
  EXPECT_NE(link("email/m2", "opportunity/006000000A1")->reason.find("answers a mail"), std::string::npos);
  EXPECT_EQ(said("email/m2", "contact/c1"), "participant attached");
  EXPECT_EQ(said("email/m2", "account/a2"), "none");  // its words are a machine's
  answer("m3", "auto_reply");
  answer("m4", "person");
  settle();
  EXPECT_EQ(said("email/m3", "opportunity/006000000A1"), "participant attached");
  EXPECT_EQ(said("email/m4", "opportunity/006000000A1"), "none");
}

TEST_F(LinkingTest, a_word_that_begins_sentences_is_no_short_name) {
  record("account", "a3", {{"name", "Great Lakes Bearing LLC"}});
  record("account", "a4", {{"name", "Halvorsen Bearing LLC"}});
  mail("m1", "kim@example.test", {"lee@example.test"}, "Call", "Great. Then I call Halvorsen.");
  settle();
  EXPECT_EQ(said("email/m1", "account/a3"), "none");
  EXPECT_EQ(said("email/m1", "account/a4"), "content suggested");
}

TEST_F(LinkingTest, a_thread_follows_an_explicit_link_whichever_comes_first) {
  mail("m1", "x@else.test", {"kim@example.test"}, "Question", "How are you?", "t");
  settle();
  EXPECT_EQ(said("email/m1", "opportunity/006000000B1"), "none");
  mail("m2", "x@else.test", {"kim@example.test"}, "Re: Question", "About 006000000B1", "t");
  settle();
  EXPECT_EQ(said("email/m1", "opportunity/006000000B1"), "explicit attached");
  mail("m3", "x@else.test", {"kim@example.test"}, "Re: Question", "Thanks", "t");
  settle();
  EXPECT_EQ(said("email/m3", "opportunity/006000000B1"), "explicit attached");
}

TEST_F(LinkingTest, attachments_follow_their_mail) {
  record("document", "m1/1",
         {{"title", "offer.pdf"},
          {"extractedText", "Our offer"},
          {"parent", {{"type", "email"}, {"externalId", "m1"}}}},
         {}, {}, event::kDocumentProcessed);
  settle();
  mail("m1", "ada@northwind.test", {"kim@example.test"}, "Offer", "attached");
  settle();
  EXPECT_EQ(link("document/m1/1", "opportunity/006000000A1")->status, "attached");
}

TEST_F(LinkingTest, attachments_follow_what_their_mail_takes_over_from_its_thread) {
  record("document", "m1/1",
         {{"title", "notes.pdf"},
          {"extractedText", "Notes"},
          {"parent", {{"type", "email"}, {"externalId", "m1"}}}},
         {}, {}, event::kDocumentProcessed);
  settle();
  // Linked together, the mail with the attachment before the one that names the deal.
  mail("m1", "x@else.test", {"kim@example.test"}, "Question", "How are you?", "t");
  mail("m2", "x@else.test", {"kim@example.test"}, "Re: Question", "About 006000000B1", "t");
  settle();
  EXPECT_EQ(said("email/m1", "opportunity/006000000B1"), "explicit attached");
  EXPECT_EQ(said("document/m1/1", "opportunity/006000000B1"), "explicit attached");
}

TEST_F(LinkingTest, an_activity_is_left_once_for_each_attached_link) {
  mail("m1", "ada@northwind.test", {"kim@example.test"}, "Hello", "When can we talk?");
  settle();
  mail("m1", "ada@northwind.test", {"kim@example.test"}, "Hello", "When can we talk?");
  settle();
  storage::ShardQuery query;
  query.type = "activity";
  const auto activities = reader()->shards(query).value();
  EXPECT_EQ(activities.size(), 3u);
  for (const auto& a : activities) {
    EXPECT_EQ(a.version, 1);
    const auto data = parse_json(a.data).value().as_object();
    EXPECT_EQ(string_or(data, "activityType"), "email");
    EXPECT_EQ(string_or(data, "direction"), "inbound");
    EXPECT_EQ(string_or(data, "occurredAt"), "2026-05-04T10:00:00Z");
  }
}

TEST_F(LinkingTest, a_contact_that_comes_later_links_what_is_there) {
  mail("m1", "new@northwind.test", {"someone@example.test"}, "Hi", "Nice to meet you");
  settle();
  EXPECT_EQ(link("email/m1", "opportunity/006000000A1")->status, "suggested");
  record("contact", "c9", {{"name", "New Person"}, {"email", "new@northwind.test"}},
         {{"account", "account", "a1"}}, {{"contact:email", "new@northwind.test"}}, event::kShardCreated);
  settle();
  EXPECT_EQ(said("email/m1", "contact/c9"), "participant attached");
  EXPECT_EQ(said("email/m1", "opportunity/006000000A1"), "participant attached");
}

TEST_F(LinkingTest, a_deal_that_comes_later_is_found_by_its_name_once_the_index_has_caught_up) {
  consume(queue::kSearchIndex, {"test.never"}, idle);
  mail("m1", "x@else.test", {"kim@example.test"}, "Hi", "What about @Umbrella Rollout?");
  settle();
  // The index has a message from before the deal.
  auto tx = begin();
  ASSERT_TRUE(tx->publish("test", {"late", "test.never", CorrelationId("flow"), 0, 1, "{}"}));
  ASSERT_TRUE(tx->commit());
  clock.advance(1s);
  deal("006000000C1", "Umbrella Rollout", "a2", "100", event::kShardCreated);
  ASSERT_TRUE(consumers[0]->step(Deadline::after(clock, 0s)));
  EXPECT_EQ(said("email/m1", "opportunity/006000000C1"), "none") << "it waits for the index";
  tx = begin();
  storage::SearchChunk chunk;
  chunk.shard = id("email/m1");
  chunk.type = "email";
  chunk.text = "What about @Umbrella Rollout?";
  ASSERT_TRUE(tx->put_chunks(chunk.shard, {{chunk}}));
  ASSERT_TRUE(tx->commit());
  settle();
  EXPECT_EQ(said("email/m1", "opportunity/006000000C1"), "explicit attached");
}

TEST_F(LinkingTest, many_records_that_come_later_are_found_by_their_names) {
  consume(queue::kSearchIndex, {std::string(event::kShardCreated)}, idle);
  mail("m1", "x@else.test", {"kim@example.test"}, "Hi", "What about Tower 17 and Carla Diaz?");
  auto tx = begin();
  ASSERT_TRUE(tx->put_chunks(id("email/m1"), {{{id("email/m1"), "email", 0, kNow, "{}", "Hi",
                                                "What about Tower 17 and Carla Diaz?"}}}));
  ASSERT_TRUE(tx->commit());
  settle();
  for (int i = 0; i < 70; ++i)
    deal("0060000X" + std::to_string(i), "Tower " + std::to_string(i), "a2", "1", event::kShardCreated);
  record("contact", "c7", {{"name", "Carla Diaz"}, {"email", "carla@globex.test"}},
         {{"account", "account", "a2"}}, {}, event::kShardCreated);
  settle();
  EXPECT_EQ(said("email/m1", "opportunity/0060000X17"), "content suggested");
  EXPECT_EQ(said("email/m1", "opportunity/0060000X18"), "temporal ignored");  // by its account alone
  EXPECT_EQ(said("email/m1", "contact/c7"), "content suggested");
}

TEST_F(LinkingTest, what_a_person_decided_stays) {
  mail("m1", "ada@northwind.test", {"kim@example.test"}, "Hello", "When can we talk?");
  settle();
  const auto wrong = link("email/m1", "opportunity/006000000A1").value();
  auto tx = begin();
  const auto right = retarget(*tx, reviewer(), wrong.id, id("opportunity/006000000B1"));
  ASSERT_TRUE(right) << right.error().describe();
  ASSERT_TRUE(tx->commit());
  mail("m1", "ada@northwind.test", {"kim@example.test"}, "Hello again", "When can we talk?");
  settle();
  EXPECT_EQ(link("email/m1", "opportunity/006000000A1")->status, "rejected");
  EXPECT_EQ(said("email/m1", "opportunity/006000000B1"), "user attached");
  EXPECT_EQ(reader()->link_feedback().value().at(0).rejected, 1);
  EXPECT_EQ(reader()->audit(1).value().at(0).action, "link.retarget");
}

TEST_F(LinkingTest, a_persons_decision_speaks_for_the_thread) {
  mail("m1", "bob@globex.test", {"someone@example.test"}, "Q", "hello", "t");
  mail("m2", "bob@globex.test", {"someone@example.test"}, "Re: Q", "hello", "t");
  settle();
  auto tx = begin();
  ASSERT_TRUE(approve(*tx, reviewer(), link("email/m1", "opportunity/006000000B1")->id));
  ASSERT_TRUE(tx->commit());
  settle();
  EXPECT_EQ(said("email/m2", "opportunity/006000000B1"), "explicit attached");
  tx = begin();
  ASSERT_TRUE(reject(*tx, reviewer(), link("email/m1", "opportunity/006000000B1")->id));
  ASSERT_TRUE(tx->commit());
  settle();
  EXPECT_NE(said("email/m2", "opportunity/006000000B1"), "explicit attached");
}

TEST_F(LinkingTest, people_of_a_deal_have_their_ties_and_strangers_are_found) {
  mail("m1", "ada@northwind.test", {"kim@example.test"}, "Hello", "hi");
  mail("m2", "kim@example.test", {"ada@northwind.test", "new@northwind.test"}, "Re: Hello", "hi");
  settle();
  const auto people = people_of_deal(*reader(), id("opportunity/006000000A1"), clock.now()).value();
  ASSERT_EQ(people.size(), 2u);
  EXPECT_EQ(people[0].contact, id("contact/c1"));
  EXPECT_EQ(people[0].role, "Decision Maker");
  EXPECT_GT(people[0].strength.score, people[1].strength.score);
  EXPECT_FALSE(people[0].strength.one_way);
  EXPECT_EQ(people[1].email, "new@northwind.test");
  EXPECT_TRUE(people[1].strength.one_way);

  const auto own = tenancy::OwnPeople::load(*reader(), {}).value();
  const auto both = people_of_deal(*reader(), id("opportunity/006000000A1"), clock.now(), {}, &own).value();
  ASSERT_EQ(both.size(), 3u);
  const auto kim = std::ranges::find(both, "kim@example.test", &DealPerson::email);
  ASSERT_NE(kim, both.end());
  EXPECT_TRUE(kim->own);
  EXPECT_EQ(kim->name, "Kim Own");
  EXPECT_EQ(kim->mentions, 2);
  EXPECT_EQ(kim->strength.inbound, 1);
  EXPECT_EQ(kim->strength.outbound, 1);
}

TEST_F(LinkingTest, somebody_whom_two_sources_know_is_one_of_the_deals_people) {
  record("contact", "c9", {{"name", "Ada Byron"}, {"email", "Ada@northwind.test"}},
         {{"account", "account", "a1"}}, {{"contact:email", "ada@northwind.test"}});
  mail("m1", "ada@northwind.test", {"kim@example.test"}, "Hello", "hi");
  settle();
  for (const char* contact : {"c1", "c9"}) {
    record("contact_role", "r1", {{"role", "Decision Maker"}},
           {{"opportunity", "opportunity", "006000000A1"}, {"contact", "contact", contact}});
    const auto people = people_of_deal(*reader(), id("opportunity/006000000A1"), clock.now()).value();
    ASSERT_EQ(people.size(), 1u);
    EXPECT_EQ(people[0].contact, id(std::string("contact/") + contact));
    EXPECT_EQ(people[0].role, "Decision Maker");
    EXPECT_EQ(people[0].mentions, 1);
  }
}

// --- bands ---

Signal signal(std::string to, std::string_view by, double confidence) {
  return {ShardId(std::move(to)), "opportunity", std::string(by), confidence, "because", {}, false};
}

TEST(Decide, attaches_explicit_or_the_only_one_over_80) {
  EXPECT_EQ(decide({signal("d", "participant", 85)}, {}).at(0).status, "attached");
  EXPECT_EQ(decide({signal("d", "participant", 80)}, {}).at(0).status, "suggested");
  EXPECT_EQ(decide({signal("d", "content", 60)}, {}).at(0).status, "suggested");
  EXPECT_EQ(decide({signal("d", "temporal", 59)}, {}).at(0).status, "ignored");
  const auto two = decide({signal("d", "participant", 85), signal("e", "participant", 90)}, {});
  EXPECT_EQ(two.at(0).status, "suggested");
  EXPECT_EQ(two.at(1).status, "suggested");
  EXPECT_EQ(decide({signal("d", "explicit", 100), signal("e", "explicit", 100)}, {}).at(1).status,
            "attached");
}

RC_GTEST_PROP(Decide, more_reasons_never_lower_a_target_and_reach_100_only_explicitly, ()) {
  const auto strategies = std::vector<std::string>{"participant", "content", "temporal", "vector"};
  std::vector<Signal> signals;
  const auto n = *rc::gen::inRange(1, 6);
  for (int i = 0; i < n; ++i)
    signals.push_back(signal(*rc::gen::elementOf(std::vector<std::string>{"a", "b"}),
                             *rc::gen::elementOf(strategies), *rc::gen::inRange(0, 91)));
  const auto find = [](const std::vector<Decided>& all, const ShardId& to) {
    for (const auto& d : all)
      if (d.to == to) return d.confidence;
    return 0;
  };
  const auto all = decide(signals, {});
  for (const auto& d : all) {
    RC_ASSERT(d.confidence < 100);
    RC_ASSERT(d.status != "attached" || d.confidence > 80);
  }
  auto fewer = signals;
  const auto gone = fewer.back().to;
  fewer.pop_back();
  RC_ASSERT(find(decide(fewer, {}), gone) <= find(all, gone));
  std::reverse(signals.begin(), signals.end());
  for (const auto& d : decide(signals, {})) RC_ASSERT(find(all, d.to) == d.confidence);
}

TEST(Decide, feedback_moves_a_strategy_inside_its_band) {
  Feedback feedback;
  feedback["participant"] = {"participant", 0, 30};
  feedback["content"] = {"content", 50, 0};
  EXPECT_EQ(calibrated("participant", 90, feedback), 80);
  EXPECT_EQ(calibrated("content", 70, feedback), 80);
  EXPECT_EQ(calibrated("explicit", 100, feedback), 100);
  EXPECT_EQ(calibrated("participant", 50, feedback), std::clamp(50.0 * 10 / 40, 50.0, 90.0));
}

// --- names ---

TEST(Gazetteer, finds_whole_words_in_any_spelling) {
  Gazetteer names;
  names.add("Müller & Söhne GmbH", {"account", ShardId("1")});
  names.add("GTX Pro", {"product", ShardId("2")});
  names.add("Can", {"account", ShardId("3")});
  EXPECT_EQ(names.find("the muller sohne offer").size(), 1u);
  EXPECT_EQ(names.find("a gtx-pro and a GTXPro").size(), 2u);
  EXPECT_TRUE(names.find("GTX Professional").empty());
  EXPECT_TRUE(names.find("we can do it").empty()) << "a common word needs its capital";
  EXPECT_EQ(names.find("Can sent it").size(), 1u);
  const auto mention = names.find("Grüße, Müller & Söhne").at(0);
  EXPECT_EQ(mention.start, 7u);
  EXPECT_EQ(mention.end, 21u);
}

RC_GTEST_PROP(Gazetteer, every_name_is_found_in_a_text_around_it, (const std::vector<std::string>& before)) {
  Gazetteer names;
  names.add("Initech Systems", {"account", ShardId("1")});
  std::string text;
  for (const auto& part : before) text += part + " ";
  text += ". Initech Systems";
  bool found = false;
  for (const auto& m : names.find(text)) found = found || m.text == "Initech Systems";
  RC_ASSERT(found);
}

// --- strength ---

storage::Interaction tie(int days_ago, std::string type, std::string direction, int size = 1) {
  return {"a@x.test",
          kNow - std::chrono::hours(24 * days_ago),
          ShardId("m" + std::to_string(days_ago)),
          "",
          std::move(type),
          std::move(direction),
          size};
}

TEST(Strength, halves_after_its_half_life_and_is_nothing_for_machines) {
  const std::vector<storage::Interaction> one{tie(0, "meeting", "both")};
  const double rate = strength_of(one, kNow).rate;
  EXPECT_DOUBLE_EQ(rate, 4);
  const auto later = strength_of(one, kNow + std::chrono::hours(24 * 30));
  EXPECT_NEAR(later.rate, rate / 2, 0.1) << "the half-life has grown a little with the history";
  EXPECT_EQ(strength_of(std::vector{tie(1, "automatic", "inbound")}, kNow).score, 0);
}

TEST(Strength, of_a_tie_nobody_answers_stays_low) {
  std::vector<storage::Interaction> mails;
  for (int i = 0; i < 60; ++i) mails.push_back(tie(i, "mail", "outbound"));
  EXPECT_LE(strength_of(mails, kNow).score, 15);
  mails.push_back(tie(1, "mail", "inbound"));
  EXPECT_GT(strength_of(mails, kNow).score, 50);
}

RC_GTEST_PROP(Strength, grows_with_each_answered_interaction, ()) {
  std::vector<storage::Interaction> ties{tie(400, "mail", "inbound"), tie(400, "mail", "outbound")};
  double last = strength_of(ties, kNow).score;
  const auto n = *rc::gen::inRange(1, 20);
  for (int i = 0; i < n; ++i) {
    ties.push_back(tie(*rc::gen::inRange(0, 399),
                       *rc::gen::elementOf(std::vector<std::string>{"mail", "chat", "meeting", "call"}),
                       *rc::gen::elementOf(std::vector<std::string>{"inbound", "outbound"}),
                       *rc::gen::inRange(1, 9)));
    const double now = strength_of(ties, kNow).score;
    RC_ASSERT(now >= last);
    RC_ASSERT(now <= 100);
    last = now;
  }
}

}  // namespace
}  // namespace castiel::linking
