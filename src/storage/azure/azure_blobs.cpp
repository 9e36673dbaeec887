#include "storage/azure/azure_blobs.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <pugixml.hpp>

#include "base/digest.hpp"
#include "storage/azure/impl/rest.hpp"
#include "storage/impl/files.hpp"

namespace castiel::storage {

namespace {

using impl::AzureRequest;
using impl::AzureResponse;
using impl::Descriptor;
using impl::file_failed;

constexpr std::size_t kPiece = std::size_t{256} << 10;
constexpr std::uint64_t kBytesPerRequestTime = std::uint64_t{32} << 20;

std::string md5_base64(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_md5(), nullptr);
  return to_base64({reinterpret_cast<const char*>(digest.data()), size});
}

std::string hex(Sha256& digest) {
  const auto hash = digest.finish();
  return to_hex({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

std::string name_of(const TenantId& tenant, std::string_view sha256) {
  return fmt::format("{}/{}/{}", tenant.view(), sha256.substr(0, 2), sha256);
}

std::uint64_t to_number(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Ids of one blob's blocks are equally long.
std::string block_id(std::uint64_t index) {
  return to_base64(fmt::format("{:08}", index));
}

// The bytes of a blob on its way, wherever they are: at most `size` from `offset`.
using Bytes = std::function<Result<std::string_view>(std::uint64_t offset, std::size_t size)>;

// A file without a name: it goes with its descriptor, however the process ends.
Result<Descriptor> nameless_file(const std::filesystem::path& folder) {
  CASTIEL_TRY(impl::make_folders(folder));
  std::string path = (folder / "draft-XXXXXX").string();
  Descriptor fd(::mkostemp(path.data(), O_CLOEXEC));
  if (fd.get() < 0) return file_failed(folder, "written to");
  ::unlink(path.c_str());
  return fd;
}

class AzureBlobs final : public Blobs {
 public:
  AzureBlobs(impl::AzureAccount account, const Clock& clock, AzureBlobsOptions options)
      : options_(std::move(options)), clock_(clock), rest_(std::move(account), clock, options_.connect) {}

  Result<BlobRef> put(const TenantId& tenant, std::string_view bytes) override {
    if (bytes.size() > kMaxBlobBytes) return too_large();
    return keep(tenant, sha256_hex(bytes), bytes.size(),
                [&](std::uint64_t offset, std::size_t size) { return bytes.substr(offset, size); });
  }

  Result<BlobRef> put_from(const TenantId& tenant, const BlobSource& source) override {
    std::string head;  // all of it, while it is no larger than a block
    std::optional<Descriptor> file;
    std::uint64_t size = 0;
    Sha256 digest;
    for (;;) {
      CASTIEL_ASSIGN(const auto piece, source(kPiece));
      if (piece.empty()) break;
      size += piece.size();
      if (size > kMaxBlobBytes) return too_large();
      digest.update(piece);
      if (!file) {
        head += piece;
        if (head.size() <= kAzureBlockBytes) continue;
        CASTIEL_ASSIGN(file, nameless_file(options_.drafts));
        CASTIEL_TRY(impl::write_all(*file, options_.drafts, head));
        head = {};
      } else {
        CASTIEL_TRY(impl::write_all(*file, options_.drafts, piece));
      }
    }
    if (!file) return put(tenant, head);
    const Bytes bytes = [&](std::uint64_t offset, std::size_t most) -> Result<std::string_view> {
      head.resize(std::min<std::uint64_t>(most, size - offset));
      for (std::size_t got = 0; got < head.size();) {
        const auto n =
            ::pread(file->get(), head.data() + got, head.size() - got, static_cast<off_t>(offset + got));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return file_failed(options_.drafts, "read from");
        got += static_cast<std::size_t>(n);
      }
      return head;
    };
    return keep(tenant, hex(digest), size, bytes);
  }

  Result<std::string> get(const TenantId& tenant, std::string_view url) const override {
    std::string bytes;
    CASTIEL_TRY(get_to(tenant, url, [&](std::string_view piece) -> Result<> {
      bytes += piece;
      return {};
    }));
    return bytes;
  }

  Result<> get_to(const TenantId& tenant, std::string_view url, const BlobSink& sink) const override {
    CASTIEL_ASSIGN(const std::string sha256, sha256_of_blob_url(url));
    Sha256 digest;
    const BlobSink hashing = [&](std::string_view piece) -> Result<> {
      digest.update(piece);
      return sink(piece);
    };
    CASTIEL_ASSIGN(const auto response,
                   send({.blob = name_of(tenant, sha256), .sink = &hashing}, kMaxBlobBytes));
    if (response.status == 404)
      return permanent("not_found", fmt::format("there is no {} of this tenant", url));
    if (response.status != 200) return failed(response, "does not give a blob");
    if (hex(digest) != sha256)
      return permanent(
          "blob_damaged",
          fmt::format("the blob store at {} does not hold the bytes {} of tenant {} is named after",
                      rest_.account().endpoint(), url, tenant.view()));
    return {};
  }

  Result<std::string> access_url(const TenantId& tenant, std::string_view url,
                                 Duration valid) const override {
    CASTIEL_ASSIGN(const std::string sha256, sha256_of_blob_url(url));
    const auto& account = rest_.account();
    if (account.key.empty())
      return permanent(
          "no_access_url",
          "the blob store's URL has no account key, without which none can be signed for others");
    const auto name = name_of(tenant, sha256);
    return fmt::format("{}{}?{}", account.endpoint(), account.path(name),
                       impl::service_sas(account, name, "r", clock_.now() + std::min(valid, kLongestAccess)));
  }

  Result<> each(const TenantId& tenant,
                const std::function<Result<>(const BlobInfo&)>& visit) const override {
    return list(tenant.str() + "/", [&](const pugi::xml_node& found) -> Result<> {
      const std::string_view name = found.child_value("Name");
      const auto properties = found.child("Properties");
      const auto sha256 = name.substr(name.rfind('/') + 1);
      if (!is_sha256(sha256) || name != name_of(tenant, sha256)) return {};
      CASTIEL_ASSIGN(const auto at, impl::parse_http_date(properties.child_value("Last-Modified")));
      return visit({std::string(sha256), to_number(properties.child_value("Content-Length")), at});
    });
  }

  // Modification times have whole seconds. The tag is of the blob as it was looked at: a use makes a new one.
  Result<bool> remove(const TenantId& tenant, std::string_view sha256, Timestamp unused_since) override {
    const auto name = name_of(tenant, sha256);
    CASTIEL_ASSIGN(const auto there, send({.method = "HEAD", .blob = name}));
    if (there.status == 404) return false;
    if (there.status != 200) return failed(there, "does not show a blob");
    CASTIEL_ASSIGN(const auto used, impl::parse_http_date(there.header("last-modified")));
    if (used + std::chrono::seconds(1) > unused_since) return false;
    CASTIEL_ASSIGN(
        const auto gone,
        send({.method = "DELETE",
              .blob = name,
              .headers = {{"if-match", there.header("etag")}, {"x-ms-delete-snapshots", "include"}}}));
    if (gone.status == 202) return true;
    if (gone.status == 404 || gone.status == 412) return false;
    return failed(gone, "does not remove a blob");
  }

  Result<std::int64_t> erase(const TenantId& tenant) override {
    std::vector<std::string> names;
    CASTIEL_TRY(each(tenant, [&](const BlobInfo& info) -> Result<> {
      names.push_back(name_of(tenant, info.sha256));
      return {};
    }));
    std::int64_t count = 0;
    for (const auto& name : names) {
      CASTIEL_ASSIGN(
          const auto gone,
          send({.method = "DELETE", .blob = name, .headers = {{"x-ms-delete-snapshots", "include"}}}));
      if (gone.status == 202) ++count;
      if (gone.status != 202 && gone.status != 404) return failed(gone, "does not remove a blob");
    }
    return count;
  }

 private:
  static std::unexpected<Error> too_large() {
    return permanent("too_large", fmt::format("a blob has at most {} bytes", kMaxBlobBytes));
  }

  // Whatever the service's reason: it is the program's surroundings that have to change, not the request.
  std::unexpected<Error> failed(const AzureResponse& response, std::string_view what) const {
    return transient("blob_failed", fmt::format("the blob store at {} {}", rest_.account().endpoint(), what),
                     fmt::format("{} {}", response.status, response.code()));
  }

  Result<AzureResponse> send(const AzureRequest& request, std::uint64_t bytes = 0) const {
    const auto times = static_cast<std::int64_t>(1 + bytes / kBytesPerRequestTime);
    return rest_.send(request, Deadline::after(clock_, options_.request * times));
  }

  // A PUT; makes the container when that is what is missing.
  Result<AzureResponse> put_request(const AzureRequest& request) const {
    CASTIEL_ASSIGN(auto response, send(request, request.body.size()));
    if (response.status != 404 || response.code() != "ContainerNotFound") return response;
    CASTIEL_ASSIGN(const auto made, send({.method = "PUT", .query = {{"restype", "container"}}}));
    if (made.status != 201 && made.code() != "ContainerAlreadyExists")
      return failed(made, "has no such container and does not make it");
    return send(request, request.body.size());
  }

  Result<BlobRef> keep(const TenantId& tenant, const std::string& sha256, std::uint64_t size,
                       const Bytes& bytes) const {
    BlobRef ref{blob_url(sha256), size, sha256};
    const auto name = name_of(tenant, sha256);
    CASTIEL_ASSIGN(const bool known, used_again(name, size));
    if (known) return ref;
    if (size <= kAzureBlockBytes) {
      CASTIEL_ASSIGN(const auto whole, bytes(0, kAzureBlockBytes));
      CASTIEL_ASSIGN(const auto response,
                     put_request({.method = "PUT",
                                  .blob = name,
                                  .headers = {{"content-md5", md5_base64(whole)},
                                              {"content-type", "application/octet-stream"},
                                              {"x-ms-blob-type", "BlockBlob"}},
                                  .body = whole}));
      if (response.status != 201) return failed(response, "does not take a blob");
    } else {
      CASTIEL_TRY(put_blocks(name, size, bytes));
    }
    return ref;
  }

  // Whoever puts the same bytes at the same time puts the same blocks: "Latest" finds them either way.
  Result<> put_blocks(const std::string& name, std::uint64_t size, const Bytes& bytes) const {
    std::string blocks = "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>";
    for (std::uint64_t index = 0; index * kAzureBlockBytes < size; ++index) {
      CASTIEL_ASSIGN(const auto block, bytes(index * kAzureBlockBytes, kAzureBlockBytes));
      const auto id = block_id(index);
      CASTIEL_ASSIGN(const auto response,
                     put_request({.method = "PUT",
                                  .blob = name,
                                  .query = {{"blockid", id}, {"comp", "block"}},
                                  .headers = {{"content-md5", md5_base64(block)},
                                              {"content-type", "application/octet-stream"}},
                                  .body = block}));
      if (response.status != 201) return failed(response, "does not take a block");
      blocks += fmt::format("<Latest>{}</Latest>", id);
    }
    blocks += "</BlockList>";
    CASTIEL_ASSIGN(const auto response,
                   put_request({.method = "PUT",
                                .blob = name,
                                .query = {{"comp", "blocklist"}},
                                .headers = {{"content-md5", md5_base64(blocks)},
                                            {"content-type", "application/xml"},
                                            {"x-ms-blob-content-type", "application/octet-stream"}},
                                .body = blocks}));
    if (response.status != 201) return failed(response, "does not put a blob's blocks together");
    return {};
  }

  // Dates a blob that is there already, by writing its metadata anew.
  Result<bool> used_again(const std::string& name, std::uint64_t size) const {
    CASTIEL_ASSIGN(const auto there, send({.method = "HEAD", .blob = name}));
    if (there.status == 404) return false;
    if (there.status != 200) return failed(there, "does not show a blob");
    if (to_number(there.header("content-length")) != size) return false;
    CASTIEL_ASSIGN(const auto dated, send({.method = "PUT",
                                           .blob = name,
                                           .query = {{"comp", "metadata"}},
                                           .headers = {{"x-ms-meta-used", to_string(clock_.now())}}}));
    if (dated.status == 404) return false;
    if (dated.status != 200) return failed(dated, "does not date a blob");
    return true;
  }

  Result<> list(const std::string& prefix,
                const std::function<Result<>(const pugi::xml_node&)>& visit) const {
    std::string marker;
    do {
      AzureRequest request{.query = {{"comp", "list"},
                                     {"maxresults", std::to_string(options_.page)},
                                     {"prefix", prefix},
                                     {"restype", "container"}}};
      if (!marker.empty()) request.query["marker"] = marker;
      CASTIEL_ASSIGN(const auto response, send(request));
      if (response.status == 404) return {};
      if (response.status != 200) return failed(response, "does not list its blobs");
      pugi::xml_document document;
      if (!document.load_buffer(response.body.data(), response.body.size()))
        return failed(response, "gives a list that cannot be read");
      const auto results = document.child("EnumerationResults");
      for (const auto& found : results.child("Blobs").children("Blob")) CASTIEL_TRY(visit(found));
      marker = results.child_value("NextMarker");
    } while (!marker.empty());
    return {};
  }

  const AzureBlobsOptions options_;
  const Clock& clock_;
  const impl::AzureRest rest_;
};

}  // namespace

Result<std::unique_ptr<Blobs>> open_azure_blobs(std::string_view url, const Clock& clock,
                                                AzureBlobsOptions options) {
  CASTIEL_ASSIGN(auto account, impl::parse_azure_url(url));
  return std::make_unique<AzureBlobs>(std::move(account), clock, std::move(options));
}

}  // namespace castiel::storage
