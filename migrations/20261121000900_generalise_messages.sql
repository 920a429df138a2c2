-- Reminders become one kind of message among those that an appointment gives rise to: a patient's ledger then tells all
-- that was said to them, and every message is planned, sent and recorded by the same rules.
ALTER TABLE reminders RENAME TO messages;
ALTER TABLE reminder_events RENAME TO message_events;
ALTER TABLE message_events RENAME COLUMN message_id TO provider_message_id;
ALTER TABLE message_events RENAME COLUMN reminder_id TO message_id;
ALTER INDEX reminders_by_appointment RENAME TO messages_by_appointment;
ALTER INDEX reminders_by_due RENAME TO messages_by_due;
ALTER INDEX reminder_events_by_reminder RENAME TO message_events_in_order;
ALTER INDEX reminder_events_by_message RENAME TO message_events_by_receipt;
ALTER INDEX reminder_events_by_sending RENAME TO message_events_by_sending;
ALTER INDEX reminder_events_report_once RENAME TO message_events_report_once;

ALTER TABLE messages
    ADD COLUMN purpose text NOT NULL DEFAULT 'reminder' CHECK (purpose IN ('reminder', 'confirmation', 'cancellation')),
    -- How long before the appointment a reminder is meant to leave, elapsed minutes: which of the practice's lead times
    -- it serves, though quiet hours may move it.
    ADD COLUMN lead_minutes integer CHECK (lead_minutes > 0),
    ADD COLUMN patient_id uuid,
    -- The message that could not be delivered and that this one stands in for.
    ADD COLUMN stands_in_for uuid,
    -- When the provider took it, and when it was delivered or known not to be.
    ADD COLUMN sent_at timestamptz,
    ADD COLUMN settled_at timestamptz;
ALTER TABLE messages ALTER COLUMN purpose DROP DEFAULT;
UPDATE messages AS m SET patient_id = a.patient_id, lead_minutes = 1440
FROM appointments AS a WHERE a.tenant_id = m.tenant_id AND a.id = m.appointment_id;
UPDATE messages SET sent_at = updated_at WHERE status = 'sent';
ALTER TABLE messages
    ALTER COLUMN patient_id SET NOT NULL,
    ADD CHECK ((purpose = 'reminder') = (lead_minutes IS NOT NULL)),
    ADD FOREIGN KEY (tenant_id, patient_id) REFERENCES patients (tenant_id, id),
    ADD FOREIGN KEY (tenant_id, stands_in_for) REFERENCES messages (tenant_id, id);

-- sent → delivered | undelivered, by the provider's report.
ALTER TABLE messages DROP CONSTRAINT reminders_status_check;
ALTER TABLE messages ADD CONSTRAINT messages_status_check CHECK (status IN
    ('planned', 'sending', 'sent', 'delivered', 'undelivered', 'failed', 'uncertain', 'cancelled', 'expired'));
ALTER TABLE message_events DROP CONSTRAINT reminder_events_event_check;
ALTER TABLE message_events ADD CONSTRAINT message_events_event_check CHECK (event IN
    ('planned', 'intent', 'sent', 'delivered', 'undelivered', 'retry', 'quiet', 'failed', 'uncertain', 'cancelled',
     'expired', 'complained', 'opted_out', 'resolved'));

-- Exactly one: what a move of an appointment says, it says once. A message that certainly did not arrive leaves room for
-- another that stands in for it.
DROP INDEX reminders_once;
CREATE UNIQUE INDEX messages_once
    ON messages (tenant_id, appointment_id, appointment_sequence, purpose, COALESCE(lead_minutes, 0))
    WHERE status NOT IN ('cancelled', 'failed', 'undelivered');
-- The few that a person must see.
DROP INDEX reminders_in_question;
CREATE INDEX messages_in_question ON messages (tenant_id, status, due_at DESC)
    WHERE status IN ('uncertain', 'failed', 'undelivered', 'expired');
CREATE INDEX messages_by_patient ON messages (tenant_id, patient_id, due_at DESC, id);
-- The few that should be moving: what the reconciliation and the gauges look at.
CREATE INDEX messages_on_their_way ON messages (due_at) WHERE status IN ('planned', 'sending');

-- An address that a provider refused or that bounced, or whose owner asked to be left alone. Another address of the same
-- patient is another matter.
CREATE TABLE unreachable_addresses (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    patient_id uuid NOT NULL,
    channel text NOT NULL CHECK (channel IN ('sms', 'email')),
    address text NOT NULL,
    reason text NOT NULL CHECK (reason IN ('invalid', 'bounced', 'complained', 'opted_out')),
    since timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, patient_id, channel),
    FOREIGN KEY (tenant_id, patient_id) REFERENCES patients (tenant_id, id)
);
ALTER TABLE unreachable_addresses ENABLE ROW LEVEL SECURITY;
ALTER TABLE unreachable_addresses FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON unreachable_addresses TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON unreachable_addresses TO permanence_system USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON unreachable_addresses TO permanence_tenant;
GRANT SELECT ON unreachable_addresses TO permanence_system;

-- How a patient may be written to: an address only where they agreed to it and it is not known to lead nowhere.
CREATE VIEW contacts WITH (security_invoker = true) AS
SELECT p.tenant_id, p.id AS patient_id, p.first_name, p.language,
       CASE WHEN p.sms_consent AND NOT EXISTS (
           SELECT FROM unreachable_addresses u
           WHERE u.tenant_id = p.tenant_id AND u.patient_id = p.id AND u.channel = 'sms' AND u.address = p.phone)
       THEN p.phone END AS phone,
       CASE WHEN p.email_consent AND NOT EXISTS (
           SELECT FROM unreachable_addresses u
           WHERE u.tenant_id = p.tenant_id AND u.patient_id = p.id AND u.channel = 'email' AND u.address = p.email)
       THEN p.email END AS email
FROM patients p
WHERE p.deleted_at IS NULL;
GRANT SELECT ON contacts TO permanence_tenant;
