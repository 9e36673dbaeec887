#include "app/backend.hpp"

namespace castiel::app {

namespace {
constexpr auto kCallDeadline = std::chrono::seconds(120);
constexpr auto kFirstAnswer = std::chrono::seconds(5);
}  // namespace

Result<Backend> Backend::open(Program::Options options, const Clock& clock, Random& random) {
  Backend backend(clock);
  const auto socket = storage::DataFolder::socket(options.data).string();
  auto program = Program::open(std::move(options), clock, random);
  if (program) {
    backend.program_ = std::move(*program);
    return backend;
  }
  if (program.error().code != "data_folder_in_use") return std::unexpected(program.error());
  http::Endpoint endpoint;
  endpoint.socket_path = socket;
  backend.client_ = std::make_unique<http::Client>(endpoint, clock);
  auto alive = backend.client_->get("/health/live", Deadline::after(clock, kFirstAnswer));
  if (!alive) {
    auto error = program.error();
    error.message += "; it does not answer on " + socket;
    return std::unexpected(error);
  }
  return backend;
}

Result<json::value> Backend::run(std::string_view operation, const api::Call& call) {
  if (program_ != nullptr) return api::run_operation(program_->services(), operation, call);
  return api::call_operation(*client_, operation, call, Deadline::after(*clock_, kCallDeadline));
}

}  // namespace castiel::app
