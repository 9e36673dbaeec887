#pragma once
// Every kind of store there is, for the suites that hold them to one contract: a store that is listed is
// tested.

#include <functional>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "storage/outbox.hpp"
#include "storage/store.hpp"

namespace castiel::storage::testing {

// A store on data of its own, which go with it.
class StoreHost {
 public:
  virtual ~StoreHost() = default;
  virtual Store& store() = 0;
  // That a queue takes the types of these topic patterns.
  virtual Result<> declare_queue(const std::string& queue, const std::vector<std::string>& patterns) = 0;
  // Closes the store and opens it again on the same data.
  virtual Result<> reopen() = 0;
};

// Where published messages go.
enum class PublishTo { the_default, outbox };

struct StoreKind {
  std::string name;
  std::function<Result<std::unique_ptr<StoreHost>>(const Clock& clock, PublishTo publish_to)> open;
  friend std::ostream& operator<<(std::ostream& out, const StoreKind& kind) { return out << kind.name; }
};

std::span<const StoreKind> store_catalogue();

}  // namespace castiel::storage::testing
