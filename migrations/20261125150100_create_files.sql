-- Files that people hand in. The object store has them sealed, each under a key of its own, which lies here, sealed under the
-- key of the patient, or of the practice where none is named. Kept out of sight once they were retracted.
CREATE TABLE files (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('document', 'certificate', 'report', 'other')),
    patient_id uuid,
    media_type text NOT NULL CHECK (media_type IN ('image/jpeg', 'image/png', 'application/pdf')),
    bytes bigint NOT NULL CHECK (bytes > 0),
    sealed_key bytea NOT NULL,
    object_key text NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid,
    retracted_at timestamptz,
    retracted_by uuid,
    -- When the object store gave it up: only what belongs to no patient.
    cleared_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, patient_id) REFERENCES patients (tenant_id, id)
);
CREATE INDEX files_by_patient ON files (tenant_id, patient_id, id DESC) WHERE retracted_at IS NULL;
ALTER TABLE files ENABLE ROW LEVEL SECURITY;
ALTER TABLE files FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON files TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON files TO permanence_system USING (true);
GRANT SELECT, INSERT, UPDATE (retracted_at, retracted_by, cleared_at) ON files TO permanence_tenant;
GRANT SELECT ON files TO permanence_system;
