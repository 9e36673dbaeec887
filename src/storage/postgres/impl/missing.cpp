#include "storage/postgres/impl/missing.hpp"

#include "storage/postgres/impl/queries.hpp"

namespace castiel::storage::postgres {

Result<std::vector<MissingShard>> find_missing_shards(Session& session, const std::string& tenant,
                                                      std::size_t limit) {
  return collect<MissingShard>(
      session.query(
          "SELECT u.id COLLATE \"C\", max(u.type COLLATE \"C\"), max(u.key COLLATE \"C\"), max(u.name "
          "COLLATE \"C\"),"
          " max(u.correlation COLLATE \"C\"), string_agg(DISTINCT u.seen COLLATE \"C\", ',') FROM ("
          "SELECT shard_id AS id, 'alias' AS seen, split_part(kind, ':', 1) AS type,"
          " CASE WHEN kind LIKE '%:id' THEN key ELSE '' END AS key, '' AS name, '' AS correlation FROM alias"
          " WHERE tenant=$1"
          " UNION ALL SELECT from_id, 'relation', '', '', '', '' FROM relation WHERE tenant=$1"
          " UNION ALL SELECT to_id, 'relation', split_part(kind, ':', 1), CASE WHEN kind LIKE '%:id' THEN "
          "text ELSE ''"
          " END, '', '' FROM relation WHERE tenant=$1 AND to_id IS NOT NULL"
          " UNION ALL SELECT shard_id, 'insight', CASE kind WHEN 'deal' THEN 'opportunity' ELSE '' END, '', "
          "'',"
          " correlation FROM insight WHERE tenant=$1"
          " UNION ALL SELECT from_id, 'link', from_type, '', '', correlation FROM link WHERE tenant=$1"
          " UNION ALL SELECT to_id, 'link', to_type, '', '', correlation FROM link WHERE tenant=$1"
          " UNION ALL SELECT shard_id, 'footprint', '', '', '', '' FROM footprint WHERE tenant=$1"
          " UNION ALL SELECT shard_id, 'text', type, '', title, '' FROM search_chunk WHERE tenant=$1"
          " UNION ALL SELECT shard_id, 'version', '', '', '', correlation FROM shard_version WHERE "
          "tenant=$1) u"
          " WHERE NOT EXISTS (SELECT 1 FROM shard s WHERE s.tenant=$1 AND s.id = u.id COLLATE \"C\")"
          " GROUP BY 1 ORDER BY 1 LIMIT $2",
          Params(tenant, as_limit(limit))),
      [](const Row& row) {
        MissingShard shard{ShardId(row.str(0)), row.str(1), row.str(2),
                           row.str(3),          {},         CorrelationId(row.str(4))};
        const std::string seen = row.str(5);
        for (std::size_t at = 0; at <= seen.size();) {
          const auto end = std::min(seen.find(',', at), seen.size());
          shard.seen.push_back(seen.substr(at, end - at));
          at = end + 1;
        }
        return shard;
      });
}

}  // namespace castiel::storage::postgres
