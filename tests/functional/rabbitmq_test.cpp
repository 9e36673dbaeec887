// The same import with the events waiting at a RabbitMQ server, which is killed in the middle of it.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "crm_files.hpp"
#include "messaging/testing/rabbitmq_server.hpp"
#include "mixed_files.hpp"
#include "support.hpp"

namespace castiel::functional {
namespace {

using messaging::testing::RabbitmqServer;

constexpr std::uint64_t kSeed = 20'261'125;
constexpr Millis kLong = 240s;

class Rabbitmq : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started = RabbitmqServer::start();
    ASSERT_TRUE(started) << started.error().describe();
    server_ = started->release();
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override { ASSERT_NE(server_, nullptr); }

  static std::vector<std::string> import_of(const Path& files, const Path& data, bool elsewhere) {
    std::vector<std::string> arguments{"import", files.string(), "--tenant", "acme", "--data", data.string(),
                                       "--json", "--set",
                                       // An innocent message may be in work at each kill of a process.
                                       "mapping.max_deliveries=100"};
    if (elsewhere) {
      arguments.emplace_back("--set");
      arguments.push_back("broker.url=" + server_->url());
    }
    return arguments;
  }
  static inline RabbitmqServer* server_ = nullptr;
};

// BACKENDS-2
TEST_F(Rabbitmq, the_example_workspace_ends_as_on_the_embedded_broker) {
  TempFolder folder;
  const Path files = Path(CASTIEL_SOURCE_DIR) / "examples/workspace";
  const auto embedded = castiel(import_of(files, folder.path() / "embedded", false), {}, kLong);
  ASSERT_EQ(embedded.status, 0) << embedded.err;
  const auto elsewhere = castiel(import_of(files, folder.path() / "elsewhere", true), {}, kLong);
  ASSERT_EQ(elsewhere.status, 0) << elsewhere.err;
  expect_same("summaries", comparable(embedded.last()), comparable(elsewhere.last()));
  expect_same(stored(folder.path() / "embedded", "acme"), stored(folder.path() / "elsewhere", "acme"));
}

// TEST-3
TEST_F(Rabbitmq, a_server_killed_in_the_middle_loses_nothing_and_repeats_nothing) {
  TempFolder folder;
  const auto counts = write_crm(folder, kSeed);
  const Path files = folder.path() / "crm";
  const auto whole = castiel(import_of(files, folder.path() / "whole", false), {}, kLong);
  ASSERT_EQ(whole.status, 3) << whole.err;
  const auto expected = stored(folder.path() / "whole", "acme");

  // Earlier and earlier, should the machine be so fast that it is done before the first kill.
  Path data;
  int kills = 0;
  Finished done;
  for (auto delay = 1200ms; kills == 0 && delay > 50ms; delay /= 2) {
    data = folder.path() / fmt::format("killed-{}", delay.count());
    Process process(import_of(files, data, true));
    for (; kills < 3 && !process.ended_within(delay); ++kills) {
      const auto restarted = server_->restart();
      ASSERT_TRUE(restarted) << restarted.error().describe();
    }
    done = process.finish(kLong);
  }
  EXPECT_GE(kills, 1) << "it was over before the server was killed";
  ASSERT_EQ(done.status, 3) << done.err;
  EXPECT_EQ(number(done.last(), "records.read"), counts.records);
  expect_same("summaries", comparable(whole.last()), comparable(done.last()));
  expect_same(expected, stored(data, "acme"));
  EXPECT_EQ(done.err.find("secret"), std::string::npos) << done.err;
}

TEST_F(Rabbitmq, a_process_killed_in_the_middle_is_taken_up_by_the_next) {
  TempFolder folder;
  write_crm(folder, kSeed,
            {.accounts = 40, .users = 4, .products = 5, .opportunities = 120, .changes_each = 1});
  const Path files = folder.path() / "crm";
  const auto whole = castiel(import_of(files, folder.path() / "whole", false), {}, kLong);
  ASSERT_EQ(whole.status, 3) << whole.err;
  Path data;
  int kills = 0;
  bool finished = false;
  std::optional<Finished> done;
  for (auto first = 700ms; kills == 0 && first > 50ms; first /= 2) {
    data = folder.path() / fmt::format("killed-{}", first.count());
    done.reset();
    finished = false;
    for (const auto delay : {first, first * 2, first * 3}) {
      Process process(import_of(files, data, true));
      if (process.ended_within(delay)) {
        done = process.finish();
        break;
      }
      process.signal(SIGKILL);
      process.finish();
      ++kills;
      if ((finished = is_done(data))) break;  // again would be a second import
    }
  }
  EXPECT_GE(kills, 1);
  if (!done && !finished) done = castiel(import_of(files, data, true), {}, kLong);
  if (done) {
    EXPECT_EQ(done->status, 3) << done->err;
  }
  expect_same(stored(folder.path() / "whole", "acme"), stored(data, "acme"));
}

TEST_F(Rabbitmq, is_asked_by_doctor_and_readiness_which_show_no_password) {
  TempFolder folder;
  const std::string data = (folder.path() / "data").string();
  const std::string broker = "broker.url=" + server_->url();
  {
    Server server(data, {"--set", broker});
    EXPECT_EQ(server.get("/health/ready").status, 200);
    const auto metrics = server.get("/metrics");
    EXPECT_NE(metrics.body.find("castiel_broker_up 1"), std::string::npos);
    server_->kill();
    EXPECT_TRUE(eventually([&] { return server.get("/health/ready").status == 503; }));
    EXPECT_EQ(server.get("/health/live").status, 200);
    EXPECT_NE(server.get("/metrics").body.find("castiel_broker_up 0"), std::string::npos);
    const auto away = castiel({"doctor", "--data", data, "--set", broker});
    EXPECT_EQ(away.status, 3) << away.out;
    EXPECT_EQ((away.out + away.err).find("secret"), std::string::npos) << away.out << away.err;
    ASSERT_TRUE(server_->restart());
    EXPECT_TRUE(eventually([&] { return server.get("/health/ready").status == 200; }));
    EXPECT_EQ(server.process().errors_so_far().find("secret"), std::string::npos);
  }
  const auto doctor = castiel({"doctor", "--data", data, "--set", broker, "--json"});
  bool found = false;
  for (const auto& line : doctor.lines())
    found = found || (text(line, "check") == "broker" && line.at("ok").as_bool());
  EXPECT_TRUE(found) << doctor.out;
}

TEST_F(Rabbitmq, an_unusable_url_stops_the_start_without_being_shown) {
  TempFolder folder;
  const auto refused = castiel({"serve", "--data", (folder.path() / "data").string(), "--set",
                                "broker.url=http://me:hunter2@127.0.0.1"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("invalid_broker_url"), std::string::npos) << refused.err;
  EXPECT_EQ(refused.err.find("hunter2"), std::string::npos) << refused.err;
}

}  // namespace
}  // namespace castiel::functional
