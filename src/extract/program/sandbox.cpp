#include "extract/program/sandbox.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace castiel::extract::program {

namespace {

constexpr std::uint64_t kMaxStackBytes = 64u << 20;
constexpr std::uint64_t kAddressSpaceBesides = 2ull << 30;  // code, libraries' tables, stacks
constexpr rlim_t kMaxDescriptors = 256;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // shadow memory needs terabytes of addresses
#else
constexpr bool kSanitized = false;
#endif

// The rights of Landlock's versions 1 to 5 on files: all are denied but reading.
constexpr std::uint64_t kTruncate = 1ull << 14, kIoctlDevice = 1ull << 15;
constexpr std::uint64_t kRightsOfVersion1 = (1ull << 13) - 1;
// Versions 4 and 6: TCP; abstract sockets and signals to processes outside.
constexpr std::uint64_t kTcp = 0b11, kScopes = 0b11;
struct Ruleset {
  std::uint64_t files = 0;
  std::uint64_t network = 0;
  std::uint64_t scopes = 0;
};

std::unexpected<Error> failed(std::string_view step, int error) {
  return permanent("no_sandbox", fmt::format("The sandbox cannot be set up: {}.", step),
                   std::strerror(error));
}

Result<> limit(int resource, rlim_t most, std::string_view name) {
  rlimit now{};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &now) != 0) return failed(name, errno);
  const rlim_t value = std::min(most, now.rlim_max);
  const rlimit wanted{value, value};
  if (::setrlimit(static_cast<__rlimit_resource>(resource), &wanted) != 0) return failed(name, errno);
  return {};
}

Result<> limit_resources(const SandboxOptions& options) {
  CASTIEL_TRY(limit(RLIMIT_CORE, 0, "RLIMIT_CORE"));
  CASTIEL_TRY(limit(RLIMIT_NOFILE, kMaxDescriptors, "RLIMIT_NOFILE"));
  CASTIEL_TRY(limit(RLIMIT_CPU, options.max_cpu_seconds, "RLIMIT_CPU"));
  CASTIEL_TRY(limit(RLIMIT_MEMLOCK, 0, "RLIMIT_MEMLOCK"));
  if (kSanitized || options.max_memory_bytes == 0) return {};
  CASTIEL_TRY(limit(RLIMIT_STACK, kMaxStackBytes, "RLIMIT_STACK"));
  CASTIEL_TRY(limit(RLIMIT_DATA, options.max_memory_bytes, "RLIMIT_DATA"));
  return limit(RLIMIT_AS, options.max_memory_bytes + options.max_input_bytes + kAddressSpaceBesides,
               "RLIMIT_AS");
}

Result<int> apply_landlock(const SandboxOptions& options) {
  const int version = options.use_landlock ? landlock_version() : 0;
  if (version < 1) return 0;
  Ruleset rules;
  rules.files = kRightsOfVersion1;
  if (version >= 2) rules.files |= LANDLOCK_ACCESS_FS_REFER;
  if (version >= 3) rules.files |= kTruncate;
  if (version >= 5) rules.files |= kIoctlDevice;
  if (version >= 4) rules.network = kTcp;
  if (version >= 6) rules.scopes = kScopes;
  const int ruleset = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0));
  if (ruleset < 0) return failed("landlock_create_ruleset", errno);
  for (const auto& path : options.readable) {
    const int fd = ::open(path.c_str(), O_PATH | O_CLOEXEC);
    if (fd < 0) continue;
    struct stat status{};
    const bool folder = ::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
    landlock_path_beneath_attr beneath{};
    beneath.allowed_access =
        folder ? LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR : LANDLOCK_ACCESS_FS_READ_FILE;
    beneath.parent_fd = fd;
    const long added = ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
    const int error = errno;
    ::close(fd);
    if (added != 0) {
      ::close(ruleset);
      return failed("landlock_add_rule " + path, error);
    }
  }
  const long restricted = ::syscall(SYS_landlock_restrict_self, ruleset, 0);
  const int error = errno;
  ::close(ruleset);
  if (restricted != 0) return failed("landlock_restrict_self", error);
  return version;
}

// What parsing needs besides the calls that are allowed only with certain arguments (below).
constexpr int kAllowed[] = {SCMP_SYS(read),
                            SCMP_SYS(readv),
                            SCMP_SYS(pread64),
                            SCMP_SYS(preadv),
                            SCMP_SYS(write),
                            SCMP_SYS(writev),
                            SCMP_SYS(recvmsg),
                            SCMP_SYS(sendmsg),
                            SCMP_SYS(sendto),
                            SCMP_SYS(recvfrom),
                            SCMP_SYS(close),
                            SCMP_SYS(close_range),
                            SCMP_SYS(lseek),
                            SCMP_SYS(_llseek),
                            SCMP_SYS(fstat),
                            SCMP_SYS(fstat64),
                            SCMP_SYS(stat),
                            SCMP_SYS(stat64),
                            SCMP_SYS(lstat),
                            SCMP_SYS(lstat64),
                            SCMP_SYS(newfstatat),
                            SCMP_SYS(fstatat64),
                            SCMP_SYS(statx),
                            SCMP_SYS(statfs),
                            SCMP_SYS(statfs64),
                            SCMP_SYS(fstatfs),
                            SCMP_SYS(fstatfs64),
                            SCMP_SYS(access),
                            SCMP_SYS(faccessat),
                            SCMP_SYS(faccessat2),
                            SCMP_SYS(readlink),
                            SCMP_SYS(readlinkat),
                            SCMP_SYS(getcwd),
                            SCMP_SYS(getdents),
                            SCMP_SYS(getdents64),
                            SCMP_SYS(fadvise64),
                            SCMP_SYS(readahead),
                            SCMP_SYS(dup),
                            SCMP_SYS(poll),
                            SCMP_SYS(ppoll),
                            SCMP_SYS(brk),
                            SCMP_SYS(munmap),
                            SCMP_SYS(mremap),
                            SCMP_SYS(madvise),
                            SCMP_SYS(mincore),
                            SCMP_SYS(membarrier),
                            SCMP_SYS(futex),
                            SCMP_SYS(set_robust_list),
                            SCMP_SYS(get_robust_list),
                            SCMP_SYS(rseq),
                            SCMP_SYS(set_tid_address),
                            SCMP_SYS(exit),
                            SCMP_SYS(exit_group),
                            SCMP_SYS(rt_sigaction),
                            SCMP_SYS(rt_sigprocmask),
                            SCMP_SYS(rt_sigreturn),
                            SCMP_SYS(sigaltstack),
                            SCMP_SYS(restart_syscall),
                            SCMP_SYS(alarm),
                            SCMP_SYS(setitimer),
                            SCMP_SYS(clock_gettime),
                            SCMP_SYS(clock_getres),
                            SCMP_SYS(gettimeofday),
                            SCMP_SYS(time),
                            SCMP_SYS(times),
                            SCMP_SYS(nanosleep),
                            SCMP_SYS(clock_nanosleep),
                            SCMP_SYS(sched_yield),
                            SCMP_SYS(sched_getaffinity),
                            SCMP_SYS(getcpu),
                            SCMP_SYS(getrandom),
                            SCMP_SYS(getpid),
                            SCMP_SYS(gettid),
                            SCMP_SYS(getppid),
                            SCMP_SYS(getuid),
                            SCMP_SYS(geteuid),
                            SCMP_SYS(getgid),
                            SCMP_SYS(getegid),
                            SCMP_SYS(getrusage),
                            SCMP_SYS(getrlimit),
                            SCMP_SYS(sysinfo),
                            SCMP_SYS(uname)};

// Adds rules until one fails.
class Filter {
 public:
  Filter() : context_(::seccomp_init(SCMP_ACT_ERRNO(EPERM))) {
    error_ = context_ == nullptr ? ENOMEM : 0;
    if (error_ == 0) note(::seccomp_attr_set(context_, SCMP_FLTATR_CTL_TSYNC, 1));
    // A binary tree of the calls instead of a list: reading and allocating are frequent.
    if (error_ == 0) note(::seccomp_attr_set(context_, SCMP_FLTATR_CTL_OPTIMIZE, 2));
  }
  ~Filter() { ::seccomp_release(context_); }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  template <class... Comparisons>
  void allow(int call, Comparisons... comparisons) {
    add(SCMP_ACT_ALLOW, call, comparisons...);
  }
  template <class... Comparisons>
  void add(std::uint32_t action, int call, Comparisons... comparisons) {
    // Negative numbers stand for calls this machine's architecture does not have.
    if (error_ == 0 && call >= 0)
      note(::seccomp_rule_add(context_, action, call, sizeof...(comparisons), comparisons...));
  }
  int load() {
    if (error_ == 0) note(::seccomp_load(context_));
    return error_;
  }

 private:
  void note(int result) { error_ = result < 0 ? -result : error_; }
  scmp_filter_ctx context_;
  int error_ = 0;
};

int apply_seccomp(bool may_open) {
  Filter filter;
  for (const int call : kAllowed) filter.allow(call);
  if (may_open) {
    // Reading only: no access mode but O_RDONLY, nothing that makes or empties a file.
    constexpr std::uint64_t kWriting = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY);
    filter.allow(SCMP_SYS(open), SCMP_A1(SCMP_CMP_MASKED_EQ, kWriting, 0));
    filter.allow(SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, kWriting, 0));
  }
  // Memory that is written is never run, and the other way round.
  constexpr std::uint64_t kRun = 4, kWrite = 2;  // PROT_EXEC, PROT_WRITE
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect)}) {
    filter.allow(call, SCMP_A2(SCMP_CMP_MASKED_EQ, kRun, 0));
    filter.allow(call, SCMP_A2(SCMP_CMP_MASKED_EQ, kRun | kWrite, kRun));
  }
  filter.allow(SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_GETFD));
  filter.allow(SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_SETFD));
  filter.allow(SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_GETFL));
  filter.allow(SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_DUPFD_CLOEXEC));
  // Threads, but no processes; the C library falls back from clone3, whose arguments no filter sees.
  filter.allow(SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
  filter.add(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));
  filter.add(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2));
  // Limits may be read, not set; signals go to itself.
  filter.allow(SCMP_SYS(prlimit64), SCMP_A2(SCMP_CMP_EQ, 0));
  const auto self = static_cast<scmp_datum_t>(::getpid());
  filter.allow(SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, self));
  filter.allow(SCMP_SYS(kill), SCMP_A0(SCMP_CMP_EQ, self));
  filter.allow(SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
  return filter.load();
}

}  // namespace

std::vector<std::string> library_folders(const std::string& tessdata) {
  std::vector<std::string> folders{
#ifdef CASTIEL_LIBRARY_FOLDER
      std::string(CASTIEL_LIBRARY_FOLDER) + "/gconv",
#endif
      "/usr/lib/gconv",
      "/usr/lib64/gconv",
      "/etc/fonts",
      "/usr/share/fontconfig",
      "/usr/share/fonts",
      "/usr/local/share/fonts",
      "/var/cache/fontconfig",
      "/usr/share/poppler",
      "/usr/share/zoneinfo",
      "/usr/share/libical",
      "/etc/localtime",
      "/usr/share/tesseract-ocr",
      "/usr/share/tessdata",
  };
  if (!tessdata.empty()) folders.push_back(tessdata);
  return folders;
}

int landlock_version() {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version > 0 ? static_cast<int>(version) : 0;
}

json::object Sandbox::to_json() const {
  return {{"landlock", landlock_version},
          {"seccomp", true},
          {"files", landlock_version > 0 ? "read-only, in the libraries' folders" : "none"},
          {"limits", !kSanitized}};
}

Result<Sandbox> enter_sandbox(const SandboxOptions& options) {
  // Neither a debugger of the same user nor /proc may look into a process that reads private mail.
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("no_new_privs", errno);
  if (!kSanitized && ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failed("not dumpable", errno);
  CASTIEL_TRY(limit_resources(options));
  Sandbox sandbox;
  CASTIEL_ASSIGN(sandbox.landlock_version, apply_landlock(options));
  if (const int error = apply_seccomp(sandbox.landlock_version > 0); error != 0)
    return failed("seccomp", error);
  return sandbox;
}

}  // namespace castiel::extract::program
