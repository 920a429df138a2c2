//! The record of a report in the log of its message, and what follows from it. It sends nothing.

use chrono::{DateTime, Utc};

use super::{DeliveryReport, DeliveryStatus};
use crate::{
    db::{SystemTx, TenantTx},
    error::Result,
    ids::{MessageId, PatientId, TenantId},
    notifications::{Channel, Purpose, Unreachable, note_unreachable, send::fall_back},
};

/// What was done with a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is in the message's log.
    Noted,
    /// It was there already.
    Repeated,
    /// It says nothing final.
    Pending,
    /// No message of ours has this name: one from before a restore, or another system's at the same provider.
    Unknown,
}

impl Recorded {
    /// The word for it in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Noted => "noted",
            Self::Repeated => "repeated",
            Self::Pending => "pending",
            Self::Unknown => "unknown",
        }
    }
}

/// A message as its provider's report finds it.
struct Reported {
    tenant: TenantId,
    message: MessageId,
    patient: PatientId,
    purpose: Purpose,
    channel: Channel,
    /// The address that it went to, unless the patient has changed since.
    address: Option<String>,
}

async fn find(tx: &mut SystemTx, report: &DeliveryReport) -> Result<Option<Reported>> {
    Ok(sqlx::query_as!(
        Reported,
        r#"SELECT m.tenant_id AS "tenant: TenantId", m.id AS "message: MessageId", m.patient_id AS "patient: PatientId",
                  m.purpose AS "purpose: Purpose", m.channel AS "channel: Channel",
                  CASE WHEN p.updated_at <= e.at THEN CASE m.channel WHEN 'sms' THEN p.phone ELSE p.email END END
                  AS address
           FROM message_events e
           JOIN messages m ON m.tenant_id = e.tenant_id AND m.id = e.message_id
           JOIN patients p ON p.tenant_id = m.tenant_id AND p.id = m.patient_id
           WHERE e.provider = $1 AND e.provider_message_id = $2 AND e.event = 'sent'
           ORDER BY e.at LIMIT 1"#,
        report.provider.name(),
        report.message_id,
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Adds a report to the log of the message that it is about, and draws the consequences; the same report again changes
/// nothing. What did not arrive by SMS is told by mail where the patient agreed to that, and an address that leads nowhere,
/// or whose owner wants no more, is remembered.
pub async fn record(mut tx: SystemTx, report: &DeliveryReport) -> Result<Recorded> {
    let Some((event, code)) = report.status.event() else {
        return Ok(Recorded::Pending);
    };
    let Some(message) = find(&mut tx, report).await? else {
        return Ok(Recorded::Unknown);
    };
    let mut tx = tx.narrow(message.tenant).await?;
    // Two calls with one report at once meet in the unique index: the second waits for the first, and adds nothing.
    let added = sqlx::query!(
        "INSERT INTO message_events (tenant_id, message_id, at, event, code, provider, provider_message_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant_id, provider, provider_message_id, event, COALESCE(code, ''))
             WHERE event IN ('delivered', 'undelivered', 'complained', 'opted_out')
             DO NOTHING",
        message.tenant.0,
        message.message.0,
        report.at,
        event,
        code,
        report.provider.name(),
        report.message_id,
    )
    .execute(tx.conn())
    .await?;
    if added.rows_affected() == 0 {
        return Ok(Recorded::Repeated);
    }
    if matches!(event, "delivered" | "undelivered") {
        settle(&mut tx, message.message, event, report.at).await?;
    }
    if let Some((reason, address)) = unreachable(&report.status).zip(message.address.as_deref()) {
        note_unreachable(&mut tx, message.patient, message.channel, address, reason).await?;
    }
    if event == "undelivered" {
        fall_back(&mut tx, message.message).await?;
    }
    tx.commit().await?;
    count(event, &message);
    Ok(Recorded::Noted)
}

/// Counts what arrived and what did not.
fn count(event: &str, message: &Reported) {
    let name = match event {
        "delivered" => "permanence_messages_delivered_total",
        "undelivered" => "permanence_messages_undelivered_total",
        _ => return,
    };
    let labels = [("purpose", message.purpose.name()), ("channel", message.channel.name())];
    metrics::counter!(name, &labels).increment(1);
}

/// What a report says of the address, if it says anything for good.
fn unreachable(status: &DeliveryStatus) -> Option<Unreachable> {
    match status {
        DeliveryStatus::Failed { permanent: true, .. } => Some(Unreachable::Invalid),
        DeliveryStatus::Bounced { hard: true, .. } => Some(Unreachable::Bounced),
        DeliveryStatus::Complained => Some(Unreachable::Complained),
        DeliveryStatus::OptedOut => Some(Unreachable::OptedOut),
        DeliveryStatus::Failed { .. }
        | DeliveryStatus::Bounced { .. }
        | DeliveryStatus::Delivered
        | DeliveryStatus::Pending => None,
    }
}

/// The provider's word settles what it took; what a person has settled stays.
async fn settle(tx: &mut TenantTx, id: MessageId, status: &str, at: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "UPDATE messages SET status = $3, settled_at = $4, updated_at = $4
         WHERE tenant_id = $1 AND id = $2 AND (status = 'sent' OR status = 'undelivered' AND $3 = 'delivered')",
        tx.tenant().0,
        id.0,
        status,
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
