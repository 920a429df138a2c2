-- What has served its time leaves the audit trail, whole seals at a time and from the beginning of a chain: the seals stay, so
-- the rest can still be proved, and a removal says what went, when, and how much. Nothing else can remove an entry: the rules
-- are in triggers, which hold for the owner too.

-- How long a class is kept; NULL is without an end. The same as Class::kept in the program.
--   security  12 months (CNIL on logging, 2021-122: six months to a year)
--   business  10 years (C. com. L123-22: what the books rest on)
--   record    with the medical record (CSP R1112-7), which a sweep by date cannot know
CREATE FUNCTION audit_kept(class text) RETURNS interval
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE class WHEN 'security' THEN interval '12 months' WHEN 'business' THEN interval '10 years' END;

CREATE TABLE audit_removals (
    tenant_id uuid NOT NULL,
    class text NOT NULL,
    -- The seals whose entries went: those after `after_number`, up to `to_number`.
    after_number bigint NOT NULL CHECK (after_number >= 0),
    to_number bigint NOT NULL CHECK (to_number > after_number),
    last_id bigint NOT NULL,
    entries bigint NOT NULL CHECK (entries > 0),
    removed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, class, to_number)
);

-- Notes a removal only where every seal of it is past its time, by the database's clock, and it follows the one before.
CREATE FUNCTION check_audit_removal() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    sealed record;
BEGIN
    SELECT count(*) AS seals, sum(s.entries) AS entries, max(s.last_id) AS last_id, max(s.until_at) AS until_at
    INTO sealed FROM audit_seals AS s
    WHERE s.tenant_id = NEW.tenant_id AND s.class = NEW.class
      AND s.number > NEW.after_number AND s.number <= NEW.to_number;
    IF NEW.removed_at <> now()
       OR NEW.after_number <> COALESCE((SELECT max(r.to_number) FROM audit_removals AS r
                                        WHERE r.tenant_id = NEW.tenant_id AND r.class = NEW.class), 0)
       OR sealed.seals <> NEW.to_number - NEW.after_number
       OR (sealed.entries, sealed.last_id) IS DISTINCT FROM (NEW.entries, NEW.last_id)
       OR (sealed.until_at + audit_kept(NEW.class) <= now()) IS NOT TRUE
    THEN
        RAISE EXCEPTION 'these audit entries are not past their time' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER audit_removals_are_due BEFORE INSERT ON audit_removals
    FOR EACH ROW EXECUTE FUNCTION check_audit_removal();
CREATE TRIGGER audit_removals_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_removals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- An entry is deleted only where a removal says so.
CREATE FUNCTION refuse_early_removal() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM audit_removals AS r
               WHERE r.tenant_id = COALESCE(OLD.tenant_id, '00000000-0000-0000-0000-000000000000')
                 AND r.class = OLD.class AND r.last_id >= OLD.id) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
DROP TRIGGER audit_log_is_append_only ON audit_log;
CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_log_keeps_its_time BEFORE DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_early_removal();

-- Removes the entries of a chain's first seals that are past their time, at most `most` or those of one seal; answers how
-- many. What is there must be as much as was sealed: evidence of a change is not swept away.
CREATE FUNCTION forget_audit_entries(of_tenant uuid, of_class text, most bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    chain record;
    due record;
    gone bigint;
BEGIN
    SELECT c.removed, COALESCE(s.last_id, 0) AS last_id INTO STRICT chain
    FROM audit_chains AS c
    LEFT JOIN audit_seals AS s ON s.tenant_id = c.tenant_id AND s.class = c.class AND s.number = c.removed
    WHERE c.tenant_id = of_tenant AND c.class = of_class FOR UPDATE OF c;
    SELECT max(b.number) AS number, max(b.last_id) AS last_id, max(b.total) AS entries INTO due
    FROM (SELECT s.number, s.last_id, sum(s.entries) OVER w AS total,
                 bool_and(s.until_at + audit_kept(of_class) <= now()) OVER w AS is_due
          FROM (SELECT number, last_id, entries, until_at FROM audit_seals
                WHERE tenant_id = of_tenant AND class = of_class AND number > chain.removed
                ORDER BY number LIMIT 1000) AS s
          WINDOW w AS (ORDER BY s.number)) AS b
    WHERE b.is_due AND (b.total <= most OR b.number = chain.removed + 1);
    IF due.number IS NULL THEN
        RETURN 0;
    END IF;
    INSERT INTO audit_removals (tenant_id, class, after_number, to_number, last_id, entries)
    VALUES (of_tenant, of_class, chain.removed, due.number, due.last_id, due.entries);
    UPDATE audit_chains SET removed = due.number WHERE tenant_id = of_tenant AND class = of_class;
    IF of_tenant = '00000000-0000-0000-0000-000000000000' THEN
        DELETE FROM audit_log
        WHERE tenant_id IS NULL AND class = of_class AND id > chain.last_id AND id <= due.last_id;
    ELSE
        DELETE FROM audit_log
        WHERE tenant_id = of_tenant AND class = of_class AND id > chain.last_id AND id <= due.last_id;
    END IF;
    GET DIAGNOSTICS gone = ROW_COUNT;
    IF gone <> due.entries THEN
        RAISE EXCEPTION 'the audit trail holds % entries where % were sealed', gone, due.entries;
    END IF;
    RETURN gone;
END
$$;

ALTER TABLE audit_removals ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_removals FORCE ROW LEVEL SECURITY;
CREATE POLICY system_all ON audit_removals TO permanence_system USING (true);
GRANT SELECT ON audit_removals TO permanence_system;

-- The function runs as a role of its own that nobody logs in as or takes: the one that may delete, by this function alone.
DO $$
BEGIN
    BEGIN
        CREATE ROLE permanence_retention NOLOGIN NOINHERIT;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;
    END;
    IF NOT pg_has_role(current_user, 'permanence_retention', 'MEMBER') THEN
        EXECUTE format('GRANT permanence_retention TO %I', current_user);
    END IF;
END
$$;
CREATE POLICY retention_all ON audit_log TO permanence_retention USING (true);
CREATE POLICY retention_all ON audit_chains TO permanence_retention USING (true);
CREATE POLICY retention_all ON audit_seals TO permanence_retention USING (true);
CREATE POLICY retention_all ON audit_removals TO permanence_retention USING (true);
GRANT USAGE ON SCHEMA public TO permanence_retention;
GRANT SELECT, DELETE ON audit_log TO permanence_retention;
GRANT SELECT ON audit_seals TO permanence_retention;
GRANT SELECT, UPDATE (removed) ON audit_chains TO permanence_retention;
GRANT SELECT, INSERT ON audit_removals TO permanence_retention;
GRANT EXECUTE ON FUNCTION audit_kept(text) TO permanence_system, permanence_retention;
GRANT CREATE ON SCHEMA public TO permanence_retention;
ALTER FUNCTION forget_audit_entries(uuid, text, bigint) OWNER TO permanence_retention;
REVOKE CREATE ON SCHEMA public FROM permanence_retention;
REVOKE ALL ON FUNCTION audit_kept(text), check_audit_removal(), refuse_early_removal(),
    forget_audit_entries(uuid, text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_audit_entries(uuid, text, bigint) TO permanence_system;
