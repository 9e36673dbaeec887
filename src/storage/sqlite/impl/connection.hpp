#pragma once
// A SQLite connection and its prepared statements. One thread at a time.

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.hpp"
#include "base/time.hpp"

namespace castiel::storage::sqlite {

// Maps SQLite's result code to an Error: busy and locked are transient (store_busy), full is store_full.
Error to_error(sqlite3* db, int code, std::string_view doing);

// A prepared statement being bound and stepped. Borrowed from its Connection and reset when it goes.
class Statement {
 public:
  Statement(sqlite3* db, sqlite3_stmt* handle) : db_(db), handle_(handle) {}
  Statement(Statement&& other) noexcept
      : db_(other.db_), handle_(std::exchange(other.handle_, nullptr)), next_(other.next_) {}
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() {
    if (handle_ != nullptr) reset();
  }

  // Bound text must outlive the execution: it is not copied.
  template <class... Values>
  Statement& bind(const Values&... values) {
    (bind_next(values), ...);
    return *this;
  }
  // Binds from the first parameter on again, for another execution.
  void reset() {
    sqlite3_reset(handle_);
    next_ = 1;
  }

  Result<bool> step();  // true: a row is there
  Result<> run();       // for statements without rows; resets
  // Rows changed by the last run of this connection's statement.
  std::int64_t changes() const { return sqlite3_changes64(db_); }

  std::string_view text(int column) const {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(handle_, column));
    return {bytes == nullptr ? "" : bytes, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column))};
  }
  std::string str(int column) const { return std::string(text(column)); }
  std::int64_t integer(int column) const { return sqlite3_column_int64(handle_, column); }
  Timestamp time(int column) const { return {integer(column)}; }
  bool is_null(int column) const { return sqlite3_column_type(handle_, column) == SQLITE_NULL; }
  std::optional<std::string> optional_text(int column) const {
    return is_null(column) ? std::nullopt : std::optional(str(column));
  }

 private:
  void bind_next(std::string_view v) {
    sqlite3_bind_text64(handle_, next_++, v.data() == nullptr ? "" : v.data(), v.size(), SQLITE_STATIC,
                        SQLITE_UTF8);
  }
  void bind_next(const std::string& v) { bind_next(std::string_view(v)); }
  void bind_next(const char* v) { bind_next(std::string_view(v)); }
  void bind_next(std::int64_t v) { sqlite3_bind_int64(handle_, next_++, v); }
  void bind_next(std::uint64_t v) { sqlite3_bind_int64(handle_, next_++, static_cast<std::int64_t>(v)); }
  void bind_next(int v) { sqlite3_bind_int64(handle_, next_++, v); }
  void bind_next(bool v) { sqlite3_bind_int64(handle_, next_++, v ? 1 : 0); }
  void bind_next(Timestamp v) { sqlite3_bind_int64(handle_, next_++, v.micros); }
  void bind_next(std::nullopt_t) { sqlite3_bind_null(handle_, next_++); }
  template <class T>
  void bind_next(const std::optional<T>& v) {
    if (v) {
      bind_next(*v);
    } else {
      bind_next(std::nullopt);
    }
  }

  sqlite3* db_;
  sqlite3_stmt* handle_;
  int next_ = 1;
};

class Connection {
 public:
  enum class Mode { read_write, read_only };
  static Result<std::unique_ptr<Connection>> open(const std::string& path, Mode mode);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // `sql` must be a literal: statements are cached by its address.
  Result<Statement> prepare(const char* sql);
  Result<> execute(const std::string& script);
  sqlite3* handle() const { return db_; }

 private:
  explicit Connection(sqlite3* db) : db_(db) {}
  sqlite3* db_;
  std::unordered_map<const char*, sqlite3_stmt*> statements_;
};

}  // namespace castiel::storage::sqlite
