-- One row per reminder that was ever planned, and a log of all that happened to it.
CREATE TABLE reminders (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    appointment_id uuid NOT NULL,
    -- The move of the appointment that this reminder announces.
    appointment_sequence integer NOT NULL,
    channel text NOT NULL CHECK (channel IN ('sms', 'email')),
    due_at timestamptz NOT NULL,
    -- planned → sending (intent committed) → sent | planned again (certainly not taken) | failed | uncertain;
    -- cancelled: the appointment was moved or cancelled first; expired: it could not leave in useful time.
    status text NOT NULL DEFAULT 'planned'
        CHECK (status IN ('planned', 'sending', 'sent', 'failed', 'uncertain', 'cancelled', 'expired')),
    job_id bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, appointment_id) REFERENCES appointments (tenant_id, id)
);
-- Exactly one: a move of an appointment has at most one reminder that is not void. A failed one certainly never left,
-- so another may follow once the number is mended.
CREATE UNIQUE INDEX reminders_once ON reminders (tenant_id, appointment_id, appointment_sequence)
    WHERE status NOT IN ('cancelled', 'failed');
CREATE INDEX reminders_by_appointment ON reminders (tenant_id, appointment_id);
CREATE INDEX reminders_by_due ON reminders (tenant_id, due_at DESC, id);
-- The few that a person must see.
CREATE INDEX reminders_in_question ON reminders (tenant_id, status, due_at DESC) WHERE status IN ('uncertain', 'failed');

CREATE TABLE reminder_events (
    tenant_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    reminder_id uuid NOT NULL,
    at timestamptz NOT NULL,
    event text NOT NULL
        CHECK (event IN ('planned', 'intent', 'sent', 'retry', 'failed', 'uncertain', 'cancelled', 'expired')),
    -- The provider's stable code or the reason; never an address or a text.
    code text,
    provider text,
    message_id text,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, reminder_id) REFERENCES reminders (tenant_id, id)
);
CREATE INDEX reminder_events_by_reminder ON reminder_events (tenant_id, reminder_id, id);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['reminders', 'reminder_events'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant_rows ON %I TO permanence_tenant USING (tenant_id = current_tenant())', t);
        EXECUTE format('CREATE POLICY system_all ON %I TO permanence_system USING (true)', t);
    END LOOP;
END
$$;
GRANT SELECT, INSERT, UPDATE ON reminders TO permanence_tenant;
GRANT SELECT, INSERT ON reminder_events TO permanence_tenant;
GRANT SELECT ON reminders, reminder_events TO permanence_system;
