//! What operators see of the database itself: figures, never content.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{db::SystemTx, error::Result};

/// The database's own figures.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DatabaseFigures {
    /// Connections to this database at the moment, of every process.
    pub connections: i64,
    /// The most that the server takes, for all of its databases.
    pub max_connections: i32,
    /// Replicas that follow the server.
    pub replicas: i64,
    /// The server's version, such as `15.18`.
    pub server_version: String,
}

/// Reads them.
pub async fn database_figures(tx: &mut SystemTx) -> Result<DatabaseFigures> {
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) AS "connections!",
                  current_setting('max_connections')::integer AS "max_connections!",
                  (SELECT count(*) FROM pg_stat_replication) AS "replicas!",
                  split_part(current_setting('server_version'), ' ', 1) AS "server_version!""#
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(DatabaseFigures {
        connections: row.connections,
        max_connections: row.max_connections,
        replicas: row.replicas,
        server_version: row.server_version,
    })
}

/// Lets no statement of the transaction take longer than a question about health may.
pub async fn hurry(tx: &mut SystemTx) -> Result<()> {
    sqlx::raw_sql("SET LOCAL statement_timeout = '1500ms'").execute(tx.conn()).await?;
    Ok(())
}
