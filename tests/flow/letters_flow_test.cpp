// Dead letters of the real stages: what a rehearsal tells is what the replay then does.

#include "flow.hpp"
#include "messaging/rehearsal.hpp"

namespace castiel {
namespace {

// Refuses the records with these keys for good: the mapping before somebody put it right.
class Faulty final : public messaging::Handler {
 public:
  explicit Faulty(messaging::Handler& inner) : inner_(&inner) {}
  std::set<std::string> refused;
  Result<std::unique_ptr<messaging::Plan>> prepare(const storage::Reader& reader,
                                                   std::span<const messaging::Incoming> batch) override {
    for (const auto& in : batch) {
      for (const auto& record : *get_array(in.event.data.get_object(), "records")) {
        if (refused.contains(string_or(record.get_object(), "key")))
          return std::make_unique<Refusal>(batch, refused);
      }
    }
    return inner_->prepare(reader, batch);
  }

 private:
  struct Refusal final : messaging::Plan {
    std::vector<messaging::RecordFailure> failed;
    Refusal(std::span<const messaging::Incoming> batch, const std::set<std::string>&) {
      for (std::size_t m = 0; m < batch.size(); ++m) {
        const auto& records = *get_array(batch[m].event.data.get_object(), "records");
        for (std::size_t r = 0; r < records.size(); ++r)
          failed.push_back({m, r, {"unknown_stage", "no such stage", ErrorClass::permanent, {}}, "/source"});
      }
    }
    Result<> apply(messaging::Step&) override { return {}; }
    std::span<const messaging::RecordFailure> failures() const override { return failed; }
    std::string summary() const override { return "refused"; }
  };
  messaging::Handler* inner_;
};

struct LettersFlow : Flow {
  Faulty faulty{crm};
  void SetUp() override {
    Flow::SetUp();
    consumers.erase(consumers.begin());
    add(model::queue::kDataRaw, model::event::kDataRaw, faulty);
  }
  static std::string deal(const std::string& amount, const std::string& at) {
    return "Id,Name,StageName,Amount,CloseDate,LastModifiedDate\nD1,One,Proposal," + amount + ",2026-12-01," +
           at + "\n";
  }
  std::vector<storage::DeadLetter> open() { return reader()->letters({}).value(); }
  // What a difference says of a field: "before>after".
  static std::string said(const messaging::ShardDifference& shard, std::string_view field) {
    for (const auto& f : shard.fields) {
      if (f.field == field) return f.before.value_or("") + ">" + f.after.value_or("");
    }
    return "nothing";
  }
};

TEST_F(LettersFlow, a_rehearsal_tells_field_by_field_what_the_replay_then_does) {
  files.put("/1/Opportunity.csv", deal("1000", "2026-02-01T00:00:00.000Z"));
  files.put("/2/Opportunity.csv", deal("2000", "2026-03-01T00:00:00.000Z"));
  files.put("/3/Opportunity.csv", deal("3000", "2026-04-01T00:00:00.000Z"));
  import({"/1"});
  faulty.refused = {"D1"};
  import({"/2"});
  import({"/3"});
  const auto letters = open();
  ASSERT_EQ(letters.size(), 2u);

  messaging::Rehearsal rehearsal({store.get(), schemas.get(), &clock, &ids});
  rehearsal.add(std::string(model::queue::kDataRaw), faulty, true);
  EXPECT_EQ(rehearsal.rehearse(tenant, letters).value()[0].would, "fails") << "nobody has put it right";
  faulty.refused.clear();
  const auto told = rehearsal.rehearse(tenant, letters).value();
  for (const auto& one : told) {
    EXPECT_EQ(one.would, "effect");
    ASSERT_EQ(one.shards.size(), 1u);
    EXPECT_EQ(one.shards[0].effect, "updated");
    EXPECT_EQ(one.shards[0].name, "One");
    EXPECT_EQ(said(one.shards[0], "name"), "nothing") << "only what differs";
  }
  EXPECT_EQ(said(told[0].shards[0], "amount"), "1000>2000");
  EXPECT_EQ(told[1].behind, letters[0].id);
  EXPECT_EQ(said(told[1].shards[0], "amount"), "2000>3000") << "over the effects of the one before it";

  const auto key = told[0].shards[0].key;
  EXPECT_EQ(reader()->shard(key).value()->version, 1) << "nothing was written";
  EXPECT_TRUE(reader()->history(key).value().empty());
  EXPECT_FALSE(step_all()) << "nothing was published";

  for (const auto& letter : letters) {
    auto tx = store->begin(tenant, Deadline::after(clock, 5s)).value();
    ASSERT_TRUE(messaging::put_back(*tx, *broker, letter, ids, clock.now(), clock.now(), "ann").value().done);
    ASSERT_TRUE(tx->commit());
  }
  while (step_all()) {
  }
  const auto shard = reader()->shard(key).value();
  EXPECT_EQ(shard->version, 3);
  EXPECT_NE(shard->data.find("3000"), std::string::npos);
  EXPECT_TRUE(open().empty());
}

TEST_F(LettersFlow, what_a_rehearsal_would_create_is_told_whole) {
  files.put("/1/Opportunity.csv", deal("1000", "2026-02-01T00:00:00.000Z"));
  faulty.refused = {"D1"};
  const auto summary = import({"/1"});
  EXPECT_EQ(records(summary, "deadLettered"), 1);
  faulty.refused.clear();
  messaging::Rehearsal rehearsal({store.get(), schemas.get(), &clock, &ids});
  rehearsal.add(std::string(model::queue::kDataRaw), faulty, true);
  const auto told = rehearsal.rehearse(tenant, open()).value();
  ASSERT_EQ(told[0].shards.size(), 1u);
  EXPECT_EQ(told[0].shards[0].effect, "created");
  EXPECT_EQ(said(told[0].shards[0], "amount"), ">1000");
  EXPECT_EQ(told[0].shards[0].key.external_id, "D1");
  EXPECT_EQ(reader()->shard_count("opportunity").value(), 0);
}

}  // namespace
}  // namespace castiel
