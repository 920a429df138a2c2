//! Invoicing all appointments of a period at once: one job each, in one batch. Run again, it invoices what is left; none is
//! ever invoiced twice.

use chrono::{DateTime, NaiveDate, Utc};
use deserr::Deserr;
use permanence_queue::NewJob;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    DocumentKind, InvoiceContent, draft, issue,
    jobs::{EndInvoiceRun, InvoiceAppointment},
};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Invalid, Problem, Result},
    field::Day,
    ids::{AppointmentId, InvoiceId, InvoiceRunId, PractitionerId},
    scheduling::{day_bounds, practice_zone},
    tenants,
};

/// Most appointments of one run.
const MOST: usize = 10_000;

/// Which appointments to invoice: those of a period that are over, stand, and are on no invoice.
#[derive(Debug, Clone, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewInvoiceRun {
    /// First day, by the practice's clocks.
    pub from: Day,
    /// Last day.
    pub to: Day,
    /// Only those with this practitioner.
    #[deserr(default)]
    pub practitioner_id: Option<PractitionerId>,
}

/// A run, and how far it has come.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceRun {
    /// Identifier.
    pub id: InvoiceRunId,
    /// First day.
    pub from: NaiveDate,
    /// Last day.
    pub to: NaiveDate,
    /// Only those with this practitioner.
    pub practitioner_id: Option<PractitionerId>,
    /// `running`, or `ended` once every appointment is dealt with.
    pub status: RunStatus,
    /// Appointments in all.
    pub total: i64,
    /// Not dealt with yet.
    pub waiting: i64,
    /// Invoiced.
    pub issued: i64,
    /// Not invoiced because that is not wanted any more: cancelled, or on an invoice, since the run began.
    pub skipped: i64,
    /// Not invoiced because something is missing.
    pub failed: i64,
    /// Why some were skipped or failed.
    pub reasons: Vec<RunReason>,
    /// Begun at.
    pub created_at: DateTime<Utc>,
    /// Ended at.
    pub ended_at: Option<DateTime<Utc>>,
}

/// Whether a run is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Its jobs are at work.
    Running,
    /// Every appointment is dealt with.
    Ended,
}

/// Why some appointments of a run were not invoiced.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunReason {
    /// A stable code, such as `no_service` or `seller_unknown`.
    pub code: String,
    /// How many.
    pub count: i64,
    /// Which, at most twenty of them.
    pub appointment_ids: Vec<AppointmentId>,
}

/// Begins a run.
pub async fn start_run(tx: &mut TenantTx, new: &NewInvoiceRun) -> Result<InvoiceRun> {
    let appointments = open(tx, new).await?;
    let (tenant, now, by) = (tx.tenant(), tx.now(), tx.actor().user);
    let id = InvoiceRunId::new(now);
    sqlx::query!(
        "INSERT INTO invoice_runs (tenant_id, id, from_day, to_day, practitioner_id, created_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tenant.0,
        id.0,
        new.from.0,
        new.to.0,
        new.practitioner_id.map(|practitioner| practitioner.0),
        now,
        by.map(|user| user.0),
    )
    .execute(tx.conn())
    .await
    .map_err(unknown_practitioner)?;
    sqlx::query!(
        "INSERT INTO invoice_run_items (tenant_id, run_id, appointment_id)
         SELECT $1, $2, appointment FROM unnest($3::uuid[]) AS a (appointment)",
        tenant.0,
        id.0,
        &appointments,
    )
    .execute(tx.conn())
    .await?;
    let jobs: Vec<NewJob> = appointments
        .iter()
        .map(|appointment| {
            NewJob::of(&InvoiceAppointment { run_id: id, appointment_id: AppointmentId(*appointment) })
        })
        .collect::<std::result::Result<_, _>>()?;
    tx.enqueue_batch(jobs, NewJob::of(&EndInvoiceRun { run_id: id })?).await?;
    audit::record(tx, "invoice_run.start", "invoice_run", id.0).await?;
    get_run(tx, id).await
}

fn unknown_practitioner(error: sqlx::Error) -> Error {
    match Error::violated(&error) {
        Some("invoice_runs_tenant_id_practitioner_id_fkey") => {
            Error::invalid("practitioner_id", "unknown_practitioner", "a practitioner of the practice")
        }
        _ => error.into(),
    }
}

/// The appointments that a run is about, the earliest first.
async fn open(tx: &mut TenantTx, new: &NewInvoiceRun) -> Result<Vec<Uuid>> {
    let (Day(from), Day(to)) = (new.from, new.to);
    if to < from || (to - from).num_days() > 366 {
        let problem = Problem::new("to", "wrong_order", "a day from the first to 366 days after it");
        return Err(Invalid(vec![problem.read(to)]).into());
    }
    let zone = practice_zone(tx).await?;
    let ((begin, _), (_, end)) = (day_bounds(from, zone), day_bounds(to, zone));
    let now = tx.now();
    let found = sqlx::query_scalar!(
        "SELECT id FROM appointments a
         WHERE tenant_id = $1 AND starts_at >= $2 AND starts_at < $3 AND ends_at <= $4 AND status = 'scheduled'
           AND no_show_at IS NULL
           AND ($5::uuid IS NULL OR practitioner_id = $5)
           AND NOT EXISTS (SELECT FROM appointment_invoices l
                           WHERE l.tenant_id = a.tenant_id AND l.appointment_id = a.id)
         ORDER BY starts_at, id LIMIT $6",
        tx.tenant().0,
        begin,
        end,
        now,
        new.practitioner_id.map(|practitioner| practitioner.0),
        i64::try_from(MOST + 1).unwrap_or(i64::MAX),
    )
    .fetch_all(tx.conn())
    .await?;
    if found.len() > MOST {
        let detail = format!("more than {MOST} appointments are to be invoiced: take a shorter period");
        return Err(Error::conflict("run_too_large", detail));
    }
    Ok(found)
}

/// A run, and how far it has come.
pub async fn get_run(tx: &mut TenantTx, id: InvoiceRunId) -> Result<InvoiceRun> {
    let tenant = tx.tenant();
    let run = sqlx::query!(
        r#"SELECT from_day, to_day, practitioner_id AS "practitioner_id: PractitionerId", created_at, ended_at
           FROM invoice_runs WHERE tenant_id = $1 AND id = $2"#,
        tenant.0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("invoice run"))?;
    let counts = sqlx::query!(
        r#"SELECT status, reason, count(*) AS "count!",
                  (array_agg(appointment_id ORDER BY appointment_id))[1:20] AS "some!: Vec<AppointmentId>"
           FROM invoice_run_items WHERE tenant_id = $1 AND run_id = $2 GROUP BY status, reason ORDER BY status, reason"#,
        tenant.0,
        id.0,
    )
    .fetch_all(tx.conn())
    .await?;
    let of = |status: &str| counts.iter().filter(|row| row.status == status).map(|row| row.count).sum();
    let (waiting, issued, skipped, failed) = (of("waiting"), of("issued"), of("skipped"), of("failed"));
    Ok(InvoiceRun {
        id,
        from: run.from_day,
        to: run.to_day,
        practitioner_id: run.practitioner_id,
        status: if run.ended_at.is_some() { RunStatus::Ended } else { RunStatus::Running },
        total: waiting + issued + skipped + failed,
        waiting,
        issued,
        skipped,
        failed,
        reasons: counts
            .into_iter()
            .filter_map(|row| {
                let (count, appointment_ids) = (row.count, row.some);
                row.reason.map(|code| RunReason { code, count, appointment_ids })
            })
            .collect(),
        created_at: run.created_at,
        ended_at: run.ended_at,
    })
}

/// Invoices one appointment of a run and notes how that went. The caller commits what an `Ok` did, and for a refusal that
/// is a fact of the appointment notes it by [`refuse_item`] in another transaction.
pub async fn invoice_item(
    tx: &mut TenantTx,
    run: InvoiceRunId,
    appointment: AppointmentId,
) -> Result<Option<InvoiceId>> {
    if !is_waiting(tx, run, appointment).await? {
        return Ok(None);
    }
    let settings = tenants::settings(tx).await?;
    let content = InvoiceContent { appointment_id: Some(appointment), ..InvoiceContent::default() };
    let id = draft::write(tx, &settings, DocumentKind::Invoice, &content, None).await?;
    audit::record(tx, "invoice.draft", "invoice", id.0).await?;
    settle(tx, run, appointment, "issued", None, Some(id)).await?;
    issue::issue(tx, id, DocumentKind::Invoice, 1).await?;
    Ok(Some(id))
}

/// The item's row is the lock: a job that runs twice at once finds it dealt with.
async fn is_waiting(tx: &mut TenantTx, run: InvoiceRunId, appointment: AppointmentId) -> Result<bool> {
    let status = sqlx::query_scalar!(
        "SELECT status FROM invoice_run_items WHERE tenant_id = $1 AND run_id = $2 AND appointment_id = $3 FOR UPDATE",
        tx.tenant().0,
        run.0,
        appointment.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(status.as_deref() == Some("waiting"))
}

/// Why an appointment is not invoiced, if that is no passing trouble: whether it is merely not wanted any more, and a
/// stable code.
pub fn refusal(error: &Error) -> Option<(bool, &'static str)> {
    match error {
        Error::Conflict { code: code @ ("appointment_cancelled" | "appointment_invoiced"), .. } => {
            Some((true, code))
        }
        Error::Conflict { code, .. } => Some((false, code)),
        Error::Invalid(Invalid(problems)) => {
            Some((false, problems.first().map_or("invalid_input", |first| first.code)))
        }
        _ => None,
    }
}

/// Notes why an appointment of a run is not invoiced.
pub async fn refuse_item(
    tx: &mut TenantTx,
    run: InvoiceRunId,
    appointment: AppointmentId,
    (skipped, code): (bool, &'static str),
) -> Result<()> {
    if !is_waiting(tx, run, appointment).await? {
        return Ok(());
    }
    settle(tx, run, appointment, if skipped { "skipped" } else { "failed" }, Some(code), None).await
}

async fn settle(
    tx: &mut TenantTx,
    run: InvoiceRunId,
    appointment: AppointmentId,
    status: &str,
    reason: Option<&str>,
    invoice: Option<InvoiceId>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE invoice_run_items SET status = $4, reason = $5, invoice_id = $6
         WHERE tenant_id = $1 AND run_id = $2 AND appointment_id = $3",
        tx.tenant().0,
        run.0,
        appointment.0,
        status,
        reason,
        invoice.map(|invoice| invoice.0),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends a run whose jobs have all ended. What still waits then is left by jobs that were given up.
pub async fn end_run(tx: &mut TenantTx, run: InvoiceRunId) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "WITH ended AS (UPDATE invoice_runs SET ended_at = $3
                        WHERE tenant_id = $1 AND id = $2 AND ended_at IS NULL RETURNING id)
         UPDATE invoice_run_items SET status = 'failed', reason = 'job_discarded'
         WHERE tenant_id = $1 AND run_id IN (SELECT id FROM ended) AND status = 'waiting'",
        tenant.0,
        run.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
