#pragma once
// Where a command's operations run: in a running server, through the data folder's socket, or in this process
// when no server has the folder.

#include <memory>
#include <optional>

#include "api/operations.hpp"
#include "app/program.hpp"
#include "http/client.hpp"

namespace castiel::app {

class Backend {
 public:
  // Errors: those of Program::open; server_unreachable when the folder is taken by a process that does not
  // answer.
  static Result<Backend> open(Program::Options options, const Clock& clock, Random& random);

  Result<json::value> run(std::string_view operation, const api::Call& call);
  // The program in this process; nothing when a server does the work.
  Program* local() { return program_.get(); }

 private:
  Backend(const Clock& clock) : clock_(&clock) {}
  const Clock* clock_;
  std::unique_ptr<Program> program_;
  std::unique_ptr<http::Client> client_;
};

}  // namespace castiel::app
