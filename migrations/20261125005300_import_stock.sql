-- Imports of suppliers' files: what was asked for, and the report. The file itself lies in the object store until the
-- import has ended.
CREATE TABLE inventory_imports (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    -- waiting → applied | checked (a dry run that would do) | refused (faults) | failed (given up)
    status text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'applied', 'checked', 'refused', 'failed')),
    mode text NOT NULL CHECK (mode IN ('receive', 'count', 'describe')),
    dry_run boolean NOT NULL,
    -- Which header names which column, where the standard names do not serve.
    mapping jsonb NOT NULL,
    object text NOT NULL,
    bytes bigint NOT NULL,
    -- Counts the runs of the job: one that was overtaken by another may neither stage nor apply.
    run integer NOT NULL DEFAULT 0,
    job_id bigint,
    -- What was found in the file; NULL until it was read.
    encoding text,
    delimiter text,
    columns jsonb NOT NULL DEFAULT '[]',
    lines bigint,
    created bigint,
    updated bigint,
    movements bigint,
    fault_count bigint,
    -- The first ones.
    faults jsonb NOT NULL DEFAULT '[]',
    created_at timestamptz NOT NULL,
    created_by uuid,
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    CHECK ((status = 'waiting') = (finished_at IS NULL))
);

-- The lines of a file while it is being imported. They are made anew by each run and worth nothing after it, so they need
-- not outlive a crash: whoever applies them counts them first.
CREATE UNLOGGED TABLE inventory_import_lines (
    tenant_id uuid NOT NULL,
    import_id uuid NOT NULL,
    run integer NOT NULL,
    line bigint NOT NULL,
    -- What new rows would be called.
    item_id uuid NOT NULL,
    lot_id uuid NOT NULL,
    movement_id uuid NOT NULL,
    reference text NOT NULL,
    key text NOT NULL GENERATED ALWAYS AS (lower(reference)) STORED,
    name text NOT NULL,
    unit text,
    supplier text,
    location text,
    price_cents bigint,
    threshold bigint,
    quantity bigint,
    lot text,
    expires_on date,
    PRIMARY KEY (tenant_id, import_id, run, line)
);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['inventory_imports', 'inventory_import_lines'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant_rows ON %I TO permanence_tenant USING (tenant_id = current_tenant())', t);
        EXECUTE format('CREATE POLICY system_all ON %I TO permanence_system USING (true)', t);
        EXECUTE format('GRANT SELECT ON %I TO permanence_system', t);
    END LOOP;
END
$$;
GRANT SELECT, INSERT, UPDATE ON inventory_imports TO permanence_tenant;
GRANT SELECT, INSERT, DELETE ON inventory_import_lines TO permanence_tenant;
