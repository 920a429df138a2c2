//! Plans what is to be said about an appointment, in the transaction that books, moves or cancels it, in two statements:
//! the jobs, then the messages. What is void is withdrawn with its job.

use chrono::{DateTime, Utc};
use permanence_queue::{JobId, NewJob};
use uuid::Uuid;

use super::{
    Channel, Contact, Purpose,
    due::{self, Clocks, Due},
    jobs::SendMessage,
};
use crate::{
    db::TenantTx,
    error::Result,
    ids::{AppointmentId, MessageId, PatientId},
    tenants::{Settings, settings},
};

/// An appointment as its messages see it.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The appointment.
    pub appointment: AppointmentId,
    /// Counts its moves: a message holds for one of them.
    pub sequence: i32,
    /// When it begins.
    pub starts_at: DateTime<Utc>,
    /// Who comes.
    pub patient: PatientId,
    /// How they are reached.
    pub contact: Contact,
}

/// What happened to the appointment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// It was booked, or moved to where it stands now.
    Booked,
    /// It stands where it stood, but its reminders are planned anew.
    Replanned,
    /// It does not take place.
    Cancelled,
}

/// A message that is to be planned.
struct Draft {
    purpose: Purpose,
    channel: Channel,
    lead_minutes: Option<i32>,
    due_at: DateTime<Utc>,
    stands_in_for: Option<MessageId>,
}

impl Draft {
    fn reminder(channel: Channel, due: Due) -> Self {
        Self {
            purpose: Purpose::Reminder,
            channel,
            lead_minutes: Some(due.lead_minutes),
            due_at: due.at,
            stands_in_for: None,
        }
    }
}

/// What is to be said on an occasion; nothing where the patient cannot be reached or it is too late to be of use.
fn drafts(settings: &Settings, subject: &Subject, occasion: Occasion, now: DateTime<Utc>) -> Vec<Draft> {
    let clocks = Clocks::of(settings);
    let soon = |purpose, channel| {
        due::soon(purpose, subject.starts_at, now, clocks).map(|due_at| Draft {
            purpose,
            channel,
            lead_minutes: None,
            due_at,
            stands_in_for: None,
        })
    };
    let preferred = subject.contact.channel(settings, true);
    if occasion == Occasion::Cancelled {
        return preferred.and_then(|channel| soon(Purpose::Cancellation, channel)).into_iter().collect();
    }
    let mails = occasion == Occasion::Booked && subject.contact.has(settings, Channel::Email);
    let confirmation = mails.then(|| soon(Purpose::Confirmation, Channel::Email)).flatten();
    let reminders = preferred.into_iter().flat_map(|channel| {
        let due = due::reminders(settings, subject.starts_at, now);
        due.into_iter().map(move |due| Draft::reminder(channel, due))
    });
    confirmation.into_iter().chain(reminders).collect()
}

/// Plans what there is to say about an appointment, with a job each.
pub async fn announce(
    tx: &mut TenantTx,
    settings: &Settings,
    subject: &Subject,
    occasion: Occasion,
) -> Result<()> {
    let drafts = drafts(settings, subject, occasion, tx.now());
    write(tx, subject, &drafts).await
}

/// Another message in place of one that certainly did not arrive, as soon as it may leave; false if it would be of no use.
pub(super) async fn stand_in(
    tx: &mut TenantTx,
    settings: &Settings,
    subject: &Subject,
    failed: MessageId,
    (purpose, lead_minutes, channel): (Purpose, Option<i32>, Channel),
) -> Result<bool> {
    let Some(due_at) = due::soon(purpose, subject.starts_at, tx.now(), Clocks::of(settings)) else {
        return Ok(false);
    };
    let draft = Draft { purpose, channel, lead_minutes, due_at, stands_in_for: Some(failed) };
    write(tx, subject, &[draft]).await?;
    Ok(true)
}

/// Reminders of lead times, as the reconciliation finds them missing.
pub(super) async fn remind(
    tx: &mut TenantTx,
    subject: &Subject,
    channel: Channel,
    reminders: &[Due],
) -> Result<()> {
    let drafts: Vec<Draft> = reminders.iter().map(|due| Draft::reminder(channel, *due)).collect();
    write(tx, subject, &drafts).await
}

async fn write(tx: &mut TenantTx, subject: &Subject, drafts: &[Draft]) -> Result<()> {
    if drafts.is_empty() {
        return Ok(());
    }
    let (tenant, now) = (tx.tenant(), tx.now());
    let ids: Vec<MessageId> = drafts.iter().map(|_| MessageId::new(now)).collect();
    let jobs = ids
        .iter()
        .zip(drafts)
        .map(|(&message_id, draft)| Ok(NewJob::of(&SendMessage { message_id })?.run_at(draft.due_at)));
    let jobs = tx.enqueue_all(jobs.collect::<Result<_>>()?).await?;
    sqlx::query!(
        "WITH planned AS (
             INSERT INTO messages (tenant_id, id, appointment_id, appointment_sequence, patient_id, purpose, lead_minutes,
                                   channel, due_at, stands_in_for, job_id, created_at, updated_at)
             SELECT $1, d.id, $2, $3, $4, d.purpose, d.lead_minutes, d.channel, d.due_at, d.stands_in_for, d.job_id, $5, $5
             FROM unnest($6::uuid[], $7::text[], $8::integer[], $9::text[], $10::timestamptz[], $11::uuid[], $12::bigint[])
                  AS d (id, purpose, lead_minutes, channel, due_at, stands_in_for, job_id)
             RETURNING id
         )
         INSERT INTO message_events (tenant_id, message_id, at, event) SELECT $1, id, $5, 'planned' FROM planned",
        tenant.0,
        subject.appointment.0,
        subject.sequence,
        subject.patient.0,
        now,
        &ids.iter().map(|id| id.0).collect::<Vec<Uuid>>(),
        &drafts.iter().map(|d| d.purpose).collect::<Vec<_>>() as &[Purpose],
        &drafts.iter().map(|d| d.lead_minutes).collect::<Vec<_>>() as &[Option<i32>],
        &drafts.iter().map(|d| d.channel).collect::<Vec<_>>() as &[Channel],
        &drafts.iter().map(|d| d.due_at).collect::<Vec<_>>(),
        &drafts.iter().map(|d| d.stands_in_for.map(|id| id.0)).collect::<Vec<_>>() as &[Option<Uuid>],
        &jobs.iter().map(|job| job.id.0).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?;
    for draft in drafts {
        let labels = [("purpose", draft.purpose.name()), ("channel", draft.channel.name())];
        metrics::counter!("permanence_messages_planned_total", &labels).increment(1);
    }
    Ok(())
}

/// Voids what is planned for an appointment, and its jobs. What is being sent at this moment can not be called back.
pub async fn withdraw(tx: &mut TenantTx, appointment: AppointmentId, reason: &str) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let jobs = sqlx::query_scalar!(
        "WITH voided AS (
             UPDATE messages SET status = 'cancelled', updated_at = $3
             WHERE tenant_id = $1 AND appointment_id = $2 AND status = 'planned'
             RETURNING id, job_id
         ), noted AS (
             INSERT INTO message_events (tenant_id, message_id, at, event, code)
             SELECT $1, id, $3, 'cancelled', $4 FROM voided
         )
         SELECT job_id FROM voided",
        tenant.0,
        appointment.0,
        now,
        reason,
    )
    .fetch_all(tx.conn())
    .await?;
    for job in jobs {
        tx.cancel_job(JobId(job)).await?;
    }
    Ok(())
}

/// After a patient's address or consent changed: plans the reminders of what is coming anew, by what now holds.
pub async fn replan_patient(tx: &mut TenantTx, patient: PatientId) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let coming = sqlx::query!(
        r#"SELECT a.id AS "id: AppointmentId", a.sequence, a.starts_at, c.phone, c.email
           FROM appointments a JOIN contacts c ON c.tenant_id = a.tenant_id AND c.patient_id = a.patient_id
           WHERE a.tenant_id = $1 AND a.patient_id = $2 AND a.status = 'scheduled' AND a.starts_at > $3
           ORDER BY a.starts_at FOR UPDATE OF a"#,
        tenant.0,
        patient.0,
        now,
    )
    .fetch_all(tx.conn())
    .await?;
    if coming.is_empty() {
        return Ok(());
    }
    let settings = settings(tx).await?;
    for row in coming {
        withdraw(tx, row.id, "contact_changed").await?;
        let subject = Subject {
            appointment: row.id,
            sequence: row.sequence,
            starts_at: row.starts_at,
            patient,
            contact: Contact { phone: row.phone, email: row.email },
        };
        let said = leads_said(tx, row.id, row.sequence).await?;
        let mut drafts = drafts(&settings, &subject, Occasion::Replanned, now);
        drafts.retain(|draft| draft.lead_minutes.is_none_or(|lead| !said.contains(&lead)));
        write(tx, &subject, &drafts).await?;
    }
    Ok(())
}

/// The lead times whose reminders have left for the appointment as it stands, or may have.
async fn leads_said(tx: &mut TenantTx, appointment: AppointmentId, sequence: i32) -> Result<Vec<i32>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT lead_minutes AS "lead_minutes!" FROM messages
           WHERE tenant_id = $1 AND appointment_id = $2 AND appointment_sequence = $3 AND purpose = 'reminder'
             AND status NOT IN ('cancelled', 'failed', 'undelivered')"#,
        tx.tenant().0,
        appointment.0,
        sequence,
    )
    .fetch_all(tx.conn())
    .await?)
}
