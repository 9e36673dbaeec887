-- Times are microseconds since 1970 UTC, JSON is text, every tenant's row starts with the tenant.

CREATE TABLE tenant (
  tenant TEXT PRIMARY KEY, created_at INTEGER NOT NULL, data_version INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE tenant_setting (
  tenant TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, updated_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, key)
) WITHOUT ROWID;

-- Clustered by the source's key: a page of one source is neighbours on disk.
CREATE TABLE shard (
  tenant TEXT NOT NULL, type TEXT NOT NULL, integration TEXT NOT NULL, external_id TEXT NOT NULL,
  id TEXT NOT NULL, version INTEGER NOT NULL,
  source_version INTEGER NOT NULL, source_is_dated INTEGER NOT NULL, content_hash INTEGER NOT NULL,
  correlation TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, deleted_at INTEGER,
  origin TEXT NOT NULL, data TEXT NOT NULL, source TEXT NOT NULL,
  PRIMARY KEY (tenant, type, integration, external_id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX shard_id ON shard (tenant, id);

-- Versions that were replaced, with what the source had sent for them.
CREATE TABLE shard_version (
  tenant TEXT NOT NULL, shard_id TEXT NOT NULL, version INTEGER NOT NULL,
  source_version INTEGER NOT NULL, correlation TEXT NOT NULL, updated_at INTEGER NOT NULL,
  origin TEXT NOT NULL, data TEXT NOT NULL, source TEXT NOT NULL,
  PRIMARY KEY (tenant, shard_id, version)
) WITHOUT ROWID;

CREATE TABLE field_change (
  tenant TEXT NOT NULL, type TEXT NOT NULL, integration TEXT NOT NULL, external_id TEXT NOT NULL,
  effective_at INTEGER NOT NULL, field TEXT NOT NULL, value_hash INTEGER NOT NULL,
  recorded_at INTEGER NOT NULL, old_value TEXT, new_value TEXT,
  origin TEXT NOT NULL, actor TEXT NOT NULL, correlation TEXT NOT NULL,
  PRIMARY KEY (tenant, type, integration, external_id, effective_at, field, value_hash)
) WITHOUT ROWID;
CREATE INDEX field_change_recent ON field_change (tenant, type, effective_at);

CREATE TABLE alias (
  tenant TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, integration TEXT NOT NULL, shard_id TEXT NOT NULL,
  PRIMARY KEY (tenant, kind, key, integration, shard_id)
) WITHOUT ROWID;
CREATE INDEX alias_shard ON alias (tenant, shard_id);

-- Shards that are one thing in the world: root is the smallest id of the group.
CREATE TABLE same_as (
  tenant TEXT NOT NULL, shard_id TEXT NOT NULL, root_id TEXT NOT NULL, reason TEXT NOT NULL, recorded_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, shard_id)
) WITHOUT ROWID;

CREATE TABLE relation (
  tenant TEXT NOT NULL, from_id TEXT NOT NULL, role TEXT NOT NULL, ordinal INTEGER NOT NULL,
  integration TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, text TEXT NOT NULL,
  to_id TEXT, how TEXT NOT NULL,
  PRIMARY KEY (tenant, from_id, role, ordinal)
) WITHOUT ROWID;
CREATE INDEX relation_to ON relation (tenant, to_id) WHERE to_id IS NOT NULL;
-- Waiting relations, and those found by a name, which another shard of that name may still make ambiguous.
CREATE INDEX relation_open ON relation (tenant, kind, key) WHERE how <> 'id';

CREATE TABLE inbox (
  tenant TEXT NOT NULL, consumer TEXT NOT NULL, message_id TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (tenant, consumer, message_id)
) WITHOUT ROWID;

CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, part INTEGER NOT NULL, message_id TEXT NOT NULL,
  type TEXT NOT NULL, correlation TEXT NOT NULL, records INTEGER NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL
);

-- The embedded broker. A message waits once in each queue bound to its type.
CREATE TABLE queue (name TEXT PRIMARY KEY, max_deliveries INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE binding (pattern TEXT NOT NULL, queue TEXT NOT NULL, PRIMARY KEY (pattern, queue)) WITHOUT ROWID;
CREATE TABLE queued (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, tenant TEXT NOT NULL, part INTEGER NOT NULL,
  message_id TEXT NOT NULL, type TEXT NOT NULL, correlation TEXT NOT NULL, records INTEGER NOT NULL,
  record_key TEXT NOT NULL DEFAULT '', deliveries INTEGER NOT NULL DEFAULT 0, claimed INTEGER NOT NULL DEFAULT 0,
  available_at INTEGER NOT NULL, enqueued_at INTEGER NOT NULL, errors TEXT NOT NULL DEFAULT '', body BLOB NOT NULL
);
CREATE INDEX queued_order ON queued (queue, tenant, part, seq);

CREATE TABLE parked_key (
  tenant TEXT NOT NULL, queue TEXT NOT NULL, key TEXT NOT NULL, since INTEGER NOT NULL,
  PRIMARY KEY (tenant, queue, key)
) WITHOUT ROWID;
CREATE TABLE parked_record (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, queue TEXT NOT NULL, key TEXT NOT NULL,
  message_id TEXT NOT NULL, type TEXT NOT NULL, correlation TEXT NOT NULL, body BLOB NOT NULL
);
CREATE INDEX parked_record_key ON parked_record (tenant, queue, key, seq);

CREATE TABLE dead_letter (
  id TEXT PRIMARY KEY, tenant TEXT NOT NULL, queue TEXT NOT NULL, type TEXT NOT NULL, at INTEGER NOT NULL,
  deliveries INTEGER NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL, pointer TEXT NOT NULL,
  record_key TEXT NOT NULL, correlation TEXT NOT NULL, state TEXT NOT NULL, errors TEXT NOT NULL, payload BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX dead_letter_tenant ON dead_letter (tenant, id);

CREATE TABLE ledger (
  tenant TEXT NOT NULL, correlation TEXT NOT NULL, stage TEXT NOT NULL, counter TEXT NOT NULL, value INTEGER NOT NULL,
  PRIMARY KEY (tenant, correlation, stage, counter)
) WITHOUT ROWID;
CREATE TABLE flow_entry (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, correlation TEXT NOT NULL, at INTEGER NOT NULL,
  stage TEXT NOT NULL, kind TEXT NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL, text TEXT NOT NULL, count INTEGER NOT NULL
);
CREATE INDEX flow_entry_correlation ON flow_entry (correlation, seq);
CREATE TABLE problem (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, correlation TEXT NOT NULL,
  file TEXT NOT NULL, line INTEGER NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL
);
CREATE INDEX problem_correlation ON problem (tenant, correlation, seq);

CREATE TABLE insight (
  tenant TEXT NOT NULL, kind TEXT NOT NULL, shard_id TEXT NOT NULL, as_of INTEGER NOT NULL,
  payload TEXT NOT NULL, correlation TEXT NOT NULL, recorded_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, kind, shard_id)
) WITHOUT ROWID;

CREATE TABLE import_run (
  tenant TEXT NOT NULL, correlation TEXT NOT NULL, status TEXT NOT NULL, started_at INTEGER NOT NULL,
  finished_at INTEGER, detail TEXT NOT NULL,
  PRIMARY KEY (tenant, correlation)
) WITHOUT ROWID;
CREATE TABLE imported_file (
  tenant TEXT NOT NULL, sha256 TEXT NOT NULL, mapping TEXT NOT NULL, correlation TEXT NOT NULL,
  complete INTEGER NOT NULL, dated INTEGER NOT NULL, cursor TEXT NOT NULL, records INTEGER NOT NULL,
  PRIMARY KEY (tenant, sha256, mapping)
) WITHOUT ROWID;
CREATE TABLE sync_cursor (
  tenant TEXT NOT NULL, integration TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, updated_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, integration, name)
) WITHOUT ROWID;

CREATE TABLE audit (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL,
  action TEXT NOT NULL, target TEXT NOT NULL, detail TEXT NOT NULL
);
CREATE INDEX audit_tenant ON audit (tenant, seq);
