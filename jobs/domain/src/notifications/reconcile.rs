//! Proves that each coming appointment has exactly its reminders, and mends what differs: after a restored backup, a
//! discarded job, changed settings. Where everything holds it changes nothing.

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};
use permanence_queue::{self as queue, JobId, NewJob};

use super::{
    Contact, MessageStatus, Purpose, Subject,
    due::{self, Clocks, Due},
    jobs::SendMessage,
    plan::remind,
    send::settle,
};
use crate::{
    db::TenantTx,
    error::Result,
    ids::{AppointmentId, MessageId, PatientId},
    tenants::{Settings, settings},
};

/// How late a reminder that was found missing may be and still be made up for: what a daily round can miss.
const MADE_UP_FOR: Duration = Duration::hours(26);

/// What a round found and mended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Appointments looked at.
    pub checked: u64,
    /// Reminders that were missing, and are planned now.
    pub missing: u64,
    /// Messages whose job was gone, and that have another.
    pub orphaned: u64,
    /// Messages whose job ended while they were being sent: a person decides.
    pub stuck: u64,
    /// Reminders that are due at another time by the present settings.
    pub moved: u64,
    /// Reminders of lead times that the practice no longer has.
    pub withdrawn: u64,
}

/// Where a round goes on.
pub type Place = (DateTime<Utc>, AppointmentId);

struct Appointment {
    id: AppointmentId,
    sequence: i32,
    starts_at: DateTime<Utc>,
    patient: PatientId,
    planned_at: DateTime<Utc>,
    phone: Option<String>,
    email: Option<String>,
}

struct Message {
    id: MessageId,
    appointment: AppointmentId,
    purpose: Purpose,
    lead_minutes: Option<i32>,
    due_at: DateTime<Utc>,
    status: MessageStatus,
    job: i64,
}

/// Looks at the next coming appointments after a place, at most `limit`; answers where to go on, `None` at the end.
pub async fn reconcile(
    tx: &mut TenantTx,
    after: Option<Place>,
    limit: i64,
    found: &mut Reconciled,
) -> Result<Option<Place>> {
    let settings = settings(tx).await?;
    let appointments = coming(tx, after, limit).await?;
    let mut messages = messages_of(tx, &appointments).await?;
    let jobs: Vec<JobId> = messages.values().flatten().map(|message| JobId(message.job)).collect();
    let live = queue::live_jobs(tx.conn(), &jobs).await?;
    for appointment in &appointments {
        let said = messages.remove(&appointment.id).unwrap_or_default();
        mend_jobs(tx, &said, &live, found).await?;
        mend_reminders(tx, &settings, appointment, &said, found).await?;
    }
    found.checked += u64::try_from(appointments.len()).unwrap_or_default();
    let full = i64::try_from(appointments.len()).is_ok_and(|count| count == limit);
    Ok(appointments.last().filter(|_| full).map(|last| (last.starts_at, last.id)))
}

/// Whoever books or moves an appointment at this moment plans its reminders: those are passed over.
async fn coming(tx: &mut TenantTx, after: Option<Place>, limit: i64) -> Result<Vec<Appointment>> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let (time, id) = after.unwrap_or((now, AppointmentId(uuid::Uuid::nil())));
    Ok(sqlx::query_as!(
        Appointment,
        r#"SELECT a.id AS "id: AppointmentId", a.sequence, a.starts_at, a.patient_id AS "patient: PatientId",
                  COALESCE((SELECT min(m.created_at) FROM messages m
                            WHERE m.tenant_id = a.tenant_id AND m.appointment_id = a.id
                              AND m.appointment_sequence = a.sequence), a.updated_at) AS "planned_at!",
                  c.phone, c.email
           FROM appointments a JOIN contacts c ON c.tenant_id = a.tenant_id AND c.patient_id = a.patient_id
           WHERE a.tenant_id = $1 AND a.status = 'scheduled' AND (a.starts_at, a.id) > ($2, $3)
           ORDER BY a.starts_at, a.id LIMIT $4 FOR UPDATE OF a SKIP LOCKED"#,
        tenant.0,
        time,
        id.0,
        limit,
    )
    .fetch_all(tx.conn())
    .await?)
}

/// What was planned for the appointments as they stand.
async fn messages_of(
    tx: &mut TenantTx,
    appointments: &[Appointment],
) -> Result<HashMap<AppointmentId, Vec<Message>>> {
    let ids: Vec<_> = appointments.iter().map(|appointment| appointment.id.0).collect();
    let rows = sqlx::query_as!(
        Message,
        r#"SELECT m.id AS "id: MessageId", m.appointment_id AS "appointment: AppointmentId",
                  m.purpose AS "purpose: Purpose", m.lead_minutes, m.due_at, m.status AS "status: MessageStatus",
                  m.job_id AS job
           FROM messages m
           JOIN appointments a ON a.tenant_id = m.tenant_id AND a.id = m.appointment_id
                AND a.sequence = m.appointment_sequence
           WHERE m.tenant_id = $1 AND m.appointment_id = ANY ($2) AND m.status <> 'cancelled'"#,
        tx.tenant().0,
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut messages: HashMap<_, Vec<_>> = HashMap::new();
    for row in rows {
        messages.entry(row.appointment).or_default().push(row);
    }
    Ok(messages)
}

/// Messages that should be moving and whose job is gone.
async fn mend_jobs(
    tx: &mut TenantTx,
    said: &[Message],
    live: &[JobId],
    found: &mut Reconciled,
) -> Result<()> {
    for message in said.iter().filter(|message| !live.contains(&JobId(message.job))) {
        match message.status {
            MessageStatus::Planned => {
                let job =
                    NewJob::of(&SendMessage { message_id: message.id })?.run_at(message.due_at.max(tx.now()));
                let job = tx.enqueue(job).await?;
                sqlx::query!(
                    "UPDATE messages SET job_id = $3 WHERE tenant_id = $1 AND id = $2",
                    tx.tenant().0,
                    message.id.0,
                    job.id.0,
                )
                .execute(tx.conn())
                .await?;
                found.orphaned += 1;
            }
            MessageStatus::Sending => {
                settle(tx, message.id, "uncertain", Some("worker_lost")).await?;
                found.stuck += 1;
            }
            _ => {}
        }
    }
    Ok(())
}

async fn mend_reminders(
    tx: &mut TenantTx,
    settings: &Settings,
    appointment: &Appointment,
    said: &[Message],
    found: &mut Reconciled,
) -> Result<()> {
    let contact = Contact { phone: appointment.phone.clone(), email: appointment.email.clone() };
    let Some(channel) = contact.channel(settings, true) else { return Ok(()) };
    let expected = due::reminders(settings, appointment.starts_at, appointment.planned_at);
    let reminders: Vec<&Message> = said.iter().filter(|m| m.purpose == Purpose::Reminder).collect();
    let missing = missing(settings, appointment.starts_at, &expected, &reminders, tx.now());
    let subject = Subject {
        appointment: appointment.id,
        sequence: appointment.sequence,
        starts_at: appointment.starts_at,
        patient: appointment.patient,
        contact,
    };
    remind(tx, &subject, channel, &missing).await?;
    found.missing += u64::try_from(missing.len()).unwrap_or_default();
    for message in reminders.iter().filter(|message| message.status == MessageStatus::Planned) {
        mend_time(tx, settings, &expected, message, found).await?;
    }
    Ok(())
}

/// The expected reminders of which there is no trace, so far as they can still be made up for.
fn missing(
    settings: &Settings,
    starts_at: DateTime<Utc>,
    expected: &[Due],
    said: &[&Message],
    now: DateTime<Utc>,
) -> Vec<Due> {
    let traceless = |due: &&Due| said.iter().all(|message| message.lead_minutes != Some(due.lead_minutes));
    let due_now = |due: &Due| {
        if due.at > now {
            return Some(*due);
        }
        let late = due.at > now - MADE_UP_FOR;
        let at = due::soon(Purpose::Reminder, starts_at, now, Clocks::of(settings)).filter(|_| late)?;
        Some(Due { at, ..*due })
    };
    expected.iter().filter(traceless).filter_map(due_now).collect()
}

/// A planned reminder whose lead time or due time is another by the present settings.
async fn mend_time(
    tx: &mut TenantTx,
    settings: &Settings,
    expected: &[Due],
    message: &Message,
    found: &mut Reconciled,
) -> Result<()> {
    let known = settings.lead_times.iter().any(|lead| i32::try_from(lead.get()).ok() == message.lead_minutes);
    if !known {
        tx.cancel_job(JobId(message.job)).await?;
        settle(tx, message.id, "cancelled", Some("settings_changed")).await?;
        found.withdrawn += 1;
        return Ok(());
    }
    let due = expected.iter().find(|due| Some(due.lead_minutes) == message.lead_minutes);
    let Some(due) = due.filter(|due| due.at != message.due_at && due.at > tx.now()) else { return Ok(()) };
    let clock = tx.clock();
    queue::reschedule(tx.conn(), &*clock, JobId(message.job), due.at).await?;
    sqlx::query!(
        "UPDATE messages SET due_at = $3 WHERE tenant_id = $1 AND id = $2 AND status = 'planned'",
        tx.tenant().0,
        message.id.0,
        due.at,
    )
    .execute(tx.conn())
    .await?;
    found.moved += 1;
    Ok(())
}

impl Reconciled {
    /// What differed, by name: for the metrics and the job's output.
    pub fn differences(&self) -> [(&'static str, u64); 5] {
        [
            ("missing", self.missing),
            ("orphaned", self.orphaned),
            ("stuck", self.stuck),
            ("moved", self.moved),
            ("withdrawn", self.withdrawn),
        ]
    }
}
