-- How often somebody may try to sign in. A key is a keyed hash of an address, of where the attempt comes from, or of both: neither is kept.
-- The row says when all attempts are there again; one that lies in the past tells nothing and is removed.
CREATE TABLE sign_in_limits (
    key bytea PRIMARY KEY CHECK (length(key) = 32),
    full_at timestamptz NOT NULL
);
CREATE INDEX sign_in_limits_by_time ON sign_in_limits (full_at);
ALTER TABLE sign_in_limits ENABLE ROW LEVEL SECURITY;
ALTER TABLE sign_in_limits FORCE ROW LEVEL SECURITY;
CREATE POLICY system_all ON sign_in_limits TO permanence_system USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON sign_in_limits TO permanence_system;
