//! Backups: writing them, removing those that have served their time, opening and restoring them. Postgres' own programs dump and
//! restore; here it is sealed, sent, read back and compared. Owns no SQL.

mod program;
mod read;
mod remove_backups;
mod restore;
mod write_backup;

use permanence_domain::{
    backup::Keep,
    config::{Env, Secret, postgres_url},
    vault::BackupKeys,
};

pub use program::Programs;
pub use read::check;
pub use restore::{Restored, restore};

/// What the pool that backs up has and no other.
#[derive(Debug)]
pub struct BackupServices {
    /// The login that may read every row.
    pub source: Secret,
    /// Wraps the keys of backups.
    pub keys: BackupKeys,
    /// How many backups are kept.
    pub keep: Keep,
    /// What dumps and reads back.
    pub programs: Programs,
}

impl BackupServices {
    /// Reads `BACKUP_DATABASE_URL`, `BACKUP_KEYS`, `BACKUP_KEEP_…`, `PG_DUMP` and `PG_RESTORE`.
    pub fn read(env: &mut Env) -> Option<Self> {
        let source = postgres_url(env, "BACKUP_DATABASE_URL");
        let keys = BackupKeys::read(env);
        let keep = Keep::read(env);
        let programs = Programs::read(env);
        Some(Self { source: source?, keys: keys?, keep: keep?, programs: programs? })
    }
}
