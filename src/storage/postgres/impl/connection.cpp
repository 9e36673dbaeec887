#include "storage/postgres/impl/connection.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <charconv>

#include "storage/postgres/impl/text_code.hpp"

namespace castiel::storage::postgres {

namespace {

constexpr Duration kPollSlice = std::chrono::seconds(1);  // a wait looks at its deadline this often

std::string one_line(std::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  std::string line(text);
  std::ranges::replace(line, '\n', ' ');
  return line;
}

}  // namespace

std::string Row::str(int column) const {
  return decode_text(raw(column));
}

std::int64_t Row::integer(int column) const {
  std::uint64_t value = 0;
  const auto bytes = raw(column);
  for (const unsigned char byte : bytes) value = value << 8 | byte;
  if (bytes.size() == 4) return static_cast<std::int32_t>(value);
  return static_cast<std::int64_t>(value);
}

bool Row::flag(int column) const {
  const auto bytes = raw(column);
  return !bytes.empty() && bytes[0] != '\0';
}

std::int64_t Rows::affected() const {
  const std::string_view digits = PQcmdTuples(result_.get());
  std::int64_t n = 0;
  for (const char c : digits) n = n * 10 + (c - '0');
  return n;
}

Error to_error(std::string_view state, std::string_view message) {
  const std::string cause = fmt::format("{} ({})", one_line(message), state);
  const auto is = [&](std::string_view prefix) { return state.starts_with(prefix); };
  if (is("40")) {
    return {"store_conflict", "two transactions were in each other's way; the database ended this one",
            ErrorClass::conditional, cause};
  }
  if (state == "23505")
    return {"version_conflict", "someone else wrote the same meanwhile", ErrorClass::conditional, cause};
  if (state == "53100") {
    return {"store_full", "the database's disk is full: free some space; nothing was lost",
            ErrorClass::transient, cause};
  }
  if (state == "57014" || state == "55P03" || state == "25P03" || state == "57P05") {
    return {"store_busy", "the database did not answer within the time a statement has",
            ErrorClass::transient, cause};
  }
  if (state == "25P02") {
    return {"store_busy", "an earlier statement had failed and ended the transaction", ErrorClass::transient,
            cause};
  }
  if (is("53") || is("57P") || is("08")) {
    return {"store_unreachable", "the database is not to be had at the moment", ErrorClass::transient, cause};
  }
  if (is("28") || state == "42501" || state == "3D000") {
    return {"store_denied",
            "the database refused the user: check name, password, and the roles the user was granted",
            ErrorClass::permanent, cause};
  }
  if (is("58") || state == "XX001" || state == "XX002") {
    return {"store_io", "the database could not read or write its files", ErrorClass::transient, cause};
  }
  return {"store_failed", "the database refused a statement", ErrorClass::permanent, cause};
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& options, const Clock& clock,
                                                     Deadline deadline) {
  const char* keywords[] = {"dbname", "fallback_application_name", "client_encoding", nullptr};
  const char* values[] = {options.c_str(), "castiel", "UTF8", nullptr};
  std::unique_ptr<Connection> connection(new Connection(PQconnectStartParams(keywords, values, 1), clock));
  auto* db = connection->db_;
  if (db == nullptr) return transient("store_unreachable", "no memory for a connection to the database");
  for (auto state = PGRES_POLLING_WRITING; state != PGRES_POLLING_OK; state = PQconnectPoll(db)) {
    if (state == PGRES_POLLING_FAILED || PQstatus(db) == CONNECTION_BAD) {
      const std::string cause = one_line(PQerrorMessage(db));
      // The server's own words tell a wrong password from a server that is away; libpq keeps no SQLSTATE of
      // it.
      if (cause.find("password authentication failed") != std::string::npos ||
          cause.find("no pg_hba.conf entry") != std::string::npos ||
          cause.find("does not exist") != std::string::npos ||
          cause.find("no password supplied") != std::string::npos)
        return std::unexpected(to_error("28000", cause));
      return transient("store_unreachable", "no connection to the database", cause);
    }
    if (auto ready = connection->wait(state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline); !ready)
      return transient("store_unreachable", "the database did not accept a connection in time");
  }
  PQsetnonblocking(db, 1);
  PQsetErrorVerbosity(db, PQERRORS_TERSE);
  PQsetNoticeProcessor(db, [](void*, const char*) {}, nullptr);
  return connection;
}

Connection::~Connection() {
  PQfinish(db_);
}

Result<> Connection::script(const std::string& text) {
  if (auto number = script_number(text); !number) return std::unexpected(number.error());
  return {};
}

Result<std::int64_t> Connection::script_number(const std::string& text) {
  std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(db_, text.c_str()), PQclear);
  const auto status = PQresultStatus(result.get());
  if (status == PGRES_TUPLES_OK && PQntuples(result.get()) > 0) {
    std::int64_t number = 0;
    const std::string_view digits = PQgetvalue(result.get(), 0, 0);
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number;
  }
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY) return 0;
  if (PQstatus(db_) == CONNECTION_BAD) return std::unexpected(lost());
  const char* state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
  return std::unexpected(to_error(state == nullptr ? "" : state, PQresultErrorMessage(result.get())));
}

Error Connection::lost() {
  broken_ = true;
  return {"store_unreachable", "the connection to the database broke", ErrorClass::transient,
          one_line(PQerrorMessage(db_))};
}

Result<> Connection::wait(short events, Deadline deadline) {
  for (;;) {
    pollfd descriptor{PQsocket(db_), events, 0};
    const auto slice = std::min(deadline.remaining(), kPollSlice);
    const int millis = static_cast<int>((slice.count() + 999) / 1000);
    const int ready = ::poll(&descriptor, 1, millis);
    if (ready > 0) return {};
    if (deadline.passed()) {
      broken_ = true;  // what it would still say belongs to nobody
      return transient("store_busy", "the database did not answer in time");
    }
  }
}

void Connection::queue(const char* sql, const Params& params, Then then) {
  if (!piped_) {
    piped_ = PQenterPipelineMode(db_) == 1;
    if (!piped_) broken_ = true;
  }
  const auto& values = params.values();
  std::vector<Oid> types;
  std::vector<const char*> texts;
  std::vector<int> lengths;
  const std::vector<int> formats(values.size(), 1);
  for (const auto& value : values) {
    types.push_back(value.type);
    texts.push_back(value.null ? nullptr : value.bytes.data());
    lengths.push_back(static_cast<int>(value.bytes.size()));
  }
  if (broken_ || PQsendQueryParams(db_, sql, static_cast<int>(values.size()), types.data(), texts.data(),
                                   lengths.data(), formats.data(), 1) != 1) {
    broken_ = true;
    return;
  }
  pending_.push_back({std::move(then)});
}

void Connection::end_group_unread() {
  if (broken_ || PQpipelineSync(db_) != 1) {
    broken_ = true;
    return;
  }
  pending_.push_back({{}, true, true});
  for (auto it = pending_.rbegin() + 1; it != pending_.rend() && !it->end; ++it) {
    it->then = {};  // whoever asked is gone
    it->ignored = true;
  }
}

bool Connection::flush(Deadline deadline) {
  while (!broken()) {
    const int left = PQflush(db_);
    if (left == 0) return true;
    if (left < 0 || !wait(POLLIN | POLLOUT, deadline) || PQconsumeInput(db_) != 1) broken_ = true;
  }
  return false;
}

Result<PGresult*> Connection::next_result(Deadline deadline) {
  while (PQisBusy(db_) != 0) {
    CASTIEL_TRY(wait(POLLIN, deadline));
    if (PQconsumeInput(db_) != 1) return std::unexpected(lost());
  }
  return PQgetResult(db_);
}

Result<> Connection::read_statement(Pending& pending, std::optional<Error>& failed, Deadline deadline) {
  for (;;) {
    CASTIEL_ASSIGN(PGresult * raw, next_result(deadline));
    if (raw == nullptr) {
      if (PQstatus(db_) == CONNECTION_BAD) return std::unexpected(lost());
      return {};
    }
    Rows rows(raw);
    switch (PQresultStatus(raw)) {
      case PGRES_TUPLES_OK:
      case PGRES_COMMAND_OK:
        if (pending.then && !failed) {
          if (auto done = pending.then(rows); !done) failed = done.error();
        }
        break;
      case PGRES_PIPELINE_ABORTED:
        break;
      default: {
        if (PQstatus(db_) == CONNECTION_BAD) return std::unexpected(lost());
        const char* state = PQresultErrorField(raw, PG_DIAG_SQLSTATE);
        if (!failed && !pending.ignored)
          failed = to_error(state == nullptr ? "" : state, PQresultErrorMessage(raw));
      }
    }
  }
}

Result<> Connection::sync(Deadline deadline) {
  if (broken()) return std::unexpected(lost());
  if (!piped_) return {};
  if (PQpipelineSync(db_) != 1) return std::unexpected(lost());
  pending_.push_back({{}, true});
  if (!flush(deadline)) return std::unexpected(lost());
  std::optional<Error> failed;
  while (!pending_.empty()) {
    auto pending = std::move(pending_.front());
    pending_.pop_front();
    if (!pending.end) {
      if (auto read = read_statement(pending, failed, deadline); !read) {
        pending_.clear();
        return read;
      }
      continue;
    }
    // The end of a group is a result of its own, without one that says there are no more.
    auto raw = next_result(deadline);
    const bool ended = raw && *raw != nullptr && PQresultStatus(*raw) == PGRES_PIPELINE_SYNC;
    if (raw) PQclear(*raw);
    if (!ended) {
      pending_.clear();
      return raw ? std::unexpected(lost()) : std::unexpected(raw.error());
    }
  }
  if (failed) return std::unexpected(std::move(*failed));
  return {};
}

Result<Rows> Connection::query(const char* sql, const Params& params, Deadline deadline) {
  std::optional<Rows> answer;
  queue(sql, params, [&](Rows& rows) -> Result<> {
    answer.emplace(std::move(rows));
    return {};
  });
  CASTIEL_TRY(sync(deadline));
  if (!answer) return std::unexpected(lost());
  return std::move(*answer);
}

bool Connection::went_stale() {
  if (broken()) return true;
  pollfd descriptor{PQsocket(db_), POLLIN, 0};
  if (::poll(&descriptor, 1, 0) <= 0) return false;
  // Either answers nobody read yet, or the server's good-bye.
  if (PQconsumeInput(db_) != 1) broken_ = true;
  return broken();
}

std::string Connection::quoted(std::string_view text) const {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\'';
    out += c;
  }
  out += '\'';
  return out;
}

}  // namespace castiel::storage::postgres
