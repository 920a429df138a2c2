-- Patients, practitioners, rooms and appointments. Every key begins with the tenant: a reference or a clash can
-- only ever concern the tenant's own rows, so neither tells anything about another's.
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS unaccent;

-- Lower case without accents. `unaccent(text)` is only STABLE because its dictionary is looked up by search path;
-- naming the dictionary makes this safe to keep in a generated column.
CREATE FUNCTION fold(value text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN lower(public.unaccent('public.unaccent'::regdictionary, value));
GRANT EXECUTE ON FUNCTION fold(text) TO permanence_tenant, permanence_system;
-- The extensions' functions; nothing here is anything but a calculation, except invite_member, which the system role
-- owns.
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO permanence_tenant, permanence_system;

CREATE TABLE patients (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    first_name text NOT NULL CHECK (length(first_name) BETWEEN 1 AND 100),
    last_name text NOT NULL CHECK (length(last_name) BETWEEN 1 AND 100),
    birth_date date,
    email text,
    -- E.164
    phone text CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'),
    language text NOT NULL DEFAULT 'fr' CHECK (language IN ('fr', 'en')),
    sms_consent boolean NOT NULL,
    email_consent boolean NOT NULL,
    -- What is searched: names folded, so that "helene" finds "Hélène".
    search text NOT NULL GENERATED ALWAYS AS (fold(last_name || ' ' || first_name || ' ' || last_name)) STORED,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX patients_by_name ON patients (tenant_id, fold(last_name), fold(first_name), id) WHERE deleted_at IS NULL;

-- Every answer a patient gave, the newest last; the current one is on the patient.
CREATE TABLE patient_consents (
    tenant_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    patient_id uuid NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('reminder_sms', 'reminder_email')),
    granted boolean NOT NULL,
    recorded_at timestamptz NOT NULL,
    recorded_by uuid,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, patient_id) REFERENCES patients (tenant_id, id)
);
CREATE INDEX patient_consents_by_patient ON patient_consents (tenant_id, patient_id, id);

CREATE TABLE practitioners (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    -- The colleague who signs in as this practitioner, if any.
    user_id uuid,
    first_name text NOT NULL CHECK (length(first_name) BETWEEN 1 AND 100),
    last_name text NOT NULL CHECK (length(last_name) BETWEEN 1 AND 100),
    specialty text,
    rpps_number text CHECK (rpps_number ~ '^[0-9]{11}$'),
    adeli_number text CHECK (adeli_number ~ '^[0-9]{9}$'),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES memberships (tenant_id, user_id) ON DELETE SET NULL (user_id)
);
CREATE UNIQUE INDEX practitioners_user ON practitioners (tenant_id, user_id) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX practitioners_rpps ON practitioners (tenant_id, rpps_number) WHERE deleted_at IS NULL;

CREATE TABLE rooms (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX rooms_name ON rooms (tenant_id, fold(name)) WHERE deleted_at IS NULL;

CREATE TABLE appointments (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    practitioner_id uuid NOT NULL,
    room_id uuid,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    -- The civil time that was agreed, and where: the promise to the patient, whatever a zone's rules become.
    starts_local timestamp NOT NULL,
    time_zone text NOT NULL,
    status text NOT NULL DEFAULT 'scheduled' CHECK (status IN ('scheduled', 'cancelled')),
    -- Counts the moves (iTIP SEQUENCE): a reminder planned for an older one is void.
    sequence integer NOT NULL DEFAULT 0,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    cancelled_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, patient_id) REFERENCES patients (tenant_id, id),
    FOREIGN KEY (tenant_id, practitioner_id) REFERENCES practitioners (tenant_id, id),
    FOREIGN KEY (tenant_id, room_id) REFERENCES rooms (tenant_id, id),
    CHECK (starts_at < ends_at),
    CHECK ((status = 'cancelled') = (cancelled_at IS NOT NULL)),
    -- No double booking, whatever path a booking takes.
    CONSTRAINT appointments_practitioner_free EXCLUDE USING gist
        (tenant_id WITH =, practitioner_id WITH =, tstzrange(starts_at, ends_at) WITH &&) WHERE (status = 'scheduled'),
    CONSTRAINT appointments_room_free EXCLUDE USING gist
        (tenant_id WITH =, room_id WITH =, tstzrange(starts_at, ends_at) WITH &&) WHERE (status = 'scheduled'),
    CONSTRAINT appointments_patient_free EXCLUDE USING gist
        (tenant_id WITH =, patient_id WITH =, tstzrange(starts_at, ends_at) WITH &&) WHERE (status = 'scheduled')
);
CREATE INDEX appointments_by_start ON appointments (tenant_id, starts_at);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['patients', 'patient_consents', 'practitioners', 'rooms', 'appointments'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant_rows ON %I TO permanence_tenant USING (tenant_id = current_tenant())', t);
        EXECUTE format('CREATE POLICY system_all ON %I TO permanence_system USING (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO permanence_tenant, permanence_system', t);
    END LOOP;
END
$$;

-- An appointment with the names that an agenda shows; read with the caller's own rights.
CREATE VIEW appointment_details WITH (security_invoker = true) AS
SELECT a.tenant_id, a.id, a.patient_id, p.first_name || ' ' || p.last_name AS patient_name, a.practitioner_id,
       c.first_name || ' ' || c.last_name AS practitioner_name, a.room_id, r.name AS room_name, a.starts_at, a.ends_at,
       a.starts_local, a.time_zone, a.status, a.version, a.created_at, a.updated_at
FROM appointments a
JOIN patients p ON p.tenant_id = a.tenant_id AND p.id = a.patient_id
JOIN practitioners c ON c.tenant_id = a.tenant_id AND c.id = a.practitioner_id
LEFT JOIN rooms r ON r.tenant_id = a.tenant_id AND r.id = a.room_id;
GRANT SELECT ON appointment_details TO permanence_tenant;
