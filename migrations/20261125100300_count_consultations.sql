-- Figures about consultations. A company reads its own view by its function, and there is nothing in it but counts: neither
-- practitioner nor practice, no day, no reason. Its month is that of its own clocks, a practice's that of the practice's.
CREATE MATERIALIZED VIEW employee_usage_stats AS
SELECT c.company_id AS tenant_id, c.employee_id AS user_id,
       date_trunc('month', c.ended_at AT TIME ZONE t.time_zone)::date AS month,
       count(*) AS consultations, sum(c.actual_minutes)::bigint AS minutes
FROM consultations c
JOIN tenants t ON t.id = c.company_id
WHERE c.status = 'completed' AND c.billing_status = 'validated'
GROUP BY 1, 2, 3;
CREATE UNIQUE INDEX employee_usage_stats_key ON employee_usage_stats (tenant_id, user_id, month);

CREATE FUNCTION employee_usage_between(first date, last date)
    RETURNS TABLE (user_id uuid, month date, consultations bigint, minutes bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT u.user_id, u.month, u.consultations, u.minutes
    FROM employee_usage_stats u
    WHERE u.tenant_id = current_tenant() AND u.month BETWEEN first AND last;
END;

CREATE MATERIALIZED VIEW practitioner_billing_stats AS
SELECT c.tenant_id, a.practitioner_id, c.company_id, max(c.company_name) AS company_name,
       date_trunc('month', c.ended_at AT TIME ZONE t.time_zone)::date AS month,
       count(*) AS consultations, sum(c.actual_minutes)::bigint AS minutes
FROM consultations c
JOIN appointments a ON a.tenant_id = c.tenant_id AND a.id = c.appointment_id
JOIN tenants t ON t.id = c.tenant_id
WHERE c.status = 'completed' AND c.billing_status = 'validated'
GROUP BY 1, 2, 3, 5;
CREATE UNIQUE INDEX practitioner_billing_stats_key
    ON practitioner_billing_stats (tenant_id, practitioner_id, company_id, month);

CREATE FUNCTION practitioner_billing_of(practitioner uuid, wanted date)
    RETURNS TABLE (company_name text, consultations bigint, minutes bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT b.company_name, b.consultations, b.minutes
    FROM practitioner_billing_stats b
    WHERE b.tenant_id = current_tenant() AND b.practitioner_id = practitioner AND b.month = wanted;
END;

-- Handed over to the system role, which fills and reads them: the owner of the schema is bound by row-level security and would
-- fill them with nothing.
GRANT CREATE ON SCHEMA public TO permanence_system;
ALTER MATERIALIZED VIEW employee_usage_stats OWNER TO permanence_system;
ALTER MATERIALIZED VIEW practitioner_billing_stats OWNER TO permanence_system;
ALTER FUNCTION employee_usage_between(date, date) OWNER TO permanence_system;
ALTER FUNCTION practitioner_billing_of(uuid, date) OWNER TO permanence_system;
REVOKE CREATE ON SCHEMA public FROM permanence_system;
GRANT EXECUTE ON FUNCTION employee_usage_between(date, date) TO permanence_tenant;
GRANT EXECUTE ON FUNCTION practitioner_billing_of(uuid, date) TO permanence_tenant;
