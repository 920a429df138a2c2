//! What there is, by folder: page by page, however much it is.

use chrono::{DateTime, Utc};
use futures::{Stream, TryStreamExt, stream};

use super::{ObjectKey, Storage, unavailable};
use crate::error::{Error, Result};

/// Objects of a page of the store's list.
const PAGE: i32 = 1_000;

/// An object, as the store lists it.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Where it lies.
    pub key: ObjectKey,
    /// Since when, by the store's clock.
    pub kept_at: DateTime<Utc>,
}

/// A page of the store's list.
#[derive(Debug)]
pub struct Listed {
    /// The objects, by key. Those whose keys are not ours are left out.
    pub objects: Vec<Kept>,
    /// After what the next page begins; none after the last.
    pub next: Option<String>,
}

impl Storage {
    /// A page of what is in a folder, by key, from the one after `after` on.
    pub async fn list(&self, folder: &str, after: Option<&str>) -> Result<Listed> {
        let list = self.client.list_objects_v2().bucket(&self.bucket).prefix(format!("{folder}/"));
        let list = list.max_keys(PAGE).set_start_after(after.map(str::to_owned));
        let listed = list.send().await.map_err(|error| unavailable(&error))?;
        let end = listed.contents().last().and_then(|object| object.key()).map(str::to_owned);
        let ours = |object: &aws_sdk_s3::types::Object| {
            let kept_at = DateTime::from_timestamp(object.last_modified()?.secs(), 0)?;
            Some(Kept { key: ObjectKey::parse(object.key()?).ok()?, kept_at })
        };
        let objects = listed.contents().iter().filter_map(ours).collect();
        Ok(Listed { objects, next: end.filter(|_| listed.is_truncated() == Some(true)) })
    }

    /// All that is in a folder, by key; one page of it is in memory. A failure is the last item.
    pub fn every(&self, folder: String) -> impl Stream<Item = Result<Kept>> + Send + '_ {
        let pages =
            stream::try_unfold(Some((folder, None)), async |place: Option<(String, Option<String>)>| {
                let Some((folder, after)) = place else { return Ok::<_, Error>(None) };
                let Listed { objects, next } = self.list(&folder, after.as_deref()).await?;
                let objects = stream::iter(objects.into_iter().map(Ok::<_, Error>));
                Ok(Some((objects, next.map(|next| (folder, Some(next))))))
            });
        pages.try_flatten()
    }
}
