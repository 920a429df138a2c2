//! What a person decides about a message whose fate nobody else can tell.

use chrono::{DateTime, Utc};
use deserr::Deserr;
use utoipa::ToSchema;

use super::{Channel, Contact, Purpose, Subject, plan::stand_in, send::settle};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Invalid, Result},
    ids::{AppointmentId, MessageId, PatientId},
    tenants::settings,
};

/// The decision.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct ResolveMessage {
    /// What became of the message, and what is to be done.
    pub resolution: Resolution,
}

/// What became of a message, by a person's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, ToSchema)]
#[deserr(rename_all = lowercase)]
#[schema(rename_all = "lowercase")]
pub enum Resolution {
    /// The patient has it, or was told otherwise: nothing more is sent.
    Sent,
    /// The patient does not have it: it is sent again, if that is still of use.
    Again,
}

struct Present {
    status: String,
    purpose: Purpose,
    channel: Channel,
    lead_minutes: Option<i32>,
    appointment: AppointmentId,
    sequence: i32,
    stands: bool,
    patient: PatientId,
    starts_at: DateTime<Utc>,
    phone: Option<String>,
    email: Option<String>,
}

/// Settles a message that waits for a person: one that is uncertain, or that did not arrive.
pub async fn resolve_message(tx: &mut TenantTx, id: MessageId, decision: &ResolveMessage) -> Result<()> {
    let present = sqlx::query_as!(
        Present,
        r#"SELECT m.status, m.purpose AS "purpose: Purpose", m.channel AS "channel: Channel", m.lead_minutes,
                  a.id AS "appointment: AppointmentId", a.sequence,
                  a.sequence = m.appointment_sequence
                  AND a.status = CASE m.purpose WHEN 'cancellation' THEN 'cancelled' ELSE 'scheduled' END AS "stands!",
                  m.patient_id AS "patient: PatientId", a.starts_at, c.phone, c.email
           FROM messages m
           JOIN appointments a ON a.tenant_id = m.tenant_id AND a.id = m.appointment_id
           LEFT JOIN contacts c ON c.tenant_id = m.tenant_id AND c.patient_id = m.patient_id
           WHERE m.tenant_id = $1 AND m.id = $2
           FOR UPDATE OF a, m"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("message"))?;
    if !matches!(present.status.as_str(), "uncertain" | "failed" | "undelivered" | "expired") {
        let detail = format!("the message is {}: there is nothing to decide", present.status);
        return Err(Error::conflict("message_not_in_question", detail));
    }
    match decision.resolution {
        Resolution::Sent => settle_as_sent(tx, id).await?,
        Resolution::Again => again(tx, id, present).await?,
    }
    audit::record(tx, "message.resolve", "message", id.0).await
}

async fn settle_as_sent(tx: &mut TenantTx, id: MessageId) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "WITH settled AS (
             UPDATE messages SET status = 'delivered', settled_at = $3, updated_at = $3
             WHERE tenant_id = $1 AND id = $2 RETURNING id
         )
         INSERT INTO message_events (tenant_id, message_id, at, event, code)
         SELECT $1, id, $3, 'resolved', 'by_a_person' FROM settled",
        tenant.0,
        id.0,
        now,
    )
    .execute(tx.conn())
    .await
    .map_err(|error| match Error::violated(&error) {
        Some("messages_once") => Error::conflict("message_replaced", "another message has taken its place"),
        _ => error.into(),
    })?;
    Ok(())
}

async fn again(tx: &mut TenantTx, id: MessageId, present: Present) -> Result<()> {
    let subject = Subject {
        appointment: present.appointment,
        sequence: present.sequence,
        starts_at: present.starts_at,
        patient: present.patient,
        contact: Contact { phone: present.phone, email: present.email },
    };
    let settings = settings(tx).await?;
    let channel = match subject.contact.address(present.channel) {
        Some(_) => Some(present.channel),
        None => subject.contact.channel(&settings, true),
    };
    let Some(channel) = channel else {
        return Err(Error::conflict("patient_unreachable", "the patient has no address that may be used"));
    };
    // What was uncertain is now, by a person's word, known not to have arrived.
    settle(tx, id, "failed", Some("not_arrived")).await?;
    let of_use = present.stands
        && stand_in(tx, &settings, &subject, id, (present.purpose, present.lead_minutes, channel)).await?;
    if of_use {
        Ok(())
    } else {
        Err(Error::conflict("message_useless", "it is too late for it, or the appointment has changed"))
    }
}
