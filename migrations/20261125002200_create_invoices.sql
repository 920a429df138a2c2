-- Invoices, credit notes and quotes. A draft may change; from the moment it has a number nothing of it ever does (CGI
-- ann. II 242 nonies A; kept 10 years, C. com. L123-22): what happens to it later, such as a payment, is rows beside it.
CREATE TABLE invoices (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('invoice', 'credit_note', 'quote')),
    patient_id uuid,
    -- The invoice that a credit note takes back.
    credits uuid,
    -- The quote that an invoice came from.
    quote_id uuid,
    -- Which lines of the invoice a credit note takes back, and how much of each.
    credited_lines jsonb CHECK (jsonb_typeof(credited_lines) = 'array'),
    -- What was written, as it was written.
    content jsonb NOT NULL CHECK (jsonb_typeof(content) = 'object'),
    -- With VAT, and the part of it that the complementary insurer pays: euro cents.
    gross bigint NOT NULL CHECK (gross >= 0),
    insurer_share bigint NOT NULL DEFAULT 0 CHECK (insurer_share BETWEEN 0 AND gross),
    number text,
    issued_at timestamptz,
    issued_on date,
    due_on date,
    -- All that it says, frozen with its number.
    document jsonb,
    -- Why the practice's own words were not used, where they failed.
    template_fallback text,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, patient_id) REFERENCES patients (tenant_id, id),
    FOREIGN KEY (tenant_id, credits) REFERENCES invoices (tenant_id, id),
    FOREIGN KEY (tenant_id, quote_id) REFERENCES invoices (tenant_id, id),
    -- A credit note has no draft.
    CHECK ((kind = 'credit_note') = (credits IS NOT NULL) AND (kind = 'credit_note') = (credited_lines IS NOT NULL)),
    CHECK (kind <> 'credit_note' OR number IS NOT NULL),
    CHECK (quote_id IS NULL OR kind = 'invoice'),
    CHECK (num_nulls(number, issued_at, issued_on, due_on, document) IN (0, 5))
);
CREATE UNIQUE INDEX invoices_number ON invoices (tenant_id, (kind = 'quote'), number) WHERE number IS NOT NULL;
CREATE UNIQUE INDEX invoices_quote ON invoices (tenant_id, quote_id) WHERE quote_id IS NOT NULL;
CREATE INDEX invoices_by_creation ON invoices (tenant_id, created_at DESC, id DESC);
CREATE INDEX invoices_by_patient ON invoices (tenant_id, patient_id, created_at DESC) WHERE patient_id IS NOT NULL;
CREATE INDEX invoices_by_credited ON invoices (tenant_id, credits) WHERE credits IS NOT NULL;
CREATE INDEX invoices_by_due ON invoices (tenant_id, due_on) WHERE kind = 'invoice' AND number IS NOT NULL;

-- Holds for everybody, the owner of the tables too.
CREATE FUNCTION refuse_change_of_issued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what was issued is never changed or deleted' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER invoices_issued_are_frozen BEFORE UPDATE OR DELETE ON invoices
    FOR EACH ROW WHEN (OLD.number IS NOT NULL) EXECUTE FUNCTION refuse_change_of_issued();
CREATE TRIGGER invoices_are_not_emptied BEFORE TRUNCATE ON invoices
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_issued();

-- The last number of each series. Its row is the one lock by which issues of a practice take turns; those of another
-- practice, or of another series, never wait for it. Rolled back with the transaction: a number that was not committed
-- was never taken.
CREATE TABLE invoice_series (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    -- Credit notes count among the invoices, under a prefix of their own or the same.
    family text NOT NULL CHECK (family IN ('invoice', 'quote')),
    prefix text NOT NULL,
    year integer NOT NULL,
    last bigint NOT NULL CHECK (last >= 1),
    -- The day of the last number: the next is never dated before.
    last_issued_on date NOT NULL,
    PRIMARY KEY (tenant_id, family, prefix, year)
);

-- Which appointment is on which invoice: one at most, until a credit note has taken all of it back.
CREATE TABLE appointment_invoices (
    tenant_id uuid NOT NULL,
    appointment_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, appointment_id),
    FOREIGN KEY (tenant_id, appointment_id) REFERENCES appointments (tenant_id, id),
    FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoices (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX appointment_invoices_by_invoice ON appointment_invoices (tenant_id, invoice_id);

-- What a quote was answered, once.
CREATE TABLE quote_answers (
    tenant_id uuid NOT NULL,
    quote_id uuid NOT NULL,
    answer text NOT NULL CHECK (answer IN ('accepted', 'refused')),
    answered_on date NOT NULL,
    recorded_at timestamptz NOT NULL,
    recorded_by uuid,
    PRIMARY KEY (tenant_id, quote_id),
    FOREIGN KEY (tenant_id, quote_id) REFERENCES invoices (tenant_id, id)
);

-- Where the PDF lies that was made of it, once.
CREATE TABLE invoice_papers (
    tenant_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    object_key text NOT NULL,
    sha256 bytea NOT NULL CHECK (length(sha256) = 32),
    bytes bigint NOT NULL CHECK (bytes > 0),
    made_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, invoice_id),
    FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoices (tenant_id, id)
);
CREATE TRIGGER invoice_papers_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON invoice_papers
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER quote_answers_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON quote_answers
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['invoices', 'invoice_series', 'appointment_invoices', 'quote_answers', 'invoice_papers'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant_rows ON %I TO permanence_tenant USING (tenant_id = current_tenant())', t);
        EXECUTE format('CREATE POLICY system_all ON %I TO permanence_system USING (true)', t);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO permanence_tenant', t);
        EXECUTE format('GRANT SELECT ON %I TO permanence_system', t);
    END LOOP;
END
$$;
GRANT UPDATE, DELETE ON invoices TO permanence_tenant;
GRANT UPDATE ON invoice_series TO permanence_tenant;
GRANT DELETE ON appointment_invoices TO permanence_tenant;
