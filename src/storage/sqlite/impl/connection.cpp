#include "storage/sqlite/impl/connection.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "storage/sqlite/impl/full_text.hpp"

namespace castiel::storage::sqlite {

Error to_error(sqlite3* db, int code, std::string_view doing) {
  const std::string cause = db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(code);
  const int extended = db != nullptr ? sqlite3_extended_errcode(db) : code;
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {"store_busy", fmt::format("the store is busy while {}", doing), ErrorClass::transient, cause};
    case SQLITE_FULL:
      return {"store_full",
              fmt::format("the disk is full while {}: free some space; nothing was lost", doing),
              ErrorClass::transient, cause};
    case SQLITE_IOERR:
      return {"store_io", fmt::format("the disk failed while {} (SQLite {})", doing, extended),
              ErrorClass::transient, cause};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {"store_corrupt",
              fmt::format("the database file is damaged (found while {}): restore it from a backup", doing),
              ErrorClass::permanent, cause};
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return {
          "store_unreadable",
          fmt::format("the database cannot be opened for writing while {}: check the folder's rights", doing),
          ErrorClass::permanent, cause};
    default:
      return {"store_failed", fmt::format("the store failed while {}", doing), ErrorClass::permanent, cause};
  }
}

namespace {
// "COMMIT" of "COMMIT", "BEGIN" of a migration: an error's reader is no reader of SQL.
std::string first_word(std::string_view script) {
  const auto begin = std::min(script.find_first_not_of(" \n"), script.size());
  const auto end = std::min(script.find_first_of(" ;\n", begin), script.size());
  return std::string(script.substr(begin, end - begin));
}
}  // namespace

Result<bool> Statement::step() {
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return std::unexpected(to_error(db_, code, "running a statement"));
}

Result<> Statement::run() {
  const int code = sqlite3_step(handle_);
  if (code != SQLITE_DONE && code != SQLITE_ROW) {
    auto error = to_error(db_, code, "writing");
    reset();
    return std::unexpected(std::move(error));
  }
  reset();
  return {};
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path, Mode mode) {
  sqlite3* db = nullptr;
  const int flags =
      (mode == Mode::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) |
      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &db, flags, nullptr);
  std::unique_ptr<Connection> connection(new Connection(db));
  if (code != SQLITE_OK) return std::unexpected(to_error(db, code, "opening " + path));
  sqlite3_busy_timeout(db, 5'000);
  CASTIEL_TRY(register_full_text(db));
  return connection;
}

Connection::~Connection() {
  for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close_v2(db_);
}

Result<Statement> Connection::prepare(const char* sql) {
  auto& statement = statements_[sql];
  if (statement == nullptr) {
    const int code = sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) {
      statements_.erase(sql);
      return std::unexpected(to_error(db_, code, fmt::format("preparing: {}", sql)));
    }
  } else if (sqlite3_stmt_busy(statement) != 0) {
    // A statement that is still being read (a visitor that asks the same question again) is not shared.
    return permanent("store_failed", fmt::format("a query was nested in itself: {}", sql));
  }
  return Statement(db_, statement);
}

Result<> Connection::execute(const std::string& script) {
  const int code = sqlite3_exec(db_, script.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return std::unexpected(to_error(db_, code, "running " + first_word(script)));
  return {};
}

}  // namespace castiel::storage::sqlite
