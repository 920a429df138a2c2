-- An autoscaler asks how much a queue has to do. It connects by itself, from outside of the platform, so it gets numbers by one
-- function and sees no table: no kind of a job, no tenant, no payload.
DO $$
BEGIN
    BEGIN
        CREATE ROLE permanence_scaler NOLOGIN NOINHERIT;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;
    END;
    -- Only who may act as a role can hand it a function.
    IF NOT pg_has_role(current_user, 'permanence_queue', 'USAGE') THEN
        EXECUTE format('GRANT permanence_queue TO %I', current_user);
    END IF;
END
$$;

-- What there is to do in a queue: jobs that run or are due, and for how many seconds the oldest that is due has waited. Both are 0
-- for a paused queue, whose workers would find nothing to do. It counts to `most`, which is more than decides about any number of
-- workers, so that a long queue is not read whole every few seconds; the oldest is the oldest of those.
CREATE FUNCTION queue.backlog(name text, most bigint DEFAULT 10000, OUT jobs bigint, OUT oldest_seconds bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    -- One branch for each index, or state within it.
    WITH work AS (
        SELECT j.run_at FROM queue.jobs AS j WHERE j.queue = backlog.name AND j.state = 'available'
        UNION ALL
        SELECT NULL FROM queue.jobs AS j WHERE j.queue = backlog.name AND j.state = 'running'
        UNION ALL
        -- Due, and nobody has made it available yet: where no worker is, nobody would.
        SELECT j.run_at FROM queue.jobs AS j
        WHERE j.queue = backlog.name AND j.state IN ('scheduled', 'retryable') AND j.run_at <= statement_timestamp()
    ),
    counted AS (
        SELECT work.run_at FROM work
        WHERE NOT EXISTS (SELECT FROM queue.queues AS q WHERE q.name = backlog.name AND q.paused_at IS NOT NULL)
        LIMIT backlog.most
    )
    SELECT count(*), COALESCE(ceil(extract(epoch FROM greatest(statement_timestamp() - min(run_at), '0'))), 0)::bigint
    FROM counted
$$;
GRANT CREATE ON SCHEMA queue TO permanence_queue;
ALTER FUNCTION queue.backlog(text, bigint) OWNER TO permanence_queue;
REVOKE CREATE ON SCHEMA queue FROM permanence_queue;
REVOKE ALL ON FUNCTION queue.backlog(text, bigint) FROM PUBLIC;
GRANT USAGE ON SCHEMA queue TO permanence_scaler;
GRANT EXECUTE ON FUNCTION queue.backlog(text, bigint) TO permanence_scaler;
