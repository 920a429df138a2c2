//! Restores a backup into an empty database, and proves that it holds what was backed up. Everything that can be refused is refused
//! before anything is touched: the object is read to its end first, and a second time into the database.

use permanence_domain::{
    Error,
    backup::{Manifest, Target, differences},
    config::Secret,
    error::Result,
    storage::Storage,
    vault::BackupKeys,
};
use serde::Serialize;

use super::{Programs, check, read::pour};

/// What was restored.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Restored {
    /// Tables that hold what the backup says.
    pub tables: usize,
    /// Their rows.
    pub rows: i64,
}

/// Restores a backup as the owner of its tables, as it was: migrations that are newer, and what must be done again, come after.
pub async fn restore(
    storage: &Storage,
    keys: &BackupKeys,
    programs: &Programs,
    manifest: &Manifest,
    into: &Secret,
) -> Result<Restored> {
    check(storage, keys, programs, manifest).await?;
    let mut target = Target::open(into, &manifest.database).await?;
    target.prepare(&manifest.database).await?;
    let program = programs.restore(Some(into)).map_err(Error::internal)?;
    pour(storage, &manifest.key(keys)?, manifest, program).await?;
    target.settle(&manifest.database).await?;
    let found = target.figures().await?;
    target.close().await?;
    let differs = differences(&manifest.tables, &found);
    if differs.is_empty() {
        Ok(Restored { tables: found.len(), rows: found.iter().map(|table| table.rows).sum() })
    } else {
        let detail = format!("the restored database is not what was backed up: {}", differs.join("; "));
        Err(Error::conflict("restored_differs", detail))
    }
}
