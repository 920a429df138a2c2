//! Reading what was sent, when, by whom, and whether it arrived.

use chrono::{DateTime, Utc};
use deserr::Deserr;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{Channel, Purpose};
use crate::{
    db::TenantTx,
    error::{Error, Invalid, Result},
    ids::{AppointmentId, MessageId, PatientId},
    page::{Count, Listing, Page, PageQuery, one_way},
    patients, scheduling,
};

/// How a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, sqlx::Type, ToSchema)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum MessageStatus {
    /// It waits for its time.
    Planned,
    /// It is being handed over.
    Sending,
    /// The provider took it.
    Sent,
    /// The provider says that it arrived.
    Delivered,
    /// The provider took it, and says that it did not arrive.
    Undelivered,
    /// The provider refused it for good.
    Failed,
    /// It may have left: a person decides.
    Uncertain,
    /// The appointment was moved or cancelled first, or the patient is not to be written to.
    Cancelled,
    /// It could not leave in useful time.
    Expired,
}

/// A message with all that happened to it.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageLog {
    /// What it is.
    #[serde(flatten)]
    #[schema(inline)]
    pub message: MessageSummary,
    /// Everything that happened, in order.
    pub events: Vec<MessageEvent>,
}

/// One thing that happened to a message.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MessageEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// `planned`, `intent`, `sent`, `delivered`, `undelivered`, `complained`, `opted_out`, `retry`, `quiet` (put off by
    /// quiet hours), `failed`, `uncertain`, `cancelled`, `expired` or `resolved` (by a person).
    pub event: String,
    /// The reason or the provider's code.
    pub code: Option<String>,
    /// Who carried it.
    pub provider: Option<String>,
    /// The provider's name for the message.
    pub provider_message_id: Option<String>,
}

/// A message in a list; its log is with the appointment and with the patient.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MessageSummary {
    /// Identifier.
    pub id: MessageId,
    /// What it is for.
    pub purpose: Purpose,
    /// The appointment that it is about.
    pub appointment_id: AppointmentId,
    /// Who is told.
    pub patient_id: PatientId,
    /// Their name.
    pub patient_name: String,
    /// When the appointment begins.
    pub starts_at: DateTime<Utc>,
    /// The lead time that a reminder serves, minutes.
    pub lead_minutes: Option<i32>,
    /// How it travels.
    pub channel: Channel,
    /// When it is or was due.
    pub due_at: DateTime<Utc>,
    /// When a provider took it.
    pub sent_at: Option<DateTime<Utc>>,
    /// How it stands.
    pub status: MessageStatus,
    /// The reason or the provider's code of the last thing that happened.
    pub code: Option<String>,
    /// The message that did not arrive and that this one stands in for.
    pub stands_in_for: Option<MessageId>,
}

/// Which messages of the practice.
#[derive(Debug, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct MessageQuery {
    /// Only those that stand so, such as `uncertain` for those that wait for a person.
    #[deserr(default)]
    pub status: Option<MessageStatus>,
    /// Only those for this purpose.
    #[deserr(default)]
    pub purpose: Option<Purpose>,
    /// Only those after this one in the list: `next` of the page before.
    #[deserr(default)]
    pub before: Option<MessageId>,
    /// Number of the page, from 1.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, example = 1)]
    pub page: Count<1, 100_000>,
    /// Rows on a page, 1 to 100.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 50)]
    pub limit: Count<50, 100>,
}

/// Selects messages with what a ledger shows; the text is what follows WHERE.
macro_rules! select_messages {
    ($condition:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            MessageSummary,
            r#"SELECT m.id AS "id: MessageId", m.purpose AS "purpose: Purpose",
                      m.appointment_id AS "appointment_id: AppointmentId", m.patient_id AS "patient_id: PatientId",
                      p.first_name || ' ' || p.last_name AS "patient_name!", a.starts_at, m.lead_minutes,
                      m.channel AS "channel: Channel", m.due_at, m.sent_at, m.status AS "status: MessageStatus",
                      (SELECT e.code FROM message_events e
                       WHERE e.tenant_id = m.tenant_id AND e.message_id = m.id ORDER BY e.id DESC LIMIT 1) AS code,
                      m.stands_in_for AS "stands_in_for: MessageId"
               FROM messages m
               JOIN appointments a ON a.tenant_id = m.tenant_id AND a.id = m.appointment_id
               JOIN patients p ON p.tenant_id = m.tenant_id AND p.id = m.patient_id
               WHERE "#
                + $condition,
            $($argument),*
        )
    };
}

/// The messages about an appointment, those of its last move first.
pub async fn messages_of_appointment(
    tx: &mut TenantTx,
    appointment: AppointmentId,
) -> Result<Vec<MessageLog>> {
    scheduling::get(tx, appointment).await?;
    let messages = select_messages!(
        "m.tenant_id = $1 AND m.appointment_id = $2 ORDER BY m.appointment_sequence DESC, m.job_id DESC, m.id",
        tx.tenant().0,
        appointment.0,
    )
    .fetch_all(tx.conn())
    .await?;
    with_events(tx, messages).await
}

/// What a patient was told and is to be told, the latest due first.
pub async fn messages_of_patient(
    tx: &mut TenantTx,
    patient: PatientId,
    page: PageQuery,
) -> Result<Page<MessageLog>> {
    patients::get(tx, patient).await?;
    let tenant = tx.tenant();
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM messages WHERE tenant_id = $1 AND patient_id = $2"#,
        tenant.0,
        patient.0,
    )
    .fetch_one(tx.conn())
    .await?;
    let messages = select_messages!(
        "m.tenant_id = $1 AND m.patient_id = $2 ORDER BY m.due_at DESC, m.id LIMIT $3 OFFSET $4",
        tenant.0,
        patient.0,
        page.limit(),
        page.offset(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Page::new(with_events(tx, messages).await?, page, total))
}

/// The practice's messages, the latest due first: the sight in which uncertain and undelivered ones are.
pub async fn list_messages(tx: &mut TenantTx, query: &MessageQuery) -> Result<Listing<MessageSummary>> {
    let page = PageQuery { page: query.page, limit: query.limit };
    let before = one_way(query.before, page)?;
    let tenant = tx.tenant();
    let (before_due, total) = match before {
        Some(message) => (Some(due_at(tx, message).await?), None),
        None => (None, Some(count(tx, query).await?)),
    };
    // The first comparison bounds the range of `messages_by_due`, whatever plan is kept; the second tells those of one moment apart.
    let items = select_messages!(
        "m.tenant_id = $1 AND ($2::text IS NULL OR m.status = $2) AND ($3::text IS NULL OR m.purpose = $3)
           AND m.due_at <= COALESCE($6, 'infinity'::timestamptz)
           AND (m.due_at < COALESCE($6, 'infinity'::timestamptz) OR m.id > $7)
         ORDER BY m.due_at DESC, m.id LIMIT $4 OFFSET $5",
        tenant.0,
        query.status as Option<MessageStatus>,
        query.purpose as Option<Purpose>,
        page.limit(),
        page.offset(),
        before_due,
        before.map(|message| message.0),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Listing::new(items, page, total, |message| message.id.0))
}

async fn due_at(tx: &mut TenantTx, message: MessageId) -> Result<DateTime<Utc>> {
    let tenant = tx.tenant();
    sqlx::query_scalar!("SELECT due_at FROM messages WHERE tenant_id = $1 AND id = $2", tenant.0, message.0)
        .fetch_optional(tx.conn())
        .await?
        .ok_or(Error::NotFound("message"))
}

async fn count(tx: &mut TenantTx, query: &MessageQuery) -> Result<i64> {
    let tenant = tx.tenant();
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM messages
           WHERE tenant_id = $1 AND ($2::text IS NULL OR status = $2) AND ($3::text IS NULL OR purpose = $3)"#,
        tenant.0,
        query.status as Option<MessageStatus>,
        query.purpose as Option<Purpose>,
    )
    .fetch_one(tx.conn())
    .await?)
}

async fn with_events(tx: &mut TenantTx, messages: Vec<MessageSummary>) -> Result<Vec<MessageLog>> {
    let ids: Vec<_> = messages.iter().map(|message| message.id.0).collect();
    let rows = sqlx::query!(
        r#"SELECT message_id AS "message: MessageId", at, event, code, provider, provider_message_id
           FROM message_events WHERE tenant_id = $1 AND message_id = ANY ($2) ORDER BY id"#,
        tx.tenant().0,
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut logs: Vec<MessageLog> =
        messages.into_iter().map(|message| MessageLog { message, events: Vec::new() }).collect();
    for row in rows {
        if let Some(log) = logs.iter_mut().find(|log| log.message.id == row.message) {
            log.events.push(MessageEvent {
                at: row.at,
                event: row.event,
                code: row.code,
                provider: row.provider,
                provider_message_id: row.provider_message_id,
            });
        }
    }
    Ok(logs)
}
