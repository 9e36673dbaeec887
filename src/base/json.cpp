#include "base/json.hpp"

#include <fmt/format.h>

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parser.hpp>

#include "base/utf8.hpp"

namespace castiel {

namespace {

Result<json::value> parse_into(std::string_view text, json::storage_ptr storage) {
  json::parser parser;
  parser.reset(std::move(storage));
  json::error_code error;
  const std::size_t consumed = parser.write_some(text.data(), text.size(), error);
  std::size_t rest = consumed;
  while (!error && rest < text.size()) {
    if (std::string_view(" \t\r\n").find(text[rest]) == std::string_view::npos) break;
    ++rest;
  }
  if (error || rest != text.size()) {
    return permanent("invalid_json", fmt::format("not valid JSON at byte {}", consumed),
                     error ? error.message() : "extra bytes");
  }
  return parser.release();
}

}  // namespace

Result<json::value> parse_json(std::string_view text) {
  return parse_into(text, {});
}

Result<json::value> parse_json_in_arena(std::string_view text) {
  return parse_into(text, json::make_shared_resource<json::monotonic_resource>(text.size() * 2));
}

std::optional<std::string_view> get_string(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string_view(value->get_string());
}

std::string string_or(const json::object& object, std::string_view key, std::string_view fallback) {
  return std::string(get_string(object, key).value_or(fallback));
}

std::int64_t int_or(const json::object& object, std::string_view key, std::int64_t fallback) {
  const auto* value = object.if_contains(key);
  if (value == nullptr) return fallback;
  if (value->is_int64()) return value->get_int64();
  if (value->is_uint64()) return static_cast<std::int64_t>(value->get_uint64());
  return fallback;
}

bool bool_or(const json::object& object, std::string_view key, bool fallback) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_bool() ? value->get_bool() : fallback;
}

const json::object* get_object(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value == nullptr ? nullptr : value->if_object();
}

const json::array* get_array(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value == nullptr ? nullptr : value->if_array();
}

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  std::size_t plain = 0;  // start of the run not yet copied
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\' && c < 0x80) {
      ++i;
      continue;
    }
    if (c >= 0x80) {
      const std::size_t length = utf8_sequence_length(text.substr(i));
      if (length > 0) {
        i += length;
        continue;
      }
    }
    out.append(text, plain, i - plain);
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (c < 0x20) {
          out += fmt::format("\\u{:04x}", c);
        } else {
          out += "\xEF\xBF\xBD";
        }
    }
    plain = ++i;
  }
  out.append(text, plain);
  out.push_back('"');
}

}  // namespace castiel
