#pragma once
// Programs nobody here wrote, started by tests to test against: on loopback, in a folder of their own, ended
// with the object or, when the test dies, by the kernel. One owner, one thread.

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace castiel::storage::testing {

// A new folder, removed with the object.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& name);
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A port of 127.0.0.1 nobody listens on now.
std::uint16_t free_port();

class PeerProcess {
 public:
  // Starts `command`, looked for in PATH, with its output in folder/output, and waits until `ready` says yes.
  // Ends the test program with a message that names `package` when the program is missing, exits or is not
  // ready within 30 s.
  PeerProcess(std::vector<std::string> command, const std::filesystem::path& folder,
              const std::string& package, const std::function<bool()>& ready);
  ~PeerProcess() { kill(); }
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;

  void kill();     // SIGKILL, and waits for its end
  void suspend();  // SIGSTOP: it is there and does not answer
  void resume();

 private:
  pid_t pid_ = -1;
};

// Runs a command to its end and ends the test program when it fails.
void run_to_end(const std::vector<std::string>& command, const std::filesystem::path& folder,
                const std::string& package);

}  // namespace castiel::storage::testing
