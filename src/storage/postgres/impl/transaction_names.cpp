// Aliases, and the relations that are resolved through them in both directions.
//
// Of two transactions side by side, one that makes a name and one that looks for it, neither would see the
// other's row. So the maker holds the name's lock exclusively and the seeker shares it, from before the
// statement that looks until the end; what each looks at is committed, READ COMMITTED. Locks are few, for
// several names share one, and they are taken at the end, all at once and in order, so that nobody waits in a
// circle.

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/digest.hpp"
#include "model/entity.hpp"
#include "storage/postgres/impl/transaction.hpp"

namespace castiel::storage::postgres {

namespace {

constexpr std::uint64_t kLocksOfKind = 16;

// Alias kinds are "<shard type>:<what>".
bool is_of_directory(std::string_view alias_kind) {
  return model::find_entity(alias_kind.substr(0, alias_kind.find(':'))) != nullptr;
}

// Its own shard first for each source, and another's only when there is just one; several leave it open.
#define CASTIEL_TARGET_BY_NAME                                                         \
  "CASE WHEN c.own=1 THEN c.own_id WHEN c.own=0 AND c.n=1 THEN c.any_id END AS to_id," \
  " CASE WHEN c.own=1 OR (c.own=0 AND c.n=1) THEN 'name' WHEN c.n>0 THEN 'ambiguous' ELSE '' END AS how"

}  // namespace

void PostgresTransaction::lock_name(std::string_view kind, std::string_view key, bool exclusive) {
  if (kind != last_kind_) {
    last_kind_ = kind;
    last_place_ = stable_hash(t() + '\n' + last_kind_) & ~(kLocksOfKind - 1);
  }
  // So that the lanes of one table (messaging::part_of_source), which share no key, share no lock either: the
  // same hash of the same part of an id.
  if (key.size() == 18 && kind.ends_with(":id")) key = key.substr(0, 15);
  bool& is_exclusive = locks_[static_cast<std::int64_t>(last_place_ | stable_hash(key) % kLocksOfKind)];
  is_exclusive = is_exclusive || exclusive;
}

Result<> PostgresTransaction::put_aliases(std::span<const Alias> aliases) {
  if (aliases.empty()) return {};
  Column kind(kText), key(kText), integration(kText), shard(kText);
  for (const auto& a : aliases) {
    lock_name(a.kind, a.key, true);
    kind.add(a.kind);
    key.add(a.key);
    integration.add(a.integration);
    shard.add(a.shard);
  }
  // The new rows are not seen by the statement that makes them, so they are joined to those it sees.
  keep(
      "WITH fresh AS (INSERT INTO alias (tenant, kind, key, integration, shard_id)"
      " SELECT DISTINCT $1, w.* FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS w"
      " ON CONFLICT DO NOTHING RETURNING kind, key, integration, shard_id),"
      " names AS (SELECT DISTINCT kind, key FROM fresh),"
      " known AS (SELECT a.kind, a.key, a.integration, a.shard_id FROM names n JOIN alias a ON a.tenant=$1 "
      "AND"
      " a.kind=n.kind AND a.key=n.key UNION SELECT * FROM fresh),"
      " waiting AS (SELECT DISTINCT r.kind, r.key, r.integration FROM names n JOIN relation r ON r.tenant=$1 "
      "AND"
      " r.kind=n.kind AND r.key=n.key AND r.how<>'id'),"
      " target AS (SELECT c.kind, c.key, c.integration, " CASTIEL_TARGET_BY_NAME
      " FROM (SELECT w.kind, w.key, w.integration, count(*) AS n, min(k.shard_id) AS any_id,"
      " count(*) FILTER (WHERE k.integration=w.integration) AS own,"
      " min(k.shard_id) FILTER (WHERE k.integration=w.integration) AS own_id"
      " FROM waiting w JOIN known k ON k.kind=w.kind AND k.key=w.key GROUP BY w.kind, w.key, w.integration) "
      "c),"
      " resolved AS (UPDATE relation r SET to_id=g.to_id, how=g.how FROM target g WHERE r.tenant=$1 AND"
      " r.kind=g.kind AND r.key=g.key AND r.integration=g.integration AND r.how<>'id')"
      " SELECT DISTINCT kind FROM fresh",
      std::move(Params(t()).add(kind).add(key).add(integration).add(shard)), [this](Rows& rows) -> Result<> {
        data_changed_ = data_changed_ || !rows.empty();
        for (int i = 0; i < rows.size(); ++i)
          directory_changed_ = directory_changed_ || is_of_directory(rows[i].str(0));
        return {};
      });
  return {};
}

Result<> PostgresTransaction::drop_aliases(const ShardId& shard) {
  keep("DELETE FROM alias WHERE tenant=$1 AND shard_id=$2", Params(t(), shard));
  return {};
}

namespace {

struct Place {
  std::string_view from, role;
  int ordinal;
  bool operator==(const Place&) const = default;
};
struct PlaceHash {
  std::size_t operator()(const Place& p) const {
    return std::hash<std::string_view>{}(p.from) * 31 + std::hash<std::string_view>{}(p.role) +
           static_cast<std::size_t>(p.ordinal);
  }
};

}  // namespace

Result<> PostgresTransaction::put_relations(std::span<const Relation> relations) {
  if (relations.empty()) return {};
  Column cleared(kText);
  std::unordered_set<std::string_view> seen;
  std::unordered_map<Place, std::size_t, PlaceHash> places;
  std::vector<const Relation*> last;  // of each place
  for (const auto& r : relations) {
    if (seen.insert(r.from.view()).second && fresh_.erase(r.from.str()) == 0) cleared.add(r.from);
    if (r.kind.empty()) continue;  // only clears
    directory_changed_ = true;
    const auto [it, is_new] = places.try_emplace({r.from.view(), r.role, r.ordinal}, last.size());
    if (is_new) {
      last.push_back(&r);
    } else {
      last[it->second] = &r;
    }
  }
  data_changed_ = true;
  // Nothing can be in the way of what belongs to shards of this transaction.
  const bool fresh = cleared.size() == 0;
  if (!fresh) {
    keep_fresh();
    keep("DELETE FROM relation WHERE tenant=$1 AND from_id = ANY($2::text[])",
         std::move(Params(t()).add(cleared)));
  }
  std::vector<const Relation*> by_id, by_name;
  for (const auto* r : last) {
    lock_name(r->kind, r->key, false);
    if (!r->kind.ends_with(":id")) {
      by_name.push_back(r);
    } else if (fresh) {
      add_fresh(*r);
    } else {
      by_id.push_back(r);
    }
  }
  relate_by_id(by_id);
  relate_by_name(by_name, fresh);
  return {};
}

void PostgresTransaction::add_fresh(const Relation& r) {
  auto& f = fresh_relations_;
  f.from.add(r.from);
  f.role.add(r.role);
  f.ordinal.add(r.ordinal);
  f.integration.add(r.integration);
  f.kind.add(r.kind);
  f.key.add(r.key);
  f.text.add(r.text);
  // Each target is looked up once.
  std::string target = fmt::format("{} {} {}{}", r.kind, r.integration.size(), r.integration, r.key);
  const auto [it, is_new] =
      f.targets.try_emplace(std::move(target), static_cast<std::int64_t>(f.targets.size() + 1));
  if (is_new) {
    f.target_type.add(std::string_view(r.kind).substr(0, r.kind.size() - 3));
    f.target_integration.add(r.integration);
    f.target_key.add(r.key);
  }
  f.target.add(it->second);
}

// Of all shards that were inserted: relations that waited for one of them, and their own to shards by id.
void PostgresTransaction::keep_fresh() {
  auto& n = new_ids_;
  if (n.kind.size() > 0) {
    keep(
        "WITH o AS MATERIALIZED (SELECT x.*, w.id AS to_id FROM unnest($2::text[], $3::text[], $4::text[],"
        " $5::text[]) AS w(kind, key, integration, id) CROSS JOIN LATERAL (SELECT from_id, role, ordinal FROM"
        " relation WHERE tenant=$1 AND kind=w.kind AND key=w.key AND how<>'id' AND integration=w.integration"
        " OFFSET 0) x) UPDATE relation r SET to_id=o.to_id, how='id' FROM o"
        " WHERE r.tenant=$1 AND r.from_id=o.from_id AND r.role=o.role AND r.ordinal=o.ordinal AND"
        " r.how<>'id'",
        std::move(Params(t()).add(n.kind).add(n.key).add(n.integration).add(n.id)));
  }
  auto& f = fresh_relations_;
  if (f.from.size() == 0) return;
  Params params(t());
  for (auto* column : {&f.from, &f.role, &f.ordinal, &f.integration, &f.kind, &f.key, &f.text, &f.target,
                       &f.target_type, &f.target_integration, &f.target_key})
    params.add(*column);
  f.targets.clear();
  keep(
      "WITH f AS MATERIALIZED (SELECT t.n, (SELECT s.id FROM shard s WHERE s.tenant=$1 AND s.type=t.type AND"
      " s.integration=t.integration AND s.external_id=t.key) AS id FROM unnest($10::text[], $11::text[],"
      " $12::text[]) WITH ORDINALITY AS t(type, integration, key, n))"
      " INSERT INTO relation (tenant, from_id, role, ordinal, integration, kind, key, text, to_id, how)"
      " SELECT $1, r.from_id, r.role, r.ordinal, r.integration, r.kind, r.key, r.text, f.id,"
      " CASE WHEN f.id IS NULL THEN '' ELSE 'id' END FROM unnest($2::text[], $3::text[], $4::bigint[],"
      " $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[]) AS r(from_id, role, ordinal,"
      " integration, kind, key, text, target) JOIN f ON f.n=r.target",
      std::move(params));
}

namespace {

// Columns of relations as parameters $2 to $8, and one more.
Params relation_params(const std::string& tenant, std::span<const Relation* const> relations,
                       bool with_type) {
  Column from(kText), role(kText), ordinal(kInt8), integration(kText), kind(kText), key(kText), text(kText),
      type(kText);
  for (const auto* r : relations) {
    from.add(r->from);
    role.add(r->role);
    ordinal.add(r->ordinal);
    integration.add(r->integration);
    kind.add(r->kind);
    key.add(r->key);
    text.add(r->text);
    if (with_type) type.add(std::string_view(r->kind).substr(0, r->kind.size() - 3));
  }
  Params params(tenant);
  for (auto* column : {&from, &role, &ordinal, &integration, &kind, &key, &text}) params.add(*column);
  if (with_type) params.add(type);
  return params;
}

#define CASTIEL_PUT_RELATION                                                                        \
  "INSERT INTO relation (tenant, from_id, role, ordinal, integration, kind, key, text, to_id, how)" \
  " SELECT $1, x.from_id, x.role, x.ordinal, x.integration, x.kind, x.key, x.text, x.to_id, x.how FROM ("
#define CASTIEL_OR_REPLACE                                                                        \
  " ON CONFLICT (tenant, from_id, role, ordinal) DO UPDATE SET integration=excluded.integration," \
  " kind=excluded.kind, key=excluded.key, text=excluded.text, to_id=excluded.to_id, how=excluded.how"

}  // namespace

void PostgresTransaction::relate_by_id(std::span<const Relation* const> relations) {
  if (relations.empty()) return;
  // OFFSET 0: the target is looked up once, and not for each column that is made of it.
  keep(CASTIEL_PUT_RELATION
       "SELECT w.*, CASE WHEN w.to_id IS NULL THEN '' ELSE 'id' END AS how FROM (SELECT r.*, (SELECT s.id"
       " FROM shard s WHERE s.tenant=$1 AND s.type=r.type AND s.integration=r.integration AND"
       " s.external_id=r.key) AS to_id FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[],"
       " $6::text[], $7::text[], $8::text[], $9::text[]) AS r(from_id, role, ordinal, integration, kind, key,"
       " text, type) OFFSET 0) w) x" CASTIEL_OR_REPLACE,
       relation_params(t(), relations, true));
}

void PostgresTransaction::relate_by_name(std::span<const Relation* const> relations, bool fresh) {
  if (relations.empty()) return;
#define CASTIEL_RELATE_BY_NAME                                                                            \
  CASTIEL_PUT_RELATION                                                                                    \
  "SELECT r.*, " CASTIEL_TARGET_BY_NAME                                                                   \
  " FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[])"    \
  " AS r(from_id, role, ordinal, integration, kind, key, text) CROSS JOIN LATERAL (SELECT count(*) AS n," \
  " min(a.shard_id) AS any_id, count(*) FILTER (WHERE a.integration=r.integration) AS own,"               \
  " min(a.shard_id) FILTER (WHERE a.integration=r.integration) AS own_id FROM alias a WHERE a.tenant=$1"  \
  " AND a.kind=r.kind AND a.key=r.key) c) x"
  keep(fresh ? CASTIEL_RELATE_BY_NAME : CASTIEL_RELATE_BY_NAME CASTIEL_OR_REPLACE,
       relation_params(t(), relations, false));
#undef CASTIEL_RELATE_BY_NAME
}

Result<> PostgresTransaction::resolve_relation(const Relation& r) {
  data_changed_ = true;
  directory_changed_ = true;
  keep_fresh();
  keep("UPDATE relation SET to_id=$5::text, how=$6 WHERE tenant=$1 AND from_id=$2 AND role=$3 AND ordinal=$4",
       Params(t(), r.from, r.role, r.ordinal, r.to, r.how));
  return {};
}

Result<> PostgresTransaction::write_names() {
  if (failed_) return std::unexpected(*failed_);
  keep_fresh();
  if (kept_.empty()) return {};
  if (!locks_.empty()) {
    Column number(kInt8), exclusive(kBool);
    for (const auto& [lock, is_exclusive] : locks_) {
      number.add(lock);
      exclusive.add(is_exclusive);
    }
    CASTIEL_TRY(
        write("SELECT CASE WHEN exclusive THEN pg_advisory_xact_lock(number)"
              " ELSE pg_advisory_xact_lock_shared(number) END"
              " FROM unnest($1::bigint[], $2::boolean[]) AS l(number, exclusive)",
              std::move(Params().add(number).add(exclusive))));
    locks_.clear();
  }
  bool asked = false;
  for (auto& kept : kept_) {
    asked = asked || kept.then;
    CASTIEL_TRY(write(kept.sql, kept.params, std::move(kept.then)));
  }
  kept_.clear();
  if (!asked) return {};
  if (auto done = session().sync(); !done) return fail(done.error());
  return {};
}

}  // namespace castiel::storage::postgres
