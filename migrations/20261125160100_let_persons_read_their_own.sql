-- A person belongs to several tenants, and what is known of them is in all of these. The role permanence_person reads one
-- person's rows across tenants, by row-level security, and nothing else: it may change nothing, and a table that nobody thought of
-- is out of its reach.
DO $$
BEGIN
    CREATE ROLE permanence_person NOLOGIN NOINHERIT;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;
GRANT USAGE ON SCHEMA public TO permanence_person;

-- The person of the running transaction; NULL, and so no row at all, where none was set.
CREATE FUNCTION current_person() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('permanence.person_id', true), '')::uuid;
GRANT EXECUTE ON FUNCTION current_person() TO permanence_person;

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['memberships', 'sessions', 'invitations', 'account_mails', 'notifications',
                             'inventory_subscriptions', 'inventory_digests', 'practitioners', 'access_requests'] LOOP
        EXECUTE format('CREATE POLICY own_rows ON %I FOR SELECT TO permanence_person USING (user_id = current_person())', t);
    END LOOP;
END
$$;
CREATE POLICY own_rows ON users FOR SELECT TO permanence_person USING (id = current_person());
CREATE POLICY own_rows ON audit_log FOR SELECT TO permanence_person USING (actor_id = current_person());
CREATE POLICY own_rows ON tenants FOR SELECT TO permanence_person
    USING (EXISTS (SELECT FROM memberships m WHERE m.tenant_id = tenants.id AND m.user_id = current_person()));
CREATE POLICY own_rows ON availability_entries FOR SELECT TO permanence_person
    USING (EXISTS (SELECT FROM practitioners p WHERE p.tenant_id = availability_entries.tenant_id
                   AND p.id = availability_entries.practitioner_id AND p.user_id = current_person()));

-- Never a hash of a password or a token, nor of whom an entry of the trail tells.
GRANT SELECT (id, email, created_at, last_login_at) ON users TO permanence_person;
GRANT SELECT (id, name, kind, time_zone) ON tenants TO permanence_person;
GRANT SELECT ON memberships, sessions, notifications, inventory_subscriptions, inventory_digests, practitioners,
                availability_entries, access_requests TO permanence_person;
GRANT SELECT (tenant_id, id, user_id, expires_at, status, created_at) ON invitations TO permanence_person;
GRANT SELECT (id, user_id, kind, expires_at, used_at, status, created_at) ON account_mails TO permanence_person;
GRANT SELECT (id, tenant_id, at, actor_id, action, resource) ON audit_log TO permanence_person;
