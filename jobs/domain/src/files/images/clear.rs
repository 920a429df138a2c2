//! Removing the objects that nobody is led to: what the client sent, thumbnails that rest on no consent, what a dead attempt left.

use chrono::{DateTime, Duration, Utc};
use permanence_queue::{NewJob, Unique};

use crate::{
    db::{SystemTx, TenantTx},
    error::Result,
    files::jobs::ClearImage,
    ids::{ImageId, TenantId},
    storage::ObjectKey,
};

/// How long a picture may be awaited or looked at.
const PATIENCE: Duration = Duration::days(1);
/// Pictures of one sweep; the next one finds the rest.
const SWEPT_AT_ONCE: i64 = 1_000;

/// What is to be removed.
#[derive(Debug)]
pub struct Leftovers {
    /// Each object.
    pub keys: Vec<ObjectKey>,
    /// One among them that the client may still write again, and until when: it is to be removed once more after that.
    pub open: Option<(ObjectKey, DateTime<Utc>)>,
}

/// Begins to clear: attempts that are under way can end nothing any more, so that none of their objects is led to.
pub async fn clear(tx: &mut TenantTx, id: ImageId) -> Result<Option<Leftovers>> {
    let now = tx.now();
    let row = sqlx::query!(
        "UPDATE images SET run = run + 1 WHERE tenant_id = $1 AND id = $2 AND leftovers <> '{}'
         RETURNING leftovers, upload_key, upload_until",
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let open = row.upload_until > now && row.leftovers.contains(&row.upload_key);
    let open = open.then(|| ObjectKey::parse(&row.upload_key)).transpose()?;
    let keys = row.leftovers.iter().map(|key| ObjectKey::parse(key)).collect::<Result<_>>()?;
    Ok(Some(Leftovers { keys, open: open.map(|key| (key, row.upload_until)) }))
}

/// Notes what is gone; twice is the same as once.
pub async fn cleared(tx: &mut TenantTx, id: ImageId, gone: &[ObjectKey]) -> Result<()> {
    let gone: Vec<String> = gone.iter().map(ObjectKey::to_string).collect();
    sqlx::query!(
        "UPDATE images SET leftovers = ARRAY(SELECT unnest(leftovers) EXCEPT SELECT unnest($3::text[]))
         WHERE tenant_id = $1 AND id = $2",
        tx.tenant().0,
        id.0,
        &gone,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Gives up what was announced and never came to its end, and has everything cleared that should be gone. Gives how many were
/// given up.
pub async fn sweep(tx: &mut SystemTx) -> Result<u64> {
    let old = tx.now() - PATIENCE;
    let given_up = sqlx::query!(
        "UPDATE images
         SET status = 'refused', run = run + 1, leftovers = array_append(leftovers, upload_key),
             reason = CASE WHEN status = 'awaiting' THEN 'never_completed' ELSE 'never_checked' END
         WHERE status IN ('awaiting', 'checking') AND created_at <= $1",
        old,
    )
    .execute(tx.conn())
    .await?;
    // An attempt that makes a thumbnail meanwhile is overtaken, and made again.
    let left = sqlx::query!(
        r#"SELECT tenant_id AS "tenant: TenantId", id AS "id: ImageId" FROM images
           WHERE leftovers <> '{}' AND status IN ('available', 'refused') LIMIT $1"#,
        SWEPT_AT_ONCE,
    )
    .fetch_all(tx.conn())
    .await?;
    for row in left {
        let job = NewJob::of(&ClearImage { image_id: row.id })?.tenant(row.tenant.0);
        tx.enqueue(job.unique(Unique::until_finished(format!("sweep {}", row.id)))).await?;
    }
    Ok(given_up.rows_affected())
}
