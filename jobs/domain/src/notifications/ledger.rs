//! Reading what was sent, when, by whom, and how it went.

use chrono::{DateTime, Utc};
use deserr::Deserr;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::Channel;
use crate::{
    db::TenantTx,
    error::{Invalid, Result},
    ids::{AppointmentId, ReminderId},
    page::{Count, Page, PageQuery},
    scheduling,
};

/// A reminder with all that happened to it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReminderLog {
    /// Identifier.
    pub id: ReminderId,
    /// How it was planned to travel.
    pub channel: Channel,
    /// When it is or was due.
    pub due_at: DateTime<Utc>,
    /// `planned`, `sending`, `sent`, `failed`, `uncertain` (it may have left: a person decides), `cancelled` or
    /// `expired`.
    pub status: String,
    /// Everything that happened, in order.
    pub events: Vec<ReminderEvent>,
}

/// One thing that happened to a reminder.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReminderEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// `planned`, `intent`, `sent`, `retry`, `failed`, `uncertain`, `cancelled` or `expired`.
    pub event: String,
    /// The reason or the provider's code.
    pub code: Option<String>,
    /// Who carried it.
    pub provider: Option<String>,
    /// The provider's name for the message.
    pub message_id: Option<String>,
}

/// The reminders of an appointment, the newest first.
pub async fn reminders_of(tx: &mut TenantTx, appointment: AppointmentId) -> Result<Vec<ReminderLog>> {
    scheduling::get(tx, appointment).await?;
    let tenant = tx.tenant();
    let rows = sqlx::query!(
        r#"SELECT r.id AS "id: ReminderId", r.channel AS "channel: Channel", r.due_at, r.status,
                  e.at, e.event, e.code, e.provider, e.message_id
           FROM reminders r JOIN reminder_events e ON e.tenant_id = r.tenant_id AND e.reminder_id = r.id
           WHERE r.tenant_id = $1 AND r.appointment_id = $2
           ORDER BY r.appointment_sequence DESC, r.job_id DESC, r.id, e.id"#,
        tenant.0,
        appointment.0,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut logs: Vec<ReminderLog> = Vec::new();
    for row in rows {
        let event = ReminderEvent {
            at: row.at,
            event: row.event,
            code: row.code,
            provider: row.provider,
            message_id: row.message_id,
        };
        match logs.last_mut() {
            Some(log) if log.id == row.id => log.events.push(event),
            _ => logs.push(ReminderLog {
                id: row.id,
                channel: row.channel,
                due_at: row.due_at,
                status: row.status,
                events: vec![event],
            }),
        }
    }
    Ok(logs)
}

/// How a reminder stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, sqlx::Type, ToSchema)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum ReminderStatus {
    /// It waits for its time.
    Planned,
    /// It is being handed over.
    Sending,
    /// The provider took it.
    Sent,
    /// The provider refused it for good.
    Failed,
    /// It may have left: a person decides.
    Uncertain,
    /// The appointment was moved or cancelled first.
    Cancelled,
    /// It could not leave in useful time.
    Expired,
}

/// Which reminders of the practice.
#[derive(Debug, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct ReminderQuery {
    /// Only those that stand so, such as `uncertain` for those that wait for a person.
    #[deserr(default)]
    pub status: Option<ReminderStatus>,
    /// Number of the page, from 1.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, example = 1)]
    pub page: Count<1, 100_000>,
    /// Rows on a page, 1 to 100.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 50)]
    pub limit: Count<50, 100>,
}

/// A reminder in a list; its log is with the appointment.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReminderSummary {
    /// Identifier.
    pub id: ReminderId,
    /// What it announces.
    pub appointment_id: AppointmentId,
    /// Whom it reminds.
    pub patient_name: String,
    /// When the appointment begins.
    pub starts_at: DateTime<Utc>,
    /// How it was planned to travel.
    pub channel: Channel,
    /// When it is or was due.
    pub due_at: DateTime<Utc>,
    /// How it stands.
    pub status: ReminderStatus,
    /// The reason or the provider's code of the last thing that happened.
    pub code: Option<String>,
}

/// The practice's reminders, the latest due first: the sight in which uncertain and failed ones are.
pub async fn list_reminders(tx: &mut TenantTx, query: &ReminderQuery) -> Result<Page<ReminderSummary>> {
    let page = PageQuery { page: query.page, limit: query.limit };
    let tenant = tx.tenant();
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM reminders WHERE tenant_id = $1 AND ($2::text IS NULL OR status = $2)"#,
        tenant.0,
        query.status as Option<ReminderStatus>,
    )
    .fetch_one(tx.conn())
    .await?;
    let items = sqlx::query_as!(
        ReminderSummary,
        r#"SELECT r.id AS "id: ReminderId", r.appointment_id AS "appointment_id: AppointmentId",
                  p.first_name || ' ' || p.last_name AS "patient_name!", a.starts_at, r.channel AS "channel: Channel",
                  r.due_at, r.status AS "status: ReminderStatus",
                  (SELECT e.code FROM reminder_events e
                   WHERE e.tenant_id = r.tenant_id AND e.reminder_id = r.id ORDER BY e.id DESC LIMIT 1) AS code
           FROM reminders r
           JOIN appointments a ON a.tenant_id = r.tenant_id AND a.id = r.appointment_id
           JOIN patients p ON p.tenant_id = a.tenant_id AND p.id = a.patient_id
           WHERE r.tenant_id = $1 AND ($2::text IS NULL OR r.status = $2)
           ORDER BY r.due_at DESC, r.id LIMIT $3 OFFSET $4"#,
        tenant.0,
        query.status as Option<ReminderStatus>,
        page.limit(),
        page.offset(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Page::new(items, page, total))
}
