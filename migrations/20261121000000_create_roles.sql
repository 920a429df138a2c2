-- The roles that the processes take, each for one transaction at a time. The login role (made by `migrate`)
-- may take them and can do nothing by itself, so a query outside TenantTx or SystemTx fails closed.
--   permanence_tenant  one tenant's rows, by row-level security
--   permanence_system  every tenant's rows; SystemTx only
--   permanence_queue   the queue's own tables; the worker runtime's connections
-- Roles belong to the whole cluster and other databases may have made them already.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['permanence_tenant', 'permanence_system', 'permanence_queue'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', wanted);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END
$$;

DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
END
$$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO permanence_tenant, permanence_system;

-- The tenant of the running transaction; NULL, and so no row at all, where none was set.
CREATE FUNCTION public.current_tenant() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('permanence.tenant_id', true), '')::uuid;
GRANT EXECUTE ON FUNCTION public.current_tenant() TO permanence_tenant, permanence_system, permanence_queue;
