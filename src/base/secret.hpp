#pragma once
// Secret: a value that must never reach a log line, an error message or a dump.

#include <string.h>

#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace castiel {

// Prints as "***" everywhere; only reveal() gives the text, so every use can be found by that name. The
// bytes are wiped when the object dies. Equality takes the same time wherever the first difference is.
class Secret {
 public:
  static constexpr std::string_view kMask = "***";

  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  Secret(const Secret&) = default;
  Secret(Secret&& other) noexcept : value_(std::move(other.value_)) { other.wipe(); }
  Secret& operator=(const Secret& other) {
    if (this != &other) {
      wipe();
      value_ = other.value_;
    }
    return *this;
  }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      wipe();
      value_ = std::move(other.value_);
      other.wipe();
    }
    return *this;
  }
  ~Secret() { wipe(); }

  const std::string& reveal() const { return value_; }
  bool empty() const { return value_.empty(); }

  friend bool operator==(const Secret& a, const Secret& b) {
    if (a.value_.size() != b.value_.size()) return false;
    unsigned char difference = 0;
    for (std::size_t i = 0; i < a.value_.size(); ++i)
      difference = static_cast<unsigned char>(difference | (a.value_[i] ^ b.value_[i]));
    return difference == 0;
  }
  friend std::ostream& operator<<(std::ostream& out, const Secret&) { return out << kMask; }

 private:
  void wipe() {
    // The whole capacity: a short string that replaced a longer one leaves the rest of it behind.
    value_.resize(value_.capacity());
    ::explicit_bzero(value_.data(), value_.size());
    value_.clear();
  }

  std::string value_;
};

}  // namespace castiel
