#include "storage/blobs/folder_blobs.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <set>

#include "base/digest.hpp"
#include "storage/impl/files.hpp"

namespace castiel::storage {

namespace fs = std::filesystem;

namespace {

using impl::Descriptor;
using impl::file_failed;

constexpr std::string_view kDrafts = ".drafts", kLock = ".lock";
constexpr std::size_t kPiece = std::size_t{256} << 10;
constexpr std::size_t kMaxKnownFolders = 10'000;
constexpr int kDraftNames = 1'000;  // tried before giving up

timespec to_timespec(Timestamp at) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(Duration(at.micros));
  return {seconds.count(), (Duration(at.micros) - Duration(seconds)).count() * 1'000};
}
Timestamp to_timestamp(const timespec& at) {
  return {std::int64_t{at.tv_sec} * 1'000'000 + at.tv_nsec / 1'000};
}

std::string hex(Sha256& digest) {
  const auto hash = digest.finish();
  return to_hex({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

// A new name is durable only when its folder is.
Result<> sync_folder(const fs::path& folder) {
  const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return file_failed(folder, "opened");
  if (::fsync(fd.get()) != 0) return file_failed(folder, "made durable");
  return {};
}

// A file on its way to its name; removed when it does not get there.
class Draft {
 public:
  Draft(fs::path path, Descriptor fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  Draft(Draft&& other) noexcept : path_(std::exchange(other.path_, {})), fd_(std::move(other.fd_)) {}
  Draft& operator=(Draft&&) = delete;
  ~Draft() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  Result<> write(std::string_view bytes) { return impl::write_all(fd_, path_, bytes); }
  Result<> date(Timestamp at) {
    const timespec times[2] = {to_timespec(at), to_timespec(at)};
    if (::futimens(fd_.get(), times) != 0) return file_failed(path_, "dated");
    if (::fsync(fd_.get()) != 0) return file_failed(path_, "made durable");
    return {};
  }
  Result<> rename_to(const fs::path& to) {
    if (::rename(path_.c_str(), to.c_str()) != 0) return file_failed(to, "named");
    path_.clear();
    return {};
  }

 private:
  fs::path path_;
  Descriptor fd_;
};

class FolderBlobs final : public Blobs {
 public:
  FolderBlobs(fs::path folder, const Clock& clock) : folder_(std::move(folder)), clock_(clock) {}

  Result<BlobRef> put(const TenantId& tenant, std::string_view bytes) override {
    if (bytes.size() > kMaxBlobBytes) return too_large();
    BlobRef ref{{}, bytes.size(), sha256_hex(bytes)};
    ref.url = blob_url(ref.sha256);
    CASTIEL_ASSIGN(const bool known, used_again(tenant, ref));
    if (known) return ref;
    CASTIEL_ASSIGN(auto draft, make_draft(tenant));
    CASTIEL_TRY(draft.write(bytes));
    CASTIEL_TRY(keep(tenant, ref, draft));
    return ref;
  }

  Result<BlobRef> put_from(const TenantId& tenant, const BlobSource& source) override {
    CASTIEL_ASSIGN(auto draft, make_draft(tenant));
    BlobRef ref;
    Sha256 digest;
    for (;;) {
      CASTIEL_ASSIGN(const auto piece, source(kPiece));
      if (piece.empty()) break;
      ref.size += piece.size();
      if (ref.size > kMaxBlobBytes) return too_large();
      digest.update(piece);
      CASTIEL_TRY(draft.write(piece));
    }
    ref.sha256 = hex(digest);
    ref.url = blob_url(ref.sha256);
    CASTIEL_ASSIGN(const bool known, used_again(tenant, ref));
    if (!known) CASTIEL_TRY(keep(tenant, ref, draft));
    return ref;
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
    const fs::path path = path_of(tenant, sha256);
    const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (fd.get() < 0) {
      if (errno == ENOENT) return permanent("not_found", fmt::format("there is no {} of this tenant", url));
      return file_failed(path, "opened");
    }
    Sha256 digest;
    std::string piece(kPiece, '\0');
    for (;;) {
      const auto n = ::read(fd.get(), piece.data(), piece.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return file_failed(path, "read");
      if (n == 0) break;
      const std::string_view bytes(piece.data(), static_cast<std::size_t>(n));
      digest.update(bytes);
      CASTIEL_TRY(sink(bytes));
    }
    if (hex(digest) != sha256)
      return permanent("blob_damaged",
                       fmt::format("'{}' does not hold the bytes it is named after", path.string()));
    return {};
  }

  Result<std::string> access_url(const TenantId&, std::string_view url, Duration) const override {
    CASTIEL_TRY(sha256_of_blob_url(url));
    return permanent("no_access_url",
                     "the blob store is a folder, which has no web addresses: read the blob through castiel");
  }

  Result<> each(const TenantId& tenant,
                const std::function<Result<>(const BlobInfo&)>& visit) const override {
    std::error_code error;
    const fs::path mine = folder_ / tenant.str();
    for (fs::recursive_directory_iterator it(mine, error), end; !error && it != end; it.increment(error)) {
      const auto name = it->path().filename().string();
      if (it.depth() == 0 && name == kDrafts) it.disable_recursion_pending();
      struct stat info{};
      if (it.depth() != 1 || !is_sha256(name) || ::stat(it->path().c_str(), &info) != 0) continue;
      CASTIEL_TRY(visit({name, static_cast<std::uint64_t>(info.st_size), to_timestamp(info.st_mtim)}));
    }
    return listed(mine, error);
  }

  Result<bool> remove(const TenantId& tenant, std::string_view sha256, Timestamp unused_since) override {
    const fs::path path = path_of(tenant, std::string(sha256));
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) return false;
    CASTIEL_ASSIGN(const auto lock, lock_of(tenant, LOCK_EX));
    if (::stat(path.c_str(), &info) != 0 || to_timestamp(info.st_mtim) > unused_since) return false;
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return file_failed(path, "removed");
    return true;
  }

  Result<std::int64_t> erase(const TenantId& tenant) override {
    std::int64_t count = 0;
    CASTIEL_TRY(each(tenant, [&](const BlobInfo&) -> Result<> {
      ++count;
      return {};
    }));
    const fs::path mine = folder_ / tenant.str();
    std::error_code error;
    fs::remove_all(mine, error);
    CASTIEL_TRY(listed(mine, error));
    return count;
  }

  void sweep_drafts() const {
    const Timestamp now = clock_.now();
    std::error_code error;
    for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error)) {
      std::error_code drafts_error;
      for (fs::directory_iterator draft(it->path() / kDrafts, drafts_error); !drafts_error && draft != end;
           draft.increment(drafts_error)) {
        struct stat info{};
        if (::stat(draft->path().c_str(), &info) == 0 && to_timestamp(info.st_mtim) + kDraftsKept < now)
          ::unlink(draft->path().c_str());
      }
    }
  }

 private:
  static std::unexpected<Error> too_large() {
    return permanent("too_large", fmt::format("a blob has at most {} bytes", kMaxBlobBytes));
  }
  static Result<> listed(const fs::path& path, const std::error_code& error) {
    if (!error || error == std::errc::no_such_file_or_directory) return {};
    errno = error.value();
    return file_failed(path, "listed or removed");
  }

  // Dates a blob that is there already. Whoever put it may have died before its name was durable.
  Result<bool> used_again(const TenantId& tenant, const BlobRef& ref) {
    const fs::path path = path_of(tenant, ref.sha256);
    struct stat there{};
    if (::stat(path.c_str(), &there) != 0) return false;
    CASTIEL_ASSIGN(auto lock, lock_of(tenant, LOCK_SH));
    if (::stat(path.c_str(), &there) != 0 || static_cast<std::uint64_t>(there.st_size) != ref.size)
      return false;
    const auto now = to_timespec(clock_.now());
    const timespec times[2] = {now, now};
    if (::utimensat(AT_FDCWD, path.c_str(), times, 0) != 0) {
      if (errno == ENOENT) return false;
      return file_failed(path, "dated");
    }
    lock = Descriptor();
    CASTIEL_TRY(make_folder(path.parent_path()));
    CASTIEL_TRY(sync_folder(path.parent_path()));
    return true;
  }

  Result<> keep(const TenantId& tenant, const BlobRef& ref, Draft& draft) {
    const fs::path path = path_of(tenant, ref.sha256);
    CASTIEL_TRY(make_folder(path.parent_path()));
    CASTIEL_TRY(draft.date(clock_.now()));
    {
      CASTIEL_ASSIGN(const auto lock, lock_of(tenant, LOCK_SH));
      CASTIEL_TRY(draft.rename_to(path));
    }
    return sync_folder(path.parent_path());
  }

  // <folder>/<tenant>/<two digits>, durable with the folders above it, whoever made them. One that was known
  // may have gone with an erasure, also by another process.
  Result<> make_folder(const fs::path& path) {
    std::error_code ignored;
    if (fs::exists(path, ignored)) {
      const std::lock_guard lock(mutex_);
      if (known_.contains(path.native())) return {};
    }
    CASTIEL_TRY(impl::make_folders(path));
    CASTIEL_TRY(sync_folder(path.parent_path()));
    CASTIEL_TRY(sync_folder(folder_));
    const std::lock_guard lock(mutex_);
    if (known_.size() >= kMaxKnownFolders) known_.clear();
    known_.insert(path.native());
    return {};
  }

  Result<Draft> make_draft(const TenantId& tenant) {
    const fs::path drafts = folder_ / tenant.str() / kDrafts;
    CASTIEL_TRY(impl::make_folders(drafts));
    for (int i = 0; i < kDraftNames; ++i) {
      fs::path path = drafts / fmt::format("{}.{}", ::getpid(), ++drafts_);
      Descriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
      if (fd.get() >= 0) return Draft(std::move(path), std::move(fd));
      if (errno != EEXIST) break;
    }
    return file_failed(drafts, "written to");
  }

  // A put() holds it shared while it dates or names a blob, a removal alone while it looks and removes: the
  // blob a put() found is there when it returns. Goes with its descriptor.
  Result<Descriptor> lock_of(const TenantId& tenant, int how) const {
    const fs::path path = folder_ / tenant.str() / kLock;
    Descriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (fd.get() < 0) return file_failed(path, "opened");
    while (::flock(fd.get(), how) != 0) {
      if (errno != EINTR) return file_failed(path, "locked");
    }
    return fd;
  }

  fs::path path_of(const TenantId& tenant, const std::string& sha256) const {
    return folder_ / tenant.str() / sha256.substr(0, 2) / sha256;
  }

  const fs::path folder_;
  const Clock& clock_;
  std::atomic<std::uint64_t> drafts_ = 0;
  std::mutex mutex_;
  std::set<std::string> known_;  // folders known to be durable; under mutex_
};

}  // namespace

Result<std::unique_ptr<Blobs>> open_folder_blobs(const fs::path& folder, const Clock& clock) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) fs::permissions(folder, fs::perms::owner_all, error);
  if (error) {
    return permanent("data_folder_unusable", fmt::format("'{}' cannot hold blobs", folder.string()),
                     error.message());
  }
  auto blobs = std::make_unique<FolderBlobs>(folder, clock);
  blobs->sweep_drafts();
  return blobs;
}

}  // namespace castiel::storage
