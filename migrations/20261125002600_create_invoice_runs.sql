-- Invoicing all appointments of a period at once: each appointment is a job of one batch, and its end a row here.
CREATE TABLE invoice_runs (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    from_day date NOT NULL,
    to_day date NOT NULL,
    practitioner_id uuid,
    created_at timestamptz NOT NULL,
    created_by uuid,
    ended_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, practitioner_id) REFERENCES practitioners (tenant_id, id),
    CHECK (from_day <= to_day)
);
CREATE TABLE invoice_run_items (
    tenant_id uuid NOT NULL,
    run_id uuid NOT NULL,
    appointment_id uuid NOT NULL,
    status text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'issued', 'skipped', 'failed')),
    -- Why it was skipped or failed: a stable code.
    reason text,
    invoice_id uuid,
    PRIMARY KEY (tenant_id, run_id, appointment_id),
    FOREIGN KEY (tenant_id, run_id) REFERENCES invoice_runs (tenant_id, id),
    FOREIGN KEY (tenant_id, appointment_id) REFERENCES appointments (tenant_id, id),
    FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoices (tenant_id, id),
    CHECK ((status = 'issued') = (invoice_id IS NOT NULL)),
    CHECK ((status IN ('skipped', 'failed')) = (reason IS NOT NULL))
);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['invoice_runs', 'invoice_run_items'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant_rows ON %I TO permanence_tenant USING (tenant_id = current_tenant())', t);
        EXECUTE format('CREATE POLICY system_all ON %I TO permanence_system USING (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO permanence_tenant', t);
        EXECUTE format('GRANT SELECT ON %I TO permanence_system', t);
    END LOOP;
END
$$;
