#pragma once
// What the functional tests share: the binary as a process, folders that go away, JSON of its output, HTTP by
// hand. Each test owns its folders and processes; one thread.

#include <sys/resource.h>
#include <sys/types.h>

#include <boost/json.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace castiel::functional {

namespace json = boost::json;
using namespace std::chrono_literals;
using Millis = std::chrono::milliseconds;
using Path = std::filesystem::path;

// On a loaded machine a debug binary may need this long for what takes it a second.
inline constexpr Millis kPatience = 60s;

class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const Path& path() const { return path_; }
  // Writes a file, with the folders it lies in, and gives its path.
  Path write(const std::string& name, std::string_view text) const;

 private:
  Path path_;
};

std::string read_text(const Path& file);

struct Finished {
  int status = -1;  // exit status; -1 when a signal ended the process
  int signal = 0;
  std::string out;
  std::string err;
  std::int64_t peak_memory = 0;  // bytes resident at most

  std::vector<json::object> lines()
      const;                  // of standard output; fails the test when one is not a JSON object
  json::object last() const;  // the last of them
};

struct Limits {
  std::optional<rlim_t>
      file_bytes;  // RLIMIT_FSIZE, with SIGXFSZ ignored: writing more fails as on a full disk
};

// The binary with arguments, its output caught in files. A process that still runs is killed by the
// destructor.
class Process {
 public:
  explicit Process(const std::vector<std::string>& arguments, Limits limits = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  // Waits until it has ended, at most so long.
  bool ended_within(Millis limit);
  void signal(int number) const;
  // Waits for its end; kills it, and fails the test, when it takes longer.
  Finished finish(Millis limit = kPatience);
  std::string errors_so_far() const;

 private:
  TempFolder output_;
  pid_t pid_ = -1;
  int handle_ = -1;
  bool ended_ = false;
};

Finished castiel(const std::vector<std::string>& arguments, Limits limits = {}, Millis limit = kPatience);

// Asks again until it is so or the limit is over.
bool eventually(const std::function<bool()>& condition, Millis limit = kPatience);

std::uint16_t free_port();

struct Answer {
  int status = 0;  // 0: no connection, or no HTTP
  std::string head;
  std::string body;
  json::object object() const;  // fails the test when the body is none
};
struct Ask {
  std::string method = "GET";
  std::string host = {};  // header; default the address
  std::string body = {};
  std::string headers = {};  // further ones, each with its line end
};
Answer http(std::uint16_t port, const std::string& target, const Ask& ask = {});
Answer http(const Path& socket, const std::string& target, const Ask& ask = {});

// A server that has said it is ready.
class Server {
 public:
  explicit Server(const Path& data, const std::vector<std::string>& more = {});
  std::uint16_t port() const { return port_; }
  Process& process() { return process_; }
  Answer get(const std::string& target) const { return http(port_, target); }

 private:
  std::uint16_t port_;
  Process process_;
};

// Values by path ("records.read"); fails the test and gives 0 or "" when there is none.
std::int64_t number(const json::object& object, std::string_view path);
std::string text(const json::object& object, std::string_view path);
const json::value* find(const json::object& object, std::string_view path);
// "code line" of each problem whose file ends with this name.
std::vector<std::string> problems_of(const json::object& summary, std::string_view file);

}  // namespace castiel::functional
