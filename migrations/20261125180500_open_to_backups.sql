-- A backup holds every row of every tenant. The role that makes it reads and does nothing else: it is no superuser and does not
-- bypass row-level security, so a plain owner can make it, and each table says for itself that it may be read.
DO $$
BEGIN
    CREATE ROLE permanence_backup NOLOGIN NOINHERIT;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;
GRANT USAGE ON SCHEMA public, queue TO permanence_backup;

-- Lets the backup role read every table of the platform. A backup calls it before it reads: a table that a later release made, or a
-- day's partition of the queue's history, is never left out, and never read as if it were empty. Gives how many were new.
CREATE FUNCTION open_to_backups() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t record;
    opened bigint := 0;
BEGIN
    -- Not while partitions of the queue's history are made and dropped.
    PERFORM pg_advisory_xact_lock(hashtext('queue.maintain_history'));
    FOR t IN
        SELECT c.oid::regclass AS name, c.relkind,
               has_table_privilege('permanence_backup', c.oid, 'SELECT') AS granted,
               NOT c.relrowsecurity OR EXISTS (
                   SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'backup_reads') AS seen
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('public', 'queue') AND c.relkind IN ('r', 'p', 'S')
          -- Not those of an extension.
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
        ORDER BY c.oid
    LOOP
        CONTINUE WHEN t.granted AND t.seen;
        IF NOT t.granted THEN
            EXECUTE format('GRANT SELECT ON %s %s TO permanence_backup',
                           CASE t.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, t.name);
        END IF;
        IF NOT t.seen THEN
            EXECUTE format('CREATE POLICY backup_reads ON %s FOR SELECT TO permanence_backup USING (true)', t.name);
        END IF;
        opened := opened + 1;
    END LOOP;
    -- A restrictive policy would hide rows from the backup, and nobody would notice.
    IF EXISTS (SELECT FROM pg_policy p WHERE NOT p.polpermissive AND p.polcmd IN ('r', '*')
               AND (0::oid = ANY (p.polroles) OR 'permanence_backup'::regrole::oid = ANY (p.polroles))) THEN
        RAISE EXCEPTION 'a restrictive policy hides rows from backups';
    END IF;
    RETURN opened;
END
$$;
REVOKE ALL ON FUNCTION open_to_backups() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION open_to_backups() TO permanence_backup;
SELECT open_to_backups();
