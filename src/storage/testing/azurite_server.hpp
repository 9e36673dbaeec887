#pragma once
// Azurite, an Azure Blob Storage of its own on a free port of loopback, for tests. It checks signatures as
// the service does. Started from the folder of sources, where tests run. One owner.

#include <memory>
#include <string>

#include "storage/testing/peer_process.hpp"

namespace castiel::storage::testing {

class AzuriteServer {
 public:
  AzuriteServer();
  // Of a container that need not be there yet.
  std::string url(const std::string& container) const { return url(container, kKey); }
  std::string url(const std::string& container, const std::string& key) const;
  std::uint16_t port() const { return port_; }
  void stop() { process_->kill(); }

  // What the emulator's documentation gives for its account.
  static constexpr const char* kAccount = "devstoreaccount1";
  static constexpr const char* kKey =
      "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

 private:
  TemporaryFolder folder_{"azurite"};
  const std::uint16_t port_ = free_port();
  std::unique_ptr<PeerProcess> process_;
};

}  // namespace castiel::storage::testing
