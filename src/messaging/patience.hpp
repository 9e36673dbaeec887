#pragma once
// How long a stage puts a message off while others have work to do first (error not_yet): as long as they are
// busy, but after a while one message is let through, so that nothing waits for ever. Any thread.

#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "base/clock.hpp"
#include "base/ids.hpp"

namespace castiel::messaging {

class Patience {
 public:
  static constexpr std::size_t kMaxWatched = 256;  // what is waited for at once; those beyond do not wait

  Patience(const Clock& clock, Duration longest) : clock_(&clock), longest_(longest) {}
  // Whether to put off what needs `what` of this tenant, which is `busy` now. False at most once in
  // `longest`.
  bool wait(const TenantId& tenant, const std::string& what, bool busy);

 private:
  const Clock* clock_;
  Duration longest_;
  std::mutex mutex_;
  std::map<std::pair<TenantId, std::string>, Duration> since_;  // monotonic; under mutex_
};

}  // namespace castiel::messaging
