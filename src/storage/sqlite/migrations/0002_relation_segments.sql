-- Relations are found by their target, and targets come in any order: an index over all of them is written at as
-- many places as a batch has records, more and more of them as it grows. Each relation belongs to a segment of the
-- tenant's, numbered in order of writing; new entries go to the last one, and a look-up asks each.
ALTER TABLE relation ADD COLUMN segment INTEGER NOT NULL DEFAULT 0;
CREATE TABLE relation_segment (
  tenant TEXT NOT NULL, segment INTEGER NOT NULL, entries INTEGER NOT NULL,
  PRIMARY KEY (tenant, segment)
) WITHOUT ROWID;
INSERT INTO relation_segment (tenant, segment, entries) SELECT tenant, 0, count(*) FROM relation GROUP BY tenant;
DROP INDEX relation_to;
CREATE INDEX relation_to ON relation (tenant, segment, to_id) WHERE to_id IS NOT NULL;
DROP INDEX relation_open;
CREATE INDEX relation_open ON relation (tenant, segment, kind, key) WHERE how <> 'id';
