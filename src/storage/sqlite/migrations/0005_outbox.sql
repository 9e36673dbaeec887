-- The outbox as relays read it: rows of one partition in the order they were written, each partition with one
-- relay at a time. `partition` follows from tenant and lane. Until now nothing wrote or read the table.
DROP TABLE outbox;
CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, partition INTEGER NOT NULL, tenant TEXT NOT NULL, part INTEGER NOT NULL,
  message_id TEXT NOT NULL, type TEXT NOT NULL, correlation TEXT NOT NULL, records INTEGER NOT NULL,
  queue TEXT NOT NULL DEFAULT '', record_key TEXT NOT NULL DEFAULT '', errors TEXT NOT NULL DEFAULT '',
  due INTEGER NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE INDEX outbox_order ON outbox (partition, seq);
CREATE INDEX outbox_tenant ON outbox (tenant);
CREATE TABLE outbox_lease (
  partition INTEGER PRIMARY KEY, owner TEXT NOT NULL, fence INTEGER NOT NULL, until INTEGER NOT NULL
);
-- Which flows have messages in a queue of another process.
CREATE INDEX ledger_enqueued ON ledger (tenant, stage, correlation) WHERE counter = 'enqueued';
