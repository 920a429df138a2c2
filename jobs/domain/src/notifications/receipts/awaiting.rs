//! The messages whose fate nobody has reported. It asks nobody.

use chrono::Duration;

use super::Provider;
use crate::{db::SystemTx, error::Result};

/// A message younger than this is on its way.
const ON_ITS_WAY: Duration = Duration::minutes(1);

/// Nothing more is reported after this, the longest time that a message is worth delivering.
const GIVEN_UP: Duration = Duration::days(3);

/// Names the messages that a provider took in the last days and of which nothing final is known, the newest first.
pub async fn awaiting(tx: &mut SystemTx, provider: Provider, limit: i64) -> Result<Vec<String>> {
    let now = tx.now();
    Ok(sqlx::query_scalar!(
        r#"SELECT sent.provider_message_id AS "message_id!" FROM message_events sent
           WHERE sent.provider = $1 AND sent.event = 'sent' AND sent.at > $2 AND sent.at <= $3
             AND sent.provider_message_id IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM message_events report
                             WHERE report.tenant_id = sent.tenant_id AND report.provider = sent.provider
                               AND report.provider_message_id = sent.provider_message_id
                               AND report.event IN ('delivered', 'undelivered', 'complained', 'opted_out'))
           ORDER BY sent.at DESC LIMIT $4"#,
        provider.name(),
        now - GIVEN_UP,
        now - ON_ITS_WAY,
        limit,
    )
    .fetch_all(tx.conn())
    .await?)
}
