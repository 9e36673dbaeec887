// Several processes by role over PostgreSQL and RabbitMQ, killed again and again: what is stored in the end
// is what one process with its own file stores (BACKENDS-2, FLOW-10).

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <map>
#include <random>

#include "crm_files.hpp"
#include "messaging/testing/rabbitmq_server.hpp"
#include "mixed_files.hpp"
#include "storage/testing/postgres_server.hpp"
#include "support.hpp"

namespace castiel::functional {
namespace {

using messaging::testing::RabbitmqServer;
using storage::testing::PostgresServer;

constexpr std::uint64_t kSeed = 20'261'126;
constexpr Millis kLong = 300s;
constexpr CrmShape kSmall{
    .accounts = 30, .users = 4, .products = 5, .opportunities = 400, .changes_each = 2, .bad_rows = true};

class Scaled : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto rabbitmq = RabbitmqServer::start();
    ASSERT_TRUE(rabbitmq) << rabbitmq.error().describe();
    rabbitmq_ = rabbitmq->release();
    auto postgres = PostgresServer::start();
    ASSERT_TRUE(postgres) << postgres.error().describe();
    postgres_ = postgres->release();
  }
  static void TearDownTestSuite() {
    delete rabbitmq_;
    delete postgres_;
    rabbitmq_ = nullptr;
    postgres_ = nullptr;
  }
  void SetUp() override {
    ASSERT_NE(rabbitmq_, nullptr);
    ASSERT_NE(postgres_, nullptr);
    const auto made = postgres_->create_database("scaled");
    ASSERT_TRUE(made) << made.error().describe();
  }
  void TearDown() override {
    fleet_.clear();
    (void)postgres_->drop_database("scaled");
  }

  // A folder of a process of its own on the common store and broker.
  Path folder_of(const std::string& name) const {
    folder_.write(name + "/castiel.yaml",
                  fmt::format("store.url: \"{}\"\nbroker.url: \"{}\"\nblobs.url: \"file://{}\"\n"
                              // An innocent message may be in work at each kill of a process.
                              "mapping.max_deliveries: 100\nquarantine.crashes: 100\nimports.lease: 3s\n",
                              postgres_->url("scaled").reveal(), rabbitmq_->url(),
                              (folder_.path() / "blobs").string()));
    return folder_.path() / name;
  }
  void start(const std::string& name, const std::string& role) {
    const auto data = folder_of(name);
    fleet_[name] = {role, std::make_unique<Process>(std::vector<std::string>{
                              "serve", "--role", role, "--data", data.string(), "--listen",
                              fmt::format("127.0.0.1:{}", free_port())})};
  }
  void wait_until_ready(const std::string& name) {
    const auto socket = folder_.path() / name / "castiel.sock";
    EXPECT_TRUE(eventually([&] { return http(socket, "/health/ready").status == 200; }))
        << name << ": " << fleet_.at(name).process->errors_so_far();
  }
  void kill_and_start_again(const std::string& name) {
    const auto role = fleet_.at(name).role;
    fleet_.at(name).process->signal(SIGKILL);
    fleet_.at(name).process->finish();
    start(name, role);
  }

  struct Member {
    std::string role;
    std::unique_ptr<Process> process;
  };
  TempFolder folder_;
  std::map<std::string, Member> fleet_;
  static inline RabbitmqServer* rabbitmq_ = nullptr;
  static inline PostgresServer* postgres_ = nullptr;
};

TEST_F(Scaled, two_processes_of_each_role_killed_in_turn_end_as_one_undisturbed_does) {
  const auto crm = write_crm(folder_, kSeed, kSmall);
  const auto mixed = write_mixed(folder_, kSeed);
  const std::vector<std::string> paths{(folder_.path() / "crm").string(),
                                       (folder_.path() / "mixed").string()};
  const auto import_into = [&](const Path& data) {
    std::vector<std::string> arguments{"import", "--tenant", "acme", "--data", data.string(), "--json"};
    arguments.insert(arguments.end(), paths.begin(), paths.end());
    return arguments;
  };
  const auto alone = castiel(import_into(folder_.path() / "alone"), {}, kLong);
  ASSERT_EQ(alone.status, 3) << alone.err;
  EXPECT_EQ(number(alone.last(), "records.read"), crm.records + mixed.records());

  start("front1", "api,sync");
  wait_until_ready("front1");  // it makes the queues
  start("front2", "api,sync");
  for (const std::string role : {"processing", "linking", "intelligence"}) {
    for (const std::string n : {"1", "2"}) start(role + n, role);
  }
  for (const auto& [name, member] : fleet_) wait_until_ready(name);

  std::string front = "front1";  // where the command waits, and where the import began
  auto importing = std::make_unique<Process>(import_into(folder_.path() / front));
  std::mt19937_64 random(kSeed);
  int kills = 0, front_kills = 0;
  const std::vector<std::string> victims{"processing1", "processing2",   "linking1",
                                         "linking2",    "intelligence1", "intelligence2"};
  constexpr int kMostKills = 24;  // then it may end in peace
  constexpr int kMostFrontKills = 2;
  while (kills < kMostKills && !importing->ended_within(Millis(200 + random() % 600))) {
    ++kills;
    if (front_kills >= kMostFrontKills || random() % 4 != 0) {
      kill_and_start_again(victims[random() % victims.size()]);
      continue;
    }
    // The reader of the import dies, and with it who waited for it; the other one goes on from where it was.
    ++front_kills;
    kill_and_start_again(front);
    EXPECT_NE(importing->finish(kLong).status, 0);
    front = front == "front1" ? "front2" : "front1";
    wait_until_ready(front);
    importing = std::make_unique<Process>(import_into(folder_.path() / front));
  }
  const auto together = importing->finish(kLong);
  SCOPED_TRACE(
      fmt::format("seed {}, {} kills, {} of them of the import's reader", kSeed, kills, front_kills));
  EXPECT_GT(kills, 0);
  EXPECT_GT(front_kills, 0);
  ASSERT_EQ(together.status, 3) << together.err;
  expect_same("summaries", comparable(alone.last()), comparable(together.last()));
  for (auto& [name, member] : fleet_) {
    member.process->signal(SIGTERM);
    EXPECT_EQ(member.process->finish().status, 0) << name;
  }
  fleet_.clear();
  auto expected = stored(folder_.path() / "alone", "acme");
  expected.links
      .clear();  // read from the file, which the other one has not; their numbers are in the summaries
  expect_same(expected, stored(folder_.path() / "front1", "acme"));
}

}  // namespace
}  // namespace castiel::functional
