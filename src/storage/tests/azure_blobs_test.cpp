// What is particular to Azure Blob Storage: signatures, blocks, addresses for others, what is tried again.
// The service is Azurite, which checks signatures; a server of our own misbehaves where it does not.
#include "storage/azure/azure_blobs.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "base/digest.hpp"
#include "http/client.hpp"
#include "http/testing/test_server.hpp"
#include "storage/azure/impl/rest.hpp"
#include "storage/testing/azurite_server.hpp"

namespace castiel::storage {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

class AzureBlobsTest : public ::testing::Test {
 protected:
  static testing::AzuriteServer& azurite() {
    static testing::AzuriteServer server;
    return server;
  }
  std::unique_ptr<Blobs> at(const std::string& url) {
    return open_azure_blobs(url, clock_, {.drafts = drafts_.path(), .connect = 1s, .request = 10s}).value();
  }
  Deadline soon() const { return Deadline::after(clock_, 20s); }
  // What anybody gets who has the address.
  http::ClientResponse send(const std::string& address, const std::string& method = "GET") {
    http::Client client({.port = azurite().port()}, clock_);
    const auto target = address.substr(address.find('/', std::string_view("http://").size()));
    http::ClientRequest request{.method = method, .target = target};
    if (method == "PUT") {
      request.body = "other bytes";
      request.headers.set("x-ms-blob-type", "BlockBlob");
    }
    return client.send(request, soon()).value();
  }

  SystemClock clock_;
  testing::TemporaryFolder drafts_{"drafts"};
  const TenantId acme_{"acme"};
};

TEST_F(AzureBlobsTest, gives_addresses_to_read_one_blob_for_a_time) {
  const auto blobs = at(azurite().url("addresses"));
  const auto ref = blobs->put(acme_, "the bytes"), other = blobs->put(acme_, "others");
  ASSERT_TRUE(ref && other) << ref.error().describe();
  const auto address = blobs->access_url(acme_, ref->url, 1h);
  ASSERT_TRUE(address);
  EXPECT_THAT(*address, Not(HasSubstr(testing::AzuriteServer::kKey)));
  const auto read = send(*address);
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.body, "the bytes");
  for (const char* method : {"PUT", "DELETE"}) EXPECT_EQ(send(*address, method).status, 403) << method;
  auto elsewhere = *address;
  elsewhere.replace(elsewhere.find(ref->sha256), 64, other->sha256);
  elsewhere.replace(elsewhere.find("/" + ref->sha256.substr(0, 2) + "/"), 4,
                    "/" + other->sha256.substr(0, 2) + "/");
  EXPECT_EQ(send(elsewhere).status, 403);
  const auto over = blobs->access_url(acme_, ref->url, -1min);
  EXPECT_EQ(send(*over).status, 403);
}

TEST_F(AzureBlobsTest, works_with_a_shared_access_signature_and_then_gives_no_addresses) {
  ASSERT_TRUE(at(azurite().url("sas"))->put(acme_, "by key"));
  const auto account = impl::parse_azure_url(azurite().url("sas")).value();
  const auto sas = impl::service_sas(account, "", "racwdl", clock_.now() + 1h);
  const auto blobs = at(fmt::format("azblob+http://{}@127.0.0.1:{}/sas?{}", testing::AzuriteServer::kAccount,
                                    azurite().port(), sas));
  const auto ref = blobs->put(acme_, "by signature");
  ASSERT_TRUE(ref) << ref.error().describe();
  ASSERT_TRUE(blobs->put(acme_, "by signature"));
  EXPECT_EQ(blobs->get(acme_, ref->url).value_or("?"), "by signature");
  EXPECT_EQ(blobs->access_url(acme_, ref->url, 1h).error().code, "no_access_url");
  EXPECT_EQ(blobs->erase(acme_).value_or(-1), 2);

  const auto wrong = at(fmt::format("azblob+http://{}@127.0.0.1:{}/sas?{}x", testing::AzuriteServer::kAccount,
                                    azurite().port(), sas));
  const auto refused = wrong->put(acme_, "bytes");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().describe(), HasSubstr("403"));
  EXPECT_THAT(refused.error().describe(), Not(HasSubstr("sig=")));
}

TEST_F(AzureBlobsTest, tells_a_wrong_key_without_showing_it) {
  const auto key = to_base64("not the key of the account");
  const auto refused = at(azurite().url("wrong", key))->put(acme_, "bytes");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "blob_failed");
  EXPECT_EQ(refused.error().cls, ErrorClass::transient);
  EXPECT_THAT(refused.error().describe(), HasSubstr("403 AuthorizationFailure"));
  EXPECT_THAT(refused.error().describe(), Not(HasSubstr(key)));
}

TEST_F(AzureBlobsTest, puts_what_is_large_block_by_block) {
  const auto blobs = at(azurite().url("blocks"));
  const std::string bytes(2 * kAzureBlockBytes + 5, 'b');
  const auto ref = blobs->put(acme_, bytes);
  ASSERT_TRUE(ref) << ref.error().describe();
  const impl::AzureRest rest(impl::parse_azure_url(azurite().url("blocks")).value(), clock_, 1s);
  const auto list = rest.send({.blob = fmt::format("acme/{}/{}", ref->sha256.substr(0, 2), ref->sha256),
                               .query = {{"comp", "blocklist"}, {"blocklisttype", "committed"}}},
                              soon());
  ASSERT_TRUE(list);
  EXPECT_THAT(list->body, HasSubstr(fmt::format("<Size>{}</Size>", kAzureBlockBytes)));
  EXPECT_THAT(list->body, HasSubstr("<Size>5</Size>"));
  EXPECT_TRUE(blobs->get(acme_, ref->url).value_or("?") == bytes);
  EXPECT_TRUE(std::filesystem::is_empty(drafts_.path()));
}

TEST_F(AzureBlobsTest, tells_damage_instead_of_handing_it_out) {
  const auto blobs = at(azurite().url("damage"));
  const auto ref = blobs->put(acme_, "whole");
  ASSERT_TRUE(ref);
  const impl::AzureRest rest(impl::parse_azure_url(azurite().url("damage")).value(), clock_, 1s);
  const auto put = rest.send({.method = "PUT",
                              .blob = fmt::format("acme/{}/{}", ref->sha256.substr(0, 2), ref->sha256),
                              .headers = {{"x-ms-blob-type", "BlockBlob"}},
                              .body = "hole!"},
                             soon());
  ASSERT_EQ(put->status, 201);
  EXPECT_EQ(blobs->get(acme_, ref->url).error().code, "blob_damaged");
}

TEST_F(AzureBlobsTest, lists_and_erases_more_than_a_page) {
  const auto blobs =
      open_azure_blobs(azurite().url("pages"), clock_, {.drafts = drafts_.path(), .page = 5}).value();
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(blobs->put(acme_, std::to_string(i)));
  int listed = 0;
  ASSERT_TRUE(blobs->each(acme_, [&](const BlobInfo&) -> Result<> {
    ++listed;
    return {};
  }));
  EXPECT_EQ(listed, 12);
  EXPECT_EQ(blobs->erase(acme_).value_or(-1), 12);
}

// A service that answers as told, once for each request.
class Scripted {
 public:
  explicit Scripted(std::vector<http::Response> answers)
      : answers_(std::move(answers)),
        server_(http::Handler{.plan = {}, .handle = [this](const http::Request&) {
                                const auto n = static_cast<std::size_t>(asked++);
                                return answers_[std::min(n, answers_.size() - 1)];
                              }}) {}
  std::string url() const {
    return fmt::format("azblob+http://account:{}@127.0.0.1:{}/container", to_base64("key"), server_.port());
  }
  std::atomic<int> asked = 0;

 private:
  std::vector<http::Response> answers_;
  http::TestServer server_;
};

http::Response answer(int status, std::string body = {}) {
  http::Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

TEST_F(AzureBlobsTest, asks_again_while_the_service_is_busy) {
  Scripted service({answer(503), answer(503), answer(200, "bytes")});
  EXPECT_EQ(at(service.url())->get(acme_, blob_url(sha256_hex("bytes"))).value_or("?"), "bytes");
  EXPECT_EQ(service.asked, 3);
  Scripted never({answer(503)});
  EXPECT_EQ(at(never.url())->get(acme_, blob_url(sha256_hex("bytes"))).error().code, "blob_failed");
  EXPECT_EQ(never.asked, 4);
}

TEST_F(AzureBlobsTest, repeats_no_request_that_failed_otherwise) {
  Scripted service({answer(500)});
  EXPECT_EQ(at(service.url())->get(acme_, blob_url(sha256_hex("bytes"))).error().code, "blob_failed");
  EXPECT_EQ(service.asked, 1);
}

TEST_F(AzureBlobsTest, tells_a_service_that_is_not_there) {
  const auto blobs = at(
      fmt::format("azblob+http://account:{}@127.0.0.1:{}/container", to_base64("key"), testing::free_port()));
  const auto start = clock_.monotonic();
  const auto gone = blobs->get(acme_, blob_url(sha256_hex("bytes")));
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, "blob_failed");
  EXPECT_EQ(gone.error().cls, ErrorClass::transient);
  EXPECT_GE(clock_.monotonic() - start, 700ms) << "tried again after 100, 200 and 400 ms";
}

TEST(AzureUrl, names_account_credential_and_container) {
  const auto cloud = impl::parse_azure_url("azblob://acme:a/b+cA==@acme.blob.core.windows.net/castiel");
  ASSERT_TRUE(cloud);
  EXPECT_EQ(cloud->endpoint(), "https://acme.blob.core.windows.net");
  EXPECT_EQ(cloud->path("t/ab/abc"), "/castiel/t/ab/abc");
  EXPECT_EQ(to_base64(cloud->key.reveal()), "a/b+cA==");
  const auto emulator = impl::parse_azure_url("azblob+http://acme:a%2Fb%2BcA%3D%3D@[::1]:10000/castiel");
  ASSERT_TRUE(emulator);
  EXPECT_EQ(emulator->endpoint(), "http://[::1]:10000");
  EXPECT_EQ(emulator->path(""), "/acme/castiel");
  EXPECT_EQ(emulator->key, cloud->key);
  const auto sas = impl::parse_azure_url("azblob://acme@acme.blob.core.windows.net/castiel?sv=1&sig=a%2Fb");
  ASSERT_TRUE(sas);
  EXPECT_EQ(sas->sas.reveal(), "sv=1&sig=a%2Fb");
}

TEST(AzureUrl, is_refused_without_a_word_of_its_key) {
  for (const char* url :
       {"azblob://", "azblob://acme:c2VjcmV0@/c", "azblob://:c2VjcmV0@host/c", "azblob://acme:c2VjcmV0@host",
        "azblob://acme:c2VjcmV0@host/", "azblob://acme@host/c", "azblob://acme:c2VjcmV0@host/c?sig=c2VjcmV0",
        "azblob://acme:c2VjcmV0!@host/c", "azblob://acme:c2VjcmV0@host/c/d",
        "https://acme:c2VjcmV0@host/c"}) {
    const auto account = impl::parse_azure_url(url);
    ASSERT_FALSE(account) << url;
    EXPECT_EQ(account.error().code, "invalid_blobs_url");
    EXPECT_THAT(account.error().describe(), Not(HasSubstr("c2VjcmV0"))) << url;
  }
}

TEST(AzureDates, are_as_http_has_them) {
  for (const char* text : {"1970-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "2026-03-02T09:00:00Z"}) {
    const auto at = parse_timestamp(text).value();
    EXPECT_EQ(impl::parse_http_date(http::http_date(at)).value(), at);
  }
  EXPECT_EQ(http::http_date(parse_timestamp("2026-03-02T09:05:07Z").value()),
            "Mon, 02 Mar 2026 09:05:07 GMT");
  for (const char* text : {"", "Mon", "Mon, 02 Foo 2026 09:05:07 GMT", "Mon, 32 Mar 2026 09:05:07 GMT"})
    EXPECT_FALSE(impl::parse_http_date(text)) << text;
}

}  // namespace
}  // namespace castiel::storage
