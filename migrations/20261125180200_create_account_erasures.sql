-- The erasure of a person's account, across the whole platform: asked for by the person, put off for thirty days in which it can be
-- taken back, then done and proved. It belongs to the person, not to a tenant: that somebody leaves is nobody else's business.
CREATE TABLE account_erasures (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id),
    -- The tenant in which it was asked for: under its keys lies what is searched for.
    home_id uuid NOT NULL REFERENCES tenants (id),
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'cancelled', 'running', 'completed')),
    requested_at timestamptz NOT NULL,
    -- From then on it is done; it can be taken back until it has begun.
    due_at timestamptz NOT NULL,
    -- Why, in the person's own words; gone with the account.
    reason text CHECK (length(reason) BETWEEN 1 AND 200),
    cancelled_at timestamptz,
    -- What it waits for although its day has come: nobody else in charge of a tenant, patients with appointments.
    held jsonb NOT NULL DEFAULT '[]',
    -- Each step, once it is done. A run that dies goes on from the last.
    begun_at timestamptz,
    erased_at timestamptz,
    completed_at timestamptz,
    -- Where the person belonged, until it is completed: there names are searched for, addresses everywhere.
    tenants uuid[] NOT NULL DEFAULT '{}',
    -- What is searched for afterwards, sealed under a key of the person's own; gone with it.
    identifiers bytea,
    -- What was destroyed and what is kept: tables, counts, laws and dates.
    destroyed jsonb NOT NULL DEFAULT '[]',
    kept jsonb NOT NULL DEFAULT '[]',
    -- Where the search still found something: places, never content.
    findings jsonb NOT NULL DEFAULT '[]',
    certificate jsonb,
    -- Where its PDF lies.
    certificate_paper text,
    -- HMAC-SHA-256 of the token of the last mail, by which the person fetches the certificate, and until when.
    link_hash bytea,
    link_ends_at timestamptz,
    CHECK ((status = 'cancelled') = (cancelled_at IS NOT NULL)),
    CHECK (status IN ('pending', 'cancelled') = (begun_at IS NULL)),
    CHECK ((status = 'completed') = (completed_at IS NOT NULL)),
    CHECK (status IN ('pending', 'running') OR reason IS NULL),
    CHECK (status <> 'completed' OR (certificate IS NOT NULL AND identifiers IS NULL AND erased_at IS NOT NULL)),
    CHECK ((link_hash IS NULL) = (link_ends_at IS NULL))
);
CREATE UNIQUE INDEX account_erasures_once ON account_erasures (user_id) WHERE status <> 'cancelled';
CREATE INDEX account_erasures_by_user ON account_erasures (user_id, requested_at DESC);
CREATE INDEX account_erasures_due ON account_erasures (due_at) WHERE status IN ('pending', 'running');
CREATE UNIQUE INDEX account_erasures_by_link ON account_erasures (link_hash) WHERE link_hash IS NOT NULL;
ALTER TABLE account_erasures ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_erasures FORCE ROW LEVEL SECURITY;
CREATE POLICY system_all ON account_erasures TO permanence_system USING (true);
CREATE POLICY own_rows ON account_erasures FOR SELECT TO permanence_person USING (user_id = current_person());
GRANT SELECT, INSERT, UPDATE ON account_erasures TO permanence_system;
GRANT SELECT (id, user_id, status, requested_at, due_at, reason, cancelled_at, held) ON account_erasures TO permanence_person;

-- The row of an account that was erased stays, as that of nobody: what others wrote down refers to it.
ALTER TABLE users ADD COLUMN erased_at timestamptz CHECK (erased_at IS NULL OR password_hash IS NULL);

-- The patients that a person was through a company are erased with the account.
ALTER TABLE patient_erasures ADD COLUMN account_erasure_id uuid REFERENCES account_erasures (id);
CREATE INDEX patient_erasures_of_account ON patient_erasures (account_erasure_id) WHERE account_erasure_id IS NOT NULL;
CREATE INDEX employee_patients_by_user ON employee_patients (user_id);
