// Links, interactions, footprints, and the small rows of a tenant, of every kind of store.

#include "storage/tests/store_contract.hpp"

namespace castiel::storage {
namespace {

struct LinkContract : StoreContract {
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
    l.reason = "they write to each other";
    l.evidence = R"([{"field":"from"}])";
    l.created_by = "linking";
    l.created_at = {1};
    l.last_verified_at = {2};
    l.correlation = CorrelationId("c");
    return l;
  }
};

TEST_P(LinkContract, a_link_of_the_same_two_shards_is_one_row_that_keeps_its_id) {
  const auto first = link("mail", "deal");
  auto again = link("mail", "deal");
  again.confidence = 90;
  again.created_at = {9};
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_links({{first, again}})); });
  const auto links = read(acme)->links({}).value();
  ASSERT_EQ(links.size(), 1u);
  EXPECT_EQ(links[0].id, first.id);
  EXPECT_EQ(links[0].created_at, Timestamp{1});
  EXPECT_EQ(links[0].confidence, 90);
  EXPECT_EQ(links[0].evidence, first.evidence);
  EXPECT_EQ(links[0].correlation, CorrelationId("c"));
}

TEST_P(LinkContract, a_decided_link_is_replaced_by_decisions_only) {
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

TEST_P(LinkContract, a_link_nobody_decided_can_be_dropped) {
  const auto one = link("mail", "deal");
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_links({{one}})); });
  const auto version = read(acme)->data_version().value();
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.drop_link(one.id)); });
  EXPECT_FALSE(read(acme)->link(one.id).value());
  EXPECT_GT(read(acme)->data_version().value(), version);
}

TEST_P(LinkContract, links_are_found_from_both_ends_and_by_status_in_id_order) {
  auto suggested = link("mail1", "deal2");
  suggested.status = "suggested";
  auto ignored = link("mail2", "deal1");
  ignored.status = "ignored";
  auto to_contact = link("mail1", "kim");
  to_contact.to_type = "contact";
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.put_links({{link("mail1", "deal1"), suggested, ignored, to_contact}}));
  });
  const auto find = [&](auto&& restrict) {
    LinkQuery query;
    restrict(query);
    return read(acme)->links(query).value();
  };
  const auto count = [&](auto&& restrict) { return find(restrict).size(); };
  EXPECT_EQ(count([](LinkQuery& q) { q.from = ShardId("mail1"); }), 3u);
  EXPECT_EQ(count([](LinkQuery& q) { q.to = ShardId("deal1"); }), 1u) << "ignored ones are asked for by name";
  EXPECT_EQ(count([](LinkQuery& q) {
              q.from = ShardId("mail1");
              q.to = ShardId("deal2");
            }),
            1u);
  EXPECT_EQ(count([](LinkQuery& q) { q.status = "ignored"; }), 1u);
  EXPECT_EQ(count([](LinkQuery& q) { q.status = "suggested"; }), 1u);
  EXPECT_EQ(count([](LinkQuery& q) { q.to_type = "contact"; }), 1u);
  EXPECT_EQ(count([](LinkQuery& q) { q.limit = 1; }), 1u);
  const auto all = find([](LinkQuery&) {});
  ASSERT_EQ(all.size(), 3u);
  EXPECT_LT(all[0].id, all[1].id);
  EXPECT_EQ(count([&](LinkQuery& q) { q.after = all[1].id; }), 1u);
}

TEST_P(LinkContract, feedback_adds_up) {
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.add_link_feedback({"content", 1, 0}));
    ASSERT_TRUE(tx.add_link_feedback({"content", 0, 2}));
  });
  const auto feedback = read(acme)->link_feedback().value();
  ASSERT_EQ(feedback.size(), 1u);
  EXPECT_EQ(feedback[0].approved, 1);
  EXPECT_EQ(feedback[0].rejected, 2);
}

TEST_P(LinkContract, interactions_and_footprints_are_replaced_with_their_shard) {
  const auto with = [](std::string person, std::int64_t at) {
    return Interaction{std::move(person), {at}, ShardId("m"), "us@acme.com", "mail", "inbound", 3};
  };
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.put_interactions(ShardId("m"), {{with("a@x.com", 1)}}));
    ASSERT_TRUE(
        tx.put_interactions(ShardId("m"), {{with("b@x.com", 1), with("b@x.com", 2), with("b@x.com", 2)}}));
    ASSERT_TRUE(tx.put_footprints(ShardId("m"), {{Footprint{"person", "a@x.com"}}}));
    ASSERT_TRUE(tx.put_footprints(
        ShardId("m"),
        {{Footprint{"person", "b@x.com"}, Footprint{"person", "b@x.com"}, Footprint{"thread", "t"}}}));
  });
  EXPECT_TRUE(read(acme)->interactions("a@x.com", 10).value().empty());
  const auto found = read(acme)->interactions("b@x.com", 10).value();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].at, Timestamp{2}) << "newest first";
  EXPECT_EQ(found[0].own, "us@acme.com");
  EXPECT_EQ(found[0].size, 3);
  EXPECT_EQ(read(acme)->interactions("b@x.com", 1).value().size(), 1u);
  EXPECT_TRUE(read(acme)->shards_with({"person", "a@x.com"}, 10).value().empty());
  EXPECT_EQ(read(acme)->shards_with({"person", "b@x.com"}, 10).value(), std::vector<ShardId>{ShardId("m")});
  EXPECT_FALSE(read(acme)->any_footprint_besides({"person", "b@x.com"}).value());
  EXPECT_TRUE(read(acme)->any_footprint_besides({"person", "a@x.com"}).value());
  EXPECT_TRUE(read(acme)->any_footprint_besides({"person", "c@x.com"}).value());
  EXPECT_FALSE(read(acme)->any_footprint_besides({"domain", "x.com"}).value());
  EXPECT_FALSE(read(other)->any_footprint_besides({"person", "a@x.com"}).value());
  EXPECT_EQ(read(acme)->footprints(ShardId("m")).value().size(), 2u);
}

TEST_P(LinkContract, an_insight_is_replaced_by_the_next_one_of_its_shard) {
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.put_insight({ShardId("1"), "deal", {1}, R"({"p":1})", CorrelationId("c"), {2}}));
    ASSERT_TRUE(tx.put_insight({ShardId("2"), "deal", {1}, "{}", CorrelationId("c"), {2}}));
    ASSERT_TRUE(tx.put_insight({ShardId("1"), "deal", {3}, R"({"p":2})", CorrelationId("d"), {4}}));
  });
  EXPECT_EQ(read(acme)->insights("deal").value().size(), 2u);
  EXPECT_TRUE(read(acme)->insights("other").value().empty());
  const auto insight = read(acme)->insight("deal", ShardId("1")).value();
  ASSERT_TRUE(insight);
  EXPECT_EQ(insight->payload, R"({"p":2})");
  EXPECT_EQ(insight->as_of, Timestamp{3});
  EXPECT_EQ(insight->correlation, CorrelationId("d"));
  EXPECT_FALSE(read(acme)->insight("deal", ShardId("3")).value());
}

TEST_P(LinkContract, imports_and_their_files_are_remembered) {
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.put_import_run({CorrelationId("a"), "running", {1}, {}, "{}"}));
    ASSERT_TRUE(tx.put_import_run({CorrelationId("b"), "running", {2}, {}, "{}"}));
    ASSERT_TRUE(tx.put_import_run({CorrelationId("a"), "done", {1}, Timestamp{5}, R"({"n":1})"}));
    ASSERT_TRUE(tx.put_imported_file({"sha", "map", CorrelationId("a"), false, true, "at 5", 5}));
    ASSERT_TRUE(tx.put_imported_file({"sha", "map", CorrelationId("a"), true, true, "", 9}));
  });
  const auto run = read(acme)->import_run(CorrelationId("a")).value();
  ASSERT_TRUE(run);
  EXPECT_EQ(run->status, "done");
  EXPECT_EQ(run->finished_at, Timestamp{5});
  EXPECT_FALSE(read(acme)->import_run(CorrelationId("b")).value()->finished_at);
  const auto runs = read(acme)->import_runs(10).value();
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].correlation, CorrelationId("b")) << "newest first";
  EXPECT_EQ(read(acme)->import_runs(1).value().size(), 1u);
  const auto file = read(acme)->imported_file("sha", "map").value();
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->complete);
  EXPECT_TRUE(file->dated);
  EXPECT_EQ(file->records, 9);
  EXPECT_FALSE(read(acme)->imported_file("sha", "another").value());
}

TEST_P(LinkContract, cursors_settings_and_audit_are_kept) {
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.put_cursor("i", "n", "1"));
    ASSERT_TRUE(tx.put_cursor("i", "n", "2"));
    ASSERT_TRUE(tx.put_setting("a", "1"));
    ASSERT_TRUE(tx.put_setting("a", "2"));
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(tx.add_audit({{i}, "kim", "did", std::to_string(i), "{}"}));
  });
  EXPECT_EQ(read(acme)->cursor("i", "n").value(), "2");
  EXPECT_FALSE(read(acme)->cursor("i", "m").value());
  const auto settings = read(acme)->settings().value();
  ASSERT_EQ(settings.size(), 1u);
  EXPECT_EQ(settings[0], (std::pair<std::string, std::string>("a", "2")));
  const auto audit = read(acme)->audit(2).value();
  ASSERT_EQ(audit.size(), 2u);
  EXPECT_EQ(audit[0].target, "2") << "newest first";
  EXPECT_EQ(audit[0].actor, "kim");
}

CASTIEL_FOR_ALL_STORES(LinkContract);

}  // namespace
}  // namespace castiel::storage
