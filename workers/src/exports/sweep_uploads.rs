//! Removes files that a request put into the object store and no row wants: its process died before it noted them, or what
//! it noted has ended. A page of the store's list is in memory at a time.

use permanence_domain::{
    db::Actor,
    error::Result,
    storage::Kept,
    uploads::{AREAS, GRACE, wanted},
};

use crate::services::Services;

/// Removes them, and gives how many.
pub(super) async fn remove_unwanted(services: &Services) -> Result<usize> {
    let mut removed = 0;
    for area in AREAS {
        let mut after = None;
        loop {
            let page = services.storage()?.list(area, after.as_deref()).await?;
            removed += remove_of(services, &page.objects).await?;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(removed)
}

async fn remove_of(services: &Services, objects: &[Kept]) -> Result<usize> {
    let before = services.db.clock().now() - GRACE;
    let old: Vec<&Kept> = objects.iter().filter(|object| object.kept_at <= before).collect();
    if old.is_empty() {
        return Ok(0);
    }
    let keys: Vec<String> = old.iter().map(|object| object.key.as_str().to_owned()).collect();
    let mut tx = services.db.system(Actor::JOB).await?;
    let wanted = wanted(&mut tx, &keys).await?;
    tx.commit().await?;
    let mut removed = 0;
    for object in old.into_iter().filter(|object| !wanted.contains(object.key.as_str())) {
        services.storage()?.remove(&object.key).await?;
        removed += 1;
    }
    Ok(removed)
}
