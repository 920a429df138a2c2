//! How many messages should have left and have not: what an operator watches. Mends nothing.

use crate::{db::SystemTx, error::Result};

/// Messages of every tenant that are due and have not left.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Overdue {
    /// How many.
    pub messages: i64,
    /// How long the oldest has been due, seconds.
    pub oldest_seconds: f64,
}

/// Counts them, whether or not a job of theirs is left; what a practice's quiet hours put off is not due.
pub async fn overdue(tx: &mut SystemTx) -> Result<Overdue> {
    let now = tx.now();
    // The index `messages_on_their_way` holds these few alone.
    let row = sqlx::query!(
        r#"SELECT count(*) AS "messages!", extract(epoch FROM $1 - min(due_at))::float8 AS oldest
           FROM messages WHERE status IN ('planned', 'sending') AND due_at <= $1"#,
        now,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Overdue { messages: row.messages, oldest_seconds: row.oldest.unwrap_or_default() })
}
