-- What was paid and given back, row by row and never changed. Balances are reckoned from it and kept nowhere, so that they
-- cannot drift.
CREATE TABLE payments (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('payment', 'refund')),
    -- Euro cents.
    amount bigint NOT NULL CHECK (amount > 0),
    method text NOT NULL CHECK (method IN ('card', 'cash', 'cheque', 'transfer', 'direct_debit', 'other')),
    payer text NOT NULL CHECK (payer IN ('patient', 'insurer')),
    paid_on date NOT NULL,
    reference text,
    recorded_at timestamptz NOT NULL,
    recorded_by uuid,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoices (tenant_id, id)
);
CREATE INDEX payments_by_invoice ON payments (tenant_id, invoice_id);
CREATE TRIGGER payments_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payments
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE payments ENABLE ROW LEVEL SECURITY;
ALTER TABLE payments FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON payments TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON payments TO permanence_system USING (true);
GRANT SELECT, INSERT ON payments TO permanence_tenant;
GRANT SELECT ON payments TO permanence_system;

-- What each invoice comes to, and how it stands. The sums are grouped, not correlated: for one invoice the planner looks
-- up its few rows, for a list it reads the tenant's once.
CREATE VIEW invoice_balances WITH (security_invoker = true) AS
SELECT i.tenant_id, i.id AS invoice_id, i.gross,
       i.gross - i.insurer_share AS patient_share, i.insurer_share,
       COALESCE(c.gross - c.insurer, 0) AS patient_credited, COALESCE(c.insurer, 0) AS insurer_credited,
       COALESCE(p.patient, 0) AS patient_paid, COALESCE(p.insurer, 0) AS insurer_paid,
       i.gross - i.insurer_share - COALESCE(c.gross - c.insurer, 0) - COALESCE(p.patient, 0) AS patient_left,
       i.insurer_share - COALESCE(c.insurer, 0) - COALESCE(p.insurer, 0) AS insurer_left,
       CASE WHEN i.number IS NULL THEN 'draft'
            WHEN c.gross >= i.gross THEN 'cancelled'
            WHEN COALESCE(p.patient + p.insurer, 0) >= i.gross - COALESCE(c.gross, 0) THEN 'paid'
            WHEN p.patient + p.insurer > 0 THEN 'partly_paid'
            ELSE 'issued' END AS status
FROM invoices i
LEFT JOIN (SELECT tenant_id, credits, sum(gross)::bigint AS gross, sum(insurer_share)::bigint AS insurer
           FROM invoices WHERE credits IS NOT NULL GROUP BY tenant_id, credits) c
       ON c.tenant_id = i.tenant_id AND c.credits = i.id
LEFT JOIN (SELECT tenant_id, invoice_id,
                  COALESCE(sum(CASE kind WHEN 'payment' THEN amount ELSE -amount END)
                           FILTER (WHERE payer = 'patient'), 0)::bigint AS patient,
                  COALESCE(sum(CASE kind WHEN 'payment' THEN amount ELSE -amount END)
                           FILTER (WHERE payer = 'insurer'), 0)::bigint AS insurer
           FROM payments GROUP BY tenant_id, invoice_id) p
       ON p.tenant_id = i.tenant_id AND p.invoice_id = i.id
WHERE i.kind = 'invoice';
GRANT SELECT ON invoice_balances TO permanence_tenant;
