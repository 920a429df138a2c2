//! Reading what was sent, when, by whom, and how it went.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::Channel;
use crate::{
    db::TenantTx,
    error::Result,
    ids::{AppointmentId, ReminderId},
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
           ORDER BY r.appointment_sequence DESC, r.created_at DESC, r.id, e.id"#,
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
