-- Erasing what a practice holds of a patient: asked for, put off for thirty days in which it can be taken back, then done and
-- proved. What the law keeps is taken out of sight and sealed.
CREATE TABLE patient_erasures (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'cancelled', 'running', 'completed')),
    requested_at timestamptz NOT NULL,
    requested_by uuid,
    -- Until then it can be cancelled; from then on it is done.
    due_at timestamptz NOT NULL,
    cancelled_at timestamptz,
    cancelled_by uuid,
    -- Each step, once it is done. A run that dies goes on from the last.
    erased_at timestamptz,
    objects_removed_at timestamptz,
    verified_at timestamptz,
    completed_at timestamptz,
    -- What is searched for afterwards, sealed under the patient's own key; gone with it.
    identifiers bytea,
    -- What was destroyed and what is kept: tables, counts, laws and dates.
    destroyed jsonb NOT NULL DEFAULT '[]',
    kept jsonb NOT NULL DEFAULT '[]',
    -- Where the search still found something: places, never content.
    findings jsonb NOT NULL DEFAULT '[]',
    certificate jsonb,
    -- Where its PDF lies.
    certificate_paper text,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, patient_id) REFERENCES patients (tenant_id, id),
    CHECK ((status = 'cancelled') = (cancelled_at IS NOT NULL)),
    CHECK ((status = 'completed') = (completed_at IS NOT NULL)),
    CHECK (status <> 'completed' OR (certificate IS NOT NULL AND identifiers IS NULL))
);
CREATE UNIQUE INDEX patient_erasures_once ON patient_erasures (tenant_id, patient_id) WHERE status <> 'cancelled';
CREATE INDEX patient_erasures_due ON patient_erasures (tenant_id, due_at) WHERE status IN ('pending', 'running');
ALTER TABLE patient_erasures ENABLE ROW LEVEL SECURITY;
ALTER TABLE patient_erasures FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON patient_erasures TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON patient_erasures TO permanence_system USING (true);
GRANT SELECT, INSERT, UPDATE ON patient_erasures TO permanence_tenant;
GRANT SELECT ON patient_erasures TO permanence_system;

-- What the law keeps of somebody who was erased: sealed under the key that outlives the erasure.
CREATE TABLE retained (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    erasure_id uuid NOT NULL,
    what text NOT NULL CHECK (what IN ('identity', 'invoice', 'payment')),
    -- The row that it was taken from.
    row_id uuid NOT NULL,
    sealed bytea NOT NULL,
    law text NOT NULL,
    kept_until date NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, what, row_id),
    FOREIGN KEY (tenant_id, erasure_id) REFERENCES patient_erasures (tenant_id, id)
);
CREATE INDEX retained_by_erasure ON retained (tenant_id, erasure_id);
CREATE INDEX retained_by_end ON retained (kept_until);
ALTER TABLE retained ENABLE ROW LEVEL SECURITY;
ALTER TABLE retained FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON retained TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON retained TO permanence_system USING (true);
GRANT SELECT, INSERT, DELETE ON retained TO permanence_tenant;
GRANT SELECT ON retained TO permanence_system;

-- What is issued never changes, with one exception: its personal words may be taken out, exactly as here, once the whole of it is
-- kept under seal. Numbers, days and amounts stay.
CREATE FUNCTION erased_document(document jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT document
        || '{"buyer_reference": null, "words": null}'
        || CASE WHEN document #>> '{buyer,siren}' IS NULL
           THEN '{"buyer": {"name": "Personne effacée", "address": null, "siren": null, "vat_id": null, "email": null}}'::jsonb
           ELSE '{}' END
        || jsonb_build_object('lines', (SELECT jsonb_agg(line || '{"name": "Prestation", "description": null}')
                                        FROM jsonb_array_elements(document -> 'lines') AS line))
        || jsonb_build_object('allowances', (SELECT coalesce(jsonb_agg(less || '{"reason": "Remise"}'), '[]')
                                             FROM jsonb_array_elements(document -> 'allowances') AS less))
$$;
CREATE FUNCTION erased_content(content jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT content - 'buyer' - 'buyer_reference' - 'lines' - 'discounts' - 'insurer'
$$;
GRANT EXECUTE ON FUNCTION erased_document(jsonb), erased_content(jsonb) TO permanence_tenant;

CREATE FUNCTION keep_what_was_issued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE'
       AND NEW.document = erased_document(OLD.document) AND NEW.content = erased_content(OLD.content)
       AND to_jsonb(NEW) - 'document' - 'content' = to_jsonb(OLD) - 'document' - 'content'
       AND EXISTS (SELECT FROM retained r
                   WHERE r.tenant_id = OLD.tenant_id AND r.what = 'invoice' AND r.row_id = OLD.id) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'what was issued is never changed or deleted' USING ERRCODE = 'insufficient_privilege';
END
$$;
DROP TRIGGER invoices_issued_are_frozen ON invoices;
CREATE TRIGGER invoices_issued_are_frozen BEFORE UPDATE OR DELETE ON invoices
    FOR EACH ROW WHEN (OLD.number IS NOT NULL) EXECUTE FUNCTION keep_what_was_issued();

-- The reference of a payment is free text, and may name who paid: it may be taken out in the same way.
CREATE FUNCTION keep_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.reference IS NULL AND to_jsonb(NEW) - 'reference' = to_jsonb(OLD) - 'reference'
       AND EXISTS (SELECT FROM retained r
                   WHERE r.tenant_id = OLD.tenant_id AND r.what = 'payment' AND r.row_id = OLD.id) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'payments is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
DROP TRIGGER payments_are_append_only ON payments;
CREATE TRIGGER payments_are_append_only BEFORE UPDATE OR DELETE ON payments
    FOR EACH ROW EXECUTE FUNCTION keep_payment();
CREATE TRIGGER payments_are_not_emptied BEFORE TRUNCATE ON payments
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT UPDATE (reference) ON payments TO permanence_tenant;

GRANT DELETE ON patient_links TO permanence_tenant;

-- When somebody was erased; their row stays, so that what is counted still counts.
ALTER TABLE patients ADD COLUMN erased_at timestamptz CHECK (erased_at IS NULL OR deleted_at IS NOT NULL);
