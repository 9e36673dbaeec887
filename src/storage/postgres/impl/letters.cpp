#include "storage/postgres/impl/letters.hpp"

#include <fmt/format.h>

#include "storage/postgres/impl/queries.hpp"

namespace castiel::storage::postgres {

namespace {

const char* table_of(LetterPlace place) {
  return place == LetterPlace::dead ? "dead_letter" : "quarantine";
}

constexpr std::string_view kChosen =
    "($1='' OR tenant=$1) AND ($2='' OR queue=$2) AND ($3='' OR signature=$3) AND"
    " CASE $4 WHEN 'any' THEN true WHEN 'open' THEN state IN ('dead', 'held') ELSE state=$4 END";

}  // namespace

Result<std::vector<DeadLetter>> find_letters(Session& session, const std::string& tenant,
                                             const LetterQuery& q) {
  const auto sql = fmt::format("SELECT {}{} FROM {} WHERE {} AND id>$5 ORDER BY id LIMIT $6", kLetterColumns,
                               q.with_payload ? ", errors, payload, shown" : "", table_of(q.place), kChosen);
  return collect<DeadLetter>(
      session.query(sql.c_str(), Params(tenant, q.queue, q.signature, q.state, q.after, as_limit(q.limit))),
      [&](const Row& row) { return read_letter(row, q.place, q.with_payload); });
}

Result<std::vector<LetterGroup>> group_letters(Session& session, const std::string& tenant,
                                               const LetterQuery& q, LetterGrouping by) {
  constexpr std::string_view kColumns[] = {"signature", "queue", "tenant", "type", "outcome"};
  const auto column = kColumns[static_cast<std::size_t>(by)];
  const auto sql = fmt::format(
      "SELECT l.k, e.code, e.message, l.n, l.oldest, l.newest, l.example FROM (SELECT {0} AS k, count(*) AS "
      "n,"
      " min(at) AS oldest, max(at) AS newest, max(id) AS example FROM {1} WHERE {2} GROUP BY {0}) l"
      " JOIN {1} e ON e.id=l.example AND ($1='' OR e.tenant=$1) ORDER BY l.n DESC, l.k",
      column, table_of(q.place), kChosen);
  return collect<LetterGroup>(session.query(sql.c_str(), Params(tenant, q.queue, q.signature, q.state)),
                              [](const Row& row) {
                                return LetterGroup{row.str(0),  row.str(1),  row.str(2), row.integer(3),
                                                   row.time(4), row.time(5), row.str(6)};
                              });
}

Result<std::optional<DeadLetter>> find_letter(Session& session, const std::string& tenant,
                                              std::string_view id) {
  for (const auto place : {LetterPlace::dead, LetterPlace::quarantine}) {
    const auto sql = fmt::format("SELECT {}, errors, payload, shown FROM {} WHERE tenant=$1 AND id=$2",
                                 kLetterColumns, table_of(place));
    CASTIEL_ASSIGN(auto found,
                   first<DeadLetter>(session.query(sql.c_str(), Params(tenant, id)),
                                     [&](const Row& row) { return read_letter(row, place, true); }));
    if (found) return found;
  }
  return std::optional<DeadLetter>();
}

}  // namespace castiel::storage::postgres
