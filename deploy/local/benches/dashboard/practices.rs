//! Practices with two years behind them, written by SQL: the same each time but for the day.

use sqlx::{AssertSqlSafe, PgPool};

pub(crate) const PRACTICES: i64 = 100;
pub(crate) const APPOINTMENTS_FOR_AN_INVOICE: i64 = 5;

/// Fills the practices with so many appointments in all, and an invoice for each fifth.
#[expect(clippy::too_many_lines, reason = "one statement after the other, each a table")]
pub(crate) async fn fill(owner: &PgPool, appointments: i64) {
    let (each, per_invoice) = (appointments / PRACTICES, APPOINTMENTS_FOR_AN_INVOICE);
    let hex = |kind: &str| format!("md5('{kind}' || p || ' ' || n)::uuid");
    let (patient, appointment, invoice) = (hex("patient"), hex("appointment"), hex("invoice"));
    for statement in [
        // What keeps double bookings out takes longest to build, and no figure is read by it.
        "ALTER TABLE appointments DROP CONSTRAINT appointments_practitioner_free,
             DROP CONSTRAINT appointments_room_free, DROP CONSTRAINT appointments_patient_free"
            .to_owned(),
        format!(
            "CREATE TABLE practice AS SELECT p, md5('practice' || p)::uuid AS id FROM generate_series(1, {PRACTICES}) AS p"
        ),
        "INSERT INTO tenants (id, kind, name, time_zone, created_at)
         SELECT id, 'practice', 'Cabinet ' || to_char(p, '000'), CASE p % 4 WHEN 0 THEN 'Indian/Reunion' ELSE 'Europe/Paris' END,
                now() - interval '2 years' FROM practice"
            .to_owned(),
        "INSERT INTO settings (tenant_id, updated_at) SELECT id, now() FROM practice".to_owned(),
        "INSERT INTO practitioners (tenant_id, id, first_name, last_name, created_at, updated_at)
         SELECT id, md5('practitioner' || p || ' ' || n)::uuid, 'Camille', 'Roy ' || n, now(), now()
         FROM practice, generate_series(0, 3) AS n"
            .to_owned(),
        format!(
            "INSERT INTO patients (tenant_id, id, first_name, last_name, sms_consent, email_consent, created_at, updated_at)
             SELECT id, {patient}, 'Zoé', 'Noël ' || n, true, false, now() - n * interval '17 hours', now()
             FROM practice, generate_series(0, 999) AS n"
        ),
        // From two years ago until two months ahead, a twentieth cancelled and a thirtieth missed.
        format!(
            "INSERT INTO appointments (tenant_id, id, patient_id, practitioner_id, starts_at, ends_at, starts_local, time_zone,
                                       status, cancelled_at, no_show_at, confirmed_at, created_at, updated_at)
             SELECT id, {appointment}, md5('patient' || p || ' ' || n % 1000)::uuid,
                    md5('practitioner' || p || ' ' || n % 4)::uuid, at, at + interval '30 minutes', at AT TIME ZONE 'UTC',
                    'Europe/Paris', CASE WHEN n % 20 = 0 THEN 'cancelled' ELSE 'scheduled' END,
                    CASE WHEN n % 20 = 0 THEN at - interval '1 day' END,
                    CASE WHEN n % 30 = 1 AND at < now() THEN at END, CASE WHEN n % 3 = 0 THEN at - interval '1 day' END,
                    at - interval '10 days', at
             FROM practice, generate_series(0, {each} - 1) AS n,
                  LATERAL (SELECT date_trunc('hour', now()) + interval '60 days' - n * interval '790 days' / {each} AS at) AS times"
        ),
        // Most are paid, a tenth in part, a tenth not at all; a fiftieth is a draft.
        format!(
            "INSERT INTO invoices (tenant_id, id, kind, patient_id, content, gross, insurer_share, number, issued_at, issued_on,
                                   due_on, document, created_at, updated_at)
             SELECT id, {invoice}, 'invoice', md5('patient' || p || ' ' || n % 1000)::uuid, '{{}}', 6000, n % 3 * 1000,
                    CASE WHEN n % 50 > 0 THEN 'F' || n END, CASE WHEN n % 50 > 0 THEN at END,
                    CASE WHEN n % 50 > 0 THEN at::date END, CASE WHEN n % 50 > 0 THEN at::date + 30 END,
                    CASE WHEN n % 50 > 0 THEN '{{}}'::jsonb END, at, at
             FROM practice, generate_series(0, {each} / {per_invoice} - 1) AS n,
                  LATERAL (SELECT now() - n * interval '730 days' * {per_invoice} / {each} AS at) AS times"
        ),
        "INSERT INTO payments (tenant_id, id, invoice_id, kind, amount, method, payer, paid_on, recorded_at)
         SELECT tenant_id, gen_random_uuid(), id, 'payment', amount, 'card', payer, issued_on, issued_at
         FROM invoices, LATERAL (VALUES ('patient', gross - insurer_share), ('insurer', insurer_share)) AS part (payer, amount)
         WHERE number IS NOT NULL AND amount > 0 AND right(number, 1) <> '7' AND (payer = 'patient' OR right(number, 1) <> '3')"
            .to_owned(),
        // Each practice has not invoiced one in twenty of what is over.
        format!(
            "INSERT INTO appointment_invoices (tenant_id, appointment_id, invoice_id)
             SELECT a.tenant_id, a.id, md5('invoice' || p || ' ' || n / {per_invoice})::uuid
             FROM practice, generate_series(0, {each} - 1) AS n, LATERAL (SELECT {appointment} AS id) AS of
             JOIN appointments a ON a.id = of.id
             WHERE a.tenant_id = practice.id AND a.ends_at < now() AND a.status = 'scheduled' AND n % 20 <> 7"
        ),
    ] {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(owner).await.unwrap();
    }
}
