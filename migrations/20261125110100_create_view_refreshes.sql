-- Materialised views, and the jobs that refresh them. Such a view holds every tenant's figures and knows no row-level
-- security: the system role owns it, the tenant role reaches it by a function that asks for `current_tenant()` and by
-- nothing else.

-- One row for each refresh that began. None holds anything of a tenant.
CREATE TABLE view_refreshes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    view text NOT NULL CHECK (view ~ '^[a-z_]{1,60}$'),
    -- Noted and committed before the refresh takes its snapshot: the moment that the figures are of, at the latest.
    started_at timestamptz NOT NULL,
    -- Of a refresh that went well it is written in the transaction that brings the new figures: both are seen, or neither.
    ended_at timestamptz,
    rows bigint CHECK (rows >= 0),
    -- Why it came to nothing: a stable word.
    error text,
    CHECK ((rows IS NOT NULL) = (ended_at IS NOT NULL AND error IS NULL)),
    CHECK (error IS NULL OR ended_at IS NOT NULL)
);
CREATE INDEX view_refreshes_by_view ON view_refreshes (view, id DESC);
GRANT SELECT, INSERT, UPDATE, DELETE ON view_refreshes TO permanence_system;
-- How old its figures are; how many rows all tenants have together is not theirs to know.
GRANT SELECT (id, view, started_at, ended_at, error) ON view_refreshes TO permanence_tenant;

-- Hands a materialised view and the function that reads it over to the system role: called by migrations only. The owner
-- of the schema is bound by row-level security and would fill the view with nothing.
CREATE FUNCTION hand_over_view(view regclass, reader regprocedure) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    GRANT CREATE ON SCHEMA public TO permanence_system;
    EXECUTE format('ALTER MATERIALIZED VIEW %s OWNER TO permanence_system', view);
    EXECUTE format('ALTER FUNCTION %s OWNER TO permanence_system', reader);
    REVOKE CREATE ON SCHEMA public FROM permanence_system;
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO permanence_tenant', reader);
END
$$;
REVOKE ALL ON FUNCTION hand_over_view(regclass, regprocedure) FROM PUBLIC;

-- A refresh beside readers compares the new figures with the old in a temporary table.
DO $$
BEGIN
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO permanence_system', current_database());
END
$$;

-- One refresh at a time: two would take each other's disk and keep the database from tidying up twice as long.
SELECT queue.use_lanes('views');
UPDATE queue.queues SET max_running = 1 WHERE name = 'views';
