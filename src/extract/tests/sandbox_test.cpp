// The sandbox from inside: a probe program enters it and tries what it must not do (DOC-4).

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <fstream>

#include "base/json.hpp"
#include "extract/tests/support.hpp"

namespace castiel::extract {
namespace {

std::pair<std::string, int> output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  std::array<char, 4096> buffer;
  for (std::size_t got; (got = ::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    text.append(buffer.data(), got);
  const int status = ::pclose(pipe);
  return {text, WIFEXITED(status) ? WEXITSTATUS(status) : -1};
}

class SandboxProbe : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "castiel-sandbox-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    std::filesystem::create_directory(folder_ / "open");
    std::ofstream(folder_ / "open/file") << "allowed";
    std::ofstream(folder_ / "secret") << "forbidden";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  json::object probe(const std::string& more = "") {
    const auto path = [&](const char* name) { return " " + (folder_ / name).string(); };
    const auto [text, status] = output_of(std::string(CASTIEL_PROBE_PATH) + path("open") + path("open/file") +
                                          path("secret") + path("open/new") + more);
    EXPECT_EQ(status, 0) << text;
    const auto value = parse_json(text);
    return value && value->is_object() ? value->get_object() : json::object();
  }
  std::filesystem::path folder_;
};

TEST_F(SandboxProbe, finds_no_network_no_processes_and_no_way_to_write) {
  const auto report = probe();
  for (const char* what : {"socket_inet",
                           "socket_unix",
                           "socket_netlink",
                           "connect",
                           "exec",
                           "fork",
                           "vfork",
                           "open_for_writing",
                           "open_read_write",
                           "create",
                           "create_reading",
                           "truncate_reading",
                           "truncate",
                           "unlink",
                           "rename",
                           "mkdir",
                           "chmod",
                           "ptrace",
                           "kill_parent",
                           "memory_written_and_run",
                           "raise_limit"}) {
    EXPECT_EQ(string_or(report, what), "EPERM") << what;
  }
  EXPECT_EQ(string_or(report, "clone3"), "ENOSYS");
  EXPECT_EQ(string_or(report, "thread"), "done");
  EXPECT_EQ(std::filesystem::file_size(folder_ / "open/file"), 7u);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "open/new"));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_EQ(string_or(report, "too_much_memory"), "ENOMEM");
#endif
}

TEST_F(SandboxProbe, reads_the_libraries_folders_and_nothing_else) {
  const auto report = probe();
  if (int_or(*get_object(report, "sandbox"), "landlock", 0) == 0) {
    std::printf("[  NOTICE  ] this kernel has no Landlock: its part of the sandbox is not tested\n");
    GTEST_SKIP();
  }
  EXPECT_EQ(string_or(report, "read_allowed"), "done");
  EXPECT_EQ(string_or(report, "character_tables"), "done");
  for (const char* what : {"read_forbidden", "read_passwords", "read_environment"})
    EXPECT_EQ(string_or(report, what), "EACCES") << what;
}

TEST_F(SandboxProbe, opens_no_file_at_all_without_landlock) {
  const auto report = probe(" without-landlock");
  for (const char* what : {"read_allowed", "read_forbidden", "read_passwords", "read_environment"})
    EXPECT_EQ(string_or(report, what), "EPERM") << what;
}

json::object self_test(const std::string& arguments, int expected_status) {
  const auto [text, status] = output_of(std::string(CASTIEL_EXTRACT_PATH) + " --self-test " + arguments);
  EXPECT_EQ(status, expected_status) << text;
  const auto value = parse_json(text);
  return value && value->is_object() ? value->get_object() : json::object();
}

TEST(SelfTest, passes_and_says_what_the_sandbox_is_made_of) {
  const auto report = self_test("", 0);
  EXPECT_TRUE(bool_or(report, "ok", false)) << json::serialize(report);
  ASSERT_NE(get_object(report, "sandbox"), nullptr);
  EXPECT_TRUE(bool_or(*get_object(report, "sandbox"), "seccomp", false));
}

TEST(SelfTest, passes_with_files_closed_because_tables_are_read_before) {
  const auto report = self_test("--without-landlock", 0);
  EXPECT_TRUE(bool_or(report, "ok", false)) << json::serialize(report);
}

// With the libraries' files denied, texts come out empty without an error: the worker must refuse to serve.
TEST(SelfTest, fails_when_character_tables_cannot_be_read) {
  if (int_or(*get_object(self_test("", 0), "sandbox"), "landlock", 0) == 0) {
    std::printf("[  NOTICE  ] this kernel has no Landlock: files cannot be denied one by one\n");
    GTEST_SKIP();
  }
  const auto report = self_test("--without-files", 1);
  EXPECT_FALSE(bool_or(report, "ok", true)) << json::serialize(report);
}

TEST(SelfTest, is_asked_for_by_the_pool_too) {
  const auto report = check_worker_program(pool_options(), kClock);
  ASSERT_TRUE(report.has_value()) << report.error().describe();
  EXPECT_TRUE(bool_or(*report, "ok", false));
  EXPECT_GE(int_or(*report, "startMilliseconds", -1), 0);
  std::printf("[ NOTE     ] self-test: %lld ms\n",
              static_cast<long long>(int_or(*report, "startMilliseconds", -1)));
  auto options = pool_options();
  options.program = "/bin/true";
  EXPECT_FALSE(check_worker_program(options, kClock).has_value());
}

}  // namespace
}  // namespace castiel::extract
