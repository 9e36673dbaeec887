-- Who of several processes does something for a tenant, and what of each lane left the outbox last.
CREATE TABLE lease (
  tenant TEXT NOT NULL, name TEXT NOT NULL, owner TEXT NOT NULL, fence INTEGER NOT NULL, until INTEGER NOT NULL,
  PRIMARY KEY (tenant, name)
) WITHOUT ROWID;
CREATE INDEX import_run_running ON import_run (started_at) WHERE status = 'running';
CREATE TABLE outbox_last (
  tenant TEXT NOT NULL, part INTEGER NOT NULL, type TEXT NOT NULL, queue TEXT NOT NULL, seq INTEGER NOT NULL,
  message_id TEXT NOT NULL, correlation TEXT NOT NULL,
  PRIMARY KEY (tenant, part, type, queue)
) WITHOUT ROWID;
