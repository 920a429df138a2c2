-- Mails about invoices: the paper itself on request, and reminders of what is overdue. The intent is noted before a mail
-- leaves and the receipt after, so that none leaves twice on suspicion.
CREATE TABLE invoice_mails (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('paper', 'reminder')),
    -- Of a reminder: how many days after the last day to pay it is meant for.
    step integer CHECK (step >= 1),
    -- planned → sending → sent | failed | uncertain; cancelled where it was no longer owed.
    status text NOT NULL DEFAULT 'planned'
        CHECK (status IN ('planned', 'sending', 'sent', 'failed', 'uncertain', 'cancelled')),
    -- The reason or the provider's code.
    code text,
    provider text,
    provider_message_id text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    sent_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoices (tenant_id, id),
    CHECK ((purpose = 'reminder') = (step IS NOT NULL))
);
-- Once for each step.
CREATE UNIQUE INDEX invoice_mails_step ON invoice_mails (tenant_id, invoice_id, step) WHERE step IS NOT NULL;
CREATE INDEX invoice_mails_by_invoice ON invoice_mails (tenant_id, invoice_id, created_at);
ALTER TABLE invoice_mails ENABLE ROW LEVEL SECURITY;
ALTER TABLE invoice_mails FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON invoice_mails TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON invoice_mails TO permanence_system USING (true);
GRANT SELECT, INSERT, UPDATE ON invoice_mails TO permanence_tenant;
GRANT SELECT ON invoice_mails TO permanence_system;
