#pragma once
// A log sink for tests that keeps its lines in memory. Thread-safe.

#include <mutex>
#include <string>
#include <vector>

#include "telemetry/log.hpp"

namespace castiel::telemetry {

class CapturedLines final : public LineSink {
 public:
  void write(Level, std::string_view line) override {
    std::lock_guard lock(mutex_);
    lines_.emplace_back(line);
  }
  std::vector<std::string> lines() const {
    std::lock_guard lock(mutex_);
    return lines_;
  }
  bool contains(std::string_view text) const {
    std::lock_guard lock(mutex_);
    for (const auto& line : lines_)
      if (line.find(text) != std::string::npos) return true;
    return false;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace castiel::telemetry
