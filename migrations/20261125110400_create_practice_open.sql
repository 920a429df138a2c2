-- What is open in a practice, by the day that it hangs on: whether an invoice is overdue, a quote still holds or an
-- appointment should have been invoiced, follows from the reader's day and not from the moment of the refresh.
GRANT SELECT ON invoice_balances TO permanence_system;

CREATE MATERIALIZED VIEW practice_open AS
-- The last day to pay. What is to be given back is not subtracted from what others owe.
SELECT i.tenant_id, 'unpaid' AS kind, i.due_on AS day, count(*) AS items,
       sum(GREATEST(b.patient_left, 0) + GREATEST(b.insurer_left, 0))::bigint AS amount
FROM invoices i
JOIN invoice_balances b ON b.tenant_id = i.tenant_id AND b.invoice_id = i.id
WHERE i.number IS NOT NULL AND (b.patient_left > 0 OR b.insurer_left > 0)
GROUP BY 1, 3
UNION ALL
-- The last day on which it may be accepted.
SELECT q.tenant_id, 'quote', q.due_on, count(*), sum(q.gross)::bigint
FROM invoices q
WHERE q.kind = 'quote' AND q.number IS NOT NULL
  AND NOT EXISTS (SELECT FROM quote_answers a WHERE a.tenant_id = q.tenant_id AND a.quote_id = q.id)
GROUP BY 1, 3
UNION ALL
-- The day on which it was begun.
SELECT i.tenant_id, 'draft', (i.created_at AT TIME ZONE t.time_zone)::date, count(*), sum(i.gross)::bigint
FROM invoices i
JOIN tenants t ON t.id = i.tenant_id
WHERE i.kind = 'invoice' AND i.number IS NULL
GROUP BY 1, 3
UNION ALL
-- The day of the appointment, whose patient came or is to come.
SELECT a.tenant_id, 'not_invoiced', (a.starts_at AT TIME ZONE t.time_zone)::date, count(*), 0
FROM appointments a
JOIN tenants t ON t.id = a.tenant_id
WHERE a.status = 'scheduled' AND a.no_show_at IS NULL
  AND NOT EXISTS (SELECT FROM appointment_invoices i WHERE i.tenant_id = a.tenant_id AND i.appointment_id = a.id)
GROUP BY 1, 3;
CREATE UNIQUE INDEX practice_open_key ON practice_open (tenant_id, kind, day);

CREATE FUNCTION practice_open_items() RETURNS TABLE (kind text, day date, items bigint, amount bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT o.kind, o.day, o.items, o.amount FROM practice_open o WHERE o.tenant_id = current_tenant();
END;
SELECT hand_over_view('practice_open', 'practice_open_items()');

-- The moment that a view's figures are of, for the statement that reads them: both come with one commit.
CREATE FUNCTION view_as_of(wanted text) RETURNS timestamptz
    LANGUAGE sql STABLE
    RETURN (SELECT r.started_at FROM public.view_refreshes r
            WHERE r.view = wanted AND r.ended_at IS NOT NULL AND r.error IS NULL ORDER BY r.id DESC LIMIT 1);
REVOKE ALL ON FUNCTION view_as_of(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION view_as_of(text) TO permanence_tenant, permanence_system;
