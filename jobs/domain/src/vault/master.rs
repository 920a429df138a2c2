//! The master key: what wraps the tenants' keys. It lies outside of the database, in the environment or a file, or never leaves a
//! key management service; a program that has neither reads nothing.

use std::{collections::BTreeMap, future::Future, path::Path, pin::Pin};

use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Key, Place, Sealed};
use crate::{
    config::{Env, Secret},
    error::{Error, Result},
    ids::TenantId,
};

/// A tenant's key as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// Which master key wraps it.
    pub master_id: String,
    /// What only that one opens.
    pub bytes: Vec<u8>,
}

/// What a call to a master key gives: it may lie with a service.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// Wraps tenants' keys and opens them again. An implementation that asks a service keeps what it opened for a while, in memory.
pub trait MasterKey: Send + Sync {
    /// The master key that wraps from now on.
    fn current(&self) -> &str;
    /// Wraps a tenant's key under the current master key.
    fn wrap<'a>(&'a self, tenant: TenantId, key: &'a Key) -> Answer<'a, Wrapped>;
    /// Opens a tenant's key, whichever master key wrapped it.
    fn unwrap<'a>(&'a self, tenant: TenantId, wrapped: &'a Wrapped) -> Answer<'a, Key>;
}

/// Master keys of this process's own, by name.
#[derive(Debug)]
pub struct LocalMaster {
    current: String,
    keys: BTreeMap<String, Key>,
}

const EXPECTED: &str =
    "comma-separated id:key pairs, the wrapping one first, each key of 64 hexadecimal digits";

/// Reads keys from a variable, or from the file that the variable's name with `_FILE` names, with the same content.
pub(super) fn keys_named(env: &mut Env, name: &str) -> Option<LocalMaster> {
    let file = format!("{name}_FILE");
    let text = match env.get(&file).map(str::to_owned) {
        Some(path) if env.get(name).is_none() => {
            let Ok(text) = std::fs::read_to_string(Path::new(&path)) else {
                env.problem(&file, &format!("`{path}`"), "a file that can be read");
                return None;
            };
            Secret::new(text.trim())
        }
        _ => env.secret(name, EXPECTED, |text| LocalMaster::parse(text).is_some())?,
    };
    let keys = LocalMaster::parse(text.expose());
    if keys.is_none() {
        env.problem(&file, "a file with something else", EXPECTED);
    }
    keys
}

impl LocalMaster {
    /// Reads `id:key` pairs separated by commas, the wrapping one first.
    pub fn parse(text: &str) -> Option<Self> {
        let mut keys = BTreeMap::new();
        let mut current = None;
        for pair in text.split(',') {
            let (id, hexadecimal) = pair.trim().split_once(':')?;
            let named = (1..=100).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
            let mut bytes = Zeroizing::new([0; 32]);
            hex::decode_to_slice(hexadecimal, &mut bytes[..]).ok().filter(|()| named)?;
            current.get_or_insert_with(|| id.to_owned());
            if keys.insert(id.to_owned(), Key::of(&bytes[..]).ok()?).is_some() {
                return None;
            }
        }
        Some(Self { current: current?, keys })
    }

    /// The key that wraps, and its name.
    pub(super) fn wrapping(&self) -> Result<(&str, &Key)> {
        Ok((&self.current, self.key(&self.current)?))
    }

    pub(super) fn key(&self, id: &str) -> Result<&Key> {
        self.keys.get(id).ok_or_else(|| Error::internal(format!("the master key `{id}` is not configured")))
    }
}

fn place(tenant: TenantId) -> Place {
    Place { tenant, table: "tenant_keys", row: Uuid::nil(), version: 1 }
}

impl MasterKey for LocalMaster {
    fn current(&self) -> &str {
        &self.current
    }

    fn wrap<'a>(&'a self, tenant: TenantId, key: &'a Key) -> Answer<'a, Wrapped> {
        Box::pin(async move {
            let Sealed(bytes) = self.key(&self.current)?.seal(&place(tenant), key.bytes())?;
            Ok(Wrapped { master_id: self.current.clone(), bytes })
        })
    }

    fn unwrap<'a>(&'a self, tenant: TenantId, wrapped: &'a Wrapped) -> Answer<'a, Key> {
        Box::pin(async move {
            let master = self.key(&wrapped.master_id)?;
            Key::of(&master.open(&place(tenant), &Sealed(wrapped.bytes.clone()))?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "2025:00000000000000000000000000000000000000000000000000000000000000aa";
    const NEW: &str = "2026:00000000000000000000000000000000000000000000000000000000000000bb";

    #[tokio::test]
    async fn a_new_master_key_wraps_and_the_old_one_still_opens() {
        let (tenant, key) = (TenantId(Uuid::from_u128(7)), Key::random().unwrap());
        let old = LocalMaster::parse(OLD).unwrap();
        let wrapped = old.wrap(tenant, &key).await.unwrap();
        let both = LocalMaster::parse(&format!("{NEW}, {OLD}")).unwrap();
        assert_eq!(both.unwrap(tenant, &wrapped).await.unwrap().bytes(), key.bytes());
        let rewrapped = both.wrap(tenant, &key).await.unwrap();
        assert_eq!((both.current(), rewrapped.master_id.as_str()), ("2026", "2026"));
        assert!(old.unwrap(tenant, &rewrapped).await.is_err(), "not configured there");
        assert!(both.unwrap(TenantId(Uuid::from_u128(8)), &wrapped).await.is_err(), "another tenant's");
    }

    #[test]
    fn a_wrong_master_key_is_told_and_not_shown() {
        for wrong in ["", "2026", "2026:00", ":00", &format!("{OLD},{OLD}"), &format!("{OLD},")] {
            assert!(LocalMaster::parse(wrong).is_none(), "{wrong}");
        }
        let mut env = Env::of([("MASTER_KEYS".to_owned(), "2026:hunter2".to_owned())]);
        let master = keys_named(&mut env, "MASTER_KEYS");
        let problems = env.finish(master).unwrap_err().0;
        assert_eq!(problems, [format!("MASTER_KEYS: read a secret of 12 characters, expected {EXPECTED}")]);
    }

    #[test]
    fn a_file_may_hold_the_master_keys() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{NEW},{OLD}\n")).unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        let mut env = Env::of([("MASTER_KEYS_FILE".to_owned(), path)]);
        assert_eq!(keys_named(&mut env, "MASTER_KEYS").unwrap().current(), "2026");
        let mut env = Env::of([("MASTER_KEYS_FILE".to_owned(), "/nowhere".to_owned())]);
        let master = keys_named(&mut env, "MASTER_KEYS");
        assert_eq!(
            env.finish(master).unwrap_err().0,
            ["MASTER_KEYS_FILE: read `/nowhere`, expected a file that can be read"]
        );
    }
}
