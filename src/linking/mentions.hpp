#pragma once
// Where a text names something the tenant knows: names of accounts, contacts, deals and products, found as
// whole words whatever their case, accents, spaces and signs. Immutable once built; any thread.

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.hpp"

namespace castiel::linking {

struct Named {
  std::string type;  // account, contact, opportunity, product
  ShardId shard;
  bool part = false;  // by one word of the name, as people say it among themselves
  auto operator<=>(const Named&) const = default;
};

struct Mention {
  const std::vector<Named>* named = nullptr;  // all that have this name; lives as long as the gazetteer
  std::string text;                           // as written
  std::size_t start = 0, end = 0;             // code points
  int words = 1;
  bool after_at = false;  // written as "@Name"
};

class Gazetteer {
 public:
  static constexpr std::size_t kMinKeyBytes = 3;
  static constexpr int kMaxWords = 8;
  static constexpr std::size_t kMaxTextBytes = std::size_t{256} << 10;  // more of a text is not looked at

  // A name of one common word counts only where it is written with a capital, if it has one itself.
  void add(std::string_view name, Named named);
  // In order, the longest at each place, none inside another.
  std::vector<Mention> find(std::string_view text) const;
  // All that have this name.
  const std::vector<Named>* lookup(std::string_view key) const;
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::vector<Named> named;
    bool capital = false;  // some way of writing it starts with a capital
    bool small = false;    // some way does not
  };
  std::unordered_map<std::string, Entry> entries_;
  std::size_t longest_ = 0;
};

}  // namespace castiel::linking
