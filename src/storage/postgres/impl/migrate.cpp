#include "storage/postgres/impl/migrate.hpp"

#include <fmt/format.h>

namespace castiel::storage::postgres {

namespace {

constexpr std::int64_t kMigrationLock = 0x4361737469656C01;  // "Castiel" and a number

// Begins a transaction as the owner of the tables, alone among those that migrate.
std::string begin(Duration longest) {
  const auto millis = longest.count() / 1000;
  return fmt::format(
      "BEGIN; SET LOCAL ROLE castiel_owner; SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {};"
      " SELECT pg_advisory_xact_lock({}); CREATE SCHEMA IF NOT EXISTS castiel; SET LOCAL search_path = "
      "castiel;"
      " CREATE TABLE IF NOT EXISTS schema_version (version bigint PRIMARY KEY, name text NOT NULL,"
      " applied_at timestamptz NOT NULL DEFAULT now());"
      " GRANT USAGE ON SCHEMA castiel TO castiel_app, castiel_operator;"
      " GRANT SELECT ON schema_version TO castiel_app",
      millis, millis, kMigrationLock);
}

Error explained(Error error) {
  if (error.code == "store_denied" || error.cause.find("role \"castiel_") != std::string::npos) {
    error.code = "store_denied";
    error.message =
        "the database's user may not act as castiel_owner, castiel_app and castiel_operator: "
        "docs/postgresql.md "
        "has the five lines of SQL that set the roles up";
  }
  return error;
}

}  // namespace

Result<> migrate(Connection& connection, Duration longest) {
  const auto scripts = migrations();
  const auto finish = [&](Result<> done) -> Result<> {
    auto ended = connection.script(done ? "COMMIT" : "ROLLBACK");
    return done ? ended : done;
  };
  for (;;) {
    if (auto begun = connection.script(begin(longest)); !begun) {
      (void)connection.script("ROLLBACK");
      return std::unexpected(explained(begun.error()));
    }
    const auto version = connection.script_number("SELECT coalesce(max(version), 0) FROM schema_version");
    if (!version) return finish(std::unexpected(version.error()));
    if (*version > static_cast<std::int64_t>(scripts.size())) {
      return finish(permanent(
          "store_too_new",
          fmt::format(
              "the database was written by a later version of castiel (schema {}, this one knows {}): "
              "use that version",
              *version, scripts.size())));
    }
    if (*version == static_cast<std::int64_t>(scripts.size())) {
      // A role that sees everything would make the policies an ornament.
      const auto unsafe = connection.script_number(
          "SELECT count(*) FROM pg_roles WHERE rolname IN ('castiel_app', 'castiel_operator') AND"
          " (rolsuper OR rolbypassrls OR pg_has_role(rolname, 'castiel_owner', 'member'))");
      if (unsafe && *unsafe > 0) {
        return finish(
            permanent("store_unsafe",
                      "castiel_app and castiel_operator must not be superusers, bypass row-level security "
                      "or be members of castiel_owner"));
      }
      return finish(unsafe ? Result<>() : std::unexpected(unsafe.error()));
    }
    const auto& next = scripts[static_cast<std::size_t>(*version)];
    CASTIEL_TRY(finish(
        connection.script(fmt::format("{}; INSERT INTO schema_version (version, name) VALUES ({}, '{}')",
                                      next.script, *version + 1, next.name))));
  }
}

}  // namespace castiel::storage::postgres
