#include "storage/blobs.hpp"

#include <fmt/format.h>

#include "storage/azure/azure_blobs.hpp"
#include "storage/blob_references.hpp"
#include "storage/blobs/folder_blobs.hpp"

namespace castiel::storage {

namespace {

constexpr std::string_view kScheme = "blob:";
constexpr std::size_t kSha256Digits = 64;

}  // namespace

std::string blob_url(std::string_view sha256) {
  return std::string(kScheme) + std::string(sha256);
}

bool is_sha256(std::string_view text) {
  return text.size() == kSha256Digits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

Result<std::string> sha256_of_blob_url(std::string_view url) {
  if (!url.starts_with(kScheme) || !is_sha256(url.substr(kScheme.size())))
    return permanent("invalid_blob_url", fmt::format("'{}' is no blob's URL", url));
  return std::string(url.substr(kScheme.size()));
}

void find_blob_urls(std::string_view text, const std::function<void(std::string_view sha256)>& visit) {
  for (auto at = text.find(kScheme); at != text.npos; at = text.find(kScheme, at + kScheme.size())) {
    const auto sha256 = text.substr(at + kScheme.size(), kSha256Digits);
    if (is_sha256(sha256)) visit(sha256);
  }
}

Result<std::unique_ptr<Blobs>> open_blobs(const BlobsPlace& place, const Clock& clock) {
  constexpr std::string_view kFile = "file://";
  if (place.url.starts_with(kFile) && place.url.size() > kFile.size() && place.url[kFile.size()] == '/')
    return open_folder_blobs(place.url.substr(kFile.size()), clock);
  if (place.url == "folder") return open_folder_blobs(place.folder, clock);
  if (place.url.starts_with("azblob"))
    return open_azure_blobs(place.url, clock, AzureBlobsOptions{.drafts = place.folder});
  return permanent(
      "invalid_blobs_url",
      fmt::format("the URL of the blob store has to be folder, file:///path, or {}", kAzureBlobsForm));
}

}  // namespace castiel::storage
