-- What the practice charges for, so that an appointment can become an invoice without anybody writing a price. An
-- appointment may name its service; of the others the most fitting automatic one is taken.
CREATE TABLE services (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    -- Euro cents before VAT.
    unit_price bigint NOT NULL CHECK (unit_price BETWEEN 0 AND 100000000),
    -- Category and rate; without it the practice's usual VAT.
    vat jsonb CHECK (jsonb_typeof(vat) = 'object'),
    -- Whether it is taken for an appointment that names no service, and for which: of this practitioner, of this length.
    automatic boolean NOT NULL DEFAULT false,
    practitioner_id uuid,
    minutes integer CHECK (minutes BETWEEN 5 AND 720),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, practitioner_id) REFERENCES practitioners (tenant_id, id),
    CHECK (automatic OR num_nonnulls(practitioner_id, minutes) = 0)
);
CREATE UNIQUE INDEX services_name ON services (tenant_id, fold(name)) WHERE deleted_at IS NULL;
-- Of two that fit alike nobody could say which is meant.
CREATE UNIQUE INDEX services_automatic
    ON services (tenant_id, COALESCE(practitioner_id, '00000000-0000-0000-0000-000000000000'), COALESCE(minutes, 0))
    WHERE automatic AND deleted_at IS NULL;

ALTER TABLE services ENABLE ROW LEVEL SECURITY;
ALTER TABLE services FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON services TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON services TO permanence_system USING (true);
GRANT SELECT, INSERT, UPDATE ON services TO permanence_tenant;
GRANT SELECT ON services TO permanence_system;

ALTER TABLE appointments ADD COLUMN service_id uuid,
    ADD FOREIGN KEY (tenant_id, service_id) REFERENCES services (tenant_id, id);
CREATE OR REPLACE VIEW appointment_details WITH (security_invoker = true) AS
SELECT a.tenant_id, a.id, a.patient_id, p.first_name || ' ' || p.last_name AS patient_name, a.practitioner_id,
       c.first_name || ' ' || c.last_name AS practitioner_name, a.room_id, r.name AS room_name, a.starts_at, a.ends_at,
       a.starts_local, a.time_zone, a.status, a.version, a.created_at, a.updated_at, a.confirmed_at,
       a.reason, a.service_id
FROM appointments a
JOIN patients p ON p.tenant_id = a.tenant_id AND p.id = a.patient_id
JOIN practitioners c ON c.tenant_id = a.tenant_id AND c.id = a.practitioner_id
LEFT JOIN rooms r ON r.tenant_id = a.tenant_id AND r.id = a.room_id;
