-- Specimens of papers: what a practice's words look like before they are put in force. Gone after a day, with their objects.
CREATE TABLE invoice_previews (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    -- Whole, as that of an issued invoice is: the job that draws it reads nothing else.
    document jsonb NOT NULL,
    object_key text,
    created_at timestamptz NOT NULL,
    created_by uuid,
    PRIMARY KEY (tenant_id, id)
);
ALTER TABLE invoice_previews ENABLE ROW LEVEL SECURITY;
ALTER TABLE invoice_previews FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON invoice_previews TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON invoice_previews TO permanence_system USING (true);
GRANT SELECT, INSERT, DELETE ON invoice_previews TO permanence_tenant;
GRANT UPDATE (object_key) ON invoice_previews TO permanence_tenant;
GRANT SELECT ON invoice_previews TO permanence_system;
