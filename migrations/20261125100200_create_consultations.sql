-- Consultations: appointments of a practice that a company's employee booked. They lie with the practice, like the
-- appointment: the employer's tenant reads no row here, and learns counts by views alone.

-- The patient that an employee is to a practice.
CREATE TABLE employee_patients (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    user_id uuid NOT NULL REFERENCES users (id),
    patient_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, patient_id) REFERENCES patients (tenant_id, id)
);

CREATE TABLE consultations (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    appointment_id uuid NOT NULL,
    company_id uuid NOT NULL REFERENCES tenants (id),
    -- As it was when it was booked: what the practice bills by, without reading another tenant.
    company_name text NOT NULL,
    employee_id uuid NOT NULL REFERENCES users (id),
    status text NOT NULL DEFAULT 'scheduled'
        CHECK (status IN ('scheduled', 'confirmed', 'in_progress', 'completed', 'cancelled', 'no_show')),
    billing_status text NOT NULL DEFAULT 'pending' CHECK (billing_status IN ('pending', 'validated')),
    confirmed_at timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    -- Whole minutes from start to end; reckoned by the trigger, whoever writes.
    actual_minutes integer CHECK (actual_minutes >= 0),
    cancelled_at timestamptz,
    cancelled_by uuid,
    cancel_reason text CHECK (length(cancel_reason) BETWEEN 1 AND 200),
    no_show_at timestamptz,
    no_show_by uuid,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, appointment_id),
    FOREIGN KEY (tenant_id, appointment_id) REFERENCES appointments (tenant_id, id),
    CHECK (started_at <= ended_at),
    CHECK ((status = 'completed') = (ended_at IS NOT NULL)),
    CHECK (status NOT IN ('in_progress', 'completed') OR started_at IS NOT NULL),
    CHECK ((status = 'cancelled') = (cancelled_at IS NOT NULL)),
    CHECK ((status = 'no_show') = (no_show_at IS NOT NULL)),
    CHECK ((billing_status = 'validated') = (status = 'completed'))
);
-- What one employee has booked, with whichever practice.
CREATE INDEX consultations_by_employee ON consultations (company_id, employee_id);

CREATE FUNCTION reckon_consultation() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.actual_minutes := round(extract(epoch FROM NEW.ended_at - NEW.started_at) / 60)::integer;
    RETURN NEW;
END
$$;
CREATE TRIGGER consultations_are_reckoned BEFORE INSERT OR UPDATE ON consultations
    FOR EACH ROW EXECUTE FUNCTION reckon_consultation();

-- What happened to a consultation. Rows are added and never change.
CREATE TABLE consultation_events (
    tenant_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    consultation_id uuid NOT NULL,
    kind text NOT NULL
        CHECK (kind IN ('scheduled', 'confirmed', 'room_joined', 'started', 'ended', 'cancelled', 'no_show')),
    at timestamptz NOT NULL,
    actor_id uuid,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, consultation_id) REFERENCES consultations (tenant_id, id)
);
CREATE INDEX consultation_events_by_consultation ON consultation_events (tenant_id, consultation_id, id);

-- An appointment that the practice cancels takes its consultation with it, whatever path the cancelling takes.
CREATE FUNCTION cancel_consultation() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    WITH gone AS (
        UPDATE consultations
        SET status = 'cancelled', cancelled_at = NEW.cancelled_at, updated_at = NEW.cancelled_at, version = version + 1
        WHERE tenant_id = NEW.tenant_id AND appointment_id = NEW.id AND status IN ('scheduled', 'confirmed')
        RETURNING tenant_id, id
    )
    INSERT INTO consultation_events (tenant_id, consultation_id, kind, at)
    SELECT tenant_id, id, 'cancelled', NEW.cancelled_at FROM gone;
    RETURN NULL;
END
$$;
CREATE TRIGGER appointments_cancel_consultations AFTER UPDATE OF status ON appointments
    FOR EACH ROW WHEN (NEW.status = 'cancelled' AND OLD.status <> 'cancelled') EXECUTE FUNCTION cancel_consultation();

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['employee_patients', 'consultations', 'consultation_events'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant_rows ON %I TO permanence_tenant USING (tenant_id = current_tenant())', t);
        EXECUTE format('CREATE POLICY system_all ON %I TO permanence_system USING (true)', t);
        EXECUTE format('GRANT SELECT ON %I TO permanence_system', t);
    END LOOP;
END
$$;
-- Deleted when the patient is erased.
GRANT SELECT, INSERT, UPDATE (patient_id), DELETE ON employee_patients TO permanence_tenant;
GRANT SELECT, INSERT ON consultations, consultation_events TO permanence_tenant;
-- Never whose it is, nor for which company.
GRANT UPDATE (status, billing_status, confirmed_at, started_at, ended_at, cancelled_at, cancelled_by, cancel_reason,
              no_show_at, no_show_by, version, updated_at) ON consultations TO permanence_tenant;
