// Pieces of shards, what users type, the index and its answers.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "messaging/consumer.hpp"
#include "messaging/embedded/embedded_broker.hpp"
#include "model/event_types.hpp"
#include "search/chunks.hpp"
#include "search/index_handler.hpp"
#include "search/query.hpp"
#include "storage/sqlite/sqlite_store.hpp"

namespace castiel::search {
namespace {

using namespace std::chrono_literals;

model::Shard shard(std::string type, json::object data) {
  model::Shard s;
  s.id = ShardId("s1");
  s.key = {std::move(type), "files", "x1"};
  s.version = 1;
  s.origin = "{}";
  s.data = json::serialize(data);
  return s;
}

std::vector<std::string> texts_of(std::string_view query) {
  std::vector<std::string> out;
  for (const auto& term : parse_query(query)) out.push_back(term.text + (term.prefix ? "*" : ""));
  return out;
}

TEST(ParseQuery, knows_words_phrases_and_beginnings) {
  using Texts = std::vector<std::string>;
  EXPECT_EQ(texts_of("what is the renewal discount"), (Texts{"renewal", "discount"}));
  EXPECT_EQ(texts_of("\"data processing\" agree*"), (Texts{"data processing", "agree*"}));
  EXPECT_EQ(texts_of("the who"), (Texts{"the", "who"})) << "of common words alone all count";
  EXPECT_EQ(texts_of("\"open"), (Texts{"open"}));
  EXPECT_TRUE(texts_of("*** !! \"\"").empty());
}

TEST(Chunks, of_a_document_are_its_pages) {
  const auto chunks = chunks_of(shard(
      "document", {{"title", "Plan"},
                   {"modifiedAt", "2026-02-03T04:05:06Z"},
                   {"pages", {{{"number", 1}, {"text", "first"}}, {{"number", 2}, {"text", "second"}}}}}));
  ASSERT_EQ(chunks.size(), 2u);
  EXPECT_EQ(chunks[1].locator, R"({"page":2,"start":0,"end":6})");
  EXPECT_EQ(chunks[1].title, "Plan");
  EXPECT_EQ(to_string(chunks[1].at), "2026-02-03T04:05:06Z");
}

TEST(Chunks, of_a_workbook_are_its_sheets) {
  json::object data{{"title", "Prices"},
                    {"date", "2026-09-08T00:00:00Z"},
                    {"modifiedAt", "2026-11-25T00:00:00Z"},
                    {"extractedText", "Summary\nOptions\t127,000\nOptions\nLines 3-4\na remark"},
                    {"sheets", parse_json(R"([{"name":"Summary"},{"name":"Options"}])").value()}};
  const auto sheets = chunks_of(shard("document", data));
  ASSERT_EQ(sheets.size(), 2u);
  EXPECT_EQ(sheets[0].text, "Summary\nOptions\t127,000\n");
  EXPECT_EQ(sheets[1].text, "Options\nLines 3-4\na remark");
  EXPECT_NE(sheets[1].locator.find(R"("sheet":"Options")"), std::string::npos);
  EXPECT_EQ(to_string(sheets[0].at), "2026-09-08T00:00:00Z");
  data["sheets"].get_array().push_back(json::object{{"name", "Another"}});
  EXPECT_EQ(chunks_of(shard("document", data)).size(), 1u) << "no text is lost";
}

TEST(Chunks, of_a_task_are_of_the_day_it_was_said) {
  const auto task = chunks_of(shard("task", {{"title", "Send it"}, {"saidAt", "2026-10-14T00:00:00Z"}}));
  ASSERT_EQ(task.size(), 1u);
  EXPECT_EQ(to_string(task[0].at), "2026-10-14T00:00:00Z");
}

TEST(Chunks, of_a_meeting_are_stretches_with_their_minute) {
  json::array segments;
  for (int i = 0; i < 60; ++i)
    segments.push_back(
        {{"index", i}, {"speaker", "Kim"}, {"startTime", i * 30.0}, {"text", std::string(200, 'x')}});
  const auto chunks =
      chunks_of(shard("meeting", {{"title", "Call"}, {"transcript", {{"segments", std::move(segments)}}}}));
  ASSERT_GT(chunks.size(), 2u);
  const auto second = parse_json(chunks[1].locator).value().as_object();
  EXPECT_EQ(int_or(second, "segment", 0), 11);
  EXPECT_EQ(int_or(second, "minute", 0), 5);
}

RC_GTEST_PROP(Chunks, cover_a_text_without_gaps, ()) {
  const auto words = *rc::gen::container<std::vector<std::string>>(
      rc::gen::element<std::string>("word", "größe", ".", "\n\n", "a", "longer-word-here"));
  std::string text;
  for (int i = 0; i < 40; ++i)
    for (const auto& w : words) text += w + " ";
  std::string joined;
  std::int64_t end = 0;
  for (const auto& chunk : chunks_of(shard("email", {{"bodyPlainText", text}}))) {
    const auto where = parse_json(chunk.locator).value().as_object();
    RC_ASSERT(int_or(where, "start", -1) == end);
    end = int_or(where, "end", -1);
    RC_ASSERT(chunk.text.size() <= kChunkBytes);
    joined += chunk.text;
  }
  // Only white space at the end is no piece of its own.
  const bool whole = text.starts_with(joined) && text.find_first_not_of(" \n", joined.size()) == text.npos;
  RC_ASSERT(whole);
}

struct IndexTest : testing::Test {
  std::string folder = [] {
    std::string pattern = (std::filesystem::temp_directory_path() / "castiel-XXXXXX").string();
    return std::string(mkdtemp(pattern.data()));
  }();
  ManualClock clock{parse_timestamp("2026-05-10T09:00:00Z").value()};
  SeededRandom random{1};
  IdGenerator ids{clock, random};
  std::unique_ptr<messaging::SchemaRegistry> schemas =
      messaging::SchemaRegistry::create(messaging::builtin_schemas()).value();
  messaging::Publisher publisher{*schemas, clock, ids};
  std::unique_ptr<storage::SqliteStore> store;
  std::unique_ptr<messaging::EmbeddedBroker> broker;
  IndexHandler handler;
  std::unique_ptr<messaging::Consumer> consumer;
  TenantId acme{"acme"}, other{"other"};

  void SetUp() override {
    storage::SqliteStore::Options options;
    options.path = folder + "/castiel.db";
    options.sync = false;
    store = storage::SqliteStore::open(options, clock).value();
    broker = messaging::EmbeddedBroker::create(*store, clock).value();
    messaging::ConsumerOptions consumer_options;
    consumer_options.queue = {std::string(model::queue::kSearchIndex), IndexHandler::patterns(), 5};
    consumer = std::make_unique<messaging::Consumer>(
        messaging::ConsumerParts{
            store.get(), broker.get(), schemas.get(), &publisher, &clock, &random, &ids, {}},
        consumer_options, handler);
    ASSERT_TRUE(consumer->declare());
    for (const auto& tenant : {acme, other})
      ASSERT_TRUE(store->create_tenant(tenant, Deadline::after(clock, 5s)));
  }
  void TearDown() override {
    consumer.reset();
    broker.reset();
    store.reset();
    std::filesystem::remove_all(folder);
  }
  void put(const TenantId& tenant, model::Shard s, std::int64_t expected, std::string_view event) {
    auto tx = store->begin(tenant, Deadline::after(clock, 5s)).value();
    s.version = expected + 1;
    ASSERT_TRUE(tx->put_shards({{storage::ShardWrite{s, expected}}}));
    ASSERT_TRUE(publisher.publish(*tx, "test", {CorrelationId("c"), ""},
                                  {event, "",
                                   json::object{{"integrationId", "files"},
                                                {"records",
                                                 {{{"id", s.id.str()},
                                                   {"type", s.key.type},
                                                   {"externalId", s.key.external_id},
                                                   {"version", s.version}}}}},
                                   0, 1}));
    ASSERT_TRUE(tx->commit());
    while (consumer->step(Deadline::after(clock, 0s)).value()) {
    }
  }
  json::object find(const TenantId& tenant, std::string text) {
    Request request;
    request.text = std::move(text);
    return search(*store->read(tenant).value(), request).value();
  }
};

TEST_F(IndexTest, a_mail_is_found_with_its_place_until_it_is_deleted) {
  auto mail =
      shard("email",
            {{"subject", "Offer"}, {"bodyPlainText", "The renewal discount is 10 %."}, {"messageId", "m"}});
  put(acme, mail, 0, model::event::kShardCreated);
  auto answer = find(acme, "discounts");
  EXPECT_EQ(string_or(answer, "mode"), "keyword");
  ASSERT_EQ(answer["items"].as_array().size(), 1u);
  const auto& hit = answer["items"].as_array()[0].as_object();
  EXPECT_EQ(string_or(hit, "snippet"), "The renewal discount is 10 %.");
  EXPECT_EQ(json::serialize(hit.at("highlights")), R"([{"start":12,"end":20}])");
  EXPECT_EQ(string_or(hit, "title"), "Offer");
  EXPECT_EQ(string_or(hit.at("locator").as_object(), "message"), "m");
  EXPECT_TRUE(find(other, "discounts")["items"].as_array().empty());

  mail.data = json::serialize(json::object{{"subject", "Offer"}, {"bodyPlainText", "Changed"}});
  put(acme, mail, 1, model::event::kShardUpdated);
  EXPECT_TRUE(find(acme, "discount")["items"].as_array().empty());
  EXPECT_EQ(find(acme, "changed")["items"].as_array().size(), 1u);
  mail.deleted_at = clock.now();
  put(acme, mail, 2, model::event::kShardDeleted);
  EXPECT_TRUE(find(acme, "changed")["items"].as_array().empty());
}

TEST_F(IndexTest, a_word_of_a_call_is_found_at_its_own_minute) {  // DOC-5, MEET-2
  json::array segments;
  for (int i = 0; i < 12; ++i) {
    segments.push_back({{"index", i},
                        {"speaker", "Ann"},
                        {"startTime", 50.0 * i},
                        {"text", i == 7 ? "What about\nVibranode?" : "We talk."}});
  }
  put(acme, shard("meeting", {{"title", "Call"}, {"transcript", {{"segments", segments}}}}), 0,
      model::event::kShardCreated);
  const auto answer = find(acme, "vibranode");
  ASSERT_EQ(answer.at("items").get_array().size(), 1u);
  const auto& place = answer.at("items").get_array()[0].get_object().at("locator").get_object();
  EXPECT_EQ(int_or(place, "segment", -1), 7);
  EXPECT_EQ(int_or(place, "minute", -1), 5);
  EXPECT_EQ(place.at("seconds").to_number<double>(), 350);
}

TEST_F(IndexTest, what_has_only_a_title_shows_it_with_its_mark) {
  put(acme, shard("event", {{"title", "Bottling hall: prices"}}), 0, model::event::kShardCreated);
  const auto answer = find(acme, "Price");
  ASSERT_EQ(answer.at("items").get_array().size(), 1u);
  const auto& hit = answer.at("items").get_array()[0].get_object();
  EXPECT_EQ(string_or(hit, "snippet"), "Bottling hall: prices");
  EXPECT_EQ(json::serialize(hit.at("highlights")), R"([{"start":15,"end":21}])");
}

RC_GTEST_FIXTURE_PROP(IndexTest, any_text_is_a_query, (const std::string& text)) {
  Request request;
  request.text = text;
  const auto answer = search(*store->read(acme).value(), request);
  const bool fine = answer.has_value() || answer.error().code == "invalid_parameter";
  RC_ASSERT(fine);
}

}  // namespace
}  // namespace castiel::search
