#pragma once
// A text that many deals have: stages, owners, accounts. Eight bytes a use, and one copy of the text for all
// uses that came from one SharedTexts. Immutable; copies may be used by any threads at once.

#include <atomic>
#include <compare>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace castiel::intelligence {

class SharedText {
 public:
  SharedText() = default;
  // A text of its own; SharedTexts gives shared ones.
  SharedText(std::string text) : kept_(text.empty() ? nullptr : new Kept{1, std::move(text)}) {}
  SharedText(std::string_view text) : SharedText(std::string(text)) {}
  SharedText(const char* text) : SharedText(std::string(text)) {}
  SharedText(const SharedText& other) noexcept : kept_(other.kept_) {
    if (kept_ != nullptr) kept_->uses.fetch_add(1, std::memory_order_relaxed);
  }
  SharedText(SharedText&& other) noexcept : kept_(std::exchange(other.kept_, nullptr)) {}
  SharedText& operator=(SharedText other) noexcept {
    std::swap(kept_, other.kept_);
    return *this;
  }
  ~SharedText() {
    if (kept_ != nullptr && kept_->uses.fetch_sub(1, std::memory_order_acq_rel) == 1) delete kept_;
  }

  const std::string& str() const { return kept_ == nullptr ? kNone : kept_->text; }
  operator const std::string&() const { return str(); }
  operator std::string_view() const { return str(); }
  bool empty() const { return kept_ == nullptr; }
  friend bool operator==(const SharedText& a, const SharedText& b) {
    return a.kept_ == b.kept_ || a.str() == b.str();
  }
  friend bool operator==(const SharedText& a, std::string_view b) { return a.str() == b; }
  friend bool operator==(const SharedText& a, const std::string& b) { return a.str() == b; }
  friend bool operator==(const SharedText& a, const char* b) { return a.str() == b; }
  friend auto operator<=>(const SharedText& a, const SharedText& b) { return a.str() <=> b.str(); }
  friend std::ostream& operator<<(std::ostream& out, const SharedText& text) { return out << text.str(); }

 private:
  struct Kept {
    std::atomic<std::uint32_t> uses;
    std::string text;
  };
  static inline const std::string kNone;
  Kept* kept_ = nullptr;
};

// Gives the same SharedText for the same text. One thread at a time.
class SharedTexts {
 public:
  SharedText get(std::string_view text) {
    if (text.empty()) return {};
    if (const auto known = known_.find(text); known != known_.end()) return known->second;
    SharedText shared(text);
    const std::string_view key = shared.str();
    return known_.emplace(key, std::move(shared)).first->second;
  }

 private:
  std::unordered_map<std::string_view, SharedText> known_;  // keys point into the values
};

}  // namespace castiel::intelligence
