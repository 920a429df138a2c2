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
    -- Whether its claims go by lanes: in turns between tenants, within the limits below and the rates of keys.
    lanes      boolean NOT NULL DEFAULT false,
    max_running            integer CHECK (max_running > 0),
    max_running_per_tenant integer CHECK (max_running_per_tenant > 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (lanes OR (max_running IS NULL AND max_running_per_tenant IS NULL))
);

-- How often jobs of a key may start, wherever they run: a bucket of `burst` tokens, refilled `per_second`.
CREATE TABLE queue.rates (
    key         text PRIMARY KEY CHECK (key <> ''),
    per_second  double precision NOT NULL CHECK (per_second > 0),
    burst       integer NOT NULL CHECK (burst > 0),
    tokens      double precision NOT NULL,
    refilled_at timestamptz NOT NULL
) WITH (fillfactor = 50);

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
    -- How many days its history is kept: one of the branches of `job_history`.
    keep_days           smallint NOT NULL CHECK (keep_days IN (7, 90, 3650)),
    rate_key            text CHECK (rate_key <> ''),
    batch_id            bigint,
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
    keep_days       smallint NOT NULL,
    rate_key        text,
    batch_id        bigint,
    enqueued_at     timestamptz NOT NULL,
    run_at          timestamptz NOT NULL,
    started_at      timestamptz,
    process_id      uuid,
    errors          jsonb NOT NULL,
    finished_at     timestamptz NOT NULL,
    output          jsonb
) PARTITION BY LIST (keep_days);
CREATE INDEX job_history_id ON queue.job_history (id);
-- One branch for each time that history is kept, split by day (by month where it is kept for years). The default
-- partitions catch what ends in a span without a partition: a missed maintenance must never fail a completion.
CREATE TABLE queue.job_history_7 PARTITION OF queue.job_history FOR VALUES IN (7) PARTITION BY RANGE (finished_at);
CREATE TABLE queue.job_history_90 PARTITION OF queue.job_history FOR VALUES IN (90) PARTITION BY RANGE (finished_at);
CREATE TABLE queue.job_history_3650 PARTITION OF queue.job_history FOR VALUES IN (3650) PARTITION BY RANGE (finished_at);
CREATE TABLE queue.job_history_7_default PARTITION OF queue.job_history_7 DEFAULT;
CREATE TABLE queue.job_history_90_default PARTITION OF queue.job_history_90 DEFAULT;
CREATE TABLE queue.job_history_3650_default PARTITION OF queue.job_history_3650 DEFAULT;

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

-- A job that is enqueued, under the batch's id, once no member of the batch is live.
CREATE TABLE queue.batches (
    id              bigint PRIMARY KEY,
    queue           text NOT NULL,
    kind            text NOT NULL,
    payload         jsonb NOT NULL,
    tenant_id       uuid,
    priority        smallint NOT NULL,
    max_attempts    smallint NOT NULL,
    timeout_ms      integer NOT NULL,
    backoff_base_ms integer NOT NULL,
    backoff_cap_ms  integer NOT NULL,
    keep_days       smallint NOT NULL,
    rate_key        text,
    created_at      timestamptz NOT NULL
);

-- Members of batches, apart from `jobs` so that ending a job touches nothing that another member waits for. A member
-- is over when its job is no longer live; its row is only cleared afterwards.
CREATE TABLE queue.batch_members (
    batch_id  bigint NOT NULL,
    queue     text NOT NULL,
    job_id    bigint NOT NULL,
    tenant_id uuid,
    PRIMARY KEY (batch_id, job_id)
);

-- How far running jobs have come, apart from `jobs` because it changes often.
CREATE TABLE queue.job_progress (
    job_id     bigint PRIMARY KEY,
    tenant_id  uuid,
    done       bigint NOT NULL CHECK (done >= 0),
    total      bigint CHECK (total >= 0),
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 50);

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
    -- A plain queue could not honour a rate, so it takes no job that has one.
    EXECUTE format('ALTER TABLE queue.%I ADD CONSTRAINT rate_needs_lanes CHECK (rate_key IS NULL)', partition);
    -- Policies belong to the parent. Without any of its own, the partition shows nothing when it is read directly.
    EXECUTE format('ALTER TABLE queue.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', partition);
END
$$;

-- Gives a queue lanes: its claim index is then ordered by rate key and tenant first, and is still the only one.
-- The queue's writers wait while it is built, which takes as long as there are available jobs.
CREATE FUNCTION queue.use_lanes(name text) RETURNS boolean
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
    EXECUTE format('CREATE INDEX %I ON queue.%I (COALESCE(rate_key, ''''),'
        ' COALESCE(tenant_id, ''00000000-0000-0000-0000-000000000000''::uuid), priority, id)'
        ' WHERE state = ''available''', partition || '_claim', partition);
    EXECUTE format('ALTER TABLE queue.%I DROP CONSTRAINT rate_needs_lanes', partition);
    RETURN true;
END
$$;

-- Makes the partition of history that covers `start` in one branch; a span whose rows already sit in the default
-- partition gets them.
CREATE FUNCTION queue.create_history_partition(branch text, start date, next date) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    part  text := branch || '_' || to_char(start, 'YYYYMMDD');
    lower text := start::text || ' 00:00+00';
    upper text := next::text || ' 00:00+00';
BEGIN
    IF to_regclass(format('queue.%I', part)) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE queue.%I (LIKE queue.job_history INCLUDING ALL)', part);
    EXECUTE format('ALTER TABLE queue.%I ENABLE ROW LEVEL SECURITY', part);
    EXECUTE format('WITH moved AS (DELETE FROM queue.%I WHERE finished_at >= %L AND finished_at < %L RETURNING *)'
        ' INSERT INTO queue.%I SELECT * FROM moved', branch || '_default', lower, upper, part);
    EXECUTE format('ALTER TABLE queue.%I ATTACH PARTITION queue.%I FOR VALUES FROM (%L) TO (%L)',
        branch, part, lower, upper);
    EXECUTE format('ALTER TABLE queue.%I FORCE ROW LEVEL SECURITY', part);
END
$$;

-- Makes the history partitions of `today` and the `ahead` days after it, and drops those of which every row has been
-- kept for its time; answers how many it dropped. DDL only, run as the owner for the queue role.
CREATE FUNCTION queue.maintain_history(today date, ahead integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    day     date;
    branch  record;
    old     record;
    dropped integer := 0;
BEGIN
    -- One maintainer at a time; the others have nothing left to do.
    PERFORM pg_advisory_xact_lock(hashtext('queue.maintain_history'));
    FOR branch IN SELECT keep, 'job_history_' || keep AS name, step
        FROM (VALUES (7, interval '1 day'), (90, interval '1 day'), (3650, interval '1 month')) AS b (keep, step)
    LOOP
        FOR offset_days IN 0..ahead LOOP
            day := today + offset_days;
            IF branch.step = interval '1 month' THEN
                day := date_trunc('month', day)::date;
            END IF;
            PERFORM queue.create_history_partition(branch.name, day, (day + branch.step)::date);
        END LOOP;
        FOR old IN
            SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = format('queue.%I', branch.name)::regclass
              AND c.relname ~ '_[0-9]{8}$'
              AND to_date(right(c.relname, 8), 'YYYYMMDD') + branch.step <= today - branch.keep
        LOOP
            EXECUTE format('DROP TABLE queue.%I', old.relname);
            dropped := dropped + 1;
        END LOOP;
    END LOOP;
    RETURN dropped;
END
$$;

-- Who sees which rows. The policies are on the parents; partitions have none and are granted to nobody.
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['jobs', 'job_history', 'unique_keys', 'batches', 'batch_members', 'job_progress'] LOOP
        EXECUTE format('ALTER TABLE queue.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant ON queue.%I TO permanence_tenant'
            ' USING (tenant_id = public.current_tenant()'
            '        AND tenant_id <> ''00000000-0000-0000-0000-000000000000'')', t);
        EXECUTE format('CREATE POLICY everything ON queue.%I TO permanence_system, permanence_queue USING (true)', t);
    END LOOP;
END
$$;
DO $$
DECLARE
    branch text;
BEGIN
    FOREACH branch IN ARRAY ARRAY['job_history_7', 'job_history_90', 'job_history_3650'] LOOP
        EXECUTE format('ALTER TABLE queue.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', branch);
        EXECUTE format('ALTER TABLE queue.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', branch || '_default');
        -- `maintain_history` runs as the owner, and moves a span's rows out of the default partition.
        EXECUTE format('CREATE POLICY owner ON queue.%I TO CURRENT_USER USING (true)', branch || '_default');
    END LOOP;
END
$$;

REVOKE ALL ON FUNCTION queue.create_queue(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION queue.use_lanes(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION queue.create_history_partition(text, date, date) FROM PUBLIC;
REVOKE ALL ON FUNCTION queue.maintain_history(date, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION queue.use_lanes(text) TO permanence_system, permanence_queue;
GRANT EXECUTE ON FUNCTION queue.maintain_history(date, integer) TO permanence_system, permanence_queue;

GRANT USAGE ON SCHEMA queue TO permanence_tenant, permanence_system, permanence_queue;
GRANT USAGE ON SEQUENCE queue.job_ids TO permanence_tenant, permanence_system, permanence_queue;
GRANT SELECT, INSERT, UPDATE, DELETE
    ON queue.jobs, queue.unique_keys, queue.batches, queue.batch_members, queue.job_progress
    TO permanence_tenant, permanence_system, permanence_queue;
GRANT SELECT, INSERT ON queue.job_history TO permanence_tenant, permanence_system, permanence_queue;
GRANT UPDATE, DELETE ON queue.job_history TO permanence_system, permanence_queue;
GRANT SELECT, INSERT, UPDATE, DELETE ON queue.processes, queue.cron_runs TO permanence_queue;
GRANT SELECT, INSERT, UPDATE ON queue.cron_runs TO permanence_system;
GRANT SELECT, INSERT, UPDATE, DELETE ON queue.rates TO permanence_system, permanence_queue;
GRANT SELECT, DELETE ON queue.processes TO permanence_system;
GRANT SELECT, UPDATE ON queue.queues TO permanence_system, permanence_queue;

SELECT queue.create_queue(name)
FROM unnest(ARRAY['reminders', 'invoices', 'exports', 'views', 'stock', 'privacy', 'default']) AS name;
SELECT queue.use_lanes(name) FROM unnest(ARRAY['reminders', 'invoices', 'exports']) AS name;
