#include "messaging/schema_registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "messaging/impl/compiled_schema.hpp"

namespace castiel::messaging {

std::span<const Upcaster> upcasters() {
  return {};
}  // every type is at its first version

struct SchemaRegistry::Impl {
  std::map<std::pair<std::string, int>, CompiledSchema, std::less<>> schemas;
  std::map<std::string, int, std::less<>> current;
  std::span<const Upcaster> lifts;

  const Upcaster* lift(std::string_view type, int from) const {
    const auto it =
        std::ranges::find_if(lifts, [&](const Upcaster& u) { return u.type == type && u.from == from; });
    return it == lifts.end() ? nullptr : &*it;
  }
  Result<> check_versions() const;
  Result<> check_sample(const SchemaText& sample) const;
};

// Every version of a type leads to the next.
Result<> SchemaRegistry::Impl::check_versions() const {
  for (const auto& [type, newest] : current) {
    for (int major = 1; major < newest; ++major) {
      if (!schemas.contains(std::pair(type, major)) && major + 1 == newest) {
        return permanent("incompatible_schema",
                         fmt::format("{} has version {}, but not the one before it, which has to be read too",
                                     type, newest));
      }
      if (lift(type, major) == nullptr && schemas.contains(std::pair(type, major))) {
        return permanent("incompatible_schema",
                         fmt::format("nothing lifts {} from version {} to {}", type, major, major + 1));
      }
    }
  }
  return {};
}

Result<> SchemaRegistry::Impl::check_sample(const SchemaText& sample) const {
  const auto refuse = [&](std::string why) {
    return permanent("incompatible_schema",
                     fmt::format("the sample {}/{}: {}", sample.type, sample.major, std::move(why)));
  };
  auto event = parse_event(sample.text);
  if (!event) return refuse(event.error().message);
  if (event->type != sample.type || event->schema != sample.major)
    return refuse("is of another type or version");
  const auto newest = current.find(sample.type);
  if (newest == current.end() || sample.major > newest->second) return refuse("there is no such schema");
  for (int major = sample.major;; ++major) {
    if (const auto it = schemas.find(std::pair(std::string(sample.type), major)); it != schemas.end()) {
      if (const auto violation = it->second.check(event->data)) {
        return refuse(fmt::format("does not fit version {} at '{}': {}", major, violation->pointer,
                                  violation->message));
      }
    }
    if (major == newest->second) return {};
    const auto* up = lift(sample.type, major);
    if (up == nullptr) return refuse(fmt::format("nothing lifts it from version {} to {}", major, major + 1));
    up->apply(event->data.get_object());
  }
}

SchemaRegistry::SchemaRegistry(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SchemaRegistry::~SchemaRegistry() = default;

Result<std::unique_ptr<SchemaRegistry>> SchemaRegistry::create(std::span<const SchemaText> schemas,
                                                               std::span<const SchemaText> samples,
                                                               std::span<const Upcaster> lifts) {
  auto impl = std::make_unique<Impl>();
  impl->lifts = lifts;
  for (const auto& [type, major, text] : schemas) {
    auto compiled = CompiledSchema::compile(text);
    if (!compiled)
      return permanent("invalid_schema",
                       fmt::format("schema {}/{}: {}", type, major, compiled.error().message));
    impl->schemas.emplace(std::pair(std::string(type), major), std::move(*compiled));
    auto& newest = impl->current[std::string(type)];
    newest = std::max(newest, major);
  }
  CASTIEL_TRY(impl->check_versions());
  for (const auto& sample : samples) CASTIEL_TRY(impl->check_sample(sample));
  return std::unique_ptr<SchemaRegistry>(new SchemaRegistry(std::move(impl)));
}

int SchemaRegistry::current(std::string_view type) const {
  const auto it = impl_->current.find(type);
  return it == impl_->current.end() ? 0 : it->second;
}

std::optional<SchemaViolation> SchemaRegistry::check(std::string_view type, int major,
                                                     const json::value& data) const {
  const auto it = impl_->schemas.find(std::pair(std::string(type), major));
  if (it == impl_->schemas.end())
    return SchemaViolation{"", fmt::format("there is no schema {}/{}", type, major)};
  return it->second.check(data);
}

Result<> SchemaRegistry::upcast(Event& event) const {
  const int newest = current(event.type);
  if (newest == 0) return permanent("unsupported_schema", fmt::format("unknown event type '{}'", event.type));
  if (event.schema == newest) return {};
  if (event.schema == newest - 1) {
    if (const auto* up = impl_->lift(event.type, event.schema)) {
      up->apply(event.data.get_object());
      event.schema = newest;
      return {};
    }
  }
  return permanent("unsupported_schema",
                   fmt::format("event type {} comes in version {}; versions {} and {} are read", event.type,
                               event.schema, newest, newest - 1));
}

}  // namespace castiel::messaging
