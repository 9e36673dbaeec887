#pragma once
// A PostgreSQL connection in pipeline mode: statements are queued, and go out together when somebody needs an
// answer. Nothing outlives a transaction on the server (no prepared statements, no session settings), so that
// a transaction pooler may stand between. One thread at a time.

#include <libpq-fe.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "storage/postgres/impl/params.hpp"

namespace castiel::storage::postgres {

// One row of an answer in binary notation.
class Row {
 public:
  Row(const PGresult* result, int row) : result_(result), row_(row) {}
  bool is_null(int column) const { return PQgetisnull(result_, row_, column) != 0; }
  std::string_view raw(int column) const {
    return {PQgetvalue(result_, row_, column), static_cast<std::size_t>(PQgetlength(result_, row_, column))};
  }
  std::string str(int column) const;                                        // text
  std::string bytes(int column) const { return std::string(raw(column)); }  // bytea
  std::int64_t integer(int column) const;
  bool flag(int column) const;
  Timestamp time(int column) const { return {integer(column)}; }
  std::optional<std::string> optional_str(int column) const {
    return is_null(column) ? std::nullopt : std::optional(str(column));
  }

 private:
  const PGresult* result_;
  int row_;
};

class Rows {
 public:
  Rows() = default;
  explicit Rows(PGresult* result) : result_(result) {}
  int size() const { return PQntuples(result_.get()); }
  bool empty() const { return size() == 0; }
  Row operator[](int row) const { return {result_.get(), row}; }
  std::int64_t affected() const;
  std::string_view command() const { return PQcmdStatus(result_.get()); }

 private:
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

// What a failed statement means, by its SQLSTATE.
Error to_error(std::string_view sqlstate, std::string_view message);

class Connection {
 public:
  // Connects until the deadline; `options` is a URL or key=value text, which no error repeats. Errors:
  // store_unreachable (transient), store_denied.
  static Result<std::unique_ptr<Connection>> open(const std::string& options, const Clock& clock,
                                                  Deadline deadline);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Runs a script of several statements at once, before the first queue().
  Result<> script(const std::string& text);
  // The number such a script's last statement gives.
  Result<std::int64_t> script_number(const std::string& text);

  using Then = std::function<Result<>(Rows&)>;
  // Queues a statement; `then` sees its answer when it comes.
  void queue(const char* sql, const Params& params = {}, Then then = {});
  // Sends what is queued and reads all answers. The first error stops everything queued after it.
  Result<> sync(Deadline deadline);
  // Queues, sends, and gives the answer of this statement.
  Result<Rows> query(const char* sql, const Params& params, Deadline deadline);
  // Sends what is queued as a group of its own whose errors are nobody's business; the answers are read with
  // the next sync.
  void end_group_unread();
  // Sends all that is queued, without reading answers. False: the connection is of no more use.
  bool flush(Deadline deadline);

  bool broken() const { return broken_ || PQstatus(db_) == CONNECTION_BAD; }
  // Whether the server closed it while it lay idle.
  bool went_stale();
  // A number that differs between connections, of other processes too, more often than not.
  int number() const { return PQbackendPID(db_); }
  std::string quoted(std::string_view text) const;  // as an SQL literal

 private:
  explicit Connection(PGconn* db, const Clock& clock) : db_(db), clock_(&clock) {}
  struct Pending {
    Then then;
    bool end = false;      // of a group
    bool ignored = false;  // errors of this group
  };
  Result<> wait(short events, Deadline deadline);
  Result<> read_statement(Pending& pending, std::optional<Error>& failed, Deadline deadline);
  Result<PGresult*> next_result(Deadline deadline);
  Error lost();

  PGconn* db_;
  const Clock* clock_;
  bool piped_ = false;
  bool broken_ = false;
  std::deque<Pending> pending_;
};

}  // namespace castiel::storage::postgres
