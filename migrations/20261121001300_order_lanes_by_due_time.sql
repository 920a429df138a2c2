-- Within a tenant's lane, what was due first runs first: jobs that were enqueued in one order and are due in another,
-- such as reminders, leave in the order of what they are about when many have piled up.
CREATE OR REPLACE FUNCTION queue.use_lanes(name text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    partition text := 'jobs_' || name;
    has_lanes boolean;
BEGIN
    SELECT lanes INTO has_lanes FROM queue.queues AS q WHERE q.name = use_lanes.name FOR UPDATE;
    IF has_lanes IS NOT FALSE THEN
        RETURN has_lanes;
    END IF;
    UPDATE queue.queues AS q SET lanes = true WHERE q.name = use_lanes.name;
    EXECUTE format('DROP INDEX queue.%I', partition || '_claim');
    PERFORM queue.index_lanes(partition);
    EXECUTE format('ALTER TABLE queue.%I DROP CONSTRAINT rate_needs_lanes', partition);
    RETURN true;
END
$$;

-- The order in which a queue with lanes is claimed.
CREATE FUNCTION queue.index_lanes(partition text) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format('CREATE INDEX %I ON queue.%I (COALESCE(rate_key, ''''),'
        ' COALESCE(tenant_id, ''00000000-0000-0000-0000-000000000000''::uuid), priority, run_at, id)'
        ' WHERE state = ''available''', partition || '_claim', partition);
END
$$;
REVOKE EXECUTE ON FUNCTION queue.index_lanes(text) FROM PUBLIC;

-- Those that have lanes already; their writers wait meanwhile, for as long as there are available jobs.
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT q.name FROM queue.queues AS q WHERE q.lanes LOOP
        EXECUTE format('DROP INDEX queue.%I', 'jobs_' || name || '_claim');
        PERFORM queue.index_lanes('jobs_' || name);
    END LOOP;
END
$$;
