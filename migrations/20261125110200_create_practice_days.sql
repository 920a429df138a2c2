-- What happened in a practice, day by day of its own clocks: what the dashboard and the years add up. Nothing in it depends
-- on the moment of the refresh; whoever reads it says what today is.
CREATE MATERIALIZED VIEW practice_days AS
SELECT tenant_id, day, sum(appointments)::bigint AS appointments, sum(no_shows)::bigint AS no_shows,
       sum(cancelled)::bigint AS cancelled, sum(new_patients)::bigint AS new_patients,
       sum(invoiced)::bigint AS invoiced, sum(collected)::bigint AS collected
FROM (
    SELECT a.tenant_id, (a.starts_at AT TIME ZONE t.time_zone)::date AS day,
           count(*) FILTER (WHERE a.status = 'scheduled') AS appointments,
           count(*) FILTER (WHERE a.status = 'scheduled' AND a.no_show_at IS NOT NULL) AS no_shows,
           count(*) FILTER (WHERE a.status = 'cancelled') AS cancelled,
           0 AS new_patients, 0 AS invoiced, 0 AS collected
    FROM appointments a
    JOIN tenants t ON t.id = a.tenant_id
    GROUP BY 1, 2
    UNION ALL
    SELECT p.tenant_id, (p.created_at AT TIME ZONE t.time_zone)::date, 0, 0, 0, count(*), 0, 0
    FROM patients p
    JOIN tenants t ON t.id = p.tenant_id
    GROUP BY 1, 2
    UNION ALL
    -- With VAT, less what was taken back: euro cents.
    SELECT tenant_id, issued_on, 0, 0, 0, 0, sum(CASE kind WHEN 'invoice' THEN gross ELSE -gross END), 0
    FROM invoices
    WHERE kind <> 'quote' AND number IS NOT NULL
    GROUP BY 1, 2
    UNION ALL
    -- Less what was given back: euro cents.
    SELECT tenant_id, paid_on, 0, 0, 0, 0, 0, sum(CASE kind WHEN 'payment' THEN amount ELSE -amount END)
    FROM payments
    GROUP BY 1, 2
) AS facts
GROUP BY tenant_id, day;
CREATE UNIQUE INDEX practice_days_key ON practice_days (tenant_id, day);

CREATE FUNCTION practice_days_between(first date, last date)
    RETURNS TABLE (day date, appointments bigint, no_shows bigint, cancelled bigint, new_patients bigint,
                   invoiced bigint, collected bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT d.day, d.appointments, d.no_shows, d.cancelled, d.new_patients, d.invoiced, d.collected
    FROM practice_days d
    WHERE d.tenant_id = current_tenant() AND d.day BETWEEN first AND last;
END;
SELECT hand_over_view('practice_days', 'practice_days_between(date, date)');
