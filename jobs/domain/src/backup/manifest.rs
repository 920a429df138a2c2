//! The manifest of a backup: what lies beside it in the store and says all that restoring it takes but the key. Nothing in it is of a
//! tenant. It is marked under the backup's own key, so that nobody who can write into the store can say otherwise.

use std::pin::pin;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};

use super::TableFigures;
use crate::{
    crypto::same,
    error::{Error, Result},
    ids::BackupId,
    storage::{ObjectKey, Storage},
    vault::{BackupKeys, ContentKey, Sealed},
};

/// Where manifests lie in the bucket.
const MANIFESTS: &str = "backups/manifests";
/// Where the sealed dumps lie.
pub const DUMPS: &str = "backups/dumps";

/// What is said of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The form of this object: 1.
    pub format: u8,
    /// The backup.
    pub id: BackupId,
    /// The moment that it is of.
    pub at: DateTime<Utc>,
    /// When it was whole.
    pub ended_at: DateTime<Utc>,
    /// The program's version.
    pub program: String,
    /// The database that it is of.
    pub database: Origin,
    /// Size of the sealed object, bytes.
    pub size_bytes: i64,
    /// SHA-256 of the sealed object, hexadecimal.
    pub sha256: String,
    /// Which of the backup keys wraps its own.
    pub key_id: String,
    /// Its own key, wrapped, hexadecimal.
    pub sealed_key: String,
    /// What every table held.
    pub tables: Vec<TableFigures>,
    /// HMAC-SHA-256 of all of this but the mark, under the backup's own key, hexadecimal.
    pub mark: String,
}

/// The database that a backup is of: what a dump leaves out, because it belongs to the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// `server_version_num` of the server.
    pub server: i32,
    /// The number of the last migration.
    pub schema: i64,
    /// Who owns the tables.
    pub owner: String,
    /// The platform's roles, none of which logs in.
    pub roles: Vec<String>,
    /// Those of them that the owner is a member of.
    pub owner_takes: Vec<String>,
    /// What these roles may do with the database itself: role and privilege.
    pub grants: Vec<(String, String)>,
}

impl Manifest {
    /// The sealed dump.
    pub fn dump(&self) -> Result<ObjectKey> {
        dump_key(self.id)
    }

    /// Marks it and gives the object's bytes.
    pub fn marked(mut self, key: &ContentKey) -> Result<Vec<u8>> {
        self.mark = hex::encode(key.mark(&self.unmarked()?)?);
        serde_json::to_vec_pretty(&self).map_err(Error::internal)
    }

    /// The backup's own key: opened with the backup keys, and only if the manifest is as it was marked.
    pub fn key(&self, keys: &BackupKeys) -> Result<ContentKey> {
        let sealed = hex::decode(&self.sealed_key).map_err(|_| changed())?;
        let key = keys.unwrap(self.id.0, &self.key_id, &Sealed(sealed))?;
        let mark = hex::decode(&self.mark).map_err(|_| changed())?;
        if same(&key.mark(&self.unmarked()?)?, &mark) { Ok(key) } else { Err(changed()) }
    }

    fn unmarked(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(&Self { mark: String::new(), ..self.clone() }).map_err(Error::internal)
    }

    fn read(bytes: &[u8]) -> Result<Self> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|_| changed())?;
        if manifest.format == 1 {
            Ok(manifest)
        } else {
            let detail = "the backup's manifest has a form that this version cannot read: take a newer one";
            Err(Error::conflict("backup_too_new", detail))
        }
    }
}

fn changed() -> Error {
    Error::conflict("backup_manifest_changed", "the backup's manifest is not as it was written")
}

/// The sealed dump of a backup.
pub fn dump_key(id: BackupId) -> Result<ObjectKey> {
    ObjectKey::parse(&format!("{DUMPS}/{id}.sealed"))
}

/// The manifest of a backup.
pub fn manifest_key(id: BackupId) -> Result<ObjectKey> {
    ObjectKey::parse(&format!("{MANIFESTS}/{id}.json"))
}

/// The backup that an object belongs to, by its name.
pub fn backup_of(key: &ObjectKey) -> Option<BackupId> {
    key.as_str().rsplit('/').next()?.split('.').next()?.parse().ok()
}

/// Reads the manifest of a backup.
pub async fn read_manifest(storage: &Storage, id: BackupId) -> Result<Manifest> {
    match storage.get(&manifest_key(id)?).await {
        Ok(bytes) => {
            Manifest::read(&bytes).and_then(|read| if read.id == id { Ok(read) } else { Err(changed()) })
        }
        Err(Error::NotFound(_)) => Err(Error::NotFound("backup")),
        Err(error) => Err(error),
    }
}

/// Every backup that has a manifest, the oldest first.
pub async fn list_manifests(storage: &Storage) -> Result<Vec<Manifest>> {
    let mut manifests = Vec::new();
    let mut kept = pin!(storage.every(MANIFESTS.to_owned()));
    while let Some(object) = kept.try_next().await? {
        manifests.push(Manifest::read(&storage.get(&object.key).await?)?);
    }
    manifests.sort_by_key(|manifest| manifest.at);
    Ok(manifests)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_manifest_that_was_changed_is_refused_before_anything_is_opened() {
        let keys = BackupKeys::parse(&format!("a:{}", "0a".repeat(32))).unwrap();
        let (id, own) = (BackupId(Uuid::from_u128(1)), ContentKey::random().unwrap());
        let (key_id, sealed) = keys.wrap(id.0, &own).unwrap();
        let at = "2027-01-04T01:17:00Z".parse().unwrap();
        let manifest = Manifest {
            format: 1,
            id,
            at,
            ended_at: at,
            program: "0.1.0".to_owned(),
            database: Origin {
                server: 150_018,
                schema: 20_261_125_180_510,
                owner: "permanence_owner".to_owned(),
                roles: vec!["permanence_system".to_owned()],
                owner_takes: Vec::new(),
                grants: Vec::new(),
            },
            size_bytes: 7,
            sha256: "00".repeat(32),
            key_id,
            sealed_key: hex::encode(&sealed.0),
            tables: vec![TableFigures {
                table: "public.patients".to_owned(),
                rows: 2,
                checksum: "12".to_owned(),
            }],
            mark: String::new(),
        };
        let text = String::from_utf8(manifest.marked(&own).unwrap()).unwrap();
        Manifest::read(text.as_bytes()).unwrap().key(&keys).unwrap();
        for (from, to) in [
            ("\"rows\": 2", "\"rows\": 3"),
            ("permanence_owner", "somebody"),
            ("\"size_bytes\": 7", "\"size_bytes\": 8"),
        ] {
            assert!(text.contains(from), "{from}");
            let read = Manifest::read(text.replacen(from, to, 1).as_bytes()).unwrap();
            let refused = read.key(&keys);
            assert!(
                matches!(refused, Err(Error::Conflict { code: "backup_manifest_changed", .. })),
                "{to}: {refused:?}"
            );
        }
        let newer = Manifest::read(text.replacen("\"format\": 1", "\"format\": 2", 1).as_bytes());
        assert!(matches!(newer, Err(Error::Conflict { code: "backup_too_new", .. })), "{newer:?}");
    }
}
