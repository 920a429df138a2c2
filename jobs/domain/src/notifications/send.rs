//! Sending a message once: the intent is noted before it leaves, and how it ended after. It sends nothing itself.

use chrono::{DateTime, Duration, Utc};

use super::{
    AppointmentLink, Channel, Contact, Links, Purpose, Subject, Unreachable,
    content::{AppointmentFacts, Template},
    due::{Clocks, useful_until},
    note_unreachable, plan, templates,
};
use crate::{
    db::TenantTx,
    error::{Error, Result},
    field::Language,
    ids::{AppointmentId, MessageId, PatientId},
    tenants::{self, Settings},
};

/// What a message says, and to whom.
#[derive(Debug, Clone)]
pub struct OutgoingMessage {
    /// The message: the idempotency key of the sending.
    pub id: MessageId,
    /// What it is for.
    pub purpose: Purpose,
    /// How it travels.
    pub channel: Channel,
    /// E.164 number or address.
    pub to: String,
    /// When it was due.
    pub due_at: DateTime<Utc>,
    /// The appointment that it is about.
    pub appointment: AppointmentId,
    /// Counts the moves of the appointment.
    pub sequence: i32,
    /// Who is told.
    pub patient: PatientId,
    /// Their language.
    pub language: Language,
    /// What it tells.
    pub facts: AppointmentFacts,
    /// End of the appointment.
    pub ends_at: DateTime<Utc>,
    /// The practice's own words, where it has any.
    pub template: Option<Template>,
    /// The practice's settings.
    pub settings: Settings,
}

/// What the sending job finds.
#[derive(Debug)]
pub enum MessageStart {
    /// The intent is noted: commit, then send this.
    Send(Box<OutgoingMessage>),
    /// The message may have left: an earlier attempt noted its intent and never its receipt. The provider may know;
    /// else a person decides, for sending again could be a second message.
    Doubtful {
        /// The message, as it would leave now.
        message: Box<OutgoingMessage>,
        /// When the intent was noted.
        since: DateTime<Utc>,
    },
    /// The practice's quiet hours have begun: come back then.
    Quiet(Duration),
    /// There is nothing to send: already sent, void or too late.
    Settled,
}

/// How a sending ended.
#[derive(Debug, Clone, Copy)]
pub enum MessageEnd<'a> {
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
        /// Whether it is the address that it refused.
        address: bool,
    },
    /// Nobody knows whether the provider took it.
    Uncertain {
        /// Stable code.
        code: &'a str,
    },
}

struct Present {
    status: String,
    purpose: Purpose,
    planned_channel: Channel,
    stands_in: bool,
    stands: bool,
    due_at: DateTime<Utc>,
    intended_at: Option<DateTime<Utc>>,
    appointment: AppointmentId,
    sequence: i32,
    patient: PatientId,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    time_zone: String,
    reason: Option<String>,
    first_name: Option<String>,
    language: Option<Language>,
    phone: Option<String>,
    email: Option<String>,
    practitioner_name: String,
    specialty: Option<String>,
    practice_name: String,
    practice_phone: Option<String>,
    practice_address: Option<String>,
    settings: sqlx::types::Json<Settings>,
}

async fn lock(tx: &mut TenantTx, id: MessageId) -> Result<Option<Present>> {
    // The appointment is locked, and first as everywhere: it can not be moved or cancelled between this check and the
    // noted intent.
    sqlx::query!(
        "SELECT a.id FROM appointments a
         JOIN messages m ON m.tenant_id = a.tenant_id AND m.appointment_id = a.id
         WHERE m.tenant_id = $1 AND m.id = $2 FOR SHARE OF a",
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(sqlx::query_as!(
        Present,
        r#"SELECT m.status, m.purpose AS "purpose: Purpose", m.channel AS "planned_channel: Channel",
                  m.stands_in_for IS NOT NULL AS "stands_in!", m.due_at,
                  CASE WHEN m.status IN ('sending', 'uncertain') THEN
                      (SELECT max(e.at) FROM message_events e
                       WHERE e.tenant_id = m.tenant_id AND e.message_id = m.id AND e.event = 'intent')
                  END AS intended_at,
                  a.sequence = m.appointment_sequence
                  AND a.status = CASE m.purpose WHEN 'cancellation' THEN 'cancelled' ELSE 'scheduled' END AS "stands!",
                  a.id AS "appointment: AppointmentId", a.sequence, m.patient_id AS "patient: PatientId",
                  a.starts_at, a.ends_at, a.time_zone, a.reason,
                  c.first_name AS "first_name?", c.language AS "language?: Language", c.phone, c.email,
                  d.first_name || ' ' || d.last_name AS "practitioner_name!", d.specialty,
                  t.name AS practice_name, t.phone AS practice_phone, t.address AS practice_address,
                  s.document || jsonb_build_object('time_zone', t.time_zone) AS "settings!: sqlx::types::Json<Settings>"
           FROM messages m
           JOIN appointments a ON a.tenant_id = m.tenant_id AND a.id = m.appointment_id
           JOIN practitioners d ON d.tenant_id = a.tenant_id AND d.id = a.practitioner_id
           JOIN tenants t ON t.id = m.tenant_id
           JOIN settings s ON s.tenant_id = m.tenant_id
           LEFT JOIN contacts c ON c.tenant_id = m.tenant_id AND c.patient_id = m.patient_id
           WHERE m.tenant_id = $1 AND m.id = $2
           FOR UPDATE OF m"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Checks that the message still holds and notes the intent to send it. The caller commits before it sends.
/// Without an SMS provider (`sms` is false) those who agreed to mail get mail.
pub async fn begin_message(
    tx: &mut TenantTx,
    id: MessageId,
    sms: bool,
    links: &Links,
) -> Result<MessageStart> {
    let Some(present) = lock(tx, id).await? else {
        return Ok(MessageStart::Settled);
    };
    match present.status.as_str() {
        "planned" => {}
        "sending" => {
            settle(tx, id, "uncertain", Some("worker_lost")).await?;
            return doubtful(tx, present, id, links).await;
        }
        "uncertain" => return doubtful(tx, present, id, links).await,
        _ => return Ok(MessageStart::Settled),
    }
    if !present.stands {
        settle(tx, id, "cancelled", Some("void")).await?;
        return Ok(MessageStart::Settled);
    }
    let (now, until) = (tx.now(), useful_until(present.purpose, present.starts_at));
    let may_leave = Clocks::of(&present.settings).no_earlier_than(now);
    if may_leave > until {
        settle(tx, id, "expired", Some(if now > until { "too_late" } else { "quiet_hours" })).await?;
        return Ok(MessageStart::Settled);
    }
    if may_leave > now {
        put_off(tx, id, may_leave).await?;
        return Ok(MessageStart::Quiet(may_leave - now));
    }
    let Some(mut message) = present.outgoing(id, sms)? else {
        settle(tx, id, "cancelled", Some("unreachable")).await?;
        return Ok(MessageStart::Settled);
    };
    complete(tx, &mut message, links).await?;
    intend(tx, id, message.channel).await?;
    Ok(MessageStart::Send(Box::new(message)))
}

/// What to ask the provider for; nothing if it went to an address that the patient no longer has.
async fn doubtful(tx: &mut TenantTx, present: Present, id: MessageId, links: &Links) -> Result<MessageStart> {
    let since = present.intended_at.unwrap_or(present.due_at);
    let Some(mut message) = Present { stands_in: true, ..present }.outgoing(id, true)? else {
        return Ok(MessageStart::Settled);
    };
    // In the words that left: some providers find a message by them.
    complete(tx, &mut message, links).await?;
    Ok(MessageStart::Doubtful { message: Box::new(message), since })
}

/// Adds the practice's own words and the patient's links.
async fn complete(tx: &mut TenantTx, message: &mut OutgoingMessage, links: &Links) -> Result<()> {
    message.template = templates::in_force(tx, message.purpose, message.channel, message.language).await?;
    let OutgoingMessage { appointment, sequence, patient, purpose, channel, .. } = *message;
    let link = AppointmentLink { appointment, sequence, patient };
    let manage = message.settings.patient_links;
    let made = links.of_message(tx, link, (purpose, channel), (manage, &message.to)).await?;
    message.facts.manage_url = made.manage;
    message.facts.unsubscribe_url = made.unsubscribe;
    Ok(())
}

impl Present {
    /// The message as it leaves; none if the patient can not be reached any more. A reminder or a cancellation goes by
    /// what is preferred now; a confirmation is a mail, and what stands in for another message goes another way.
    fn outgoing(self, id: MessageId, sms: bool) -> Result<Option<OutgoingMessage>> {
        let settings = self.settings.0;
        let contact = Contact { phone: self.phone, email: self.email };
        let channel = if self.stands_in || self.purpose == Purpose::Confirmation {
            Some(self.planned_channel).filter(|channel| sms || *channel != Channel::Sms)
        } else {
            contact.channel(&settings, sms)
        };
        let to = channel.and_then(|channel| contact.address(channel)).map(str::to_owned);
        let (Some(channel), Some(to), Some(first_name), Some(language)) =
            (channel, to, self.first_name, self.language)
        else {
            return Ok(None);
        };
        let facts = AppointmentFacts {
            practice_name: self.practice_name,
            practice_phone: self.practice_phone,
            practice_address: self.practice_address,
            patient_first_name: first_name,
            starts_at: self.starts_at,
            zone: self.time_zone.parse().map_err(|_| Error::internal("an appointment's zone is unknown"))?,
            practitioner_name: self.practitioner_name,
            specialty: self.specialty.filter(|_| settings.disclose_specialty),
            reason: self.reason.filter(|_| settings.disclose_reason),
            manage_url: None,
            unsubscribe_url: None,
        };
        Ok(Some(OutgoingMessage {
            id,
            purpose: self.purpose,
            channel,
            to,
            due_at: self.due_at,
            appointment: self.appointment,
            sequence: self.sequence,
            patient: self.patient,
            language,
            facts,
            ends_at: self.ends_at,
            template: None,
            settings,
        }))
    }
}

/// Notes how a sending ended. A receipt always counts; anything else only while nobody else has settled it. What
/// certainly did not arrive by SMS is told by mail, where the patient agreed to that.
pub async fn end_message(tx: &mut TenantTx, message: &OutgoingMessage, end: MessageEnd<'_>) -> Result<()> {
    let (status, event, code, receipt) = match end {
        MessageEnd::Sent { provider, message_id } => ("sent", "sent", None, Some((provider, message_id))),
        MessageEnd::Retry { code } => ("planned", "retry", Some(code), None),
        MessageEnd::Failed { code, .. } => ("failed", "failed", Some(code), None),
        MessageEnd::Uncertain { code } => ("uncertain", "uncertain", Some(code), None),
    };
    let now = tx.now();
    let noted = sqlx::query!(
        "WITH settled AS (
             UPDATE messages
             SET status = $3, updated_at = $4, sent_at = CASE WHEN $3 = 'sent' THEN $4 ELSE sent_at END
             WHERE tenant_id = $1 AND id = $2
               AND (status = 'sending' OR $3 = 'sent' AND status NOT IN ('sent', 'delivered', 'undelivered'))
             RETURNING id
         )
         INSERT INTO message_events (tenant_id, message_id, at, event, code, provider, provider_message_id)
         SELECT $1, id, $4, $5, $6, $7, $8 FROM settled",
        tx.tenant().0,
        message.id.0,
        status,
        now,
        event,
        code,
        receipt.map(|(provider, _)| provider),
        receipt.map(|(_, message_id)| message_id),
    )
    .execute(tx.conn())
    .await?;
    if let (MessageEnd::Failed { address, .. }, 1) = (end, noted.rows_affected()) {
        if address {
            note_unreachable(tx, message.patient, message.channel, &message.to, Unreachable::Invalid).await?;
        }
        fall_back(tx, message.id).await?;
    }
    Ok(())
}

/// Says by mail what certainly did not arrive by SMS, if the patient agreed to mail and it is still of use.
pub(super) async fn fall_back(tx: &mut TenantTx, failed: MessageId) -> Result<bool> {
    let row = sqlx::query!(
        r#"SELECT m.purpose AS "purpose: Purpose", m.channel AS "channel: Channel", m.lead_minutes,
                  m.appointment_id AS "appointment: AppointmentId", m.appointment_sequence AS sequence,
                  m.patient_id AS "patient: PatientId", a.starts_at, c.phone, c.email
           FROM messages m
           JOIN appointments a ON a.tenant_id = m.tenant_id AND a.id = m.appointment_id
                AND a.sequence = m.appointment_sequence
           JOIN contacts c ON c.tenant_id = m.tenant_id AND c.patient_id = m.patient_id
           WHERE m.tenant_id = $1 AND m.id = $2"#,
        tx.tenant().0,
        failed.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(false) };
    let subject = Subject {
        appointment: row.appointment,
        sequence: row.sequence,
        starts_at: row.starts_at,
        patient: row.patient,
        contact: Contact { phone: row.phone, email: row.email },
    };
    let settings = tenants::settings(tx).await?;
    if row.channel != Channel::Sms || !subject.contact.has(&settings, Channel::Email) {
        return Ok(false);
    }
    plan::stand_in(tx, &settings, &subject, failed, (row.purpose, row.lead_minutes, Channel::Email)).await
}

/// Notes the intent, and the channel that it goes by after all.
async fn intend(tx: &mut TenantTx, id: MessageId, channel: Channel) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "WITH intended AS (
             UPDATE messages SET status = 'sending', channel = $4, updated_at = $3
             WHERE tenant_id = $1 AND id = $2 RETURNING id
         )
         INSERT INTO message_events (tenant_id, message_id, at, event) SELECT $1, id, $3, 'intent' FROM intended",
        tenant.0,
        id.0,
        now,
        channel as Channel,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Leaves a message in a status, and says so in its log.
pub(super) async fn settle(tx: &mut TenantTx, id: MessageId, status: &str, code: Option<&str>) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "WITH settled AS (
             UPDATE messages SET status = $3, updated_at = $4 WHERE tenant_id = $1 AND id = $2 RETURNING id
         )
         INSERT INTO message_events (tenant_id, message_id, at, event, code) SELECT $1, id, $4, $3, $5 FROM settled",
        tenant.0,
        id.0,
        status,
        now,
        code,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Makes a message due when the quiet hours that it fell into are over: what the practice wants is not late.
async fn put_off(tx: &mut TenantTx, id: MessageId, until: DateTime<Utc>) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "WITH put_off AS (
             UPDATE messages SET due_at = $3, updated_at = $4 WHERE tenant_id = $1 AND id = $2 RETURNING id
         )
         INSERT INTO message_events (tenant_id, message_id, at, event) SELECT $1, id, $4, 'quiet' FROM put_off",
        tenant.0,
        id.0,
        until,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
