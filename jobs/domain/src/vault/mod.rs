//! Envelope encryption of what people's care and lives are written down in: a master key wraps a key of each tenant, that wraps
//! the keys of its subjects, and those seal content. Owns the keys; knows no content. Whoever destroys a subject's key destroys
//! all that it sealed.

mod backup;
mod content;
mod key;
mod master;
mod place;
mod rewrap;
mod stream;
mod subject;

use std::sync::Arc;

use uuid::Uuid;

use crate::config::Env;
use master::keys_named;

pub use backup::BackupKeys;
pub use content::{ContentKey, Opening};
pub use key::{Key, Sealed};
pub use master::{Answer, LocalMaster, MasterKey, Wrapped};
pub use place::Place;
pub use rewrap::{Rewrap, rewrap};
pub use stream::{SealedWriter, opened};
pub use subject::SubjectKey;

/// What a subject's key protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum KeyClass {
    /// What care wrote down: the law keeps it (CSP R1112-7), so its key outlives an erasure.
    Care,
    /// Everything else: its key is destroyed with an erasure.
    Personal,
}

/// Whose key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// The patient, the user, or the tenant itself; of a file that has a key of its own, the file.
    pub id: Uuid,
    /// What it protects.
    pub class: KeyClass,
}

/// Where the keys of a platform come from. Clones share it.
#[derive(Clone)]
pub struct Vault(Arc<dyn MasterKey>);

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(…)")
    }
}

impl Vault {
    /// Reads `MASTER_KEYS`, or the file that `MASTER_KEYS_FILE` names; `None` means that a problem was noted.
    pub fn read(env: &mut Env) -> Option<Self> {
        keys_named(env, "MASTER_KEYS").map(Self::new)
    }

    /// Keys under this master key.
    pub fn new(master: impl MasterKey + 'static) -> Self {
        Self(Arc::new(master))
    }
}
