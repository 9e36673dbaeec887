#pragma once
// A transaction on a lent connection: as which role, for which tenant, for how long. Everything it sets ends
// with it. One thread at a time.

#include <optional>
#include <string>

#include "base/ids.hpp"
#include "storage/postgres/impl/pool.hpp"

namespace castiel::storage::postgres {

// How long things may take (BREAK-3).
struct Limits {
  Duration statement = std::chrono::seconds(5);
  Duration transaction = std::chrono::seconds(10);
  Duration lock = std::chrono::seconds(5);
  Duration idle_snapshot = std::chrono::minutes(10);  // of a reader that asks nothing
};

class Session {
 public:
  enum class Mode {
    write,     // READ COMMITTED: a statement that waited for a lock sees what was committed meanwhile
    snapshot,  // REPEATABLE READ READ ONLY
  };
  struct Kind {
    Mode mode = Mode::write;
    const char* role = "castiel_app";
    std::string tenant = {};  // empty: none, no tenant's rows are seen
    Limits limits = {};
  };

  // Begins on the server. `more` may queue statements that belong to the beginning. On a connection whose
  // server went away while it lay idle, it begins once more on a new one.
  using More = std::function<void(Connection&)>;
  static Result<Session> open(Pool& pool, const Clock& clock, Kind kind, Deadline deadline,
                              const More& more = {});
  Session(Session&&) = default;
  Session& operator=(Session&&) = delete;
  ~Session();

  void queue(const char* sql, const Params& params = {}, Connection::Then then = {}) {
    connection_->queue(sql, params, std::move(then));
  }
  Result<> sync();
  Result<Rows> query(const char* sql, const Params& params = {});
  // Errors: commit_unknown when the connection broke before the answer; everything else kept nothing.
  Result<> commit();
  // See Connection.
  int number() const { return connection_->number(); }

 private:
  Session(Lent connection, const Clock& clock, Kind kind, Deadline end)
      : connection_(std::move(connection)), clock_(&clock), kind_(std::move(kind)), end_(end) {}
  Deadline statement_deadline() const;
  void begin();

  Lent connection_;
  const Clock* clock_;
  Kind kind_;
  Deadline end_;  // of the transaction
  bool over_ = false;
};

}  // namespace castiel::storage::postgres
