#pragma once
// Which queues a type of event reaches: the bindings, which are rows of the database because every process
// counts what it publishes for queues that another one reads. Any thread.

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "storage/sqlite/queue_rows.hpp"

namespace castiel::storage::postgres {

class Routes {
 public:
  // `version` grows with each change of the rows.
  void set(std::int64_t version, std::vector<Binding> bindings);
  std::int64_t version() const;
  std::vector<std::string> queues_for(const std::string& type) const;

 private:
  mutable std::mutex mutex_;
  std::int64_t version_ = 0;
  std::vector<Binding> bindings_;
  mutable std::map<std::string, std::vector<std::string>> resolved_;
};

}  // namespace castiel::storage::postgres
