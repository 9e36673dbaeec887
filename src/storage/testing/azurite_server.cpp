#include "storage/testing/azurite_server.hpp"

#include <fmt/format.h>

#include "storage/azure/impl/rest.hpp"

namespace castiel::storage::testing {

namespace {

constexpr const char* kProgram = "tests/peers/node_modules/azurite/dist/src/blob/main.js";

}  // namespace

AzuriteServer::AzuriteServer() {
  static const SystemClock clock;
  const auto account = impl::parse_azure_url(url("any")).value();
  const impl::AzureRest rest(account, clock, std::chrono::seconds(1));
  process_ = std::make_unique<PeerProcess>(
      std::vector<std::string>{"node", kProgram, "--blobHost", "127.0.0.1", "--blobPort",
                               std::to_string(port_), "--location", folder_.path(), "--silent",
                               "--skipApiVersionCheck", "--disableTelemetry"},
      folder_.path(), "tests/peers: run npm ci there", [&] {
        return rest
            .send({.query = {{"restype", "container"}}},
                  Deadline::after(clock, std::chrono::milliseconds(200)))
            .has_value();
      });
}

std::string AzuriteServer::url(const std::string& container, const std::string& key) const {
  return fmt::format("azblob+http://{}:{}@127.0.0.1:{}/{}", kAccount, key, port_, container);
}

}  // namespace castiel::storage::testing
