// Names, and relations that find their targets through them, of every kind of store.

#include <thread>

#include "storage/tests/store_contract.hpp"

namespace castiel::storage {
namespace {

struct RelationContract : StoreContract {
  static Relation by_name(std::string from, std::string name, std::string integration = "files",
                          std::string kind = "account:name") {
    return {
        ShardId(std::move(from)), "account", 0, std::move(integration), std::move(kind), name, name, {}, {}};
  }
  static Relation by_id(std::string from, std::string id, std::string integration = "files") {
    return by_name(std::move(from), std::move(id), std::move(integration), "account:id");
  }
  static Relation first_of(const Reader& reader, const std::string& from) {
    return reader.relations_from(ShardId(from)).value().at(0);
  }
};

TEST_P(RelationContract, relations_resolve_whichever_side_comes_first) {
  const auto account = shard("A1");
  auto tx = begin(acme);
  ASSERT_TRUE(tx->put_relations({{by_id("deal1", "A1"), by_name("deal2", "acme")}}));
  EXPECT_EQ(tx->loose_relations(10).value().size(), 2u);
  ASSERT_TRUE(tx->put_shards({{account}}));
  ASSERT_TRUE(tx->put_aliases({{Alias{"account:name", "acme", "files", account.shard.id}}}));
  EXPECT_TRUE(tx->loose_relations(10).value().empty());
  ASSERT_TRUE(tx->put_relations({{by_name("deal3", "acme")}}));
  EXPECT_EQ(tx->relations_to(account.shard.id).value().size(), 3u);
  ASSERT_TRUE(tx->commit());
  EXPECT_EQ(first_of(*read(acme), "deal1").how, "id");
  EXPECT_EQ(first_of(*read(acme), "deal2").how, "name");
}

TEST_P(RelationContract, a_relation_is_resolved_by_a_name_of_a_later_transaction) {
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_relations({{by_name("deal", "acme")}})); });
  write(other, [&](Transaction& tx) {
    ASSERT_TRUE(tx.put_aliases({{Alias{"account:name", "acme", "files", ShardId("elsewhere")}}}));
  });
  EXPECT_EQ(read(acme)->loose_relations(10).value().size(), 1u) << "another tenant's name is none";
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.put_aliases({{Alias{"account:name", "acme", "files", ShardId("1")}}}));
  });
  EXPECT_EQ(first_of(*read(acme), "deal").to, ShardId("1"));
  EXPECT_EQ(read(acme)->relations_to(ShardId("1")).value().size(), 1u);
}

TEST_P(RelationContract, an_id_is_looked_up_in_its_own_integration_only) {
  auto elsewhere = shard("A1");
  elsewhere.shard.key.integration = "crm";
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.put_shards({{elsewhere}}));
    ASSERT_TRUE(tx.put_relations({{by_id("deal", "A1")}}));
  });
  EXPECT_EQ(read(acme)->loose_relations(10).value().size(), 1u);
}

TEST_P(RelationContract, a_name_shared_by_two_is_left_open) {
  auto tx = begin(acme);
  ASSERT_TRUE(tx->put_aliases(
      {{Alias{"user:name", "kim", "a", ShardId("1")}, Alias{"user:name", "kim", "b", ShardId("2")}}}));
  ASSERT_TRUE(tx->put_relations({{by_name("d", "kim", "c", "user:name")}}));
  EXPECT_EQ(first_of(*tx, "d").how, "ambiguous");
  EXPECT_FALSE(first_of(*tx, "d").to);
  ASSERT_TRUE(tx->put_relations({{by_name("d", "kim", "b", "user:name")}}));
  EXPECT_EQ(first_of(*tx, "d").to, ShardId("2")) << "the source's own shard is preferred";
}

TEST_P(RelationContract, a_shared_name_ends_the_same_whichever_side_comes_first) {
  auto tx = begin(acme);
  ASSERT_TRUE(tx->put_relations({{by_name("d", "acme", "c")}}));
  ASSERT_TRUE(tx->put_aliases({{Alias{"account:name", "acme", "a", ShardId("1")}}}));
  EXPECT_EQ(first_of(*tx, "d").to, ShardId("1"));
  ASSERT_TRUE(tx->put_aliases({{Alias{"account:name", "acme", "b", ShardId("2")}}}));
  EXPECT_EQ(first_of(*tx, "d").how, "ambiguous");
  EXPECT_FALSE(first_of(*tx, "d").to);
  ASSERT_TRUE(tx->put_aliases({{Alias{"account:name", "acme", "c", ShardId("3")}}}));
  EXPECT_EQ(first_of(*tx, "d").to, ShardId("3"));
}

TEST_P(RelationContract, a_shards_relations_are_replaced_as_a_whole) {
  auto second = by_name("d", "beta");
  second.ordinal = 1;
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_relations({{by_name("d", "alpha"), second}})); });
  EXPECT_EQ(read(acme)->relations_from(ShardId("d")).value().size(), 2u);
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_relations({{by_name("d", "gamma")}})); });
  ASSERT_EQ(read(acme)->relations_from(ShardId("d")).value().size(), 1u);
  EXPECT_EQ(first_of(*read(acme), "d").key, "gamma");
  Relation only_clears;
  only_clears.from = ShardId("d");
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_relations({{only_clears}})); });
  EXPECT_TRUE(read(acme)->relations_from(ShardId("d")).value().empty());
}

TEST_P(RelationContract, a_dropped_name_is_not_found_any_more_and_may_come_back) {
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.put_aliases({{Alias{"account:name", "old", "files", ShardId("1")}}}));
  });
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.drop_aliases(ShardId("1")));
    ASSERT_TRUE(tx.put_aliases({{Alias{"account:name", "new", "files", ShardId("1")}}}));
    ASSERT_TRUE(tx.put_relations({{by_name("a", "old"), by_name("b", "new")}}));
  });
  EXPECT_FALSE(first_of(*read(acme), "a").to);
  EXPECT_EQ(first_of(*read(acme), "b").to, ShardId("1"));
  EXPECT_TRUE(read(acme)->aliases("account:name", "old").value().empty());
  EXPECT_EQ(read(acme)->aliases("account:name", "new").value().size(), 1u);
  EXPECT_EQ(read(acme)->aliases_of_kind("account:name", 10).value().size(), 1u);
}

TEST_P(RelationContract, a_relation_may_be_resolved_by_hand_until_a_name_says_otherwise) {
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_relations({{by_name("d", "akme")}})); });
  auto near = by_name("d", "akme");
  near.to = ShardId("1");
  near.how = "near";
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.resolve_relation(near)); });
  EXPECT_EQ(first_of(*read(acme), "d").how, "near");
  const auto named = read(acme)->named_relations().value();
  ASSERT_EQ(named.size(), 1u);
  EXPECT_EQ(named[0].to, ShardId("1"));
  EXPECT_EQ(named[0].how, "near");
  EXPECT_EQ(named[0].count, 1);
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.put_aliases({{Alias{"account:name", "akme", "files", ShardId("2")}}}));
  });
  EXPECT_EQ(first_of(*read(acme), "d").to, ShardId("2"));
}

TEST_P(RelationContract, many_relations_are_found_by_their_target) {
  constexpr int kRelations = 10'000, kEach = 1'000;
  for (int i = 0; i < kRelations;) {
    std::vector<Relation> relations;
    for (const int end = i + kEach; i < end; ++i) {
      const std::string key = "A" + std::to_string(i % 10);
      relations.push_back(i % 2 == 0 ? by_id(ids.next(), key) : by_name(ids.next(), key));
    }
    write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_relations(relations)); });
  }
  const auto two = shard("A2");
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.put_shards({{two}}));
    ASSERT_TRUE(tx.put_aliases({{Alias{"account:name", "A3", "files", two.shard.id}}}));
  });
  EXPECT_EQ(read(acme)->relations_to(two.shard.id).value().size(), kRelations / 5u);
  EXPECT_EQ(read(acme)->loose_relations(kRelations).value().size(), kRelations * 4u / 5u);
}

TEST_P(RelationContract, every_relation_of_live_shards_of_a_type_is_visited_once) {
  constexpr int kShards = 2500;
  std::vector<ShardWrite> shards;
  std::vector<Relation> relations;
  for (int i = 0; i < kShards; ++i) {
    shards.push_back(shard(std::to_string(i)));
    if (i % 3 == 0) continue;
    relations.push_back(by_name(shards.back().shard.id.str(), "x"));
    relations.push_back(by_name(shards.back().shard.id.str(), "y"));
    relations.back().ordinal = 1;
  }
  shards[1].shard.deleted_at = Timestamp{1};
  auto contact = shard("c");
  contact.shard.key.type = "contact";
  relations.push_back(by_name(contact.shard.id.str(), "x"));
  shards.push_back(contact);
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.put_shards(shards));
    ASSERT_TRUE(tx.put_relations(relations));
  });
  int visits = 0;
  ASSERT_TRUE(read(acme)->each_relation("account", [&](const Relation&) -> Result<> {
    ++visits;
    return {};
  }));
  EXPECT_EQ(visits, static_cast<int>(relations.size()) - 3)
      << "without the deleted one's two and the contact's";
}

// One transaction makes a name while another looks for it: whoever commits first, they find each other.
TEST_P(RelationContract, a_name_and_its_relation_made_side_by_side_find_each_other) {
  constexpr int kRounds = 30;
  for (int round = 0; round < kRounds; ++round) {
    const std::string n = std::to_string(round);
    const auto account = shard("A" + n);
    {
      std::jthread makes_name([&] {
        auto tx = store->begin(acme, soon()).value();
        EXPECT_TRUE(tx->put_shards({{account}}));
        EXPECT_TRUE(tx->put_aliases({{Alias{"account:name", "name" + n, "files", account.shard.id}}}));
        EXPECT_TRUE(tx->commit());
      });
      std::jthread looks_for_it([&] {
        auto tx = store->begin(acme, soon()).value();
        EXPECT_TRUE(tx->put_relations({{by_name("by name" + n, "name" + n), by_id("by id" + n, "A" + n)}}));
        EXPECT_TRUE(tx->commit());
      });
    }
    ASSERT_EQ(read(acme)->relations_to(account.shard.id).value().size(), 2u) << "in round " << round;
  }
}

// Two transactions give the same name to different shards: what waits for it is left open.
TEST_P(RelationContract, a_name_given_twice_side_by_side_is_ambiguous) {
  constexpr int kRounds = 20;
  for (int round = 0; round < kRounds; ++round) {
    const std::string name = "name" + std::to_string(round);
    write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_relations({{by_name(name, name, "c")}})); });
    const auto give = [&](const std::string& id) {
      auto tx = store->begin(acme, soon()).value();
      EXPECT_TRUE(tx->put_aliases({{Alias{"account:name", name, "files", ShardId(id)}}}));
      EXPECT_TRUE(tx->commit());
    };
    {
      std::jthread one([&] { give("1"); }), two([&] { give("2"); });
    }
    ASSERT_EQ(first_of(*read(acme), name).how, "ambiguous") << "in round " << round;
  }
}

CASTIEL_FOR_ALL_STORES(RelationContract);

}  // namespace
}  // namespace castiel::storage
