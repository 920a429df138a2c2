-- What an employer wrote down of a person is that person's, and so are the consultations that they had. The first lies with a company that
-- they belong to, and is read as other rows of theirs are. The second lies with a practice that they do not belong to.
CREATE POLICY own_rows ON employees FOR SELECT TO permanence_person USING (user_id = current_person());
GRANT SELECT ON employees TO permanence_person;

CREATE INDEX consultations_of_employee ON consultations (employee_id);

-- Of a consultation the person is told what they were shown of it: no right to the practice's agenda, practitioners or patients is needed,
-- and no note of care is within reach.
CREATE FUNCTION own_consultations()
    RETURNS TABLE (tenant_id uuid, id uuid, practice text, practitioner text, specialty text, company text, starts_at timestamptz,
                   ends_at timestamptz, time_zone text, status text, started_at timestamptz, ended_at timestamptz,
                   actual_minutes integer, cancelled_at timestamptz, cancel_reason text, created_at timestamptz, events jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT c.tenant_id, c.id, t.name, p.first_name || ' ' || p.last_name, p.specialty, c.company_name, a.starts_at,
           a.ends_at, a.time_zone, c.status, c.started_at, c.ended_at,
           c.actual_minutes, c.cancelled_at, c.cancel_reason, c.created_at,
           (SELECT jsonb_agg(jsonb_build_object('at', e.at, 'event', e.kind, 'by_you', coalesce(e.actor_id = c.employee_id, false))
                             ORDER BY e.id)
            FROM consultation_events e WHERE e.tenant_id = c.tenant_id AND e.consultation_id = c.id)
    FROM consultations c
    JOIN tenants t ON t.id = c.tenant_id
    JOIN appointments a ON a.tenant_id = c.tenant_id AND a.id = c.appointment_id
    JOIN practitioners p ON p.tenant_id = a.tenant_id AND p.id = a.practitioner_id
    WHERE c.employee_id = current_person();
END;

-- The owner of the schema is bound by row-level security and would find nothing.
GRANT EXECUTE ON FUNCTION current_person() TO permanence_system;
GRANT CREATE ON SCHEMA public TO permanence_system;
ALTER FUNCTION own_consultations() OWNER TO permanence_system;
REVOKE CREATE ON SCHEMA public FROM permanence_system;
REVOKE ALL ON FUNCTION own_consultations() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION own_consultations() TO permanence_person;
