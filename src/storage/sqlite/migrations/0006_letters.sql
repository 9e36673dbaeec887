-- Letters by their cause, what became of their replays, and the quarantine, which is kept apart from the dead letters.
ALTER TABLE dead_letter ADD COLUMN signature TEXT NOT NULL DEFAULT '';
ALTER TABLE dead_letter ADD COLUMN repeats INTEGER NOT NULL DEFAULT 1;
ALTER TABLE dead_letter ADD COLUMN replay_of TEXT NOT NULL DEFAULT '';
ALTER TABLE dead_letter ADD COLUMN outcome TEXT NOT NULL DEFAULT '';
ALTER TABLE dead_letter ADD COLUMN outcome_id TEXT NOT NULL DEFAULT '';
ALTER TABLE dead_letter ADD COLUMN message_id TEXT NOT NULL DEFAULT '';
ALTER TABLE dead_letter ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE dead_letter ADD COLUMN fix TEXT NOT NULL DEFAULT '';
ALTER TABLE dead_letter ADD COLUMN shown TEXT NOT NULL DEFAULT '';
-- What is known of a letter from before is its code.
UPDATE dead_letter SET signature = code;

CREATE TABLE quarantine (
  id TEXT PRIMARY KEY, tenant TEXT NOT NULL, queue TEXT NOT NULL, type TEXT NOT NULL, at INTEGER NOT NULL,
  deliveries INTEGER NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL, pointer TEXT NOT NULL,
  record_key TEXT NOT NULL, correlation TEXT NOT NULL, state TEXT NOT NULL, errors TEXT NOT NULL, payload BLOB NOT NULL,
  done_at INTEGER, signature TEXT NOT NULL, repeats INTEGER NOT NULL, replay_of TEXT NOT NULL, outcome TEXT NOT NULL,
  outcome_id TEXT NOT NULL, message_id TEXT NOT NULL, reason TEXT NOT NULL, fix TEXT NOT NULL, shown TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX quarantine_tenant ON quarantine (tenant, id);
CREATE INDEX quarantine_age ON quarantine (tenant, at);
