-- Tenants, people who sign in, their memberships and sessions. A user is one identity for the whole platform;
-- what they may do is a membership in a tenant.
CREATE TABLE tenants (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('practice', 'company', 'platform')),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    time_zone text NOT NULL,
    language text NOT NULL DEFAULT 'fr' CHECK (language IN ('fr', 'en')),
    phone text,
    address text,
    created_at timestamptz NOT NULL
);

-- A tenant sees the id (random, so that it does not tell when the person first joined another tenant) and the
-- address of its own members; their name and role are the membership's.
CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL UNIQUE CHECK (email = lower(email)),
    -- argon2id in PHC form; an imported bcrypt hash is accepted once and replaced. NULL until the invitation is
    -- accepted: such a user cannot sign in.
    password_hash text,
    created_at timestamptz NOT NULL,
    last_login_at timestamptz
);

CREATE TABLE memberships (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    user_id uuid NOT NULL REFERENCES users (id),
    role text NOT NULL CHECK (role IN ('admin', 'practitioner', 'nurse', 'assistant', 'hr_admin', 'employee',
                                       'super_admin', 'platform_admin')),
    full_name text NOT NULL CHECK (length(full_name) BETWEEN 1 AND 200),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    -- NULL while the invitation is open: the member cannot sign in here yet.
    accepted_at timestamptz,
    PRIMARY KEY (tenant_id, user_id)
);
CREATE INDEX memberships_by_user ON memberships (user_id);

-- One row per sign-in. A refresh token rotates inside its session; reuse of an old one revokes the session.
CREATE TABLE sessions (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    user_id uuid NOT NULL REFERENCES users (id),
    created_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_reason text CHECK (revoked_reason IN ('logout', 'token_reuse', 'membership_removed', 'password_changed')),
    PRIMARY KEY (tenant_id, id),
    CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL))
);
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE refresh_tokens (
    tenant_id uuid NOT NULL,
    session_id uuid NOT NULL,
    -- HMAC-SHA-256 of the token under the refresh key: a copy of the table opens nothing.
    token_hash bytea NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (tenant_id, session_id, token_hash),
    FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX refresh_tokens_by_hash ON refresh_tokens (token_hash);

CREATE TABLE invitations (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    user_id uuid NOT NULL REFERENCES users (id),
    -- Set when the mail is written: the token itself exists only in the mail.
    token_hash bytea,
    expires_at timestamptz NOT NULL,
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'sending', 'sent', 'uncertain', 'failed', 'accepted')),
    failure_code text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES memberships (tenant_id, user_id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX invitations_by_hash ON invitations (token_hash);

-- Row-level security, forced so that the owner is bound as well.
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['tenants', 'users', 'memberships', 'sessions', 'refresh_tokens', 'invitations'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY system_all ON %I TO permanence_system USING (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO permanence_system', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['memberships', 'sessions', 'refresh_tokens', 'invitations'] LOOP
        EXECUTE format('CREATE POLICY tenant_rows ON %I TO permanence_tenant USING (tenant_id = current_tenant())', t);
    END LOOP;
END
$$;
CREATE POLICY own_tenant ON tenants FOR SELECT TO permanence_tenant USING (id = current_tenant());
CREATE POLICY colleagues ON users FOR SELECT TO permanence_tenant
    USING (EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = users.id AND m.tenant_id = current_tenant()));

GRANT SELECT ON tenants TO permanence_tenant;
-- Never the password hash, nor the times that other tenants' use would show in.
GRANT SELECT (id, email) ON users TO permanence_tenant;
-- Members come in by invite_member alone.
GRANT SELECT, DELETE ON memberships TO permanence_tenant;
GRANT UPDATE (role, full_name, version) ON memberships TO permanence_tenant;
GRANT SELECT ON sessions TO permanence_tenant;
GRANT UPDATE (revoked_at, revoked_reason) ON sessions TO permanence_tenant;
GRANT SELECT, INSERT, UPDATE ON invitations TO permanence_tenant;

-- Makes the person of an address a member of the running transaction's tenant; NULL if they are one already. The one
-- place where a tenant touches an identity that others may share: it takes nothing but an address, so nobody can
-- bring in an identity by its number, and it answers alike whether or not the address was known.
CREATE FUNCTION invite_member(wanted_email text, wanted_role text, wanted_name text, at timestamptz) RETURNS uuid
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    member uuid;
BEGIN
    INSERT INTO users (id, email, created_at) VALUES (gen_random_uuid(), lower(wanted_email), at)
    ON CONFLICT (email) DO NOTHING;
    SELECT id INTO STRICT member FROM users WHERE email = lower(wanted_email);
    INSERT INTO memberships (tenant_id, user_id, role, full_name, created_at)
    VALUES (current_tenant(), member, wanted_role, wanted_name, at)
    ON CONFLICT DO NOTHING;
    RETURN CASE WHEN FOUND THEN member END;
END
$$;
-- It runs as the system role, whose policies admit every row.
DO $$
BEGIN
    IF NOT pg_has_role(current_user, 'permanence_system', 'MEMBER') THEN
        EXECUTE format('GRANT permanence_system TO %I', current_user);
    END IF;
END
$$;
GRANT CREATE ON SCHEMA public TO permanence_system;
ALTER FUNCTION invite_member(text, text, text, timestamptz) OWNER TO permanence_system;
REVOKE CREATE ON SCHEMA public FROM permanence_system;
GRANT EXECUTE ON FUNCTION invite_member(text, text, text, timestamptz) TO permanence_tenant;
