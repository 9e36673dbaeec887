// A program that enters the worker's sandbox and then tries what it must not do. Prints a JSON object: for
// each try the name of its error, or "done". Usage: sandbox_probe FOLDER-ALLOWED FILE-ALLOWED FILE-FORBIDDEN
// NEW-FILE [without-landlock]

#include <fcntl.h>
#include <iconv.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <thread>

#include "extract/program/sandbox.hpp"

int main(int argc, char** argv) {
  using namespace castiel;
  if (argc < 5) return 2;
  const char *folder = argv[1], *allowed = argv[2], *forbidden = argv[3], *fresh = argv[4];
  extract::program::SandboxOptions options;
  options.readable = extract::program::library_folders(folder);
  options.max_memory_bytes = 256u << 20;
  options.use_landlock = argc < 6;
  const auto sandbox = extract::program::enter_sandbox(options);
  if (!sandbox) {
    std::fprintf(stderr, "%s\n", sandbox.error().describe().c_str());
    return 1;
  }
  json::object report{{"sandbox", sandbox->to_json()}};
  const auto note = [&](const char* what, long result) {
    report[what] = result >= 0 ? "done" : ::strerrorname_np(errno);
  };
  char* const no_arguments[] = {nullptr};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  note("socket_inet", ::socket(AF_INET, SOCK_STREAM, 0));
  note("socket_unix", ::socket(AF_UNIX, SOCK_STREAM, 0));
  note("socket_netlink", ::socket(AF_NETLINK, SOCK_RAW, 0));
  note("connect", ::connect(0, reinterpret_cast<sockaddr*>(&address), sizeof address));
  note("exec", ::execve("/bin/true", no_arguments, no_arguments));
  note("fork", ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  note("vfork", ::syscall(SYS_vfork));
  note("clone3", ::syscall(SYS_clone3, nullptr, 0));
  note("read_allowed", ::open(allowed, O_RDONLY | O_CLOEXEC));
  note("read_forbidden", ::open(forbidden, O_RDONLY | O_CLOEXEC));
  note("read_passwords", ::open("/etc/passwd", O_RDONLY | O_CLOEXEC));
  note("read_environment", ::open("/proc/self/environ", O_RDONLY | O_CLOEXEC));
  note("open_for_writing", ::open(allowed, O_WRONLY | O_CLOEXEC));
  note("open_read_write", ::open(allowed, O_RDWR | O_CLOEXEC));
  note("create", ::open(fresh, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  note("create_reading", ::open(fresh, O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
  note("truncate_reading", ::open(allowed, O_RDONLY | O_TRUNC | O_CLOEXEC));
  note("truncate", ::truncate(allowed, 0));
  note("unlink", ::unlink(allowed));
  note("rename", ::rename(allowed, fresh));
  note("mkdir", ::mkdir(fresh, 0700));
  note("chmod", ::chmod(allowed, 0777));
  note("ptrace", ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr));
  note("kill_parent", ::kill(::getppid(), 0));
  note("memory_written_and_run",
       ::mmap(nullptr, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1
                                                                                                       : 0);
  const rlimit more{RLIM_INFINITY, RLIM_INFINITY};
  note("raise_limit", ::setrlimit(RLIMIT_NOFILE, &more));
  note("too_much_memory",
       ::mmap(nullptr, 1u << 30, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
  // What must go on working.
  note("thread", [] {
    int value = -1;
    std::thread([&] { value = 0; }).join();
    return value;
  }());
  const auto converter = ::iconv_open("UTF-8", "ISO-2022-JP");
  note("character_tables", converter == reinterpret_cast<iconv_t>(-1) ? -1 : 0);
  std::printf("%s\n", json::serialize(report).c_str());
  std::fflush(stdout);
  ::_exit(0);
}
