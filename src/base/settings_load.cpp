// Reading castiel.yaml, the environment and the command line into GlobalSettings.
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "base/json.hpp"
#include "base/settings.hpp"
#include "base/utf8.hpp"

namespace castiel {
namespace {

constexpr std::size_t kMaxFileBytes = 1 << 20;
constexpr int kMaxDepth = 8;  // of nested groups; also ends a group that contains itself through an alias

class Loader {
 public:
  explicit Loader(const GlobalSettings::Sources& sources) : sources_(sources) {}

  Result<SettingValues> load() {
    file();
    environment();
    for (const auto& [key, value] : sources_.overrides)
      set("command line", key, value, SettingOrigin::command_line);
    if (errors_.empty()) return values_;
    std::string message = errors_.size() == 1 ? "a setting cannot be used:"
                                              : fmt::format("{} settings cannot be used:", errors_.size());
    for (const std::string& error : errors_) message += "\n  " + error;
    return permanent("invalid_settings", std::move(message));
  }

 private:
  void set(std::string_view where, std::string_view key, std::string_view text, SettingOrigin origin) {
    const SettingSpec* spec = find_setting(key);
    if (!spec) return fail(where, unknown_setting(key).message);
    auto value = parse_setting(*spec, text);
    if (!value) return fail(where, value.error().message);
    values_ = values_.with(*spec, *std::move(value), origin);
  }

  void fail(std::string_view where, std::string_view what) {
    errors_.push_back(fmt::format("{}: {}", where, what));
  }

  void file() {
    if (sources_.yaml.size() > kMaxFileBytes) return fail(sources_.file, "the file is larger than 1 MiB");
    if (!is_utf8(sources_.yaml)) return fail(sources_.file, "the file is not UTF-8");
    try {
      const auto documents = YAML::LoadAll(sources_.yaml);
      if (documents.size() > 1) return fail(sources_.file, "more than one document (---) in the file");
      if (!documents.empty() && !documents[0].IsNull()) group(documents[0], "", 0);
    } catch (const YAML::Exception& error) {
      fail(line(error.mark), fmt::format("not valid YAML: {}", error.msg));
    }
  }

  std::string line(const YAML::Mark& mark) const {
    return mark.is_null() ? sources_.file : fmt::format("{}:{}", sources_.file, mark.line + 1);
  }

  void group(const YAML::Node& node, const std::string& prefix, int depth) {
    if (!node.IsMap())
      return fail(line(node.Mark()), prefix.empty()
                                         ? "the file must consist of `key: value` lines"
                                         : fmt::format("{} is a group of settings, not a setting", prefix));
    if (depth == kMaxDepth)
      return fail(line(node.Mark()), fmt::format("{}: groups are nested too deep", prefix));
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) {
        fail(line(entry.first.Mark()), "a key must be a plain name");
        continue;
      }
      member(line(entry.first.Mark()),
             prefix.empty() ? entry.first.Scalar() : prefix + "." + entry.first.Scalar(), entry.second,
             depth);
    }
  }

  void member(const std::string& where, const std::string& key, const YAML::Node& node, int depth) {
    const bool is_group = std::ranges::any_of(
        setting_specs(), [&](const SettingSpec& spec) { return spec.key.starts_with(key + "."); });
    if (is_group) return node.IsNull() ? void() : group(node, key, depth + 1);
    const SettingSpec* spec = find_setting(key);
    // A whole group that does not exist is one mistake, not one for each of its members.
    if (!spec) return fail(where, unknown_setting(key).message);
    const auto [first, is_new] = seen_.emplace(key, where);
    if (!is_new) return fail(where, fmt::format("{}: set before, at {}", key, first->second));
    if (node.IsScalar()) return set(where, key, node.Scalar(), SettingOrigin::file);
    if (node.IsSequence() && spec->kind == SettingKind::list) {
      std::string items = "[";
      for (const auto& item : node) {
        if (!item.IsScalar())
          return fail(where, fmt::format("{}: allowed is {}", key, allowed_values(*spec)));
        if (items.size() > 1) items += ",";
        append_json_string(items, item.Scalar());
      }
      return set(where, key, items + "]", SettingOrigin::file);
    }
    fail(where, fmt::format("{} = {}: allowed is {}", key,
                            node.IsNull()  ? "(nothing)"
                            : node.IsMap() ? "(a group)"
                                           : "(a list)",
                            allowed_values(*spec)));
  }

  void environment() {
    for (const auto& [name, value] : sources_.environment) {
      if (!name.starts_with("CASTIEL_") ||
          std::ranges::find(sources_.reserved, name) != sources_.reserved.end())
        continue;
      const auto spec = std::ranges::find(setting_specs(), name,
                                          [](const SettingSpec& row) { return environment_name(row.key); });
      if (spec != setting_specs().end()) {
        set(name, spec->key, value, SettingOrigin::environment);
      } else if (!is_service_link(name, value)) {
        fail(name, unknown_variable(name));
      }
    }
  }

  // Kubernetes gives every container such variables for each service beside it, ours may be called "castiel".
  static bool is_service_link(std::string_view name, std::string_view value) {
    return name.ends_with("_SERVICE_HOST") || name.find("_SERVICE_PORT") != std::string_view::npos ||
           (name.find("_PORT") != std::string_view::npos &&
            (value.find("://") != std::string_view::npos || name.find("_TCP") != std::string_view::npos ||
             name.find("_UDP") != std::string_view::npos));
  }

  // Without the value: what is no setting may be a secret meant for another program.
  static std::string unknown_variable(std::string_view name) {
    std::string key;
    for (const char c : name.substr(std::string_view("CASTIEL_").size()))
      key += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    // The `_` that stands for the point is one edit away, so it does not hide the nearest key.
    const std::string_view nearest = nearest_setting(key);
    std::string message = "no such setting";
    if (!nearest.empty()) message += fmt::format("; did you mean {}?", environment_name(nearest));
    return message;
  }

  const GlobalSettings::Sources& sources_;
  SettingValues values_;
  std::map<std::string, std::string, std::less<>> seen_;  // key, place in the file
  std::vector<std::string> errors_;
};

}  // namespace

Result<GlobalSettings> GlobalSettings::load(const Sources& sources) {
  CASTIEL_ASSIGN(SettingValues values, Loader(sources).load());
  GlobalSettings settings;
  settings.values_ = std::move(values);
  return settings;
}

}  // namespace castiel
