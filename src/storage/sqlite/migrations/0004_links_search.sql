-- Links from content to what it is about, who dealt with whom, and the full-text index.

-- Grows with each committed change of CRM shards, their names or relations, not with content.
ALTER TABLE tenant ADD COLUMN directory_version INTEGER NOT NULL DEFAULT 0;

-- One row for each pair. `evidence` is a JSON array; decided_by is empty until a person has decided.
CREATE TABLE link (
  tenant TEXT NOT NULL, from_id TEXT NOT NULL, to_id TEXT NOT NULL, id TEXT NOT NULL,
  from_type TEXT NOT NULL, to_type TEXT NOT NULL, strategy TEXT NOT NULL, confidence INTEGER NOT NULL,
  status TEXT NOT NULL, reason TEXT NOT NULL, evidence TEXT NOT NULL, created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL, last_verified_at INTEGER NOT NULL, decided_by TEXT NOT NULL, correlation TEXT NOT NULL,
  PRIMARY KEY (tenant, from_id, to_id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX link_id ON link (tenant, id);
CREATE INDEX link_to ON link (tenant, to_id, status);
CREATE INDEX link_status ON link (tenant, status, id);

-- What people decided about links, by the strategy that made them.
CREATE TABLE link_feedback (
  tenant TEXT NOT NULL, strategy TEXT NOT NULL, approved INTEGER NOT NULL, rejected INTEGER NOT NULL,
  PRIMARY KEY (tenant, strategy)
) WITHOUT ROWID;

-- A person outside and our own side in one mail, message or meeting.
CREATE TABLE interaction (
  tenant TEXT NOT NULL, person TEXT NOT NULL, at INTEGER NOT NULL, shard_id TEXT NOT NULL,
  own TEXT NOT NULL, type TEXT NOT NULL, direction TEXT NOT NULL, size INTEGER NOT NULL,
  PRIMARY KEY (tenant, person, at, shard_id)
) WITHOUT ROWID;
CREATE INDEX interaction_shard ON interaction (tenant, shard_id);

-- Under what a content shard is found again: the people in it, its thread, its channel.
CREATE TABLE footprint (
  tenant TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, shard_id TEXT NOT NULL,
  PRIMARY KEY (tenant, kind, key, shard_id)
) WITHOUT ROWID;
CREATE INDEX footprint_shard ON footprint (tenant, shard_id);

-- Each tenant's texts have row ids of their own range: ordinal * 2^40 and the 2^40 - 1 after it.
CREATE TABLE search_tenant (
  tenant TEXT PRIMARY KEY, ordinal INTEGER NOT NULL UNIQUE, next INTEGER NOT NULL, chunks INTEGER NOT NULL, tokens INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE search_chunk (
  id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, shard_id TEXT NOT NULL, type TEXT NOT NULL, ordinal INTEGER NOT NULL,
  at INTEGER NOT NULL, tokens INTEGER NOT NULL, locator TEXT NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL
);
CREATE INDEX search_chunk_shard ON search_chunk (tenant, shard_id, ordinal);
CREATE VIRTUAL TABLE search_text USING fts5 (
  title, text, content='search_chunk', content_rowid='id', tokenize='porter unicode61 remove_diacritics 2', prefix='3'
);
