// The program with Redis and Azure Blob Storage by URL: the same as without, and no secret is told
// (BACKENDS-2, FLOW-12, TENANT-1, TENANT-4).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/azure/azure_blobs.hpp"
#include "storage/testing/azurite_server.hpp"
#include "storage/testing/redis_server.hpp"
#include "support.hpp"

namespace castiel::functional {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kPassword = "open-sesame";

class Elsewhere : public testing::Test {
 protected:
  Finished run(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--data", data_.path().string(), "--set", "cache.url=" + redis_.url(),
                                       "--set", "blobs.url=" + azurite_.url("castiel")});
    auto done = castiel(arguments);
    for (const char* secret : {kPassword, storage::testing::AzuriteServer::kKey}) {
      EXPECT_THAT(done.out, Not(HasSubstr(secret)));
      EXPECT_THAT(done.err, Not(HasSubstr(secret)));
    }
    return done;
  }
  int blobs() {
    const SystemClock clock;
    int count = 0;
    const auto store =
        storage::open_azure_blobs(azurite_.url("castiel"), clock, {.drafts = data_.path()}).value();
    EXPECT_TRUE(store->each(TenantId("acme"), [&](const storage::BlobInfo&) -> Result<> {
      ++count;
      return {};
    }));
    return count;
  }

  storage::testing::RedisServer redis_{{.password = kPassword}};
  storage::testing::AzuriteServer azurite_;
  TempFolder data_, files_;
};

TEST_F(Elsewhere, an_import_is_as_at_home_and_an_erasure_leaves_nothing) {
  files_.write("notes/visit.txt",
               "Visit at Buyer SA.\n\nThe pumps in Lyon are old. The budget is approved.\n");
  const auto imported = run({"import", files_.path().string(), "--tenant", "acme", "--json"});
  ASSERT_EQ(imported.status, 0) << imported.out << imported.err;
  EXPECT_EQ(number(imported.last(), "shards.document.created"), 1) << imported.out;
  EXPECT_EQ(blobs(), 1);
  EXPECT_FALSE(std::filesystem::exists(data_.path() / "blobs"));
  EXPECT_EQ(redis_.keys(), 1) << "the tenant's settings";

  const auto documents = run({"shards", "list", "--type", "document", "--tenant", "acme", "--json"});
  ASSERT_EQ(documents.lines().size(), 1);
  EXPECT_THAT(documents.out, HasSubstr("pumps in Lyon"));

  ASSERT_EQ(run({"tenants", "set", "acme", "forecast.simulations=1000"}).status, 0);
  EXPECT_THAT(run({"tenants", "show", "acme", "--json"}).out, HasSubstr("1000"));
  const auto erased = run({"tenants", "erase", "acme", "--yes", "--json"});
  ASSERT_EQ(erased.status, 0) << erased.err;
  EXPECT_EQ(blobs(), 0);
  EXPECT_EQ(redis_.keys(), 0);
}

TEST_F(Elsewhere, the_loss_of_the_cache_is_harmless) {
  redis_.stop();
  files_.write("notes/visit.txt", "Visit at Buyer SA.\n");
  const auto imported = run({"import", files_.path().string(), "--tenant", "acme", "--json"});
  EXPECT_EQ(imported.status, 0) << imported.out << imported.err;
  EXPECT_EQ(number(imported.last(), "shards.document.created"), 1) << imported.out;
}

TEST(ElsewhereUrls, that_are_none_are_refused_without_their_secrets) {
  const TempFolder data;
  for (const char* setting : {"cache.url=redis://:open-sesame@", "blobs.url=azblob://acme:open-sesame@host",
                              "cache.url=open-sesame", "blobs.url=open-sesame"}) {
    const auto refused = castiel({"import", data.path().string(), "--tenant", "acme", "--data",
                                  data.path().string(), "--set", setting});
    EXPECT_NE(refused.status, 0) << setting;
    EXPECT_THAT(refused.err, HasSubstr("URL")) << setting;
    EXPECT_THAT(refused.out + refused.err, Not(HasSubstr("sesame"))) << setting;
  }
}

}  // namespace
}  // namespace castiel::functional
