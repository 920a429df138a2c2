WITH next AS MATERIALIZED (
    SELECT id FROM queue.jobs
    WHERE queue = 'default' AND state = 'available'
      AND (SELECT paused_at IS NULL AND NOT lanes FROM queue.queues WHERE name = 'default')
    ORDER BY priority, id
    LIMIT :batch
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE queue.jobs AS j
    SET state = 'running', attempt = j.attempt + 1, process_id = '00000000-0000-0000-0000-00000000000a', lease = 1,
        started_at = clock_timestamp()
    WHERE j.queue = 'default' AND j.id = ANY (ARRAY(SELECT id FROM next))
    RETURNING j.id, j.kind, j.payload, j.attempt, j.max_attempts, j.tenant_id, j.priority, j.enqueued_at, j.run_at,
              j.started_at, j.timeout_ms, j.batch_id
)
SELECT array_agg(id)::text AS ids FROM claimed \gset
WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS now),
ended AS (
    DELETE FROM queue.jobs AS j
    USING unnest(:ids::bigint[]) AS e (id)
    WHERE j.queue = 'default' AND j.id = ANY (:ids::bigint[]) AND j.id = e.id AND j.state = 'running'
      AND j.process_id = '00000000-0000-0000-0000-00000000000a' AND j.lease = 1
    RETURNING j.id, j.queue, j.kind, j.payload, j.tenant_id, j.priority, j.attempt, j.max_attempts, j.timeout_ms,
              j.backoff_base_ms, j.backoff_cap_ms, j.keep_days, j.rate_key, j.batch_id, j.enqueued_at, j.run_at,
              j.started_at, j.process_id, j.errors
)
INSERT INTO queue.job_history
    (id, queue, kind, payload, tenant_id, state, priority, attempt, max_attempts, timeout_ms, backoff_base_ms,
     backoff_cap_ms, keep_days, rate_key, batch_id, enqueued_at, run_at, started_at, process_id, errors, finished_at)
SELECT id, queue, kind, payload, tenant_id, 'completed', priority, attempt, max_attempts, timeout_ms, backoff_base_ms,
       backoff_cap_ms, keep_days, rate_key, batch_id, enqueued_at, run_at, started_at, process_id, errors, now
FROM ended, moment;
