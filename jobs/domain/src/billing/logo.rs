//! The picture that heads a practice's papers, kept version by version: what was issued goes on being drawn with its own.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    audit,
    db::TenantTx,
    error::{Error, Result},
    storage::{ObjectKey, Storage},
};

/// How long a link to a logo lives.
const LINK: Duration = Duration::from_mins(5);

/// A practice's logo.
#[derive(Debug, Serialize, ToSchema)]
pub struct Logo {
    /// Counts the changes.
    pub version: i32,
    /// Bytes.
    pub bytes: i64,
}

/// Puts a picture that lies in the object store at the head of what is issued from now on.
pub async fn put_logo(tx: &mut TenantTx, object: &ObjectKey, bytes: i64) -> Result<Logo> {
    let version = add(tx, Some(object)).await?;
    audit::record(tx, "logo.update", "logo", None).await?;
    Ok(Logo { version, bytes })
}

/// Leaves what is issued from now on without a logo; where there is none, nothing changes.
pub async fn remove_logo(tx: &mut TenantTx) -> Result<()> {
    if logo(tx).await?.is_none() {
        return Ok(());
    }
    add(tx, None).await?;
    audit::record(tx, "logo.remove", "logo", None).await
}

/// Adds a version. Of two at once, the second finds its number taken and is tried again by whoever asked.
async fn add(tx: &mut TenantTx, object: Option<&ObjectKey>) -> Result<i32> {
    let (tenant, now, actor) = (tx.tenant(), tx.now(), tx.actor());
    let added = sqlx::query_scalar!(
        "INSERT INTO practice_logos (tenant_id, version, object_key, created_at, created_by)
         SELECT $1, coalesce(max(version), 0) + 1, $2, $3, $4 FROM practice_logos WHERE tenant_id = $1
         ON CONFLICT DO NOTHING RETURNING version",
        tenant.0,
        object.map(ObjectKey::as_str),
        now,
        actor.user.map(|user| user.0),
    )
    .fetch_optional(tx.conn())
    .await?;
    added.ok_or(Error::Changed("logo"))
}

/// Where the logo in force lies.
pub(super) async fn logo(tx: &mut TenantTx) -> Result<Option<String>> {
    let newest = sqlx::query_scalar!(
        "SELECT object_key FROM practice_logos WHERE tenant_id = $1 ORDER BY version DESC LIMIT 1",
        tx.tenant().0,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(newest.flatten())
}

/// Where the logo in force lies, for whoever shows it.
pub async fn get_logo(tx: &mut TenantTx) -> Result<LogoFile> {
    let key = logo(tx).await?.ok_or(Error::NotFound("logo"))?;
    Ok(LogoFile(ObjectKey::parse(&key)?))
}

/// A logo that is kept.
#[derive(Debug)]
pub struct LogoFile(ObjectKey);

impl LogoFile {
    /// A link under which anybody may see it for five minutes.
    pub async fn link(&self, storage: &Storage) -> Result<String> {
        storage.link(&self.0, "logo", LINK).await
    }
}
