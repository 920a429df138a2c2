-- How each issued invoice stands, kept beside it: lists, receivables and reminders then read what is open by an index instead of
-- adding up every payment that a practice ever had. `invoice_balances` stays the one definition of what is left; what changes it
-- has it reckoned anew for that invoice, in the same transaction.
CREATE TABLE invoice_states (
    tenant_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    status text NOT NULL CHECK (status IN ('issued', 'partly_paid', 'paid', 'cancelled')),
    -- Euro cents; less than nothing is to be given back.
    patient_left bigint NOT NULL,
    insurer_left bigint NOT NULL,
    PRIMARY KEY (tenant_id, invoice_id),
    FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoices (tenant_id, id)
);
CREATE INDEX invoice_states_open ON invoice_states (tenant_id, invoice_id) INCLUDE (patient_left, insurer_left)
    WHERE patient_left > 0 OR insurer_left > 0;
CREATE INDEX invoice_states_by_status ON invoice_states (tenant_id, status, invoice_id);
ALTER TABLE invoice_states ENABLE ROW LEVEL SECURITY;
ALTER TABLE invoice_states FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON invoice_states TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON invoice_states TO permanence_system USING (true);
GRANT SELECT, INSERT, UPDATE ON invoice_states TO permanence_tenant;
GRANT SELECT ON invoice_states TO permanence_system;

INSERT INTO invoice_states
SELECT i.tenant_id, i.id, b.status, b.patient_left, b.insurer_left
FROM invoices i JOIN invoice_balances b ON b.tenant_id = i.tenant_id AND b.invoice_id = i.id
WHERE i.number IS NOT NULL;

CREATE FUNCTION reckon_invoice_state(tenant uuid, invoice uuid) RETURNS void
    LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
BEGIN
    -- Of two payments at once the second waits, and then sees the first.
    PERFORM FROM invoices WHERE tenant_id = tenant AND id = invoice FOR NO KEY UPDATE;
    INSERT INTO invoice_states AS s (tenant_id, invoice_id, status, patient_left, insurer_left)
    SELECT b.tenant_id, b.invoice_id, b.status, b.patient_left, b.insurer_left
    FROM invoice_balances b WHERE b.tenant_id = tenant AND b.invoice_id = invoice AND b.status <> 'draft'
    ON CONFLICT (tenant_id, invoice_id) DO UPDATE
        SET status = excluded.status, patient_left = excluded.patient_left, insurer_left = excluded.insurer_left;
END
$$;
GRANT EXECUTE ON FUNCTION reckon_invoice_state(uuid, uuid) TO permanence_tenant;

-- An invoice is issued, or a credit note takes some of one back.
CREATE FUNCTION reckon_issued() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM reckon_invoice_state(NEW.tenant_id, CASE NEW.kind WHEN 'credit_note' THEN NEW.credits ELSE NEW.id END);
    RETURN NULL;
END
$$;
CREATE TRIGGER invoices_state_on_insert AFTER INSERT ON invoices
    FOR EACH ROW WHEN (NEW.kind <> 'quote' AND NEW.number IS NOT NULL) EXECUTE FUNCTION reckon_issued();
CREATE TRIGGER invoices_state_on_issue AFTER UPDATE OF number ON invoices
    FOR EACH ROW WHEN (NEW.kind <> 'quote' AND NEW.number IS NOT NULL AND OLD.number IS NULL) EXECUTE FUNCTION reckon_issued();

CREATE FUNCTION reckon_paid() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM reckon_invoice_state(NEW.tenant_id, NEW.invoice_id);
    RETURN NULL;
END
$$;
CREATE TRIGGER payments_state AFTER INSERT ON payments FOR EACH ROW EXECUTE FUNCTION reckon_paid();
