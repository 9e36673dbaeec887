#pragma once
// Values of a statement in PostgreSQL's binary notation: single ones, and arrays for `unnest`, one element a
// row. A value object, copied into the connection when the statement is queued.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"

namespace castiel::storage::postgres {

using TypeId = unsigned int;  // PostgreSQL's Oid
inline constexpr TypeId kBool = 16, kBytea = 17, kInt8 = 20, kText = 25, kBoolArray = 1000,
                        kByteaArray = 1001, kTextArray = 1009, kInt8Array = 1016;

// Bytes that are stored as they are, not as text.
struct Bytes {
  std::string_view bytes;
};

// The elements of one column.
class Column {
 public:
  explicit Column(TypeId element);
  void add(std::string_view text);
  void add(const std::string& text) { add(std::string_view(text)); }
  void add(const char* text) { add(std::string_view(text)); }
  void add(Bytes bytes) { append(bytes.bytes); }
  void add(std::int64_t number);
  void add(std::uint64_t number) { add(static_cast<std::int64_t>(number)); }
  void add(int number) { add(static_cast<std::int64_t>(number)); }
  void add(bool flag);
  void add(Timestamp t) { add(t.micros); }
  template <class Tag>
  void add(const Id<Tag>& id) {
    add(std::string_view(id.str()));
  }
  template <class T>
  void add(const std::optional<T>& value) {
    if (value) {
      add(*value);
    } else {
      add_null();
    }
  }
  void add_null();
  std::size_t size() const { return size_; }

  TypeId array_type() const;
  // The array; the column starts anew.
  std::string take();

 private:
  void append(std::string_view bytes);

  TypeId element_;
  std::size_t size_ = 0;
  bool has_null_ = false;
  std::string elements_;
};

class Params {
 public:
  Params() = default;
  template <class... Values>
  explicit Params(const Values&... values) {
    (add(values), ...);
  }

  Params& add(std::string_view text);
  Params& add(const std::string& text) { return add(std::string_view(text)); }
  Params& add(const char* text) { return add(std::string_view(text)); }
  Params& add(Bytes bytes);
  Params& add(std::int64_t number);
  Params& add(std::uint64_t number) { return add(static_cast<std::int64_t>(number)); }
  Params& add(int number) { return add(static_cast<std::int64_t>(number)); }
  Params& add(bool flag);
  Params& add(Timestamp t) { return add(t.micros); }
  template <class Tag>
  Params& add(const Id<Tag>& id) {
    return add(std::string_view(id.str()));
  }
  template <class T>
  Params& add(const std::optional<T>& value) {
    return value ? add(*value) : add_null();
  }
  Params& add(Column& column);
  Params& add_null();

  struct Value {
    TypeId type = 0;
    std::string bytes;
    bool null = false;
  };
  const std::vector<Value>& values() const { return values_; }

 private:
  std::vector<Value> values_;
};

}  // namespace castiel::storage::postgres
