#pragma once
// JSON as the rest of the program sees it: Boost.JSON's value type and a few readers with defaults.

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace castiel {

namespace json = boost::json;

// Error: invalid_json, with the offset of the first bad byte in the message.
Result<json::value> parse_json(std::string_view text);
// The same into an arena of its own that goes with the value: for large texts that are read and dropped.
// Copies of the value, or of parts of it, do not live in the arena.
Result<json::value> parse_json_in_arena(std::string_view text);

// Reads of an object's member; nothing or the fallback when it is absent or of another kind.
std::optional<std::string_view> get_string(const json::object& object, std::string_view key);
std::string string_or(const json::object& object, std::string_view key, std::string_view fallback = {});
std::int64_t int_or(const json::object& object, std::string_view key, std::int64_t fallback);
bool bool_or(const json::object& object, std::string_view key, bool fallback);
const json::object* get_object(const json::object& object, std::string_view key);
const json::array* get_array(const json::object& object, std::string_view key);

// Appends `text` as a quoted JSON string. Invalid UTF-8 is written as U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace castiel
