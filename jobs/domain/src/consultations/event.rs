//! What happened to a consultation, and when. Rows are added and never change.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    db::TenantTx,
    error::Result,
    ids::{ConsultationId, UserId},
};

/// Something that happens to a consultation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum EventKind {
    /// It was booked.
    Scheduled,
    /// The practitioner said that it takes place.
    Confirmed,
    /// Somebody entered its video room.
    RoomJoined,
    /// It began.
    Started,
    /// It was over.
    Ended,
    /// It was cancelled.
    Cancelled,
    /// The employee did not come.
    NoShow,
}

/// Something that happened to a consultation.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsultationEvent {
    /// What.
    pub kind: EventKind,
    /// When.
    pub at: DateTime<Utc>,
    /// By whom; none where the practice cancelled the appointment.
    pub actor_id: Option<UserId>,
}

/// Adds an event, in the transaction of what happened.
pub(super) async fn note(tx: &mut TenantTx, id: ConsultationId, kind: EventKind) -> Result<()> {
    let (tenant, now, actor) = (tx.tenant(), tx.now(), tx.actor().user);
    sqlx::query!(
        "INSERT INTO consultation_events (tenant_id, consultation_id, kind, at, actor_id) VALUES ($1, $2, $3, $4, $5)",
        tenant.0,
        id.0,
        kind as EventKind,
        now,
        actor.map(|user| user.0),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Everything that happened to a consultation, in its order.
pub async fn list_events(tx: &mut TenantTx, id: ConsultationId) -> Result<Vec<ConsultationEvent>> {
    Ok(sqlx::query_as!(
        ConsultationEvent,
        r#"SELECT kind AS "kind: EventKind", at, actor_id AS "actor_id: UserId"
           FROM consultation_events WHERE tenant_id = $1 AND consultation_id = $2 ORDER BY id"#,
        tx.tenant().0,
        id.0
    )
    .fetch_all(tx.conn())
    .await?)
}
