-- A practice's own words for what patients are told. A version is never changed, so that what was sent can always be
-- told; the newest is in force, and going back to the standard words is a version too.
CREATE TABLE message_templates (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    purpose text NOT NULL CHECK (purpose IN ('reminder', 'confirmation', 'cancellation')),
    channel text NOT NULL CHECK (channel IN ('sms', 'email')),
    language text NOT NULL CHECK (language IN ('fr', 'en')),
    version integer NOT NULL CHECK (version >= 1),
    subject text,
    -- Without a text: back to the standard words.
    body text CHECK (length(body) >= 1),
    transliterate boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    -- The member who chose it.
    created_by uuid,
    -- Read from its end: the version in force is one step away.
    PRIMARY KEY (tenant_id, purpose, channel, language, version),
    CHECK ((subject IS NOT NULL) = (body IS NOT NULL AND channel = 'email')),
    CHECK (NOT transliterate OR (body IS NOT NULL AND channel = 'sms'))
);

ALTER TABLE message_templates ENABLE ROW LEVEL SECURITY;
ALTER TABLE message_templates FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON message_templates TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON message_templates TO permanence_system USING (true);
-- Nobody changes or removes a version.
GRANT SELECT, INSERT ON message_templates TO permanence_tenant;
GRANT SELECT ON message_templates TO permanence_system;
