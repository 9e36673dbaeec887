-- Who of several processes does something for a tenant, and what of each lane left the outbox last.
CREATE TABLE lease (
  tenant text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL, owner text COLLATE "C" NOT NULL, fence bigint NOT NULL,
  until bigint NOT NULL,
  PRIMARY KEY (tenant, name)
) WITH (fillfactor = 50);
CREATE INDEX import_run_running ON import_run (tenant, started_at) WHERE status = 'running';
CREATE TABLE outbox_last (
  tenant text COLLATE "C" NOT NULL, part bigint NOT NULL, type text COLLATE "C" NOT NULL, queue text COLLATE "C" NOT NULL,
  seq bigint NOT NULL, message_id text NOT NULL, correlation text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, part, type, queue)
) WITH (fillfactor = 50);

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['lease', 'outbox_last'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY own_rows ON %I TO castiel_app'
                   ' USING (tenant = (SELECT current_setting(''castiel.tenant'', true)))', name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO castiel_app', name);
  END LOOP;
  FOREACH name IN ARRAY ARRAY['lease', 'import_run'] LOOP
    EXECUTE format('CREATE POLICY all_rows ON %I FOR SELECT TO castiel_operator USING (true)', name);
    EXECUTE format('GRANT SELECT ON %I TO castiel_operator', name);
  END LOOP;
END $$;
CREATE POLICY relayed_rows ON outbox_last TO castiel_operator USING (true);
GRANT SELECT, INSERT, UPDATE ON outbox_last TO castiel_operator;
