//! The keys of backups: each backup is sealed under a key of its own, which these wrap. They are not the master keys, and lie where
//! neither the database nor its backups do: whoever has lost the database opens a backup with them alone.

use uuid::Uuid;

use super::{ContentKey, Key, LocalMaster, Place, Sealed, master::keys_named};
use crate::{
    config::Env,
    error::{Error, Result},
    ids::TenantId,
};

/// The backup keys of a process, by name. The first wraps, all of them open.
#[derive(Debug)]
pub struct BackupKeys(LocalMaster);

impl BackupKeys {
    /// Reads `BACKUP_KEYS`, or the file that `BACKUP_KEYS_FILE` names; `None` means that a problem was noted.
    pub fn read(env: &mut Env) -> Option<Self> {
        keys_named(env, "BACKUP_KEYS").map(Self)
    }

    /// Reads `id:key` pairs separated by commas, the wrapping one first.
    pub fn parse(text: &str) -> Option<Self> {
        LocalMaster::parse(text).map(Self)
    }

    /// Wraps a backup's key: the name of the key that opens it, and what it opens.
    pub fn wrap(&self, backup: Uuid, key: &ContentKey) -> Result<(String, Sealed)> {
        let (id, wrapping) = self.0.wrapping()?;
        Ok((id.to_owned(), wrapping.seal(&place(backup), key.key().bytes())?))
    }

    /// Opens a backup's key. Refused where the key is not configured, or what it wraps is another backup's or was changed.
    pub fn unwrap(&self, backup: Uuid, id: &str, sealed: &Sealed) -> Result<ContentKey> {
        let wrapping = self.0.key(id).map_err(|_| {
            let detail = format!("the backup is under the key `{id}`, which BACKUP_KEYS does not have");
            Error::conflict("backup_key_missing", detail)
        })?;
        let opened = wrapping.open(&place(backup), sealed).map_err(|_| {
            let detail =
                format!("the key `{id}` of BACKUP_KEYS does not open this backup: it is another, or the manifest was changed");
            Error::conflict("backup_key_wrong", detail)
        })?;
        Ok(ContentKey::of(Key::of(&opened)?))
    }
}

fn place(backup: Uuid) -> Place {
    Place { tenant: TenantId(Uuid::nil()), table: "backups", row: backup, version: 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_key_another_backup_or_a_changed_bit_does_not_open() {
        let keys = |id: &str, byte: &str| BackupKeys::parse(&format!("{id}:{}", byte.repeat(32))).unwrap();
        let (mine, key, backup) = (keys("a", "0a"), ContentKey::random().unwrap(), Uuid::from_u128(1));
        let (id, sealed) = mine.wrap(backup, &key).unwrap();
        assert_eq!(mine.unwrap(backup, &id, &sealed).unwrap().key().bytes(), key.key().bytes());
        let code = |result: Result<ContentKey>| match result {
            Err(Error::Conflict { code, .. }) => code,
            other => panic!("{other:?}"),
        };
        assert_eq!(code(mine.unwrap(Uuid::from_u128(2), &id, &sealed)), "backup_key_wrong");
        assert_eq!(code(keys("a", "0b").unwrap(backup, &id, &sealed)), "backup_key_wrong");
        assert_eq!(code(keys("b", "0a").unwrap(backup, &id, &sealed)), "backup_key_missing");
        let mut changed = sealed;
        changed.0[20] ^= 1;
        assert_eq!(code(mine.unwrap(backup, &id, &changed)), "backup_key_wrong");
    }
}
