//! Reminders: planned in the transaction of the booking, void once the appointment moves, sent once.

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use deserr::Deserr;
use permanence_queue::{JobId, NewJob};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::jobs::SendReminder;
use crate::{
    db::TenantTx,
    error::{Error, Result},
    field::Language,
    ids::{AppointmentId, PatientId, ReminderId},
};

/// How long before the appointment the reminder leaves: elapsed time, so that it is 24 hours on every clock.
const LEAD: Duration = Duration::hours(24);

/// Closer to the appointment than this a reminder is of no use.
const USELESS: Duration = Duration::hours(2);

/// How a message travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Channel {
    /// Text message.
    Sms,
    /// Email.
    Email,
}

/// What a reminder says, and to whom.
#[derive(Debug, Clone)]
pub struct ReminderMessage {
    /// The reminder: the idempotency key of the sending.
    pub id: ReminderId,
    /// How it travels.
    pub channel: Channel,
    /// E.164 number or address.
    pub to: String,
    /// Whom it greets.
    pub first_name: String,
    /// Its language.
    pub language: Language,
    /// Who reminds.
    pub practice_name: String,
    /// Where to call.
    pub practice_phone: Option<String>,
    /// Where to come.
    pub practice_address: Option<String>,
    /// Begin of the appointment.
    pub starts_at: DateTime<Utc>,
    /// The zone in which the begin is told.
    pub zone: Tz,
}

/// What the sending job finds.
#[derive(Debug)]
pub enum ReminderStart {
    /// The intent is noted: commit, then send this.
    Send(Box<ReminderMessage>),
    /// An earlier attempt noted its intent and never its receipt: the message may have left. It is parked for a
    /// person to decide; sending again could be a second message.
    Parked,
    /// There is nothing to send: already sent, void or too late.
    Settled,
}

/// How a sending ended.
#[derive(Debug, Clone, Copy)]
pub enum ReminderEnd<'a> {
    /// The provider took it.
    Sent {
        /// The provider.
        provider: &'a str,
        /// Its name for the message.
        message_id: &'a str,
    },
    /// The provider certainly did not take it; it is to be tried again.
    Retry {
        /// Stable code.
        code: &'a str,
    },
    /// The provider refused it for good.
    Failed {
        /// Stable code.
        code: &'a str,
    },
    /// Nobody knows whether the provider took it.
    Uncertain {
        /// Stable code.
        code: &'a str,
    },
}

/// SMS first, then email, each only with consent and an address.
fn channel(sms: (bool, Option<String>), email: (bool, Option<String>)) -> Option<(Channel, String)> {
    let allowed = |(consent, to): (bool, Option<String>)| to.filter(|_| consent);
    allowed(sms).map(|to| (Channel::Sms, to)).or_else(|| allowed(email).map(|to| (Channel::Email, to)))
}

/// When a reminder is due; `None` when the appointment is too near for one to be of use.
fn due(starts_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if starts_at - now < USELESS { None } else { Some((starts_at - LEAD).max(now)) }
}

/// Plans the one reminder of the appointment as it now stands, and its job. Where the patient cannot be reached or
/// the appointment is too near, there is none. Planning again what is planned changes nothing.
pub async fn plan_reminder(tx: &mut TenantTx, appointment: AppointmentId) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let Some(row) = sqlx::query!(
        "SELECT a.starts_at, a.sequence, p.sms_consent, p.phone, p.email_consent, p.email
         FROM appointments a JOIN patients p ON p.tenant_id = a.tenant_id AND p.id = a.patient_id
         WHERE a.tenant_id = $1 AND a.id = $2 AND a.status = 'scheduled'
           AND NOT EXISTS (SELECT 1 FROM reminders r
                           WHERE r.tenant_id = a.tenant_id AND r.appointment_id = a.id
                             AND r.appointment_sequence = a.sequence
                             AND r.status NOT IN ('cancelled', 'failed'))",
        tenant.0,
        appointment.0,
    )
    .fetch_optional(tx.conn())
    .await?
    else {
        return Ok(());
    };
    let Some((channel, _)) = channel((row.sms_consent, row.phone), (row.email_consent, row.email)) else {
        return Ok(());
    };
    let Some(due_at) = due(row.starts_at, now) else {
        return Ok(());
    };
    let id = ReminderId::new(now);
    let job = tx.enqueue(NewJob::of(&SendReminder { reminder_id: id })?.run_at(due_at)).await?;
    sqlx::query!(
        "INSERT INTO reminders (tenant_id, id, appointment_id, appointment_sequence, channel, due_at, job_id,
                                created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        tenant.0,
        id.0,
        appointment.0,
        row.sequence,
        channel as Channel,
        due_at,
        job.id.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    log(tx, id, "planned", None, None).await
}

/// Voids what is planned for an appointment, and its jobs. What is being sent at this moment can not be called back.
pub async fn cancel_reminders(tx: &mut TenantTx, appointment: AppointmentId, reason: &str) -> Result<()> {
    let now = tx.now();
    let voided = sqlx::query!(
        r#"UPDATE reminders SET status = 'cancelled', updated_at = $3
           WHERE tenant_id = $1 AND appointment_id = $2 AND status = 'planned'
           RETURNING id AS "id: ReminderId", job_id"#,
        tx.tenant().0,
        appointment.0,
        now,
    )
    .fetch_all(tx.conn())
    .await?;
    for reminder in voided {
        tx.cancel_job(JobId(reminder.job_id)).await?;
        log(tx, reminder.id, "cancelled", Some(reason), None).await?;
    }
    Ok(())
}

/// After a patient's address or consent changed: plans again what is coming, by what now holds.
pub async fn replan_patient(tx: &mut TenantTx, patient: PatientId) -> Result<()> {
    let now = tx.now();
    let coming = sqlx::query_scalar!(
        r#"SELECT id AS "id: AppointmentId" FROM appointments
           WHERE tenant_id = $1 AND patient_id = $2 AND status = 'scheduled' AND starts_at > $3
           ORDER BY starts_at FOR UPDATE"#,
        tx.tenant().0,
        patient.0,
        now,
    )
    .fetch_all(tx.conn())
    .await?;
    for appointment in coming {
        cancel_reminders(tx, appointment, "contact_changed").await?;
        plan_reminder(tx, appointment).await?;
    }
    Ok(())
}

struct Present {
    status: String,
    appointment_stands: bool,
    starts_at: DateTime<Utc>,
    time_zone: String,
    first_name: String,
    language: Language,
    sms_consent: bool,
    phone: Option<String>,
    email_consent: bool,
    email: Option<String>,
    practice_name: String,
    practice_phone: Option<String>,
    practice_address: Option<String>,
}

async fn lock(tx: &mut TenantTx, id: ReminderId) -> Result<Option<Present>> {
    // The appointment is locked, and first as everywhere: it can not be moved or cancelled between this check and the
    // noted intent.
    sqlx::query!(
        "SELECT a.id FROM appointments a
         JOIN reminders r ON r.tenant_id = a.tenant_id AND r.appointment_id = a.id
         WHERE r.tenant_id = $1 AND r.id = $2 FOR SHARE OF a",
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(sqlx::query_as!(
        Present,
        r#"SELECT r.status, (a.status = 'scheduled' AND a.sequence = r.appointment_sequence) AS "appointment_stands!",
                  a.starts_at, a.time_zone, p.first_name, p.language AS "language: Language",
                  p.sms_consent, p.phone, p.email_consent, p.email,
                  t.name AS practice_name, t.phone AS practice_phone, t.address AS practice_address
           FROM reminders r
           JOIN appointments a ON a.tenant_id = r.tenant_id AND a.id = r.appointment_id
           JOIN patients p ON p.tenant_id = a.tenant_id AND p.id = a.patient_id
           JOIN tenants t ON t.id = r.tenant_id
           WHERE r.tenant_id = $1 AND r.id = $2
           FOR UPDATE OF r"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Checks that the reminder still holds and notes the intent to send it. The caller commits before it sends.
/// Without an SMS provider (`sms` is false) those who agreed to mail get mail.
pub async fn begin_reminder(tx: &mut TenantTx, id: ReminderId, sms: bool) -> Result<ReminderStart> {
    let Some(present) = lock(tx, id).await? else {
        return Ok(ReminderStart::Settled);
    };
    match present.status.as_str() {
        "planned" => {}
        "sending" => {
            settle(tx, id, "uncertain", Some("worker_lost"), None).await?;
            return Ok(ReminderStart::Parked);
        }
        "uncertain" => return Ok(ReminderStart::Parked),
        _ => return Ok(ReminderStart::Settled),
    }
    if !present.appointment_stands {
        settle(tx, id, "cancelled", Some("void"), None).await?;
        return Ok(ReminderStart::Settled);
    }
    if present.starts_at - tx.now() < USELESS {
        settle(tx, id, "expired", Some("too_late"), None).await?;
        return Ok(ReminderStart::Settled);
    }
    let reach = channel((sms && present.sms_consent, present.phone), (present.email_consent, present.email));
    let Some((channel, to)) = reach else {
        settle(tx, id, "cancelled", Some("unreachable"), None).await?;
        return Ok(ReminderStart::Settled);
    };
    settle(tx, id, "sending", None, None).await?;
    Ok(ReminderStart::Send(Box::new(ReminderMessage {
        id,
        channel,
        to,
        first_name: present.first_name,
        language: present.language,
        practice_name: present.practice_name,
        practice_phone: present.practice_phone,
        practice_address: present.practice_address,
        starts_at: present.starts_at,
        zone: present.time_zone.parse().map_err(|_| Error::internal("an appointment's zone is unknown"))?,
    })))
}

/// Notes how a sending ended. A receipt always counts; anything else only while nobody else has settled it.
pub async fn end_reminder(tx: &mut TenantTx, id: ReminderId, end: ReminderEnd<'_>) -> Result<()> {
    let present = sqlx::query_scalar!(
        "SELECT status FROM reminders WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
        tx.tenant().0,
        id.0
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("reminder"))?;
    if present != "sending" && !matches!(end, ReminderEnd::Sent { .. }) {
        return Ok(());
    }
    match end {
        ReminderEnd::Sent { provider, message_id } => {
            settle(tx, id, "sent", None, Some((provider, message_id))).await
        }
        ReminderEnd::Retry { code } => settle(tx, id, "planned", Some(code), None).await,
        ReminderEnd::Failed { code } => settle(tx, id, "failed", Some(code), None).await,
        ReminderEnd::Uncertain { code } => settle(tx, id, "uncertain", Some(code), None).await,
    }
}

async fn settle(
    tx: &mut TenantTx,
    id: ReminderId,
    status: &str,
    code: Option<&str>,
    receipt: Option<(&str, &str)>,
) -> Result<()> {
    let now = tx.now();
    let changed = sqlx::query!(
        "UPDATE reminders SET status = $3, updated_at = $4 WHERE tenant_id = $1 AND id = $2",
        tx.tenant().0,
        id.0,
        status,
        now,
    )
    .execute(tx.conn())
    .await?;
    if changed.rows_affected() != 1 {
        return Err(Error::NotFound("reminder"));
    }
    let event = match status {
        "sending" => "intent",
        "planned" => "retry",
        other => other,
    };
    log(tx, id, event, code, receipt).await
}

async fn log(
    tx: &mut TenantTx,
    id: ReminderId,
    event: &str,
    code: Option<&str>,
    receipt: Option<(&str, &str)>,
) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "INSERT INTO reminder_events (tenant_id, reminder_id, at, event, code, provider, message_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tenant.0,
        id.0,
        now,
        event,
        code,
        receipt.map(|(provider, _)| provider),
        receipt.map(|(_, message_id)| message_id),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn due_a_day_before_or_at_once_or_never() {
        let now = at("2027-03-01T08:00:00Z");
        assert_eq!(due(at("2027-03-10T08:00:00Z"), now), Some(at("2027-03-09T08:00:00Z")));
        assert_eq!(due(at("2027-03-01T18:00:00Z"), now), Some(now), "booked inside the lead time");
        assert_eq!(due(at("2027-03-01T10:00:00Z"), now), Some(now));
        assert_eq!(due(at("2027-03-01T09:59:59Z"), now), None, "too near to be of use");
        assert_eq!(due(at("2027-02-01T08:00:00Z"), now), None);
    }

    #[test]
    fn the_channel_needs_consent_and_an_address() {
        let (phone, email) = (Some("+33612345678".to_owned()), Some("a@example.fr".to_owned()));
        let chosen =
            |sms, mail| channel((sms, phone.clone()), (mail, email.clone())).map(|(channel, _)| channel);
        assert_eq!(chosen(true, true), Some(Channel::Sms));
        assert_eq!(chosen(false, true), Some(Channel::Email));
        assert_eq!(chosen(false, false), None);
        assert_eq!(channel((true, None), (true, email.clone())).map(|c| c.0), Some(Channel::Email));
    }
}
