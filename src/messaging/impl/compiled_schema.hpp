#pragma once
// One JSON Schema ready for checking. The only place that knows valijson.

#include <memory>
#include <optional>
#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"

namespace castiel::messaging {

struct SchemaViolation;

class CompiledSchema {
 public:
  static Result<CompiledSchema> compile(std::string_view text);
  CompiledSchema(CompiledSchema&&) noexcept;
  CompiledSchema& operator=(CompiledSchema&&) noexcept;
  ~CompiledSchema();
  std::optional<SchemaViolation> check(const json::value& data) const;

 private:
  struct Impl;
  explicit CompiledSchema(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace castiel::messaging
