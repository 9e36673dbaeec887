// Links, footprints and the full-text index of the store.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <filesystem>
#include <set>

#include "base/random.hpp"
#include "storage/sqlite/sqlite_store.hpp"

namespace castiel::storage {
namespace {

using namespace std::chrono_literals;

struct LinksSearchTest : testing::Test {
  std::string folder = [] {
    std::string pattern = (std::filesystem::temp_directory_path() / "castiel-XXXXXX").string();
    return std::string(mkdtemp(pattern.data()));
  }();
  SystemClock clock;
  SeededRandom random{1};
  IdGenerator ids{clock, random};
  std::unique_ptr<SqliteStore> store = [this] {
    SqliteStore::Options options;
    options.path = folder + "/castiel.db";
    options.sync = false;
    return SqliteStore::open(options, clock).value();
  }();
  TenantId acme{"acme"}, other{"other"};

  void SetUp() override {
    ASSERT_TRUE(store->create_tenant(acme, soon()));
    ASSERT_TRUE(store->create_tenant(other, soon()));
  }
  void TearDown() override {
    store.reset();
    std::filesystem::remove_all(folder);
  }
  Deadline soon() { return Deadline::after(clock, 5s); }
  std::unique_ptr<Reader> read(const TenantId& tenant) { return store->read(tenant).value(); }
  template <class Work>
  void write(const TenantId& tenant, Work work) {
    auto tx = store->begin(tenant, soon()).value();
    work(*tx);
    ASSERT_TRUE(tx->commit());
  }
  void index(const TenantId& tenant, const std::string& shard, std::vector<std::string> texts) {
    write(tenant, [&](Transaction& tx) {
      std::vector<SearchChunk> chunks;
      for (auto& text : texts) {
        SearchChunk chunk;
        chunk.shard = ShardId(shard);
        chunk.type = "email";
        chunk.ordinal = static_cast<int>(chunks.size());
        chunk.title = "About " + shard;
        chunk.text = std::move(text);
        chunks.push_back(std::move(chunk));
      }
      ASSERT_TRUE(tx.put_chunks(ShardId(shard), chunks));
    });
  }
  SearchAnswer find(const TenantId& tenant, std::string text, bool prefix = false) {
    SearchQuery query;
    query.terms = {{std::move(text), prefix}};
    return read(tenant)->search(query).value();
  }
  Link link(std::string from, std::string to) {
    Link l;
    l.id = ids.next();
    l.from = ShardId(std::move(from));
    l.from_type = "email";
    l.to = ShardId(std::move(to));
    l.to_type = "opportunity";
    l.strategy = "participant";
    l.confidence = 85;
    l.status = "attached";
    l.created_by = "linking";
    return l;
  }
};

TEST_F(LinksSearchTest, a_link_of_the_same_two_shards_is_one_row_that_keeps_its_id) {
  const auto first = link("mail", "deal");
  auto again = link("mail", "deal");
  again.confidence = 90;
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_links({{first, again}})); });
  const auto links = read(acme)->links({}).value();
  ASSERT_EQ(links.size(), 1u);
  EXPECT_EQ(links[0].id, first.id);
  EXPECT_EQ(links[0].confidence, 90);
  EXPECT_TRUE(read(other)->links({}).value().empty());
  EXPECT_FALSE(read(other)->link(first.id).value());
}

TEST_F(LinksSearchTest, a_decided_link_is_replaced_by_decisions_only) {
  auto decided = link("mail", "deal");
  decided.status = "rejected";
  decided.decided_by = "kim";
  auto found_again = link("mail", "deal");
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.put_links({{decided}}));
    ASSERT_TRUE(tx.put_links({{found_again}}));
    ASSERT_TRUE(tx.drop_link(decided.id));
  });
  EXPECT_EQ(read(acme)->link(decided.id).value()->status, "rejected");
  found_again.decided_by = "lee";
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_links({{found_again}})); });
  EXPECT_EQ(read(acme)->link(decided.id).value()->status, "attached");
}

TEST_F(LinksSearchTest, links_are_found_from_both_ends_and_by_status) {
  auto suggested = link("mail1", "deal2");
  suggested.status = "suggested";
  auto ignored = link("mail2", "deal1");
  ignored.status = "ignored";
  write(acme,
        [&](Transaction& tx) { ASSERT_TRUE(tx.put_links({{link("mail1", "deal1"), suggested, ignored}})); });
  const auto count = [&](auto&& restrict) {
    LinkQuery query;
    restrict(query);
    return read(acme)->links(query).value().size();
  };
  EXPECT_EQ(count([](LinkQuery& q) { q.from = ShardId("mail1"); }), 2u);
  EXPECT_EQ(count([](LinkQuery& q) { q.to = ShardId("deal1"); }), 1u) << "ignored ones are asked for by name";
  EXPECT_EQ(count([](LinkQuery& q) { q.status = "ignored"; }), 1u);
  EXPECT_EQ(count([](LinkQuery& q) { q.status = "suggested"; }), 1u);
  EXPECT_EQ(count([](LinkQuery& q) { q.limit = 1; }), 1u);
}

TEST_F(LinksSearchTest, feedback_adds_up) {
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.add_link_feedback({"content", 1, 0}));
    ASSERT_TRUE(tx.add_link_feedback({"content", 0, 2}));
  });
  const auto feedback = read(acme)->link_feedback().value();
  ASSERT_EQ(feedback.size(), 1u);
  EXPECT_EQ(feedback[0].approved, 1);
  EXPECT_EQ(feedback[0].rejected, 2);
}

TEST_F(LinksSearchTest, interactions_and_footprints_are_replaced_with_their_shard) {
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.put_interactions(ShardId("m"),
                                    {{Interaction{"a@x.com", {1}, ShardId("m"), "", "mail", "inbound", 1}}}));
    ASSERT_TRUE(tx.put_interactions(ShardId("m"),
                                    {{Interaction{"b@x.com", {1}, ShardId("m"), "", "mail", "inbound", 1}}}));
    ASSERT_TRUE(tx.put_footprints(ShardId("m"), {{Footprint{"person", "a@x.com"}}}));
    ASSERT_TRUE(tx.put_footprints(ShardId("m"), {{Footprint{"person", "b@x.com"}}}));
  });
  EXPECT_TRUE(read(acme)->interactions("a@x.com", 10).value().empty());
  EXPECT_EQ(read(acme)->interactions("b@x.com", 10).value().size(), 1u);
  EXPECT_TRUE(read(acme)->shards_with({"person", "a@x.com"}, 10).value().empty());
  EXPECT_EQ(read(acme)->shards_with({"person", "b@x.com"}, 10).value().size(), 1u);
  EXPECT_TRUE(read(other)->shards_with({"person", "b@x.com"}, 10).value().empty());
  EXPECT_FALSE(read(acme)->any_footprint_besides({"person", "b@x.com"}).value());
  EXPECT_TRUE(read(acme)->any_footprint_besides({"person", "a@x.com"}).value());
  EXPECT_TRUE(read(acme)->any_footprint_besides({"person", "c@x.com"}).value());
  EXPECT_FALSE(read(acme)->any_footprint_besides({"domain", "x.com"}).value());
  EXPECT_FALSE(read(other)->any_footprint_besides({"person", "a@x.com"}).value());
}

TEST_F(LinksSearchTest, the_directory_version_leaves_content_alone) {
  ShardWrite account, mail;
  account.shard.id = ShardId("1");
  account.shard.key = {"account", "files", "1"};
  account.shard.version = mail.shard.version = 1;
  mail.shard.id = ShardId("2");
  mail.shard.key = {"email", "files", "1"};
  account.shard.data = mail.shard.data = account.shard.origin = mail.shard.origin = "{}";
  const auto before = read(acme)->directory_version().value();
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_shards({{mail}})); });
  EXPECT_EQ(read(acme)->directory_version().value(), before);
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_shards({{account}})); });
  EXPECT_GT(read(acme)->directory_version().value(), before);
}

TEST_F(LinksSearchTest, words_are_found_whatever_their_case_accents_and_endings) {
  index(acme, "m1", {"We negotiated the renewal with Müller & Söhne"});
  EXPECT_EQ(find(acme, "NEGOTIATING").hits.size(), 1u);
  EXPECT_EQ(find(acme, "muller").hits.size(), 1u);
  EXPECT_EQ(find(acme, "muller sohne").hits.size(), 1u) << "a phrase";
  EXPECT_TRUE(find(acme, "sohne muller").hits.empty());
  EXPECT_EQ(find(acme, "rene", true).hits.size(), 1u);
  EXPECT_TRUE(find(acme, "rene").hits.empty());
  const auto hit = find(acme, "renewal").hits.at(0);
  EXPECT_NE(hit.snippet.find(std::string(1, kMarkStart) + "renewal" + kMarkEnd), std::string::npos);
  EXPECT_EQ(hit.chunk.title, "About m1");
}

TEST_F(LinksSearchTest, chunks_are_replaced_and_removed) {
  index(acme, "m1", {"alpha", "beta"});
  index(acme, "m1", {"gamma"});
  EXPECT_TRUE(find(acme, "alpha").hits.empty());
  EXPECT_EQ(find(acme, "gamma").hits.size(), 1u);
  EXPECT_EQ(read(acme)->chunk_count().value(), 1);
  index(acme, "m1", {});
  EXPECT_TRUE(find(acme, "gamma").hits.empty());
  EXPECT_EQ(read(acme)->chunk_count().value(), 0);
}

TEST_F(LinksSearchTest, the_rarer_word_and_the_shorter_text_come_first) {
  index(acme, "long",
        {"budget budgetary and many more words about nothing at all in this long text of ours"});
  index(acme, "short", {"budget approved"});
  for (int i = 0; i < 20; ++i) index(acme, "other" + std::to_string(i), {"approved"});
  SearchQuery query;
  query.terms = {{"budget", false}, {"approved", false}};
  const auto answer = read(acme)->search(query).value();
  EXPECT_EQ(answer.total, 22);
  EXPECT_EQ(answer.hits.at(0).chunk.shard, ShardId("short"));
  EXPECT_EQ(answer.hits.at(1).chunk.shard, ShardId("long"));
  query.all = true;
  EXPECT_EQ(read(acme)->search(query).value().total, 1);
}

TEST_F(LinksSearchTest, one_tenants_texts_neither_show_nor_count_in_anothers_search) {
  index(acme, "m1", {"secret merger", "plain words"});
  index(other, "n1", {"plain words"});
  const double alone = find(other, "plain").hits.at(0).score;
  for (int i = 0; i < 30; ++i) index(acme, "more" + std::to_string(i), {"plain plain secret"});
  EXPECT_TRUE(find(other, "secret").hits.empty());
  EXPECT_EQ(find(other, "plain").hits.at(0).score, alone);
  EXPECT_EQ(find(other, "s", true).total, 0);
  EXPECT_TRUE(read(other)->chunks(ShardId("m1")).value().empty());
}

RC_GTEST_FIXTURE_PROP(LinksSearchTest, no_text_of_a_query_is_syntax_or_reaches_another_tenant, ()) {
  index(acme, "m1", {"confidential alpha"});
  index(other, "n1", {"beta"});
  SearchQuery query;
  query.all = *rc::gen::arbitrary<bool>();
  const auto word =
      rc::gen::element<std::string>("\"", "*", "alpha", " OR ", "NEAR(", "rowid:", "text:", "{", "^", "-",
                                    ") ", "(", std::string(1, '\0'), "\xff", "tenant", "acme", "'");
  const auto terms = *rc::gen::container<std::vector<std::vector<std::string>>>(
      rc::gen::container<std::vector<std::string>>(word));
  for (const auto& term : terms) {
    std::string text;
    for (const auto& part : term) text += part;
    query.terms.push_back({text, *rc::gen::arbitrary<bool>()});
  }
  const auto answer = read(other)->search(query);
  RC_ASSERT(answer.has_value());
  for (const auto& hit : answer->hits) RC_ASSERT(hit.chunk.shard == ShardId("n1"));
}

TEST_F(LinksSearchTest, an_erased_tenants_words_leave_the_file) {
  index(acme, "m1", {"xylophonic"});
  index(other, "n1", {"marimba"});
  ASSERT_TRUE(store->erase_tenant(acme, soon()));
  EXPECT_EQ(find(other, "marimba").hits.size(), 1u);
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((folder + "/castiel.db").c_str(), &db), SQLITE_OK);
  std::set<std::string> blocks;
  sqlite3_exec(
      db, "SELECT block FROM search_text_data WHERE instr(block, CAST('xyloph' AS BLOB)) > 0",
      [](void* out, int, char**, char**) {
        static_cast<std::set<std::string>*>(out)->insert("found");
        return 0;
      },
      &blocks, nullptr);
  sqlite3_close(db);
  EXPECT_TRUE(blocks.empty()) << "the index still has an erased word";
}

TEST_F(LinksSearchTest, a_queue_says_since_when_its_oldest_message_waits) {
  EXPECT_FALSE(read(acme)->oldest_waiting("q").value());
  ASSERT_TRUE(store->queue_rows().declare("q", 5, {{"a.b", "q"}}));
  const auto before = clock.now();
  write(acme,
        [&](Transaction& tx) { ASSERT_TRUE(tx.publish("s", {"1", "a.b", CorrelationId("c"), 0, 1, "{}"})); });
  EXPECT_GE(read(acme)->oldest_waiting("q").value().value(), before);
  EXPECT_FALSE(read(other)->oldest_waiting("q").value());
}

}  // namespace
}  // namespace castiel::storage
