-- Pictures of patients. The client sends one to the object store itself, a job looks at it, and only then it is there. What it
-- shows (title, part of the body, day) is sealed under the patient's key.
CREATE TABLE images (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    status text NOT NULL CHECK (status IN ('awaiting', 'checking', 'available', 'refused')),
    reason text,
    media_type text NOT NULL CHECK (media_type IN ('image/jpeg', 'image/png')),
    bytes bigint NOT NULL CHECK (bytes > 0),
    sha256 bytea CHECK (length(sha256) = 32),
    sealed bytea NOT NULL,
    -- Where the client may put it, and until when: never where it is read from, so that nothing changes after the look.
    upload_key text NOT NULL,
    upload_until timestamptz NOT NULL,
    object_key text,
    thumbnail_key text,
    -- Counts the attempts: whoever is overtaken can note nothing any more.
    run integer NOT NULL DEFAULT 0,
    -- Objects that nobody is led to, or not yet: noted before they are made, gone once they were removed.
    leftovers text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    created_by uuid,
    retracted_at timestamptz,
    retracted_by uuid,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, patient_id) REFERENCES patients (tenant_id, id),
    CHECK ((status = 'available') = (object_key IS NOT NULL)),
    CHECK ((status = 'refused') = (reason IS NOT NULL))
);
CREATE INDEX images_by_patient ON images (tenant_id, patient_id, id DESC);
CREATE INDEX images_unfinished ON images (created_at) WHERE status IN ('awaiting', 'checking');
CREATE INDEX images_to_clear ON images (tenant_id, id) WHERE leftovers <> '{}';
ALTER TABLE images ENABLE ROW LEVEL SECURITY;
ALTER TABLE images FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON images TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON images TO permanence_system USING (true);
GRANT SELECT, INSERT,
    UPDATE (status, reason, sha256, object_key, thumbnail_key, run, leftovers, retracted_at, retracted_by)
    ON images TO permanence_tenant;
GRANT SELECT, UPDATE (status, reason, run, leftovers) ON images TO permanence_system;
