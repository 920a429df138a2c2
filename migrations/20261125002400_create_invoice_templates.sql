-- A practice's own words for its invoices, credit notes and quotes, in Markdown. A version is never changed; the newest is
-- in force, and going back to the standard words is a version too.
CREATE TABLE invoice_templates (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    kind text NOT NULL CHECK (kind IN ('invoice', 'credit_note', 'quote')),
    version integer NOT NULL CHECK (version >= 1),
    -- Without a text: back to the standard words.
    body text CHECK (length(body) >= 1),
    created_at timestamptz NOT NULL,
    created_by uuid,
    PRIMARY KEY (tenant_id, kind, version)
);
ALTER TABLE invoice_templates ENABLE ROW LEVEL SECURITY;
ALTER TABLE invoice_templates FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON invoice_templates TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON invoice_templates TO permanence_system USING (true);
GRANT SELECT, INSERT ON invoice_templates TO permanence_tenant;
GRANT SELECT ON invoice_templates TO permanence_system;
