// The broker is away for long (FLOW-6): the process handles what waits in its outbox itself, in order, and
// nothing is done twice when the broker comes back.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "crm_files.hpp"
#include "messaging/testing/rabbitmq_server.hpp"
#include "support.hpp"

namespace castiel::functional {
namespace {

using messaging::testing::RabbitmqServer;

constexpr std::uint64_t kSeed = 20'261'127;
constexpr Millis kLong = 240s;

class FallbackOfBroker : public testing::Test {
 protected:
  void SetUp() override {
    auto started = RabbitmqServer::start();
    ASSERT_TRUE(started) << started.error().describe();
    broker_ = std::move(*started);
    write_crm(folder_, kSeed);
    const auto whole = castiel(import_into("whole", {}), {}, kLong);
    ASSERT_EQ(whole.status, 3) << whole.err;
    expected_summary_ = whole.last();
  }
  std::vector<std::string> with_broker() const {
    return {"--set", "broker.url=" + broker_->url(), "--set", "broker.fallback_after=1s",
            "--set", "broker.fallback_until=2s",     "--set", "broker.fallback_per_second=10000",
            "--set", "mapping.max_deliveries=100"};
  }
  std::vector<std::string> import_into(const std::string& data, const std::vector<std::string>& more,
                                       const std::string& tenant = "acme") const {
    std::vector<std::string> arguments{"import", (folder_.path() / "crm").string(), "--tenant", tenant,
                                       "--data", (folder_.path() / data).string(),  "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  void expect_as_whole(const json::object& summary, const std::string& data) const {
    expect_same("summaries", comparable(expected_summary_), comparable(summary));
    expect_same(stored(folder_.path() / "whole", "acme"), stored(folder_.path() / data, "acme"));
  }
  // The sum over the series of a metric.
  static double metric(const Server& server, const std::string& name) {
    const auto text = server.get("/metrics").body;
    double sum = 0;
    for (std::size_t at = 0; (at = text.find("\n" + name, at)) != std::string::npos;) {
      at += 1 + name.size();
      if (text[at] != ' ' && text[at] != '{') continue;
      sum += std::stod(text.substr(text.find(' ', text[at] == '{' ? text.find('}', at) : at)));
    }
    return sum;
  }

  TempFolder folder_;
  std::unique_ptr<RabbitmqServer> broker_;
  json::object expected_summary_;
};

TEST_F(FallbackOfBroker,
       an_import_whose_broker_dies_in_the_middle_goes_on_and_repeats_nothing_when_it_is_back) {
  Server server(folder_.path() / "data", with_broker());
  Process importing(import_into("data", {}));
  ASSERT_TRUE(eventually([&] { return metric(server, "castiel_relay_published_total") > 0; }));
  broker_->kill();
  ASSERT_TRUE(eventually([&] { return metric(server, "castiel_fallback_active") == 1; }));
  // Lanes of which something is at the broker wait for it; another tenant's need not.
  Process other(import_into("data", {}, "other"));
  EXPECT_TRUE(eventually([&] { return metric(server, "castiel_fallback_messages_total") > 0; }));
  const auto without = metric(server, "castiel_fallback_messages_total");
  const auto restarted = broker_->restart();
  ASSERT_TRUE(restarted) << restarted.error().describe();
  EXPECT_TRUE(eventually([&] { return metric(server, "castiel_fallback_active") == 0; }, 60s));
  const auto done = importing.finish(kLong);
  EXPECT_EQ(other.finish(kLong).status, 3);
  SCOPED_TRACE(fmt::format("{} messages without the broker", without));
  ASSERT_EQ(done.status, 3) << done.err;
  const auto log = server.process().errors_so_far();
  EXPECT_NE(log.find("fallback_began"), std::string::npos);
  EXPECT_NE(log.find("fallback_ended"), std::string::npos);
  server.process().signal(SIGTERM);
  EXPECT_EQ(server.process().finish().status, 0);
  expect_as_whole(done.last(), "data");
}

TEST_F(FallbackOfBroker, an_import_that_never_sees_its_broker_is_handled_whole) {
  broker_->kill();
  const auto done = castiel(import_into("data", with_broker()), {}, kLong);
  ASSERT_EQ(done.status, 3) << done.err;
  expect_as_whole(done.last(), "data");
  // Nothing of it is left for the broker either.
  ASSERT_TRUE(broker_->restart());
  const auto again = castiel(import_into("data", with_broker()), {}, kLong);
  ASSERT_EQ(again.status, 3) << again.err;
  EXPECT_EQ(number(again.last(), "shards.opportunity.created"), 0);
  EXPECT_EQ(number(again.last(), "shards.opportunity.updated"), 0);
}

}  // namespace
}  // namespace castiel::functional
