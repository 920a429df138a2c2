-- What is known of a person, asked for by right (GDPR art. 15 and 20) and made a file that can be fetched for a day. The file is
-- an export like any other as far as its life goes; the request stays when the file is gone: that it was answered in time is
-- to be shown for longer.
ALTER TABLE exports ADD COLUMN personal boolean NOT NULL DEFAULT false;

CREATE TABLE access_requests (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    -- Of whom: a patient, or a user for themselves.
    patient_id uuid,
    user_id uuid,
    -- No reference: the export's row is forgotten before this one.
    export_id uuid NOT NULL,
    requested_at timestamptz NOT NULL,
    requested_by uuid,
    -- Last day to answer: a month after the request (GDPR art. 12 (3)).
    due_on date NOT NULL,
    -- When its file was first fetched.
    fetched_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, patient_id) REFERENCES patients (tenant_id, id),
    CHECK (num_nonnulls(patient_id, user_id) = 1)
);
CREATE INDEX access_requests_of_patient ON access_requests (tenant_id, patient_id, requested_at DESC)
    WHERE patient_id IS NOT NULL;
CREATE INDEX access_requests_of_user ON access_requests (tenant_id, user_id, requested_at DESC) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX access_requests_by_export ON access_requests (tenant_id, export_id);
ALTER TABLE access_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_requests FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON access_requests TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON access_requests TO permanence_system USING (true);
GRANT SELECT, INSERT, UPDATE (fetched_at) ON access_requests TO permanence_tenant;
GRANT SELECT ON access_requests TO permanence_system;

-- Who did what to one patient's things.
CREATE INDEX audit_log_of_resource ON audit_log (tenant_id, resource_id, id) WHERE resource_id IS NOT NULL;
