-- The mails about a person's own account: the link that sets a new password, and the notice that it was changed. They
-- belong to the person, not to a tenant. Somebody who asks in vain gets a row without a user, so that asking costs and
-- leaves the same whether or not the address is known.
CREATE TABLE account_mails (
    id uuid PRIMARY KEY,
    user_id uuid REFERENCES users (id),
    kind text NOT NULL CHECK (kind IN ('password_reset', 'password_changed')),
    -- Set when the mail is written: the token itself exists only in the mail. HMAC-SHA-256 under the refresh key.
    token_hash bytea,
    -- When the link stops working.
    expires_at timestamptz,
    -- When it was used, or made void by another's use.
    used_at timestamptz,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'sending', 'sent', 'uncertain', 'failed')),
    failure_code text,
    created_at timestamptz NOT NULL,
    CHECK ((kind = 'password_reset') = (expires_at IS NOT NULL))
);
CREATE UNIQUE INDEX account_mails_by_hash ON account_mails (token_hash);
CREATE INDEX account_mails_by_user ON account_mails (user_id, created_at);
CREATE INDEX account_mails_by_age ON account_mails (created_at);

ALTER TABLE account_mails ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_mails FORCE ROW LEVEL SECURITY;
CREATE POLICY system_all ON account_mails TO permanence_system USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON account_mails TO permanence_system;
