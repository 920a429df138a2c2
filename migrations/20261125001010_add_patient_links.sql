-- The links that messages carry, by which a patient who has not signed in confirms or cancels an appointment, or stops
-- mails. A token is derived from what the link is for, under a key that the database does not hold, so that a message
-- that is written again holds the same link; here is only the token's hash.
CREATE TABLE patient_links (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    -- HMAC-SHA-256 of the token under the refresh key: a copy of the table opens nothing.
    token_hash bytea NOT NULL,
    patient_id uuid NOT NULL,
    -- The appointment, and the one move of it for which the link holds. Without them the link stops mails.
    appointment_id uuid,
    appointment_sequence integer,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, patient_id) REFERENCES patients (tenant_id, id),
    FOREIGN KEY (tenant_id, appointment_id) REFERENCES appointments (tenant_id, id),
    CHECK ((appointment_id IS NULL) = (appointment_sequence IS NULL))
);
CREATE UNIQUE INDEX patient_links_by_hash ON patient_links (token_hash);

ALTER TABLE patient_links ENABLE ROW LEVEL SECURITY;
ALTER TABLE patient_links FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON patient_links TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON patient_links TO permanence_system USING (true);
GRANT SELECT, INSERT ON patient_links TO permanence_tenant;
GRANT SELECT, DELETE ON patient_links TO permanence_system;
