#pragma once
// Reads XML event by event without a tree, for parts with millions of elements. No DTDs; only the five
// entities of XML and character references. One owner; the views are valid until the next call.

#include <string>
#include <string_view>
#include <vector>

namespace castiel::content::documents::impl {

class XmlPull {
 public:
  enum class Event { start, end, text, done };
  explicit XmlPull(std::string_view xml) : xml_(xml) {}

  // After an element that closes itself an end of its own follows. Damaged markup ends the walk.
  Event next();
  std::string_view name() const { return name_; }  // local
  std::string attribute(std::string_view local) const;
  std::string text() const;  // with references resolved
  bool damaged() const { return damaged_; }

 private:
  std::string_view xml_;
  std::size_t at_ = 0;
  std::string_view name_, attributes_, text_;
  bool closes_itself_ = false, verbatim_ = false, damaged_ = false;
};

std::string resolve_references(std::string_view text);

}  // namespace castiel::content::documents::impl
