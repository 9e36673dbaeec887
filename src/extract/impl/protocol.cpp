#include "extract/impl/protocol.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.hpp"

namespace castiel::extract::impl {

namespace {

constexpr std::string_view kFileErrors[] = {"encrypted",   "corrupt",  "too_large", "bomb",
                                            "unsupported", "infected", "timeout"};

std::string clean(std::string_view text, std::size_t limit) {
  std::string out;
  text = text.substr(0, limit);
  for (std::size_t at = 0; at < text.size();) {
    const auto length = utf8_sequence_length(text.substr(at));
    if (length == 0) {
      append_utf8(out, 0xFFFD);
      ++at;
    } else {
      out += text.substr(at, length);
      at += length;
    }
  }
  return out;
}

std::optional<Date> date_member(const json::object& object, std::string_view key) {
  const auto text = get_string(object, key);
  if (!text) return std::nullopt;
  const auto date = parse_date(*text);
  return date ? std::optional(*date) : std::nullopt;
}

std::unexpected<Error> bad(std::string message) {
  return permanent("bad_reply", std::move(message));
}

}  // namespace

std::string encode_request(const Request& request) {
  json::object object{{"as", clean(request.as, 64)},
                      {"name", clean(request.name, kMaxNameBytes)},
                      {"mediaType", clean(request.media_type, kMaxNameBytes)},
                      {"nestedText", request.nested_text}};
  if (request.from) object["from"] = to_string(*request.from);
  if (request.to) object["to"] = to_string(*request.to);
  return json::serialize(object);
}

Result<Request> decode_request(std::string_view json_text) {
  const auto value = parse_json(json_text);
  if (!value || !value->is_object()) return permanent("invalid_request", "the request is not a JSON object");
  const auto& object = value->get_object();
  Request request;
  request.as = string_or(object, "as");
  request.name = string_or(object, "name");
  request.media_type = string_or(object, "mediaType");
  request.nested_text = bool_or(object, "nestedText", false);
  request.from = date_member(object, "from");
  request.to = date_member(object, "to");
  return request;
}

std::string encode_reply(const Result<Extracted>& outcome) {
  if (!outcome) {
    return json::serialize(json::object{{"error",
                                         {{"code", clean(outcome.error().code, 64)},
                                          {"message", clean(outcome.error().describe(), kMaxErrorBytes)}}}});
  }
  // The structure is written in place: a copy of it may be large.
  std::string text = R"({"parts":[)";
  for (const auto& part : outcome->parts) {
    if (text.back() == '}') text += ',';
    text += json::serialize(json::object{{"name", clean(part.name, kMaxNameBytes)},
                                         {"mediaType", clean(part.media_type, kMaxNameBytes)},
                                         {"size", part.bytes.size()}});
  }
  text += R"(],"structure":)";
  text += json::serialize(outcome->structure);
  text += '}';
  return text;
}

std::size_t count_json_values(std::string_view json_text) {
  std::size_t count = 1;
  bool in_string = false;
  for (std::size_t at = 0; at < json_text.size(); ++at) {
    const char c = json_text[at];
    if (in_string) {
      if (c == '\\') {
        ++at;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == ',' || c == ':' || c == '[' || c == '{') {
      ++count;
    }
  }
  return count;
}

Result<ReplyText> decode_reply(const ReplyHead& head, std::string_view json_text,
                               const WorkerPoolOptions& options) {
  if (count_json_values(json_text) > options.max_structure_values) {
    return ReplyText{permanent("too_large", fmt::format("The file holds more than {} values.",
                                                        options.max_structure_values)),
                     {}};
  }
  auto value = parse_json(json_text);
  if (!value || !value->is_object()) return bad("the reply is not a JSON object");
  auto& object = value->get_object();
  if (const auto* error = get_object(object, "error")) {
    std::string code = string_or(*error, "code");
    if (std::ranges::find(kFileErrors, code) == std::end(kFileErrors)) code = "corrupt";
    if (head.parts_bytes != 0) return bad("an error has no parts");
    return ReplyText{permanent(std::move(code), clean(string_or(*error, "message"), kMaxErrorBytes)), {}};
  }
  auto* structure = object.if_contains("structure");
  if (structure == nullptr || !structure->is_object()) return bad("the reply has no structure");
  ReplyText reply{Extracted{}, {}};
  std::uint64_t total = 0;
  if (const auto* parts = get_array(object, "parts")) {
    if (parts->size() > options.max_parts) return bad("the reply has too many parts");
    for (const auto& item : *parts) {
      const auto* part = item.if_object();
      const std::int64_t size = part == nullptr ? -1 : int_or(*part, "size", -1);
      if (size < 0 || static_cast<std::uint64_t>(size) > head.parts_bytes - total)
        return bad("the parts' sizes are wrong");
      total += static_cast<std::uint64_t>(size);
      reply.part_bytes.push_back(static_cast<std::uint64_t>(size));
      reply.outcome->parts.push_back({string_or(*part, "name"), string_or(*part, "mediaType"), {}, {}});
    }
  }
  if (total != head.parts_bytes) return bad("the parts' sizes are wrong");
  reply.outcome->structure = std::move(structure->get_object());
  return reply;
}

}  // namespace castiel::extract::impl
