//! The record of a report in the log of its message. It changes no message and sends none.

use super::DeliveryReport;
use crate::{db::SystemTx, error::Result};

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

/// Adds a report to the log of the message that it is about; the same report again changes nothing.
pub async fn record(tx: &mut SystemTx, report: &DeliveryReport) -> Result<Recorded> {
    let Some((event, code)) = report.status.event() else {
        return Ok(Recorded::Pending);
    };
    let provider = report.provider.name();
    let message = sqlx::query!(
        "SELECT tenant_id, reminder_id FROM reminder_events
         WHERE provider = $1 AND message_id = $2 AND event = 'sent'
         ORDER BY at LIMIT 1",
        provider,
        report.message_id,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(message) = message else {
        return Ok(Recorded::Unknown);
    };
    // Two calls with one report at once meet in the unique index: the second waits for the first, and adds nothing.
    let added = sqlx::query!(
        "INSERT INTO reminder_events (tenant_id, reminder_id, at, event, code, provider, message_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant_id, provider, message_id, event, COALESCE(code, ''))
             WHERE event IN ('delivered', 'undelivered', 'complained', 'opted_out')
             DO NOTHING",
        message.tenant_id,
        message.reminder_id,
        report.at,
        event,
        code,
        provider,
        report.message_id,
    )
    .execute(tx.conn())
    .await?;
    Ok(if added.rows_affected() == 1 { Recorded::Noted } else { Recorded::Repeated })
}
