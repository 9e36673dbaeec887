#include <fmt/format.h>

#include "storage/sqlite/impl/migrations.hpp"

namespace castiel::storage::sqlite {

Result<> migrate(Connection& connection) {
  std::int64_t version = 0;
  {
    CASTIEL_ASSIGN(auto statement, connection.prepare("PRAGMA user_version"));
    CASTIEL_TRY(statement.step());
    version = statement.integer(0);
  }
  const auto scripts = migrations();
  if (version > static_cast<std::int64_t>(scripts.size())) {
    return permanent(
        "store_too_new",
        fmt::format(
            "the data folder was written by a later version of castiel (schema {}, this one knows {}): "
            "use that version",
            version, scripts.size()));
  }
  for (auto i = static_cast<std::size_t>(version); i < scripts.size(); ++i) {
    const auto script =
        fmt::format("BEGIN IMMEDIATE; {} PRAGMA user_version = {}; COMMIT;", scripts[i].script, i + 1);
    if (auto done = connection.execute(script); !done) {
      (void)connection.execute("ROLLBACK");
      return done;
    }
  }
  return {};
}

}  // namespace castiel::storage::sqlite
