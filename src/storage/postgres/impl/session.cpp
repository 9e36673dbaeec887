#include "storage/postgres/impl/session.hpp"

#include <fmt/format.h>

#include "storage/postgres/impl/text_code.hpp"

namespace castiel::storage::postgres {

namespace {

// The server ends a statement at its limit; an answer later than this after it will not come.
constexpr Duration kGrace = std::chrono::seconds(1);

std::string millis(Duration d) {
  return fmt::format("{}", std::max<std::int64_t>(1, d.count() / 1000));
}

}  // namespace

Result<Session> Session::open(Pool& pool, const Clock& clock, Kind kind, Deadline deadline,
                              const More& more) {
  for (;;) {
    CASTIEL_ASSIGN(auto connection, pool.take(deadline));
    const bool used = connection.used();
    Session session(std::move(connection), clock, kind, Deadline::after(clock, kind.limits.transaction));
    session.begin();
    if (more) more(*session.connection_);
    auto begun = session.connection_->sync(deadline.sooner(kind.limits.statement + kGrace));
    if (begun) return session;
    // Nothing was done yet: what the connection forgot to say is no error of this transaction.
    const bool again = used && session.connection_->broken() && !deadline.passed();
    if (!again) return std::unexpected(begun.error());
  }
}

void Session::begin() {
  auto& c = *connection_;
  c.queue(kind_.mode == Mode::write ? "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
                                    : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  // SET LOCAL, and not set_config(): Citus hands on the former to its workers (citus.propagate_set_commands).
  std::string buffer;
  const std::string tenant = c.quoted(encode_text(kind_.tenant, buffer));
  c.queue(fmt::format("SET LOCAL castiel.tenant = {}", tenant).c_str());
  c.queue(
      "SELECT set_config('role', $1, true), set_config('search_path', 'castiel', true),"
      " set_config('statement_timeout', $2, true), set_config('lock_timeout', $3, true),"
      " set_config('idle_in_transaction_session_timeout', $4, true), set_config('jit', 'off', true)",
      Params(kind_.role, millis(kind_.limits.statement), millis(kind_.limits.lock),
             millis(kind_.mode == Mode::write ? kind_.limits.transaction : kind_.limits.idle_snapshot)));
}

Session::~Session() {
  if (!connection_ || over_) return;
  // Errors of what was queued end the transaction as well.
  connection_->end_group_unread();
  connection_->queue("ROLLBACK");
  connection_->end_group_unread();
}

Deadline Session::statement_deadline() const {
  const auto longest = Deadline::after(*clock_, kind_.limits.statement + kGrace);
  return kind_.mode == Mode::snapshot ? longest : longest.sooner(end_.remaining() + kGrace);
}

Result<> Session::sync() {
  if (kind_.mode == Mode::write && end_.passed())
    return transient("store_busy", "the transaction took longer than it may");
  return connection_->sync(statement_deadline());
}

Result<Rows> Session::query(const char* sql, const Params& params) {
  if (kind_.mode == Mode::write && end_.passed())
    return transient("store_busy", "the transaction took longer than it may");
  return connection_->query(sql, params, statement_deadline());
}

Result<> Session::commit() {
  // Looked at before the COMMIT is queued: what is queued is carried out.
  if (kind_.mode == Mode::write && end_.passed())
    return transient("store_busy", "the transaction took longer than it may");
  bool committed = false;
  connection_->queue("COMMIT", {}, [&](Rows& rows) -> Result<> {
    // After an error that nobody looked at, the server answers COMMIT with a rollback.
    if (rows.command() == "COMMIT") {
      committed = true;
      return {};
    }
    return transient("store_busy", "an earlier statement had failed and ended the transaction");
  });
  auto done = connection_->sync(statement_deadline());
  over_ = done.has_value();
  if (done && committed) return {};
  if (connection_->broken()) {
    return transient("commit_unknown",
                     "the connection broke while the database committed: it may have been kept",
                     done ? "" : done.error().cause);
  }
  return done;
}

}  // namespace castiel::storage::postgres
