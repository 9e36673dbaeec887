// Whose is whose, of every kind of store: no call shows one tenant what is another's (TENANT-2), an erased
// tenant leaves nothing (TENANT-4), and the operator's view sees all.

#include <functional>
#include <thread>

#include "storage/tests/store_contract.hpp"

namespace castiel::storage {
namespace {

struct TenantContract : StoreContract {
  CorrelationId flow{"flow"};

  // Something for every question a reader can be asked, under the same names for each tenant.
  void fill(const TenantId& tenant) {
    ASSERT_TRUE(host->declare_queue("q", {"shard.*"}));
    write(tenant, [&](Transaction& tx) {
      auto written = shard("1");
      written.shard.id = ShardId("shard");
      written.shard.correlation = flow;
      ASSERT_TRUE(tx.put_shards({{written}}));
      model::FieldChange change;
      change.shard = written.shard.key;
      change.field = "stage";
      ASSERT_TRUE(tx.add_changes({{change}}));
      ASSERT_TRUE(tx.put_aliases({{Alias{"account:name", "acme", "files", ShardId("shard")}}}));
      ASSERT_TRUE(tx.put_relations(
          {{Relation{ShardId("shard"), "parent", 0, "files", "account:name", "acme", "Acme", {}, {}},
            Relation{ShardId("shard"), "owner", 0, "files", "user:name", "kim", "Kim", {}, {}}}}));
      ASSERT_TRUE(tx.publish("stage", message("m")));
      ASSERT_TRUE(tx.add_flow_entry(flow, {{1}, "s", "note", "", "", "", 1}));
      ASSERT_TRUE(tx.add_problem(flow, {"f", 1, "c", "m"}));
      ASSERT_TRUE(tx.put_insight({ShardId("shard"), "deal", {1}, "{}", flow, {1}}));
      ASSERT_TRUE(tx.put_import_run({flow, "done", {1}, {}, "{}"}));
      ASSERT_TRUE(tx.take_lease("work", "process", 1h).value());
      ASSERT_TRUE(tx.put_imported_file({"sha", "map", flow, true, true, "", 1}));
      ASSERT_TRUE(tx.put_cursor("i", "n", "v"));
      ASSERT_TRUE(tx.put_setting("tenant.language", "de"));
      ASSERT_TRUE(tx.add_audit({{1}, "kim", "did", "it", "{}"}));
      Link link;
      link.id = "link";
      link.from = ShardId("shard");
      link.to = ShardId("deal");
      link.status = "attached";
      ASSERT_TRUE(tx.put_links({{link}}));
      ASSERT_TRUE(tx.add_link_feedback({"content", 1, 0}));
      ASSERT_TRUE(tx.put_interactions(
          ShardId("shard"), {{Interaction{"a@x.com", {1}, ShardId("shard"), "", "mail", "inbound", 1}}}));
      ASSERT_TRUE(tx.put_footprints(ShardId("shard"), {{Footprint{"person", "a@x.com"}}}));
      SearchChunk chunk;
      chunk.shard = ShardId("shard");
      chunk.type = "email";
      chunk.text = "secret words";
      ASSERT_TRUE(tx.put_chunks(ShardId("shard"), {{chunk}}));
      ASSERT_TRUE(tx.add_to_inbox("q", "m").value());
      ASSERT_TRUE(tx.mark_parked("q", "k"));
      ASSERT_TRUE(tx.park("q", "k", message("p")));
      DeadLetter letter;
      letter.id = "letter-" + tenant.str();
      letter.queue = "q";
      ASSERT_TRUE(tx.put_dead_letter(letter));
    });
  }

  struct Question {
    std::string name;
    std::function<std::int64_t(const Reader&)> found;  // how much the answer says
  };
  std::vector<Question> questions(const TenantId& owner) const {
    const model::ShardKey key{"account", "files", "1"};
    const auto visits = [](auto&& each) {
      std::int64_t n = 0;
      EXPECT_TRUE(each([&n](const auto&) -> Result<> {
        ++n;
        return {};
      }));
      return n;
    };
    const auto size = [](const auto& rows) { return static_cast<std::int64_t>(rows.size()); };
    return {
        {"heads",
         [=](const Reader& r) {
           const std::vector<std::string> keys = {"1"};
           return std::int64_t{r.heads("account", "files", keys).value().at(0).has_value()};
         }},
        {"shard by key", [=](const Reader& r) { return std::int64_t{r.shard(key).value().has_value()}; }},
        {"shard by id",
         [=](const Reader& r) { return std::int64_t{r.shard(ShardId("shard")).value().has_value()}; }},
        {"shards", [=](const Reader& r) { return size(r.shards({}).value()); }},
        {"each_shard",
         [=](const Reader& r) { return visits([&](auto v) { return r.each_shard("account", v); }); }},
        {"shard_count", [](const Reader& r) { return r.shard_count("account").value(); }},
        {"shard_counts", [=](const Reader& r) { return size(r.shard_counts().value()); }},
        {"history", [=](const Reader& r) { return size(r.history(key).value()); }},
        {"each_change",
         [=](const Reader& r) { return visits([&](auto v) { return r.each_change("account", v); }); }},
        {"recent_changes", [=](const Reader& r) { return size(r.recent_changes("account", 9).value()); }},
        {"aliases", [=](const Reader& r) { return size(r.aliases("account:name", "acme").value()); }},
        {"aliases_of_kind",
         [=](const Reader& r) { return size(r.aliases_of_kind("account:name", 9).value()); }},
        {"relations_from", [=](const Reader& r) { return size(r.relations_from(ShardId("shard")).value()); }},
        {"relations_to", [=](const Reader& r) { return size(r.relations_to(ShardId("shard")).value()); }},
        {"each_relation",
         [=](const Reader& r) { return visits([&](auto v) { return r.each_relation("account", v); }); }},
        {"loose_relations", [=](const Reader& r) { return size(r.loose_relations(9).value()); }},
        {"named_relations", [=](const Reader& r) { return size(r.named_relations().value()); }},
        {"ledger", [=, this](const Reader& r) { return size(r.ledger(flow).value()); }},
        {"pending", [=, this](const Reader& r) { return r.pending(flow).value(); }},
        {"pending of a queue", [=, this](const Reader& r) { return r.pending(flow, "q").value(); }},
        {"flow", [=, this](const Reader& r) { return size(r.flow(flow, 9).value()); }},
        {"shards_written_by",
         [=, this](const Reader& r) { return size(r.shards_written_by(flow, 9).value()); }},
        {"problems", [=, this](const Reader& r) { return size(r.problems(flow, 9).value()); }},
        {"insights", [=](const Reader& r) { return size(r.insights("deal").value()); }},
        {"insight",
         [=](const Reader& r) {
           return std::int64_t{r.insight("deal", ShardId("shard")).value().has_value()};
         }},
        {"import_run",
         [=, this](const Reader& r) { return std::int64_t{r.import_run(flow).value().has_value()}; }},
        {"import_runs", [=](const Reader& r) { return size(r.import_runs(9).value()); }},
        {"imported_file",
         [](const Reader& r) { return std::int64_t{r.imported_file("sha", "map").value().has_value()}; }},
        {"cursor", [](const Reader& r) { return std::int64_t{r.cursor("i", "n").value().has_value()}; }},
        {"settings", [=](const Reader& r) { return size(r.settings().value()); }},
        {"audit", [=](const Reader& r) { return size(r.audit(9).value()); }},
        {"links", [=](const Reader& r) { return size(r.links({}).value()); }},
        {"link", [](const Reader& r) { return std::int64_t{r.link("link").value().has_value()}; }},
        {"link_feedback", [=](const Reader& r) { return size(r.link_feedback().value()); }},
        {"interactions", [=](const Reader& r) { return size(r.interactions("a@x.com", 9).value()); }},
        {"shards_with",
         [=](const Reader& r) { return size(r.shards_with({"person", "a@x.com"}, 9).value()); }},
        {"footprints", [=](const Reader& r) { return size(r.footprints(ShardId("shard")).value()); }},
        {"search",
         [](const Reader& r) {
           SearchQuery query;
           query.terms = {{"secret", false}};
           return r.search(query).value().total;
         }},
        {"chunks", [=](const Reader& r) { return size(r.chunks(ShardId("shard")).value()); }},
        {"chunk_count", [](const Reader& r) { return r.chunk_count().value(); }},
        {"oldest_waiting",
         [](const Reader& r) { return std::int64_t{r.oldest_waiting("q").value().has_value()}; }},
        {"leased_until",
         [](const Reader& r) { return std::int64_t{r.leased_until("work").value().has_value()}; }},
        {"in_inbox", [](const Reader& r) { return std::int64_t{r.in_inbox("q", "m").value()}; }},
        {"any_parked", [](const Reader& r) { return std::int64_t{r.any_parked("q").value()}; }},
        {"parked_keys", [=](const Reader& r) { return size(r.parked_keys("q").value()); }},
        {"dead_letters", [=](const Reader& r) { return size(r.dead_letters("", "", 9).value()); }},
        {"dead_letter",
         [owner](const Reader& r) {
           return std::int64_t{r.dead_letter("letter-" + owner.str()).value().has_value()};
         }},
        {"letters", [=](const Reader& r) { return size(r.letters({}).value()); }},
        {"letter_groups",
         [=](const Reader& r) { return size(r.letter_groups({}, LetterGrouping::queue).value()); }},
        {"flows_since", [=](const Reader& r) { return size(r.flows_since({0}, 9).value()); }},
        {"missing_shards", [=](const Reader& r) { return size(r.missing_shards(9).value()); }},
        {"any_footprint_besides",
         [](const Reader& r) {
           return std::int64_t{r.any_footprint_besides({"person", "b@x.com"}).value()};
         }},
        {"dead_letter_count", [](const Reader& r) { return r.dead_letter_count().value(); }},
    };
  }
};

TEST_P(TenantContract, no_question_shows_another_tenants_rows) {
  fill(acme);
  const auto mine = read(acme), theirs = read(other);
  const auto writing = begin(other);
  for (const auto& question : questions(acme)) {
    EXPECT_GT(question.found(*mine), 0) << question.name << " finds nothing of its own tenant";
    EXPECT_EQ(question.found(*theirs), 0) << question.name;
    EXPECT_EQ(question.found(*writing), 0) << question.name << " in a transaction";
  }
}

TEST_P(TenantContract, no_write_touches_another_tenants_rows) {
  fill(acme);
  fill(other);
  // The same names and ids, for the other tenant: each write has its effect there only.
  write(other, [&](Transaction& tx) {
    auto changed = shard("1", 1);
    changed.shard.deleted_at = Timestamp{1};
    ASSERT_TRUE(tx.put_shards({{changed}}));
    ASSERT_TRUE(tx.drop_aliases(ShardId("shard")));
    Relation only_clears;
    only_clears.from = ShardId("shard");
    ASSERT_TRUE(tx.put_relations({{only_clears}}));
    ASSERT_TRUE(tx.drop_link("link"));
    ASSERT_TRUE(tx.put_interactions(ShardId("shard"), {}));
    ASSERT_TRUE(tx.put_footprints(ShardId("shard"), {}));
    ASSERT_TRUE(tx.put_chunks(ShardId("shard"), {}));
    ASSERT_TRUE(tx.unpark("q", "k"));
    ASSERT_TRUE(tx.unpark("q", "k"));
    EXPECT_EQ(tx.set_dead_letter_state("letter-acme", "purged").error().code, "not_found");
    KeptSince everything;
    everything.inbox = everything.flows = everything.versions = everything.dead_letters = clock.now() + 1h;
    ASSERT_TRUE(tx.prune(everything, 1000));
  });
  const auto mine = read(acme);
  for (const auto& question : questions(acme)) EXPECT_GT(question.found(*mine), 0) << question.name;
}

TEST_P(TenantContract, an_unknown_tenant_is_an_error) {
  EXPECT_EQ(store->read(TenantId("nobody")).error().code, "unknown_tenant");
  EXPECT_EQ(store->begin(TenantId("nobody"), soon()).error().code, "unknown_tenant");
  EXPECT_FALSE(store->tenant_exists(TenantId("nobody")).value());
  EXPECT_FALSE(store->tenant_exists(TenantId()).value());
  EXPECT_TRUE(store->tenant_exists(acme).value());
  EXPECT_TRUE(store->create_tenant(acme, soon())) << "once more is no error";
  const std::string quotes = "a'; DROP TABLE tenant; --";
  EXPECT_EQ(store->read(TenantId(quotes)).error().code, "unknown_tenant") << "no name is syntax";
}

TEST_P(TenantContract, an_erased_tenant_leaves_nothing_and_the_others_everything) {
  fill(acme);
  fill(other);
  const auto version = read(acme)->data_version().value();
  const auto erased = store->erase_tenant(acme, soon()).value();
  std::int64_t rows = 0;
  for (const auto& [table, n] : erased) rows += n;
  EXPECT_GT(rows, 20);
  EXPECT_EQ(store->read(acme).error().code, "unknown_tenant");
  EXPECT_FALSE(store->tenant_exists(acme).value());
  const auto view = store->operator_view().value();
  EXPECT_EQ(view->tenants().value().size(), 1u);
  EXPECT_FALSE(view->tenant_of_dead_letter("letter-acme").value());

  ASSERT_TRUE(store->create_tenant(acme, soon()));
  const auto anew = read(acme), theirs = read(other);
  for (const auto& question : questions(acme)) EXPECT_EQ(question.found(*anew), 0) << question.name;
  for (const auto& question : questions(other)) EXPECT_GT(question.found(*theirs), 0) << question.name;
  EXPECT_GT(anew->data_version().value(), version)
      << "what was made of the old data must not pass for the new";
}

TEST_P(TenantContract, an_erasure_waits_for_who_is_writing_and_refuses_who_comes_later) {
  auto writing = begin(acme);
  ASSERT_TRUE(writing->put_shards({{shard("1")}}));
  std::jthread erases([&] {
    const auto erased = store->erase_tenant(acme, soon());
    EXPECT_TRUE(erased) << erased.error().describe();
  });
  ASSERT_TRUE(writing->commit());
  writing.reset();
  erases.join();
  EXPECT_EQ(store->begin(acme, soon()).error().code, "unknown_tenant");
  ASSERT_TRUE(store->create_tenant(acme, soon()));
  EXPECT_TRUE(read(acme)->shards({}).value().empty());
}

TEST_P(TenantContract, the_operator_sees_all_tenants) {
  fill(acme);
  fill(other);
  write(other, [&](Transaction& tx) {
    DeadLetter letter;
    letter.id = "zz";
    letter.queue = "r";
    ASSERT_TRUE(tx.put_dead_letter(letter));
    ASSERT_TRUE(tx.add_flow_entry(CorrelationId("theirs"), {{1}, "s", "note", "", "", "", 1}));
  });
  using Counts = std::vector<std::pair<std::string, std::int64_t>>;
  const auto view = store->operator_view().value();
  const auto tenants = view->tenants().value();
  ASSERT_EQ(tenants.size(), 2u);
  EXPECT_EQ(tenants[0].tenant, acme);
  EXPECT_LE(tenants[0].created_at, clock.now());
  EXPECT_EQ(view->dead_letter_count().value(), 3);
  const auto letters = view->dead_letters("", "", 10).value();
  ASSERT_EQ(letters.size(), 3u);
  EXPECT_EQ(letters[0].tenant, acme);
  EXPECT_EQ(letters[2].id, "zz");
  EXPECT_EQ(view->dead_letters("q", "letter-acme", 10).value().size(), 1u);
  EXPECT_EQ(view->dead_letters_by_queue().value(), (Counts{{"q", 2}, {"r", 1}}));
  EXPECT_EQ(view->parked_by_queue().value(), (Counts{{"q", 2}}));
  EXPECT_EQ(view->tenant_of(CorrelationId("theirs")).value(), other);
  EXPECT_FALSE(view->tenant_of(CorrelationId("nobody's")).value());
  EXPECT_EQ(view->tenant_of_dead_letter("zz").value(), other);
  EXPECT_FALSE(view->tenant_of_dead_letter("none").value());
}

CASTIEL_FOR_ALL_STORES(TenantContract);

}  // namespace
}  // namespace castiel::storage
