#pragma once
// The identifier of a record at its source, and its modification time, from its fields. One owner, one
// thread.

#include <string>
#include <string_view>
#include <vector>

#include "connectors/mapping.hpp"

namespace castiel::connectors::impl {

class RecordKeys {
 public:
  explicit RecordKeys(const RecordMapping& mapping);

  // `value(i)` gives the text of column i. Empty when the record has no key.
  template <class Value>
  std::string key(Value value) const {
    if (id_ >= 0) return clean(value(static_cast<std::size_t>(id_)));
    for (const int column : natural_) {
      std::string text = clean(value(static_cast<std::size_t>(column)));
      if (text.empty()) continue;
      if (column != last_name_ || first_name_ < 0) return text;
      const std::string first = clean(value(static_cast<std::size_t>(first_name_)));
      return first.empty() ? text : first + " " + text;
    }
    if (!by_content_) return {};
    std::string content;
    for (std::size_t i = 0; i < columns_; ++i) {
      content += value(i);
      content.push_back('\x1f');
    }
    return hashed(content);
  }
  template <class Value>
  std::string modified(Value value) const {
    return modified_ < 0 ? std::string() : std::string(value(static_cast<std::size_t>(modified_)));
  }
  // For a person: which columns should have given the key.
  std::string expected(const RecordMapping& mapping) const;

 private:
  static std::string clean(std::string_view text);
  static std::string hashed(std::string_view content);

  int id_ = -1, modified_ = -1, first_name_ = -1, last_name_ = -1;
  std::vector<int> natural_;
  bool by_content_ = false;
  std::size_t columns_ = 0;
};

}  // namespace castiel::connectors::impl
