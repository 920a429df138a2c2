-- What became of a message after its provider took it: reports come by the provider's name for the message, from outside
-- any tenant, several times and in any order.
ALTER TABLE reminder_events DROP CONSTRAINT reminder_events_event_check;
ALTER TABLE reminder_events ADD CONSTRAINT reminder_events_event_check
    CHECK (event IN ('planned', 'intent', 'sent', 'retry', 'failed', 'uncertain', 'cancelled', 'expired',
                     'delivered', 'undelivered', 'complained', 'opted_out'));

-- From a report to its message.
CREATE INDEX reminder_events_by_message ON reminder_events (provider, message_id) WHERE event = 'sent';
-- The latest messages of a provider that has to be asked.
CREATE INDEX reminder_events_by_sending ON reminder_events (provider, at) WHERE event = 'sent';
-- The same report twice is one event.
CREATE UNIQUE INDEX reminder_events_report_once
    ON reminder_events (tenant_id, provider, message_id, event, COALESCE(code, ''))
    WHERE event IN ('delivered', 'undelivered', 'complained', 'opted_out');

GRANT INSERT ON reminder_events TO permanence_system;
