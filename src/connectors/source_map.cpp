#include "connectors/source_map.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "model/entity.hpp"

namespace castiel::connectors {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Matches one "[a-z]" at pattern[p]; moves p behind it.
bool class_matches(std::string_view pattern, std::size_t& p, char c) {
  std::size_t i = p + 1;
  const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negated) ++i;
  bool hit = false;
  for (bool first = true; i < pattern.size() && (first || pattern[i] != ']'); first = false) {
    const char from = lower(pattern[i]);
    char to = from;
    if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
      to = lower(pattern[i + 2]);
      i += 2;
    }
    hit = hit || (from <= c && c <= to);
    ++i;
  }
  p = i < pattern.size() ? i + 1 : pattern.size();
  return hit != negated;
}

// Errors of one source map, with the place of the node in the file.
class Reader {
 public:
  explicit Reader(std::string_view name) : name_(name) {}

  std::unexpected<Error> bad(const YAML::Node& node, std::string_view key, std::string_view what) const {
    return permanent("invalid_source_map",
                     fmt::format("{}:{}: {}: {}", name_, node.Mark().line + 1, key, what));
  }
  Result<std::string> text(const YAML::Node& node, std::string_view key) const {
    if (!node.IsScalar()) return bad(node, key, "expected one value");
    return node.Scalar();
  }

  Result<SourceMapEntry> entry(const YAML::Node& node) const {
    if (!node.IsMap()) return bad(node, "files", "each entry is a map with 'match' and 'columns'");
    SourceMapEntry entry;
    const model::Entity* entity = nullptr;
    for (const auto& pair : node) {
      const YAML::Node key_node = pair.first, value = pair.second;
      const std::string key = key_node.Scalar();
      if (key == "match") {
        CASTIEL_ASSIGN(entry.match, text(value, key));
      } else if (key == "entity") {
        CASTIEL_ASSIGN(entry.entity, text(value, key));
        entity = model::find_entity(entry.entity);
        if (entity == nullptr)
          return bad(value, key, fmt::format("'{}' is none of {}", entry.entity, entity_names()));
      } else if (key == "integration") {
        CASTIEL_ASSIGN(entry.integration, text(value, key));
        if (!parse_integration_id_like(entry.integration))
          return bad(value, key, "expected a name of a-z, 0-9, '-' and '_'");
      } else if (key == "only") {
        CASTIEL_ASSIGN(const std::string only, text(value, key));
        const auto flag = content::parse_boolean(only);
        if (!flag) return bad(value, key, "expected true or false");
        entry.only = *flag;
      } else if (key == "columns") {
        if (!value.IsMap()) return bad(value, key, "expected a map from source column to field");
        for (const auto& column_pair : value) {
          const YAML::Node column = column_pair.first, field = column_pair.second;
          if (!column.IsScalar()) return bad(column, key, "expected a column's name");
          CASTIEL_ASSIGN(entry.columns[column.Scalar()],
                         field.IsNull() ? Result<std::string>(std::string()) : text(field, key));
        }
      } else if (key == "options") {
        CASTIEL_TRY(options(value, entry));
      } else {
        return bad(key_node, key,
                   "unknown key: expected match, entity, integration, columns, only or options");
      }
    }
    if (entry.match.empty())
      return bad(node, "match", "is missing: a file name or pattern such as 'deals*.csv'");
    for (const auto& [column, field] : entry.columns) {
      if (field.empty()) continue;
      const bool known = entity != nullptr
                             ? model::find_field(*entity, field) != nullptr
                             : std::ranges::any_of(model::entities(), [&](const model::Entity& e) {
                                 return model::find_field(e, field);
                               });
      if (!known) {
        return bad(
            node["columns"], column,
            fmt::format("'{}' is no field of {}", field, entity != nullptr ? entry.entity : "any entity"));
      }
    }
    return entry;
  }

 private:
  static bool parse_integration_id_like(std::string_view text) {
    return !text.empty() && text.size() <= 63 && std::ranges::all_of(text, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
  }
  static std::string entity_names() {
    std::string names;
    for (const auto& entity : model::entities())
      names += (names.empty() ? "" : ", ") + std::string(entity.type);
    return names;
  }

  Result<void> options(const YAML::Node& node, SourceMapEntry& entry) const {
    if (!node.IsMap()) return bad(node, "options", "expected a map");
    for (const auto& pair : node) {
      const YAML::Node key_node = pair.first, value = pair.second;
      const std::string key = key_node.Scalar();
      CASTIEL_ASSIGN(const std::string setting, text(value, key));
      if (key == "decimal") {
        entry.numbers = content::number_style(setting);
        if (!entry.numbers || *entry.numbers == content::NumberStyle::unknown)
          return bad(value, key, "expected comma or point");
      } else if (key == "dates") {
        entry.dates = content::date_order(setting);
        if (!entry.dates || *entry.dates == content::DateOrder::unknown)
          return bad(value, key, "expected dmy, mdy or ymd");
      } else if (key == "currency") {
        const auto code = content::parse_currency(setting);
        if (!code) return bad(value, key, code.error().message);
        entry.currency = *code;
      } else if (key == "timezone") {
        const auto zone = content::TimeZone::find(setting);
        if (!zone) return bad(value, key, zone.error().message);
        entry.time_zone = setting;
      } else if (key == "encoding") {
        const auto encoding = content::parse_encoding(setting);
        if (!encoding) return bad(value, key, encoding.error().message);
        entry.encoding = *encoding;
      } else if (key == "delimiter") {
        const std::string_view one =
            setting == "tab" || setting == "\\t" ? std::string_view("\t") : std::string_view(setting);
        if (one.size() != 1 || one == "\"" || one == "\n" || one == "\r")
          return bad(value, key, "expected one character, or tab");
        entry.delimiter = one.front();
      } else {
        return bad(key_node, key,
                   "unknown key: expected decimal, dates, currency, timezone, encoding or delimiter");
      }
    }
    return {};
  }

  std::string_view name_;
};

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
  // The last "**" and the last "*" after it, each with where its match ends: after a mismatch the nearer one
  // takes one character more, and when it may not (a '/'), the other one.
  struct Star {
    std::size_t after = std::string_view::npos;  // place in the pattern behind it
    std::size_t taken = 0;                       // place in the text behind what it matched
  };
  Star deep, flat;
  std::size_t p = 0, t = 0;
  while (t < text.size()) {
    const char c = lower(text[t]);
    if (p < pattern.size() && pattern[p] == '*') {
      if (p + 1 < pattern.size() && pattern[p + 1] == '*') {
        p += 2;
        if (p < pattern.size() && pattern[p] == '/') ++p;  // "**/" also matches no folder at all
        deep = {p, t};
        flat = {};
      } else {
        flat = {++p, t};
      }
      continue;
    }
    std::size_t next = p + 1;
    const bool hit = p < pattern.size() && (pattern[p] == '?'   ? c != '/'
                                            : pattern[p] == '[' ? (next = p, class_matches(pattern, next, c))
                                                                : lower(pattern[p]) == c);
    if (hit) {
      p = next;
      ++t;
    } else if (flat.after != pattern.npos && text[flat.taken] != '/') {
      p = flat.after;
      t = ++flat.taken;
    } else if (deep.after != pattern.npos) {
      flat = {};
      p = deep.after;
      t = ++deep.taken;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

const SourceMapEntry* SourceMap::find(std::string_view path) const {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  for (const auto& entry : files) {
    const bool whole = entry.match.find('/') != entry.match.npos;
    if (glob_matches(entry.match, whole ? path : name)) return &entry;
    // A pattern with folders fits at any depth: paths are what the user happened to type.
    if (whole && entry.match.front() != '/' && glob_matches("**/" + entry.match, path)) return &entry;
  }
  return nullptr;
}

Result<SourceMap> parse_source_map(std::string_view yaml, std::string_view name) {
  const Reader reader(name);
  SourceMap map;
  try {
    const YAML::Node root = YAML::Load(std::string(yaml));
    if (!root.IsMap()) return reader.bad(root, "files", "expected 'files:' with a list");
    for (const auto& pair : root) {
      const YAML::Node key = pair.first, value = pair.second;
      if (!key.IsScalar() || key.Scalar() != "files") {
        return reader.bad(key, key.IsScalar() ? key.Scalar() : "?", "unknown key: expected files");
      }
      if (!value.IsSequence()) return reader.bad(value, "files", "expected a list");
      for (const auto& node : value) {
        CASTIEL_ASSIGN(SourceMapEntry entry, reader.entry(node));
        map.files.push_back(std::move(entry));
      }
    }
  } catch (const YAML::Exception& error) {
    return permanent("invalid_source_map", fmt::format("{}:{}: not valid YAML", name, error.mark.line + 1),
                     error.msg);
  }
  return map;
}

}  // namespace castiel::connectors
