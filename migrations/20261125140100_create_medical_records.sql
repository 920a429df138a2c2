-- Medical records: what is written is sealed under the patient's key, whole; in clear is only which patient, when and by whom.
CREATE TABLE medical_records (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    version integer NOT NULL DEFAULT 1 CHECK (version >= 1),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    -- Written in error: kept, for it was read, and shown as what it is.
    retracted_at timestamptz,
    retracted_by uuid,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, patient_id) REFERENCES patients (tenant_id, id)
);
CREATE INDEX medical_records_by_patient ON medical_records (tenant_id, patient_id, id DESC);
ALTER TABLE medical_records ENABLE ROW LEVEL SECURITY;
ALTER TABLE medical_records FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON medical_records TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON medical_records TO permanence_system USING (true);
GRANT SELECT, INSERT, UPDATE (version, updated_at, updated_by, retracted_at, retracted_by) ON medical_records
    TO permanence_tenant;
GRANT SELECT ON medical_records TO permanence_system;

-- Every version, the present one too. None is ever changed.
CREATE TABLE medical_record_versions (
    tenant_id uuid NOT NULL,
    record_id uuid NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    sealed bytea NOT NULL,
    written_at timestamptz NOT NULL,
    written_by uuid,
    PRIMARY KEY (tenant_id, record_id, version),
    FOREIGN KEY (tenant_id, record_id) REFERENCES medical_records (tenant_id, id)
);
ALTER TABLE medical_record_versions ENABLE ROW LEVEL SECURITY;
ALTER TABLE medical_record_versions FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON medical_record_versions TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON medical_record_versions TO permanence_system USING (true);
GRANT SELECT, INSERT ON medical_record_versions TO permanence_tenant;
GRANT SELECT ON medical_record_versions TO permanence_system;
