//! Files that a request puts into the object store before its transaction begins: which areas they lie in, and which of
//! them a row still wants. Never talks to the store.

use std::collections::HashSet;

use chrono::Duration;

use crate::{db::SystemTx, error::Result, files, import, inventory};

/// The areas into which requests put files.
pub const AREAS: [&str; 4] = [files::AREA, inventory::import::AREA, import::AREA, LOGOS];

/// The area of the object store that practices' logos lie in.
pub const LOGOS: &str = "logos";

/// How old a file is that a row should want. A request has ended long before, whether its process died or not.
pub const GRACE: Duration = Duration::hours(24);

/// Those of these files that a row still wants.
pub async fn wanted(tx: &mut SystemTx, keys: &[String]) -> Result<HashSet<String>> {
    let wanted = sqlx::query_scalar!(
        r#"SELECT object AS "object!" FROM inventory_imports WHERE object = ANY($1) AND status = 'waiting'
           UNION ALL
           SELECT object_key FROM practice_logos WHERE object_key = ANY($1)
           UNION ALL
           SELECT object_key FROM files WHERE object_key = ANY($1) AND cleared_at IS NULL
           UNION ALL
           SELECT object FROM data_migrations CROSS JOIN LATERAL (VALUES (dump_object), (backup_object)) AS o (object)
           WHERE object = ANY($1) AND files_ended_at IS NULL"#,
        keys,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(wanted.into_iter().collect())
}
