-- Exports: files made of a tenant's rows, which lie in the object store for a day at most. A row tells what was asked for,
-- by whom, and what became of it; never what is in the file.
CREATE TABLE exports (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    -- The job that writes it.
    job_id bigint NOT NULL,
    kind text NOT NULL CHECK (kind ~ '^[a-z_]{1,40}$'),
    format text NOT NULL CHECK (format IN ('csv', 'zip', 'xlsx')),
    profile text CHECK (profile IN ('french', 'rfc4180')),
    filters jsonb NOT NULL,
    status text NOT NULL DEFAULT 'queued'
        CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled', 'expired', 'removed')),
    -- Counts the attempts that began: an earlier one ends nothing any more.
    run integer NOT NULL DEFAULT 0,
    -- The multipart upload of the attempt at work, noted before it is used, so that whoever comes after can abort it.
    upload_id text,
    rows bigint CHECK (rows >= 0),
    size_bytes bigint CHECK (size_bytes > 0),
    sha256 bytea CHECK (length(sha256) = 32),
    -- Why it failed: a stable word.
    failure text,
    created_by uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    completed_at timestamptz,
    expires_at timestamptz,
    -- When nothing of it was left in the object store, once it was over.
    cleared_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    CHECK ((profile IS NULL) = (format = 'xlsx')),
    CHECK (status NOT IN ('completed', 'expired')
           OR num_nulls(rows, size_bytes, sha256, completed_at, expires_at) = 0),
    CHECK ((status = 'failed') = (failure IS NOT NULL))
);
CREATE UNIQUE INDEX exports_by_job ON exports (tenant_id, job_id);
CREATE INDEX exports_by_age ON exports (tenant_id, created_at DESC, id);
-- The few that the sweep looks at: at work, there, or over with something left of them.
CREATE INDEX exports_to_clear ON exports (updated_at) WHERE cleared_at IS NULL;

ALTER TABLE exports ENABLE ROW LEVEL SECURITY;
ALTER TABLE exports FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON exports TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON exports TO permanence_system USING (true);
GRANT SELECT, INSERT, UPDATE ON exports TO permanence_tenant;
GRANT SELECT, DELETE ON exports TO permanence_system;

-- What an export is limited to. COPY takes no parameters, so they are settings of its transaction; NULL where there is none.
CREATE FUNCTION export_filter(name text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NULLIF(current_setting('permanence.export_' || name, true), '');
REVOKE ALL ON FUNCTION export_filter(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION export_filter(text) TO permanence_tenant;

-- One practice does not keep the others waiting.
UPDATE queue.queues SET max_running_per_tenant = 2 WHERE name = 'exports';
