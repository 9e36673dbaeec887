#include "messaging/impl/compiled_schema.hpp"

#include <boost/json.hpp>
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "messaging/schema_registry.hpp"

namespace castiel::messaging {

namespace {

// valijson's path, "<root>", "[records]", "[0]", as a JSON pointer (RFC 6901).
std::string to_pointer(const std::vector<std::string>& path) {
  std::string pointer;
  for (const auto& part : path) {
    if (!part.starts_with('[')) continue;
    pointer += '/';
    for (const char c : std::string_view(part).substr(1, part.size() - 2)) {
      if (c == '~') {
        pointer += "~0";
      } else if (c == '/') {
        pointer += "~1";
      } else {
        pointer += c;
      }
    }
  }
  return pointer;
}

}  // namespace

struct CompiledSchema::Impl {
  json::value document;  // the schema refers into it
  valijson::Schema schema;
};

CompiledSchema::CompiledSchema(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CompiledSchema::CompiledSchema(CompiledSchema&&) noexcept = default;
CompiledSchema& CompiledSchema::operator=(CompiledSchema&&) noexcept = default;
CompiledSchema::~CompiledSchema() = default;

Result<CompiledSchema> CompiledSchema::compile(std::string_view text) {
  CASTIEL_ASSIGN(auto document, parse_json(text));
  auto impl = std::make_unique<Impl>();
  impl->document = std::move(document);
  try {
    valijson::SchemaParser parser;
    parser.populateSchema(valijson::adapters::BoostJsonAdapter(impl->document), impl->schema);
  } catch (const std::exception& e) {
    return permanent("invalid_schema", e.what());
  }
  return CompiledSchema(std::move(impl));
}

std::optional<SchemaViolation> CompiledSchema::check(const json::value& data) const {
  valijson::Validator validator;
  const valijson::adapters::BoostJsonAdapter target(data);
  if (validator.validate(impl_->schema, target, nullptr)) return std::nullopt;
  // Only a failed check pays for the details. The deepest path is the part that is wrong.
  valijson::ValidationResults results;
  validator.validate(impl_->schema, target, &results);
  SchemaViolation violation{"", "does not fit its schema"};
  std::size_t depth = 0;
  valijson::ValidationResults::Error error;
  while (results.popError(error)) {
    if (error.context.size() < depth) continue;
    depth = error.context.size();
    violation = {to_pointer(error.context), error.description};
  }
  return violation;
}

}  // namespace castiel::messaging
