#pragma once
// The brokers there are, for the suite that tests the contract of messaging::Broker: one that is listed here
// is tested. One owner, one thread.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "messaging/broker.hpp"

namespace castiel::messaging::testing {

// A broker and its store on a folder and, where it needs one, a server of their own.
class BrokerWorld {
 public:
  virtual ~BrokerWorld() = default;
  virtual storage::Store& store() = 0;
  virtual Broker& broker() = 0;
  // Declares it now and after every restart; gone with the world.
  virtual void declare(const QueueSpec& queue) = 0;
  // The process ends without a word, with whatever it has in hand, and another one starts.
  virtual void restart() = 0;
};

struct BrokerEntry {
  std::string name;
  // Throws std::runtime_error when it cannot be opened.
  std::function<std::unique_ptr<BrokerWorld>(const Clock& clock, Random& random)> open;
};

std::vector<BrokerEntry> broker_catalogue();

}  // namespace castiel::messaging::testing
