#pragma once
// The headers under which the tools in use write each canonical field. Constant data; any thread.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace castiel::connectors::impl {

// Keys are name_key()s between spaces, best first: of two columns that both mean a field, the first key wins.
struct FieldKeys {
  std::string_view field;
  double weight;  // how much the field speaks for this entity rather than another one
  std::string_view keys;
};

struct EntityKeys {
  std::string_view entity;
  std::span<const FieldKeys> fields;
  std::string_view own_words;   // of the entity itself: "deal amount" is its amount
  std::string_view file_words;  // that name such files
  std::string_view decisive;    // keys of columns that only this entity has
};

std::span<const EntityKeys> dictionary();
const EntityKeys* find_entity_keys(std::string_view entity);

// Whether `keys`, words between spaces, has `key`; its rank among them, or -1.
int key_rank(std::string_view keys, std::string_view key);

// A name's words in lower case: of "closeDate", "close_date" and "Close Date" the same two.
std::vector<std::string> words_of(std::string_view name);
// How much a file's name speaks for an entity: 0, 2 or 3.
double file_name_score(std::string_view file, const EntityKeys& keys);

}  // namespace castiel::connectors::impl
