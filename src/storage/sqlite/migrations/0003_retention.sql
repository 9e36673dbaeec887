-- What is kept for a time only is found by its age; each of these indexes grows at its end.
CREATE INDEX inbox_age ON inbox (tenant, at);
CREATE INDEX flow_entry_age ON flow_entry (tenant, at, correlation);

ALTER TABLE shard_version ADD COLUMN replaced_at INTEGER NOT NULL DEFAULT 0;
UPDATE shard_version SET replaced_at = coalesce(
  (SELECT min(n.updated_at) FROM shard_version n
    WHERE n.tenant = shard_version.tenant AND n.shard_id = shard_version.shard_id AND n.version > shard_version.version),
  (SELECT s.updated_at FROM shard s WHERE s.tenant = shard_version.tenant AND s.id = shard_version.shard_id),
  updated_at);
CREATE INDEX shard_version_age ON shard_version (tenant, replaced_at);

ALTER TABLE dead_letter ADD COLUMN done_at INTEGER;
UPDATE dead_letter SET done_at = at WHERE state <> 'dead';
CREATE INDEX dead_letter_age ON dead_letter (tenant, done_at) WHERE done_at IS NOT NULL;
