// The contract of the blob port, for every implementation of the catalogue (FLOW-7, TENANT-2, TENANT-4). One
// added there is tested by being listed.
#include "storage/blobs.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <fstream>
#include <future>
#include <map>
#include <thread>

#include "base/digest.hpp"
#include "storage/azure/azure_blobs.hpp"
#include "storage/blobs/folder_blobs.hpp"
#include "storage/testing/azurite_server.hpp"
#include "storage/testing/memory_blobs.hpp"

namespace castiel::storage {
namespace {

using namespace std::chrono_literals;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class World {
 public:
  virtual ~World() = default;
  virtual Blobs& blobs() = 0;
};

class MemoryWorld final : public World {
 public:
  Blobs& blobs() override { return blobs_; }

 private:
  SystemClock clock_;
  testing::MemoryBlobs blobs_{clock_};
};

class FolderWorld final : public World {
 public:
  Blobs& blobs() override { return *blobs_; }

 private:
  SystemClock clock_;
  testing::TemporaryFolder folder_{"blobs"};
  std::unique_ptr<Blobs> blobs_ = open_folder_blobs(folder_.path(), clock_).value();
};

class AzureWorld final : public World {
 public:
  Blobs& blobs() override { return *blobs_; }

 private:
  static std::string fresh_container() {
    static testing::AzuriteServer server;
    static int containers = 0;
    return server.url("contract-" + std::to_string(++containers));
  }
  SystemClock clock_;
  testing::TemporaryFolder drafts_{"drafts"};
  std::unique_ptr<Blobs> blobs_ =
      open_azure_blobs(fresh_container(), clock_, {.drafts = drafts_.path()}).value();
};

struct Listed {
  const char* name;
  std::unique_ptr<World> (*make)();
};
void PrintTo(const Listed& listed, std::ostream* out) {
  *out << listed.name;
}
constexpr Listed kCatalogue[] = {
    {"memory", [] -> std::unique_ptr<World> { return std::make_unique<MemoryWorld>(); }},
    {"folder", [] -> std::unique_ptr<World> { return std::make_unique<FolderWorld>(); }},
    {"azure", [] -> std::unique_ptr<World> { return std::make_unique<AzureWorld>(); }},
};

// `size` bytes in pieces of uneven length, each its own, without a whole anywhere.
BlobSource stream_of(std::uint64_t size, std::size_t piece = 100'003) {
  return [size, piece, given = std::uint64_t{0}](std::size_t limit) mutable -> Result<std::string> {
    std::string bytes(std::min<std::uint64_t>({limit, piece, size - given}), '\0');
    for (auto& byte : bytes) byte = static_cast<char>(given++ * 2'654'435'761u >> 13);
    return bytes;
  };
}

class BlobsContract : public ::testing::TestWithParam<Listed> {
 protected:
  std::map<std::string, BlobInfo> all(const TenantId& tenant) {
    std::map<std::string, BlobInfo> found;
    const auto done = blobs_.each(tenant, [&](const BlobInfo& info) -> Result<> {
      found[info.sha256] = info;
      return {};
    });
    EXPECT_TRUE(done) << done.error().describe();
    return found;
  }

  std::unique_ptr<World> world_ = GetParam().make();
  Blobs& blobs_ = world_->blobs();
  SystemClock clock_;
  const TenantId acme_{"acme"}, other_{"other"};
};

TEST_P(BlobsContract, gives_back_what_was_put_also_nothing_and_any_byte) {
  for (const std::string& bytes : {std::string(), std::string("\0\xff\r\n", 4), std::string(1 << 20, 'x')}) {
    const auto ref = blobs_.put(acme_, bytes);
    ASSERT_TRUE(ref) << ref.error().describe();
    EXPECT_EQ(ref->size, bytes.size());
    EXPECT_EQ(ref->sha256, sha256_hex(bytes));
    EXPECT_EQ(blobs_.get(acme_, ref->url).value_or("?"), bytes);
    EXPECT_EQ(blobs_.put(acme_, bytes)->url, ref->url);
  }
}

TEST_P(BlobsContract, takes_and_gives_streams_of_any_size) {
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{kAzureBlockBytes},
                                   std::uint64_t{2 * kAzureBlockBytes + 1}}) {
    const auto ref = blobs_.put_from(acme_, stream_of(size));
    ASSERT_TRUE(ref) << ref.error().describe();
    EXPECT_EQ(ref->size, size);
    EXPECT_EQ(ref->url, blob_url(ref->sha256));
    std::uint64_t got = 0;
    std::size_t largest = 0;
    Sha256 digest;
    const auto read = blobs_.get_to(acme_, ref->url, [&](std::string_view piece) -> Result<> {
      got += piece.size();
      largest = std::max(largest, piece.size());
      digest.update(piece);
      return {};
    });
    ASSERT_TRUE(read) << read.error().describe();
    EXPECT_EQ(got, size);
    EXPECT_LE(largest, std::size_t{1} << 20);
    const auto hash = digest.finish();
    EXPECT_EQ(to_hex({reinterpret_cast<const char*>(hash.data()), hash.size()}), ref->sha256);
  }
  // In one piece or in many: the same blob.
  std::string whole;
  auto source = stream_of(kAzureBlockBytes + 1);
  for (std::string piece; !(piece = source(1 << 20).value()).empty();) whole += piece;
  EXPECT_EQ(blobs_.put(acme_, whole)->url, blobs_.put_from(acme_, stream_of(whole.size(), 7'777))->url);
  EXPECT_EQ(blobs_.get(acme_, blob_url(sha256_hex(whole))).value_or("?"), whole);
}

TEST_P(BlobsContract, keeps_nothing_of_a_stream_that_breaks_off) {
  for (const std::uint64_t size : {std::uint64_t{1'000}, std::uint64_t{2 * kAzureBlockBytes}}) {
    const auto broken = [inner = stream_of(size)](std::size_t limit) mutable -> Result<std::string> {
      auto piece = inner(limit);
      if (piece && piece->empty()) return transient("connection_lost", "the other end is gone");
      return piece;
    };
    EXPECT_EQ(blobs_.put_from(acme_, broken).error().code, "connection_lost");
  }
  EXPECT_THAT(all(acme_), IsEmpty());
}

TEST_P(BlobsContract, ends_a_transfer_with_the_sinks_error) {
  const auto ref = blobs_.put(acme_, "bytes");
  ASSERT_TRUE(ref);
  const auto sink = [](std::string_view) -> Result<> { return transient("disk_full", "no room"); };
  EXPECT_EQ(blobs_.get_to(acme_, ref->url, sink).error().code, "disk_full");
}

TEST_P(BlobsContract, shows_no_tenant_anothers_bytes) {
  const auto ref = blobs_.put(acme_, "secret");
  ASSERT_TRUE(ref);
  EXPECT_EQ(blobs_.get(other_, ref->url).error().code, "not_found");
  EXPECT_FALSE(blobs_.remove(other_, ref->sha256, clock_.now() + 1h).value());
  EXPECT_THAT(all(other_), IsEmpty());
  EXPECT_TRUE(blobs_.get(acme_, ref->url));
}

TEST_P(BlobsContract, takes_only_urls_of_its_own_kind) {
  for (const char* url : {"", "blob:", "blob:../../etc/passwd", "file:///etc/passwd",
                          "blob:ABCDEF0000000000000000000000000000000000000000000000000000000000"}) {
    EXPECT_EQ(blobs_.get(acme_, url).error().code, "invalid_blob_url") << url;
    EXPECT_EQ(blobs_.access_url(acme_, url, 1h).error().code, "invalid_blob_url") << url;
  }
}

TEST_P(BlobsContract, lists_each_blob_with_its_size_and_last_use) {
  const Timestamp before = clock_.now();
  const auto one = blobs_.put(acme_, "one"), three = blobs_.put(acme_, "three");
  ASSERT_TRUE(one && three && blobs_.put(other_, "theirs"));
  const auto found = all(acme_);
  ASSERT_EQ(found.size(), 2);
  EXPECT_EQ(found.at(one->sha256).size, 3);
  EXPECT_EQ(found.at(three->sha256).size, 5);
  for (const auto& [sha256, info] : found) {
    EXPECT_GE(info.last_use, before - 1s);
    EXPECT_LE(info.last_use, clock_.now() + 1s);
  }
  const auto stop = blobs_.each(acme_, [](const BlobInfo&) -> Result<> { return permanent("enough", "."); });
  EXPECT_EQ(stop.error().code, "enough");
}

TEST_P(BlobsContract, removes_a_blob_unless_it_was_used_since) {
  const auto ref = blobs_.put(acme_, "bytes");
  ASSERT_TRUE(ref);
  EXPECT_FALSE(blobs_.remove(acme_, ref->sha256, clock_.now() - 1h).value());
  EXPECT_TRUE(blobs_.get(acme_, ref->url));
  EXPECT_TRUE(blobs_.remove(acme_, ref->sha256, clock_.now() + 1h).value());
  EXPECT_EQ(blobs_.get(acme_, ref->url).error().code, "not_found");
  EXPECT_FALSE(blobs_.remove(acme_, ref->sha256, clock_.now() + 1h).value()) << "it is gone";
  EXPECT_TRUE(blobs_.put(acme_, "bytes"));
  EXPECT_TRUE(blobs_.get(acme_, ref->url));
}

TEST_P(BlobsContract, takes_a_second_put_for_a_use) {
  const auto ref = blobs_.put(acme_, "bytes");
  ASSERT_TRUE(ref);
  const auto first = all(acme_).at(ref->sha256).last_use;
  const auto later = Deadline::after(clock_, 10s);
  // Some keep whole seconds.
  while (all(acme_).at(ref->sha256).last_use == first && !later.passed())
    ASSERT_TRUE(blobs_.put(acme_, "bytes"));
  EXPECT_GT(all(acme_).at(ref->sha256).last_use, first);
}

TEST_P(BlobsContract, loses_no_blob_that_is_put_while_it_is_removed) {
  const auto ref = blobs_.put(acme_, "bytes");
  ASSERT_TRUE(ref);
  std::jthread sweeper([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const auto removed = blobs_.remove(acme_, ref->sha256, clock_.now() - 3s);
      EXPECT_TRUE(removed) << removed.error().describe();
    }
  });
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(blobs_.put(acme_, "bytes"));
    EXPECT_TRUE(blobs_.get(acme_, ref->url));
  }
}

TEST_P(BlobsContract, erases_one_tenant_and_no_other) {
  const auto mine = blobs_.put(acme_, "one");
  const auto theirs = blobs_.put(other_, "one");
  ASSERT_TRUE(mine && theirs && blobs_.put(acme_, "two"));
  EXPECT_EQ(blobs_.erase(acme_).value_or(-1), 2);
  EXPECT_FALSE(blobs_.get(acme_, mine->url));
  EXPECT_TRUE(blobs_.get(other_, theirs->url));
  EXPECT_EQ(blobs_.erase(acme_).value_or(-1), 0);
  EXPECT_EQ(blobs_.put(acme_, "one")->url, mine->url);
  EXPECT_TRUE(blobs_.get(acme_, mine->url));
}

INSTANTIATE_TEST_SUITE_P(Catalogue, BlobsContract, ::testing::ValuesIn(kCatalogue),
                         [](const auto& listed) { return listed.param.name; });

class FolderBlobsTest : public ::testing::Test {
 protected:
  std::filesystem::path file_of(const BlobRef& ref) const {
    return folder_.path() / "acme" / ref.sha256.substr(0, 2) / ref.sha256;
  }
  void age(const std::filesystem::path& path, Duration by) const {
    const auto seconds = (clock_.now() - by).micros / 1'000'000;
    const timespec times[2] = {{seconds, 0}, {seconds, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }
  SystemClock clock_;
  testing::TemporaryFolder folder_{"blobs"};
  std::unique_ptr<Blobs> blobs_ = open_folder_blobs(folder_.path(), clock_).value();
  const TenantId acme_{"acme"};
};

TEST_F(FolderBlobsTest, tell_damage_instead_of_handing_it_out) {
  const auto ref = blobs_->put(acme_, "whole");
  ASSERT_TRUE(ref);
  std::ofstream(file_of(*ref)) << "hole!";
  EXPECT_EQ(blobs_->get(acme_, ref->url).error().code, "blob_damaged");
}

TEST_F(FolderBlobsTest, put_anew_what_was_cut_short) {
  const auto ref = blobs_->put(acme_, "whole");
  ASSERT_TRUE(ref);
  std::ofstream(file_of(*ref)) << "ho";
  ASSERT_TRUE(blobs_->put(acme_, "whole"));
  EXPECT_EQ(blobs_->get(acme_, ref->url).value_or("?"), "whole");
}

TEST_F(FolderBlobsTest, sweep_drafts_of_the_killed_once_they_are_old) {
  ASSERT_TRUE(blobs_->put(acme_, "whole"));
  const auto drafts = folder_.path() / "acme" / ".drafts";
  EXPECT_TRUE(std::filesystem::is_empty(drafts)) << "a put leaves none";
  for (const char* name : {"1.1", "2.1"}) std::ofstream(drafts / name) << "half";
  age(drafts / "1.1", kDraftsKept + 1min);
  ASSERT_TRUE(open_folder_blobs(folder_.path(), clock_));
  EXPECT_FALSE(std::filesystem::exists(drafts / "1.1"));
  EXPECT_TRUE(std::filesystem::exists(drafts / "2.1")) << "its process may be at it";
}

TEST_F(FolderBlobsTest, do_not_rely_on_a_blob_that_is_being_removed) {
  const auto ref = blobs_->put(acme_, "bytes");
  ASSERT_TRUE(ref);
  // A removal by another process that has looked at the blob and is about to remove it.
  const int lock = ::open((folder_.path() / "acme" / ".lock").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(lock, LOCK_EX), 0);
  auto put = std::async(std::launch::async, [&] { return blobs_->put(acme_, "bytes"); });
  EXPECT_EQ(put.wait_for(50ms), std::future_status::timeout) << "it took the blob for kept";
  std::filesystem::remove(file_of(*ref));
  ::close(lock);
  ASSERT_TRUE(put.get());
  EXPECT_TRUE(blobs_->get(acme_, ref->url));
}

TEST_F(FolderBlobsTest, go_on_after_an_erasure_by_another_process) {
  ASSERT_TRUE(blobs_->put(acme_, "bytes"));
  ASSERT_TRUE(open_folder_blobs(folder_.path(), clock_).value()->erase(acme_));
  const auto ref = blobs_->put(acme_, "bytes");
  ASSERT_TRUE(ref) << ref.error().describe();
  EXPECT_TRUE(blobs_->get(acme_, ref->url));
}

TEST_F(FolderBlobsTest, date_uses_by_the_clock_they_were_given) {
  ManualClock clock{parse_timestamp("2020-01-01T00:00:00Z").value()};
  const auto blobs = open_folder_blobs(folder_.path(), clock).value();
  ASSERT_TRUE(blobs->put(acme_, "bytes"));
  clock.advance(48h);
  ASSERT_TRUE(blobs->put_from(acme_, stream_of(100)));
  std::vector<Timestamp> uses;
  ASSERT_TRUE(blobs->each(acme_, [&](const BlobInfo& info) -> Result<> {
    uses.push_back(info.last_use);
    return {};
  }));
  EXPECT_THAT(uses, UnorderedElementsAre(clock.now(), clock.now() - 48h));
}

TEST_F(FolderBlobsTest, have_no_web_addresses) {
  const auto ref = blobs_->put(acme_, "bytes");
  ASSERT_TRUE(ref);
  EXPECT_EQ(blobs_->access_url(acme_, ref->url, 1h).error().code, "no_access_url");
}

TEST(BlobsUrl, chooses_the_store) {
  SystemClock clock;
  testing::TemporaryFolder folder("blobs");
  EXPECT_TRUE(open_blobs({"folder", folder.path()}, clock));
  EXPECT_TRUE(open_blobs({"azblob://acc:c2VjcmV0@acc.blob.core.windows.net/castiel", folder.path()}, clock));
  const auto wrong = open_blobs({"s3://key:secret@host/bucket", folder.path()}, clock);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, "invalid_blobs_url");
  EXPECT_EQ(wrong.error().describe().find("secret"), std::string::npos);
}

}  // namespace
}  // namespace castiel::storage
