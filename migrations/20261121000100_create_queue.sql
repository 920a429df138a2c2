-- The queue's tables (crate `permanence-queue`), built for churn: `jobs` holds only what is still to be done, and
-- what has ended moves to day partitions of `job_history`, which are dropped whole and never deleted row by row.
--
--   scheduled ──due──▸ available ──claim──▸ running ──▸ completed │ cancelled │ discarded   (job_history)
--       ▴                  ▴                  │  │
--       └────── snooze ────┼──────────────────┘  │
--                          └─due── retryable ◂───┘ failed, attempts left
CREATE SCHEMA queue;

CREATE TYPE queue.job_state AS ENUM
    ('scheduled', 'available', 'running', 'retryable', 'completed', 'cancelled', 'discarded');

-- What is known of a queue besides its jobs. A queue exists once `create_queue` made its partition.
CREATE TABLE queue.queues (
    name       text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,40}$'),
    paused_at  timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- A worker of one queue in one operating-system process. Its id is random per start, so that a restarted process
-- is never taken for its predecessor. Rows outlive the process: history says who ran a job.
CREATE TABLE queue.processes (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    queue      text NOT NULL REFERENCES queue.queues (name),
    host       text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Always the database's clock: a worker's own may be wrong, or simulated.
    seen_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at   timestamptz
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 200);
CREATE INDEX processes_of_queue ON queue.processes (queue) WHERE ended_at IS NULL;

CREATE SEQUENCE queue.job_ids;

CREATE TABLE queue.jobs (
    id                  bigint NOT NULL DEFAULT nextval('queue.job_ids'),
    queue               text NOT NULL,
    kind                text NOT NULL,
    payload             jsonb NOT NULL,
    tenant_id           uuid CHECK (tenant_id <> '00000000-0000-0000-0000-000000000000'),
    state               queue.job_state NOT NULL
                        CHECK (state IN ('scheduled', 'available', 'running', 'retryable')),
    priority            smallint NOT NULL,
    attempt             smallint NOT NULL DEFAULT 0,
    max_attempts        smallint NOT NULL CHECK (max_attempts > 0),
    timeout_ms          integer NOT NULL CHECK (timeout_ms > 0),
    backoff_base_ms     integer NOT NULL CHECK (backoff_base_ms >= 0),
    backoff_cap_ms      integer NOT NULL CHECK (backoff_cap_ms >= 0),
    enqueued_at         timestamptz NOT NULL,
    run_at              timestamptz NOT NULL,
    started_at          timestamptz,
    cancel_requested_at timestamptz,
    -- The fence. The process numbers its claims, so it can undo one whose answer it never received.
    process_id          uuid,
    lease               integer,
    -- One object per failed attempt: attempt, at, process, code, message. Never personal data.
    errors              jsonb NOT NULL DEFAULT '[]',
    CHECK ((state = 'running') = (process_id IS NOT NULL AND lease IS NOT NULL))
) PARTITION BY LIST (queue);

CREATE TABLE queue.job_history (
    id              bigint NOT NULL,
    queue           text NOT NULL,
    kind            text NOT NULL,
    payload         jsonb NOT NULL,
    tenant_id       uuid,
    state           queue.job_state NOT NULL CHECK (state IN ('completed', 'cancelled', 'discarded')),
    priority        smallint NOT NULL,
    attempt         smallint NOT NULL,
    max_attempts    smallint NOT NULL,
    timeout_ms      integer NOT NULL,
    backoff_base_ms integer NOT NULL,
    backoff_cap_ms  integer NOT NULL,
    enqueued_at     timestamptz NOT NULL,
    run_at          timestamptz NOT NULL,
    started_at      timestamptz,
    process_id      uuid,
    errors          jsonb NOT NULL,
    finished_at     timestamptz NOT NULL,
    output          jsonb
) PARTITION BY RANGE (finished_at);
CREATE INDEX job_history_id ON queue.job_history (id);
-- Catches what ends on a day without a partition: a missed maintenance run must never fail a completion.
CREATE TABLE queue.job_history_default PARTITION OF queue.job_history DEFAULT;

-- Keys of unique jobs, apart from `jobs` so that only jobs which use them pay. A key is not deleted when its job
-- starts or ends: the next enqueue that meets it looks at the job and takes a released key over.
CREATE TABLE queue.unique_keys (
    -- The nil UUID stands for "no tenant": first in the key, so no tenant can feel another's.
    tenant_id  uuid NOT NULL,
    kind       text NOT NULL,
    key        text NOT NULL,
    scope      text NOT NULL CHECK (scope IN ('until_started', 'until_finished', 'per_period', 'forever')),
    job_id     bigint NOT NULL,
    queue      text NOT NULL,
    -- Of the first payload, for `forever`: the same key with another body is a conflict.
    body_hash  bytea NOT NULL,
    expires_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, kind, key)
);

-- The last due time of each cron entry that was enqueued.
CREATE TABLE queue.cron_runs (
    entry    text PRIMARY KEY,
    last_due timestamptz NOT NULL
);

-- Makes a queue: called by migrations only. Its partition has three indexes and no more:
--   by id; the claim's order among available jobs; everything else by state and due time.
CREATE FUNCTION queue.create_queue(name text) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    partition text := 'jobs_' || name;
BEGIN
    INSERT INTO queue.queues (name) VALUES (create_queue.name);
    EXECUTE format(
        'CREATE TABLE queue.%I PARTITION OF queue.jobs FOR VALUES IN (%L) WITH (fillfactor = 80,'
        ' autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,'
        ' autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05,'
        ' autovacuum_vacuum_cost_delay = 0)', partition, name);
    EXECUTE format('CREATE UNIQUE INDEX %I ON queue.%I (id)', partition || '_id', partition);
    EXECUTE format('CREATE INDEX %I ON queue.%I (priority, id) WHERE state = ''available''',
        partition || '_claim', partition);
    EXECUTE format('CREATE INDEX %I ON queue.%I (state, run_at) WHERE state <> ''available''',
        partition || '_due', partition);
    -- Policies belong to the parent. Without any of its own, the partition shows nothing when it is read directly.
    EXECUTE format('ALTER TABLE queue.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', partition);
END
$$;

-- Makes the history partitions of `today` and the `ahead` days after it, and drops those older than `keep` days.
-- DDL only, run as the owner for the queue role; a day whose rows already sit in the default partition gets them.
CREATE FUNCTION queue.maintain_history(today date, ahead integer, keep integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    day     date;
    part    text;
    old     record;
    dropped integer := 0;
BEGIN
    -- One maintainer at a time; the others have nothing left to do.
    PERFORM pg_advisory_xact_lock(hashtext('queue.maintain_history'));
    FOR offset_days IN 0..ahead LOOP
        day := today + offset_days;
        part := 'job_history_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(format('queue.%I', part)) IS NOT NULL;
        EXECUTE format('CREATE TABLE queue.%I (LIKE queue.job_history INCLUDING ALL)', part);
        EXECUTE format('ALTER TABLE queue.%I ENABLE ROW LEVEL SECURITY', part);
        EXECUTE format(
            'WITH moved AS (DELETE FROM queue.job_history_default'
            ' WHERE finished_at >= %1$L AND finished_at < %2$L RETURNING *)'
            ' INSERT INTO queue.%3$I SELECT * FROM moved',
            day::text || ' 00:00+00', (day + 1)::text || ' 00:00+00', part);
        EXECUTE format('ALTER TABLE queue.job_history ATTACH PARTITION queue.%I FOR VALUES FROM (%L) TO (%L)',
            part, day::text || ' 00:00+00', (day + 1)::text || ' 00:00+00');
        EXECUTE format('ALTER TABLE queue.%I FORCE ROW LEVEL SECURITY', part);
    END LOOP;
    FOR old IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'queue.job_history'::regclass
          AND c.relname ~ '^job_history_[0-9]{8}$'
          AND to_date(right(c.relname, 8), 'YYYYMMDD') < today - keep
    LOOP
        EXECUTE format('DROP TABLE queue.%I', old.relname);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;

-- Who sees which rows. The policies are on the parents; partitions have none and are granted to nobody.
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['jobs', 'job_history', 'unique_keys'] LOOP
        EXECUTE format('ALTER TABLE queue.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant ON queue.%I TO permanence_tenant'
            ' USING (tenant_id = public.current_tenant()'
            '        AND tenant_id <> ''00000000-0000-0000-0000-000000000000'')', t);
        EXECUTE format('CREATE POLICY everything ON queue.%I TO permanence_system, permanence_queue USING (true)', t);
    END LOOP;
END
$$;
ALTER TABLE queue.job_history_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
-- `maintain_history` runs as the owner, and moves a day's rows out of the default partition.
CREATE POLICY owner ON queue.job_history_default TO CURRENT_USER USING (true);

REVOKE ALL ON FUNCTION queue.create_queue(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION queue.maintain_history(date, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION queue.maintain_history(date, integer, integer) TO permanence_queue;

GRANT USAGE ON SCHEMA queue TO permanence_tenant, permanence_system, permanence_queue;
GRANT USAGE ON SEQUENCE queue.job_ids TO permanence_tenant, permanence_system, permanence_queue;
GRANT SELECT, INSERT, UPDATE, DELETE ON queue.jobs, queue.unique_keys
    TO permanence_tenant, permanence_system, permanence_queue;
GRANT SELECT, INSERT ON queue.job_history TO permanence_tenant, permanence_system, permanence_queue;
GRANT UPDATE, DELETE ON queue.job_history TO permanence_system, permanence_queue;
GRANT SELECT, INSERT, UPDATE, DELETE ON queue.processes, queue.cron_runs TO permanence_queue;
GRANT SELECT, INSERT, UPDATE ON queue.cron_runs TO permanence_system;
GRANT SELECT ON queue.processes TO permanence_system;
GRANT SELECT, UPDATE ON queue.queues TO permanence_system, permanence_queue;

SELECT queue.create_queue(name)
FROM unnest(ARRAY['reminders', 'invoices', 'exports', 'views', 'stock', 'privacy', 'default']) AS name;
