#include "messaging/schema_registry.hpp"

#include <fmt/format.h>

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
};

SchemaRegistry::SchemaRegistry(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SchemaRegistry::~SchemaRegistry() = default;

Result<std::unique_ptr<SchemaRegistry>> SchemaRegistry::create(std::span<const SchemaText> schemas) {
  auto impl = std::make_unique<Impl>();
  for (const auto& [type, major, text] : schemas) {
    auto compiled = CompiledSchema::compile(text);
    if (!compiled)
      return permanent("invalid_schema",
                       fmt::format("schema {}/{}: {}", type, major, compiled.error().message));
    impl->schemas.emplace(std::pair(std::string(type), major), std::move(*compiled));
    auto& newest = impl->current[std::string(type)];
    newest = std::max(newest, major);
  }
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
    for (const auto& upcaster : upcasters()) {
      if (upcaster.type == event.type && upcaster.from == event.schema) {
        upcaster.apply(event.data.get_object());
        event.schema = newest;
        return {};
      }
    }
  }
  return permanent("unsupported_schema",
                   fmt::format("event type {} comes in version {}; versions {} and {} are read", event.type,
                               event.schema, newest, newest - 1));
}

}  // namespace castiel::messaging
