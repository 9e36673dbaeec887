// The full-text index of every kind of store.

#include <rapidcheck.h>

#include <algorithm>
#include <cmath>

#include "storage/tests/store_contract.hpp"

namespace castiel::storage {
namespace {

struct SearchContract : StoreContract {
  void index(const TenantId& tenant, const std::string& shard_id, std::vector<std::string> texts,
             std::string type = "email") {
    write(tenant, [&](Transaction& tx) {
      std::vector<SearchChunk> chunks;
      for (auto& text : texts) {
        SearchChunk chunk;
        chunk.shard = ShardId(shard_id);
        chunk.type = type;
        chunk.ordinal = static_cast<int>(chunks.size());
        chunk.at = {7};
        chunk.locator = R"({"page":1})";
        chunk.title = "About " + shard_id;
        chunk.text = std::move(text);
        chunks.push_back(std::move(chunk));
      }
      ASSERT_TRUE(tx.put_chunks(ShardId(shard_id), chunks));
    });
  }
  SearchAnswer ask(const TenantId& tenant, const SearchQuery& query) {
    return read(tenant)->search(query).value();
  }
  SearchAnswer find(const TenantId& tenant, std::string text, bool prefix = false) {
    SearchQuery query;
    query.terms = {{std::move(text), prefix}};
    return ask(tenant, query);
  }
  static std::string marked(std::string_view word) {
    return std::string(1, kMarkStart) + std::string(word) + kMarkEnd;
  }
};

TEST_P(SearchContract, words_are_found_whatever_their_case_accents_and_endings) {
  index(acme, "m1", {"We negotiated the renewal with Müller & Söhne"});
  EXPECT_EQ(find(acme, "NEGOTIATING").hits.size(), 1u);
  EXPECT_EQ(find(acme, "muller").hits.size(), 1u);
  EXPECT_EQ(find(acme, "SÖHNE").hits.size(), 1u);
  EXPECT_EQ(find(acme, "muller sohne").hits.size(), 1u) << "a phrase";
  EXPECT_TRUE(find(acme, "sohne muller").hits.empty());
  EXPECT_EQ(find(acme, "rene", true).hits.size(), 1u);
  EXPECT_TRUE(find(acme, "rene").hits.empty());
  EXPECT_EQ(find(acme, "the rene", true).hits.size(), 1u) << "the last word of a phrase may go on";
  EXPECT_TRUE(find(acme, "with rene", true).hits.empty());
  const auto hit = find(acme, "renewal").hits.at(0);
  EXPECT_NE(hit.snippet.find(marked("renewal")), std::string::npos) << hit.snippet;
  EXPECT_EQ(hit.chunk.title, "About m1");
  EXPECT_EQ(hit.chunk.locator, R"({"page":1})");
  EXPECT_EQ(hit.chunk.at, Timestamp{7});
  EXPECT_EQ(hit.chunk.text, "We negotiated the renewal with Müller & Söhne");
}

TEST_P(SearchContract, other_alphabets_have_words_too) {
  index(acme, "m1", {"Договор подписан сегодня", "見積書 2024"});
  EXPECT_EQ(find(acme, "ДОГОВОР").hits.size(), 1u);
  EXPECT_EQ(find(acme, "見積書").hits.size(), 1u);
  EXPECT_EQ(find(acme, "2024").hits.size(), 1u);
}

TEST_P(SearchContract, titles_are_searched_as_well) {
  index(acme, "renewal", {"nothing of interest"});
  EXPECT_EQ(find(acme, "renewal").hits.size(), 1u);
  EXPECT_TRUE(find(acme, "renewal nothing").hits.empty()) << "no phrase goes over from the title to the text";
}

TEST_P(SearchContract, a_snippet_is_a_part_of_a_long_text) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "word" + std::to_string(i) + " ";
  index(acme, "m1", {text + "the budget is approved " + text});
  const auto hit = find(acme, "budget").hits.at(0);
  EXPECT_LT(hit.snippet.size(), 600u);
  EXPECT_NE(hit.snippet.find(marked("budget")), std::string::npos) << hit.snippet;
  EXPECT_TRUE(hit.snippet.starts_with("…")) << hit.snippet;
  EXPECT_TRUE(hit.snippet.ends_with("…")) << hit.snippet;
  index(acme, "m2", {std::string("marks \x01 and \x02 of its own")});
  const auto own = find(acme, "marks").hits.at(0).snippet;
  EXPECT_EQ(std::count(own.begin(), own.end(), kMarkStart), 1);
}

TEST_P(SearchContract, the_texts_of_many_shards_may_change_in_one_transaction) {
  index(acme, "old", {"before"});
  const auto chunk = [](const std::string& shard, const std::string& text) {
    SearchChunk c;
    c.shard = ShardId(shard);
    c.type = "email";
    c.locator = "{}";
    c.text = text;
    return c;
  };
  write(acme, [&](Transaction& tx) {
    const SearchChunk replaced = chunk("old", "after"), wrong = chunk("new", "wrong"),
                      right = chunk("new", "right");
    ASSERT_TRUE(tx.put_chunks(ShardId("old"), {&replaced, 1}));
    ASSERT_TRUE(tx.put_chunks(ShardId("new"), {&wrong, 1}));
    ASSERT_TRUE(tx.put_chunks(ShardId("new"), {&right, 1}));
    EXPECT_EQ(tx.chunk_count().value(), 2);
    EXPECT_EQ(tx.chunks(ShardId("new")).value().size(), 1u);
    ASSERT_TRUE(tx.put_chunks(ShardId("old"), {}));
  });
  EXPECT_EQ(find(acme, "right").hits.size(), 1u);
  for (const char* gone : {"before", "after", "wrong"}) EXPECT_TRUE(find(acme, gone).hits.empty()) << gone;
  EXPECT_EQ(read(acme)->chunk_count().value(), 1);
}

TEST_P(SearchContract, chunks_are_replaced_and_removed) {
  index(acme, "m1", {"alpha", "beta"});
  index(acme, "m1", {"gamma"});
  EXPECT_TRUE(find(acme, "alpha").hits.empty());
  EXPECT_EQ(find(acme, "gamma").hits.size(), 1u);
  EXPECT_EQ(read(acme)->chunk_count().value(), 1);
  EXPECT_EQ(read(acme)->chunks(ShardId("m1")).value().at(0).text, "gamma");
  index(acme, "m1", {});
  EXPECT_TRUE(find(acme, "gamma").hits.empty());
  EXPECT_EQ(read(acme)->chunk_count().value(), 0);
}

TEST_P(SearchContract, the_rarer_word_and_the_shorter_text_come_first) {
  index(acme, "long",
        {"budget budgetary and many more words about nothing at all in this long text of ours"});
  index(acme, "short", {"budget approved"});
  for (int i = 0; i < 20; ++i) index(acme, "other" + std::to_string(i), {"approved"});
  SearchQuery query;
  query.terms = {{"budget", false}, {"approved", false}};
  const auto answer = ask(acme, query);
  EXPECT_EQ(answer.total, 22);
  EXPECT_EQ(answer.hits.at(0).chunk.shard, ShardId("short"));
  EXPECT_EQ(answer.hits.at(1).chunk.shard, ShardId("long"));
  EXPECT_GT(answer.hits.at(0).score, answer.hits.at(1).score);
  query.all = true;
  EXPECT_EQ(ask(acme, query).total, 1);
  query.all = false;
  query.limit = 3;
  EXPECT_EQ(ask(acme, query).hits.size(), 3u);
}

// The same texts have the same scores in every store: what people see does not depend on where it runs.
TEST_P(SearchContract, scores_are_those_of_the_formula) {
  index(acme, "a", {"budget budget plan"});
  index(acme, "b", {"budget"});
  index(acme, "c", {"something else"});
  const auto hits = find(acme, "budget").hits;
  ASSERT_EQ(hits.size(), 2u);
  // BM25 with k1 1.2 and b 0.75; lengths with the two words of each title: 5, 3, 4, of 3 texts 2 have the
  // word.
  const double weight = std::log(1 + (3 - 2 + 0.5) / (2 + 0.5));
  const auto score = [&](double tf, double length) {
    return weight * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * length / 4.0));
  };
  EXPECT_EQ(hits[0].chunk.shard, ShardId("a"));
  EXPECT_NEAR(hits[0].score, score(2, 5), 1e-9);
  EXPECT_NEAR(hits[1].score, score(1, 3), 1e-9);
}

TEST_P(SearchContract, a_search_may_be_for_one_type) {
  index(acme, "m1", {"budget"}, "email");
  index(acme, "d1", {"budget"}, "document");
  SearchQuery query;
  query.terms = {{"budget", false}};
  query.type = "document";
  const auto answer = ask(acme, query);
  EXPECT_EQ(answer.total, 1);
  EXPECT_EQ(answer.hits.at(0).chunk.shard, ShardId("d1"));
}

TEST_P(SearchContract, one_tenants_texts_neither_show_nor_count_in_anothers_search) {
  index(acme, "m1", {"secret merger", "plain words"});
  index(other, "n1", {"plain words"});
  const double alone = find(other, "plain").hits.at(0).score;
  for (int i = 0; i < 30; ++i) index(acme, "more" + std::to_string(i), {"plain plain secret"});
  EXPECT_TRUE(find(other, "secret").hits.empty());
  EXPECT_EQ(find(other, "plain").hits.at(0).score, alone);
  EXPECT_EQ(find(other, "s", true).total, 0);
  EXPECT_TRUE(read(other)->chunks(ShardId("m1")).value().empty());
}

TEST_P(SearchContract, no_text_of_a_query_is_syntax_or_reaches_another_tenant) {
  index(acme, "m1", {"confidential alpha"});
  index(other, "n1", {"beta"});
  const auto reader = read(other);
  EXPECT_TRUE(rc::check([&] {
    SearchQuery query;
    query.all = *rc::gen::arbitrary<bool>();
    const auto word =
        rc::gen::element<std::string>("\"", "*", "alpha", " OR ", "NEAR(", "rowid:", "text:", "{", "^", "-",
                                      ") ", "(", std::string(1, '\0'), "\xff", "tenant", "acme", "'",
                                      "acme:", "&", "|", "!", "<->", ":*", "\\", "$1", "A");
    const auto terms = *rc::gen::container<std::vector<std::vector<std::string>>>(
        rc::gen::container<std::vector<std::string>>(word));
    for (const auto& term : terms) {
      std::string text;
      for (const auto& part : term) text += part;
      query.terms.push_back({text, *rc::gen::arbitrary<bool>()});
    }
    const auto answer = reader->search(query);
    RC_ASSERT(answer.has_value());
    for (const auto& hit : answer->hits) RC_ASSERT(hit.chunk.shard == ShardId("n1"));
  }));
}

TEST_P(SearchContract, odd_texts_are_indexed) {
  std::string endless(200'000, 'x');
  std::string many;
  for (int i = 0; i < 30'000; ++i) many += "w" + std::to_string(i % 9000) + " ";
  index(acme, "m1", {endless, many, std::string("\0\xFF\xFE bytes", 9), "", "'quotes' \\ and : colons"});
  EXPECT_EQ(find(acme, "bytes").hits.size(), 1u);
  EXPECT_EQ(find(acme, "w8999").hits.size(), 1u);
  EXPECT_EQ(find(acme, "colons").hits.size(), 1u);
  EXPECT_EQ(read(acme)->chunk_count().value(), 5);
}

CASTIEL_FOR_ALL_STORES(SearchContract);

}  // namespace
}  // namespace castiel::storage
