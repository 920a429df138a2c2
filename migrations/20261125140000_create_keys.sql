-- Envelope encryption: a master key outside of the database wraps a key of each tenant, which wraps the keys of its subjects,
-- which seal content. None of them is here in clear.
CREATE TABLE tenant_keys (
    tenant_id uuid PRIMARY KEY REFERENCES tenants (id),
    -- Which master key wraps it.
    master_id text NOT NULL CHECK (length(master_id) BETWEEN 1 AND 100),
    wrapped bytea NOT NULL,
    created_at timestamptz NOT NULL,
    rewrapped_at timestamptz
);
CREATE INDEX tenant_keys_by_master ON tenant_keys (master_id, tenant_id);
ALTER TABLE tenant_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON tenant_keys TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON tenant_keys TO permanence_system USING (true);
GRANT SELECT, INSERT ON tenant_keys TO permanence_tenant;
GRANT SELECT, UPDATE (master_id, wrapped, rewrapped_at) ON tenant_keys TO permanence_system;

-- A key for what one person's care wrote down (`care`, which the law keeps) and one for the rest (`personal`), so that the
-- second can be destroyed while the first must stay. Destroyed, all that it sealed is noise, in every backup of the content too.
CREATE TABLE subject_keys (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    subject_id uuid NOT NULL,
    class text NOT NULL CHECK (class IN ('care', 'personal')),
    wrapped bytea,
    created_at timestamptz NOT NULL,
    destroyed_at timestamptz,
    PRIMARY KEY (tenant_id, subject_id, class),
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);
ALTER TABLE subject_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE subject_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON subject_keys TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON subject_keys TO permanence_system USING (true);
GRANT SELECT, INSERT, UPDATE (wrapped, destroyed_at) ON subject_keys TO permanence_tenant;
GRANT SELECT ON subject_keys TO permanence_system;

-- A key is made once and destroyed once: another in its place would hide that what it sealed is lost.
CREATE FUNCTION keep_subject_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.destroyed_at IS NULL AND NEW.destroyed_at IS NOT NULL
       AND (NEW.tenant_id, NEW.subject_id, NEW.class, NEW.created_at)
         = (OLD.tenant_id, OLD.subject_id, OLD.class, OLD.created_at) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a key of a subject is never changed, only destroyed' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER keep_subject_key BEFORE UPDATE OR DELETE ON subject_keys FOR EACH ROW EXECUTE FUNCTION keep_subject_key();
