#include "storage/postgres/impl/params.hpp"

#include "storage/postgres/impl/text_code.hpp"

namespace castiel::storage::postgres {

namespace {

template <class Unsigned>
void append_big_endian(std::string& out, Unsigned value) {
  char bytes[sizeof(Unsigned)];
  for (std::size_t i = sizeof bytes; i-- > 0; value = static_cast<Unsigned>(value >> 8))
    bytes[i] = static_cast<char>(value & 0xFF);
  out.append(bytes, sizeof bytes);
}

std::string big_endian(std::int64_t value) {
  std::string out;
  append_big_endian(out, static_cast<std::uint64_t>(value));
  return out;
}

}  // namespace

Column::Column(TypeId element) : element_(element) {}

TypeId Column::array_type() const {
  switch (element_) {
    case kBool:
      return kBoolArray;
    case kBytea:
      return kByteaArray;
    case kInt8:
      return kInt8Array;
    default:
      return kTextArray;
  }
}

void Column::append(std::string_view bytes) {
  append_big_endian(elements_, static_cast<std::uint32_t>(bytes.size()));
  elements_.append(bytes);
  ++size_;
}

void Column::add(std::string_view text) {
  if (element_ == kBytea) return append(text);
  std::string buffer;
  append(encode_text(text, buffer));
}

void Column::add(std::int64_t number) {
  append_big_endian(elements_, std::uint32_t{8});
  append_big_endian(elements_, static_cast<std::uint64_t>(number));
  ++size_;
}

void Column::add(bool flag) {
  append(std::string_view(flag ? "\1" : "\0", 1));
}

void Column::add_null() {
  append_big_endian(elements_, ~std::uint32_t{0});
  has_null_ = true;
  ++size_;
}

std::string Column::take() {
  std::string out;
  out.reserve(elements_.size() + 20);
  append_big_endian(out, std::uint32_t{size_ == 0 ? 0u : 1u});  // dimensions
  append_big_endian(out, std::uint32_t{has_null_ ? 1u : 0u});
  append_big_endian(out, element_);
  if (size_ != 0) {
    append_big_endian(out, static_cast<std::uint32_t>(size_));
    append_big_endian(out, std::uint32_t{1});  // the first index
    out += elements_;
  }
  elements_.clear();
  size_ = 0;
  has_null_ = false;
  return out;
}

Params& Params::add(std::string_view text) {
  std::string buffer;
  values_.push_back({kText, std::string(encode_text(text, buffer))});
  return *this;
}

Params& Params::add(Bytes bytes) {
  values_.push_back({kBytea, std::string(bytes.bytes)});
  return *this;
}

Params& Params::add(std::int64_t number) {
  values_.push_back({kInt8, big_endian(number)});
  return *this;
}

Params& Params::add(bool flag) {
  values_.push_back({kBool, std::string(1, flag ? '\1' : '\0')});
  return *this;
}

Params& Params::add(Column& column) {
  const TypeId type = column.array_type();
  values_.push_back({type, column.take()});
  return *this;
}

Params& Params::add_null() {
  values_.push_back({0, {}, true});  // PostgreSQL finds the type out
  return *this;
}

}  // namespace castiel::storage::postgres
