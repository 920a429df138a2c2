//! Practices with two years behind them, written by SQL: realistic, and the same each time but for the day. Nothing overlaps and
//! every reference holds, though what would check that is put aside while they are written.

use permanence_domain::{
    billing::{self, InvoiceContent, NewService},
    db::{Actor, Db},
    field::{FullName, Label, Language},
    identity::{NewTenant, create_tenant},
    tenants,
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgConnectOptions};

/// The most appointments that a practitioner has in a day: half an hour each, from eight to four in UTC.
const A_DAY: i64 = 16;
/// Days behind that have appointments.
const BEHIND: i64 = 700;

/// How many of what.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    /// Practices.
    pub(crate) practices: i64,
    /// Of each.
    pub(crate) patients: i64,
    /// Of each, over all days; a practice has as many practitioners as that takes.
    pub(crate) appointments: i64,
    /// Days to come that have appointments.
    pub(crate) ahead: i64,
}

impl Size {
    fn days(self) -> i64 {
        BEHIND + self.ahead
    }

    fn practitioners(self) -> i64 {
        self.appointments.div_euclid(self.days() * A_DAY) + 1
    }

    /// Appointments of a practitioner in a day.
    fn a_day(self) -> i64 {
        self.appointments.div_euclid(self.days() * self.practitioners()) + 1
    }
}

/// The platform's own document of an invoice, and what it was written from: those of all others are made of it.
struct Model {
    content: Value,
    document: Value,
    settings: Value,
}

async fn model(db: &Db) -> Model {
    let new = NewTenant {
        kind: "practice",
        name: Label::parse("Cabinet modèle").unwrap(),
        time_zone: chrono_tz::Tz::Europe__Paris,
        language: Language::Fr,
        phone: None,
        address: None,
    };
    let mut tx = db.system(Actor::JOB).await.unwrap();
    let tenant = create_tenant(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = db.tenant(tenant, Actor::JOB).await.unwrap();
    let current = tenants::current_settings(&mut tx).await.unwrap();
    let mut settings = serde_json::to_value(&current.settings).unwrap();
    settings["billing"] = json!({
        "legal_name": "SELARL des Lilas",
        "address": { "line": "12 rue des Lilas", "postcode": "75019", "city": "Paris" },
        "siret": "73282932000074",
    });
    let parsed = serde_json::from_value(settings.clone()).unwrap();
    tenants::update_settings(&mut tx, current.version, &parsed).await.unwrap();
    let service = NewService {
        name: FullName::parse("Séance").unwrap(),
        unit_price: 6000.try_into().unwrap(),
        vat: None,
        automatic: true,
        practitioner_id: None,
        minutes: None,
    };
    billing::add_service(&mut tx, &service).await.unwrap();
    let written = json!({
        "buyer": { "name": "Hélène Garcia", "address": { "line": "3 rue Haute", "postcode": "75011", "city": "Paris" } },
        "lines": [{ "name": "Séance", "unit_price": 6000, "vat": { "category": "care" } }],
    });
    let content: InvoiceContent = serde_json::from_value(written).unwrap();
    let draft = billing::draft_invoice(&mut tx, &content).await.unwrap();
    billing::issue_invoice(&mut tx, draft.id, draft.version).await.unwrap();
    let (content, document): (Value, Value) =
        sqlx::query_as("SELECT content, document FROM invoices WHERE id = $1")
            .bind(draft.id.0)
            .fetch_one(tx.conn())
            .await
            .unwrap();
    let settings = sqlx::query_scalar("SELECT document FROM settings").fetch_one(tx.conn()).await.unwrap();
    tx.commit().await.unwrap();
    Model { content, document, settings }
}

/// Writes them, half on each of two connections.
pub(crate) async fn fill(owner: &PgConnectOptions, db: &Db, size: Size) {
    let model = model(db).await;
    let mut conn = PgConnection::connect_with(owner).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(prelude(size))).execute(&mut conn).await.unwrap();
    sqlx::query("INSERT INTO bench_model VALUES ($1, $2, $3)")
        .bind(&model.content)
        .bind(&model.document)
        .bind(&model.settings)
        .execute(&mut conn)
        .await
        .unwrap();
    let statements = statements(size);
    futures::future::join_all((0..2).map(|half| write(owner, &statements, half, size.practices))).await;
    sqlx::raw_sql(POSTLUDE).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

/// Writes every second practice, one after the other.
async fn write(owner: &PgConnectOptions, statements: &[String], half: i64, practices: i64) {
    let mut conn = PgConnection::connect_with(owner).await.unwrap();
    // Checks of references and triggers rest meanwhile.
    sqlx::raw_sql("SET session_replication_role = replica; SET synchronous_commit = off")
        .execute(&mut conn)
        .await
        .unwrap();
    for practice in (half..practices).step_by(2) {
        for statement in statements {
            sqlx::query(AssertSqlSafe(statement.as_str())).bind(practice).execute(&mut conn).await.unwrap();
        }
    }
    conn.close().await.unwrap();
}

/// What keeps double bookings out takes longest to build: it is put aside, and built once at the end.
fn prelude(size: Size) -> String {
    format!(
        "CREATE TABLE bench_model (content jsonb, document jsonb, settings jsonb);
         CREATE TABLE bench_constraints AS SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
             WHERE conrelid = 'appointments'::regclass AND contype = 'x';
         DO $$ DECLARE c record; BEGIN
             FOR c IN SELECT * FROM bench_constraints LOOP
                 EXECUTE format('ALTER TABLE appointments DROP CONSTRAINT %I', c.conname);
             END LOOP;
         END $$;
         -- As of UUIDv7: in the order of time.
         CREATE FUNCTION bench_id(what text, at timestamptz) RETURNS uuid LANGUAGE sql STABLE AS $$
             SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(what), 14))::uuid $$;
         CREATE FUNCTION bench_practice(p bigint) RETURNS uuid LANGUAGE sql STABLE AS $$
             SELECT bench_id('practice' || p, timestamptz '2024-01-01') $$;
         CREATE FUNCTION bench_since(n bigint) RETURNS timestamptz LANGUAGE sql STABLE AS $$
             SELECT date_trunc('day', now()) - ({patients} - n) * interval '{BEHIND} days' / {patients} $$;
         CREATE FUNCTION bench_patient(p bigint, n bigint) RETURNS uuid LANGUAGE sql STABLE AS $$
             SELECT bench_id('patient' || p || ' ' || n, bench_since(n)) $$;
         CREATE FUNCTION bench_practitioner(p bigint, n bigint) RETURNS uuid LANGUAGE sql STABLE AS $$
             SELECT bench_id('practitioner' || p || ' ' || n, timestamptz '2024-01-01') $$;
         SELECT queue.maintain_history((now() AT TIME ZONE 'UTC')::date - 89, 97);",
        patients = size.patients,
    )
}

const POSTLUDE: &str = "
    DO $$ DECLARE c record; BEGIN
        FOR c IN SELECT * FROM bench_constraints LOOP
            EXECUTE format('ALTER TABLE appointments ADD CONSTRAINT %I %s', c.conname, c.definition);
        END LOOP;
    END $$;
    INSERT INTO invoice_series (tenant_id, family, prefix, year, last, last_issued_on)
        SELECT tenant_id, 'invoice', 'F', extract(year FROM issued_on), count(*), max(issued_on) FROM invoices GROUP BY 1, 4
        ON CONFLICT DO NOTHING;
    DROP TABLE bench_constraints";

/// What a practice is made of: `$1` is its number.
#[expect(clippy::too_many_lines, reason = "one statement after the other, each a table")]
fn statements(size: Size) -> Vec<String> {
    let (patients, doctors, a_day) = (size.patients, size.practitioners(), size.a_day());
    vec![
        "INSERT INTO tenants (id, kind, name, time_zone, created_at)
         SELECT bench_practice($1), 'practice', 'Cabinet ' || to_char($1, 'FM000'), 'Europe/Paris', now() - interval '2 years'"
            .to_owned(),
        "INSERT INTO settings (tenant_id, document, updated_at) SELECT bench_practice($1), settings, now() FROM bench_model"
            .to_owned(),
        format!(
            "INSERT INTO practitioners (tenant_id, id, first_name, last_name, created_at, updated_at)
             SELECT bench_practice($1), bench_practitioner($1, n), 'Camille', 'Roy ' || n, now(), now()
             FROM generate_series(0, {doctors} - 1) AS n"
        ),
        format!(
            "INSERT INTO patients (tenant_id, id, first_name, last_name, birth_date, email, phone, address, sms_consent,
                                   email_consent, created_at, updated_at)
             SELECT bench_practice($1), bench_patient($1, n),
                    (ARRAY['Zoé','Hélène','Noé','Inès','Léa','Hugo','Maël','Aïcha','Paul','Jeanne'])[1 + n % 10],
                    (ARRAY['Noël','Garcia','Lefèvre','Martin','Durand','N''Diaye','Roux','Petit'])[1 + n / 10 % 8] || ' '
                        || (ARRAY['de','du','le','la','des'])[1 + n % 5] || ' ' || initcap(left(md5($1 || ' ' || n), 6)),
                    date '1940-01-01' + (n * 37 % 27000)::integer, 'patient' || $1 || '.' || n || '@boite.example',
                    '+336' || to_char(($1 * 100000 + n) % 100000000, 'FM00000000'),
                    jsonb_build_object('line', n % 200 || ' rue des Lilas ' || n, 'postcode', '75019', 'city', 'Paris'),
                    n % 10 <> 0, n % 3 <> 0, bench_since(n), bench_since(n)
             FROM generate_series(0, {patients} - 1) AS n"
        ),
        "INSERT INTO patient_consents (tenant_id, patient_id, purpose, granted, recorded_at)
         SELECT tenant_id, id, 'reminder_sms', sms_consent, created_at FROM patients WHERE tenant_id = bench_practice($1)"
            .to_owned(),
        // Half an hour each, one after the other for each practitioner; a twentieth cancelled, a thirtieth missed.
        format!(
            "INSERT INTO appointments (tenant_id, id, patient_id, practitioner_id, starts_at, ends_at, starts_local, time_zone,
                                       status, cancelled_at, no_show_at, confirmed_at, reason, created_at, updated_at)
             SELECT bench_practice($1), bench_id('appointment' || $1 || ' ' || n, least(at - interval '10 days', now())),
                    bench_patient($1, n * 7919 % {patients}), bench_practitioner($1, doctor), at,
                    at + interval '30 minutes', at AT TIME ZONE 'Europe/Paris', 'Europe/Paris',
                    CASE WHEN n % 20 = 0 THEN 'cancelled' ELSE 'scheduled' END,
                    CASE WHEN n % 20 = 0 THEN at - interval '1 day' END,
                    CASE WHEN n % 30 = 1 AND at < now() THEN at END, CASE WHEN n % 3 = 1 THEN at - interval '1 day' END,
                    CASE WHEN n % 4 = 0 THEN 'Contrôle de ' || (ARRAY['l''épaule','la vue','la tension'])[1 + n % 3] END,
                    least(at - interval '10 days', now()), least(at, now())
             FROM generate_series(0, {days} - 1) AS day, generate_series(0, {doctors} - 1) AS doctor,
                  generate_series(0, {a_day} - 1) AS slot,
                  LATERAL (SELECT (day * {doctors} + doctor) * {a_day} + slot AS n) AS number,
                  LATERAL (SELECT date_trunc('day', now()) + (day - {BEHIND}) * interval '1 day' + interval '8 hours'
                                  + slot * interval '30 minutes' AS at) AS time
             WHERE n < {each}",
            days = size.days(),
            each = size.appointments,
        ),
        // A reminder for each, half of them a confirmation too.
        "INSERT INTO messages (tenant_id, id, appointment_id, appointment_sequence, channel, due_at, status, job_id, created_at,
                               updated_at, purpose, lead_minutes, patient_id, sent_at, settled_at)
         SELECT tenant_id, bench_id('message' || id || part, due), id, 0, CASE WHEN part = 'reminder' THEN 'sms' ELSE 'email' END,
                due, CASE WHEN due < now() THEN 'delivered' ELSE 'cancelled' END,
                ('x' || left(md5(id || part), 12))::bit(48)::bigint, created_at, due, part,
                CASE WHEN part = 'reminder' THEN 1440 END, patient_id, CASE WHEN due < now() THEN due END,
                CASE WHEN due < now() THEN due + interval '4 seconds' END
         FROM appointments a, LATERAL (VALUES ('reminder', starts_at - interval '1 day'), ('confirmation', created_at)) AS of (part, due)
         WHERE tenant_id = bench_practice($1) AND (part = 'reminder' OR get_byte(uuid_send(id), 15) % 2 = 0)"
            .to_owned(),
        "INSERT INTO message_events (tenant_id, message_id, at, event, provider, provider_message_id)
         SELECT tenant_id, id, due_at + place * interval '1 second', event, provider,
                CASE WHEN provider IS NOT NULL THEN md5(id::text) END
         FROM messages, LATERAL (VALUES (0, 'planned', NULL), (1, 'intent', NULL), (2, 'sent', 'ovh'), (4, 'delivered', 'ovh'))
                        AS of (place, event, provider)
         WHERE tenant_id = bench_practice($1) AND (event = 'planned' OR status = 'delivered')"
            .to_owned(),
        // What the queue still remembers of them.
        "INSERT INTO queue.job_history (id, queue, kind, payload, tenant_id, state, priority, attempt, max_attempts, timeout_ms,
                                        backoff_base_ms, backoff_cap_ms, keep_days, enqueued_at, run_at, started_at, process_id,
                                        errors, finished_at)
         SELECT job_id, 'reminders', 'notifications.send_message', jsonb_build_object('message_id', id), tenant_id, 'completed', 0,
                1, 20, 60000, 10000, 21600000, 90, created_at, due_at, due_at, tenant_id, '[]', due_at
         FROM messages
         WHERE tenant_id = bench_practice($1) AND due_at BETWEEN now() - interval '89 days' AND now()"
            .to_owned(),
        // A fifth of the appointments is invoiced here; most invoices are paid.
        format!(
            "INSERT INTO invoices (tenant_id, id, kind, patient_id, content, gross, number, issued_at, issued_on, due_on, document,
                                   created_at, updated_at)
             SELECT bench_practice($1), bench_id('invoice' || $1 || ' ' || n, at), 'invoice', p.id,
                    content - 'buyer' || jsonb_build_object('patient_id', p.id), 6000, number, at, at::date, at::date + 30,
                    document || jsonb_build_object('number', number, 'issued_on', at::date, 'due_on', at::date + 30,
                        'buyer', document -> 'buyer' || jsonb_build_object('name', p.first_name || ' ' || p.last_name, 'email', p.email)),
                    at, at
             FROM bench_model, patients p,
                  (SELECT n, at, 'F' || extract(year FROM at) || '-' || to_char(
                              row_number() OVER (PARTITION BY extract(year FROM at) ORDER BY n), 'FM000000') AS number
                   FROM generate_series(1, {each} / 5) AS n,
                        LATERAL (SELECT now() - interval '{BEHIND} days' * ({each} / 5 - n) / ({each} / 5) AS at) AS time) AS i
             WHERE p.tenant_id = bench_practice($1) AND p.id = bench_patient($1, n % {patients})",
            each = size.appointments,
        ),
        "INSERT INTO payments (tenant_id, id, invoice_id, kind, amount, method, payer, paid_on, reference, recorded_at)
         SELECT i.tenant_id, bench_id('payment' || i.id, issued_at), i.id, 'payment', gross, 'cheque', 'patient', issued_on,
                'Chèque de ' || p.first_name || ' ' || p.last_name, issued_at
         FROM invoices i JOIN patients p ON p.tenant_id = i.tenant_id AND p.id = i.patient_id
         WHERE i.tenant_id = bench_practice($1) AND right(number, 1) <> '7'"
            .to_owned(),
        // Sealed under a key that nobody has.
        "INSERT INTO medical_records (tenant_id, id, patient_id, created_at, updated_at)
         SELECT tenant_id, id, patient_id, ends_at, ends_at FROM appointments
         WHERE tenant_id = bench_practice($1) AND status = 'scheduled' AND ends_at < now() AND get_byte(uuid_send(id), 14) % 4 = 0"
            .to_owned(),
        "INSERT INTO medical_record_versions (tenant_id, record_id, version, sealed, written_at)
         SELECT tenant_id, id, 1, decode(repeat(md5(id::text), 20), 'hex'), created_at FROM medical_records
         WHERE tenant_id = bench_practice($1)"
            .to_owned(),
        // Who did what: two entries for each appointment.
        "INSERT INTO audit_log (tenant_id, at, class, action, resource, resource_id, request_id)
         SELECT tenant_id, created_at, 'business', of.action, 'appointment', id, id
         FROM appointments, (VALUES ('appointment.book'), ('appointment.read')) AS of (action)
         WHERE tenant_id = bench_practice($1)"
            .to_owned(),
        "INSERT INTO inventory_items (tenant_id, id, name, reference, unit, threshold, margin, created_at, updated_at)
         SELECT bench_practice($1), bench_id('item' || $1 || ' ' || n, timestamptz '2025-01-01'), 'Compresses ' || n,
                'REF-' || n, 'boîte', 10, 2, now(), now()
         FROM generate_series(1, 200) AS n"
            .to_owned(),
        "INSERT INTO inventory_movements (tenant_id, id, item_id, kind, quantity, created_at)
         SELECT tenant_id, bench_id('movement' || id, created_at), id, 'receipt', 40, created_at FROM inventory_items
         WHERE tenant_id = bench_practice($1)"
            .to_owned(),
    ]
}
