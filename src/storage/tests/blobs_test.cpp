// The contract of the blob port, for every implementation (FLOW-7, TENANT-2, TENANT-4).
#include "storage/blobs.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "storage/blobs/folder_blobs.hpp"
#include "storage/testing/memory_blobs.hpp"

namespace castiel::storage {
namespace {

class Folder {
 public:
  Folder() {
    path_ = std::filesystem::temp_directory_path() / ("castiel-blobs-" + std::to_string(::getpid()));
    std::filesystem::remove_all(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class BlobsContract : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::string_view(GetParam()) == "folder") {
      auto opened = open_folder_blobs(folder_.path());
      ASSERT_TRUE(opened) << opened.error().describe();
      blobs_ = std::move(*opened);
    } else {
      blobs_ = std::make_unique<testing::MemoryBlobs>();
    }
  }
  Folder folder_;
  std::unique_ptr<Blobs> blobs_;
  const TenantId acme_{"acme"}, other_{"other"};
};

TEST_P(BlobsContract, gives_back_what_was_put_also_nothing_and_any_byte) {
  for (const std::string& bytes : {std::string(), std::string("\0\xff\r\n", 4), std::string(1 << 20, 'x')}) {
    const auto ref = blobs_->put(acme_, bytes);
    ASSERT_TRUE(ref) << ref.error().describe();
    EXPECT_EQ(ref->size, bytes.size());
    EXPECT_EQ(blobs_->get(acme_, ref->url).value_or("?"), bytes);
    EXPECT_EQ(blobs_->put(acme_, bytes)->url, ref->url);
  }
}

TEST_P(BlobsContract, shows_no_tenant_anothers_bytes) {
  const auto ref = blobs_->put(acme_, "secret");
  ASSERT_TRUE(ref);
  EXPECT_EQ(blobs_->get(other_, ref->url).error().code, "not_found");
}

TEST_P(BlobsContract, takes_only_urls_of_its_own_kind) {
  for (const char* url : {"", "blob:", "blob:../../etc/passwd", "file:///etc/passwd",
                          "blob:ABCDEF0000000000000000000000000000000000000000000000000000000000"}) {
    EXPECT_EQ(blobs_->get(acme_, url).error().code, "invalid_blob_url") << url;
  }
}

TEST_P(BlobsContract, erases_one_tenant_and_no_other) {
  const auto mine = blobs_->put(acme_, "one");
  const auto theirs = blobs_->put(other_, "one");
  ASSERT_TRUE(blobs_->put(acme_, "two"));
  EXPECT_EQ(blobs_->erase(acme_).value_or(-1), 2);
  EXPECT_FALSE(blobs_->get(acme_, mine->url));
  EXPECT_TRUE(blobs_->get(other_, theirs->url));
  EXPECT_EQ(blobs_->erase(acme_).value_or(-1), 0);
}

INSTANTIATE_TEST_SUITE_P(All, BlobsContract, ::testing::Values("folder", "memory"));

TEST(FolderBlobs, tell_damage_instead_of_handing_it_out) {
  Folder folder;
  const auto blobs = open_folder_blobs(folder.path());
  ASSERT_TRUE(blobs);
  const auto ref = (*blobs)->put(TenantId("acme"), "whole");
  ASSERT_TRUE(ref);
  std::ofstream(folder.path() / "acme" / ref->sha256.substr(0, 2) / ref->sha256) << "hole!";
  EXPECT_EQ((*blobs)->get(TenantId("acme"), ref->url).error().code, "blob_damaged");
}

}  // namespace
}  // namespace castiel::storage
