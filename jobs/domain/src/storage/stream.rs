//! Objects that are too large to be held in memory: kept from a file, read as a stream.

use std::path::Path;

use aws_sdk_s3::{error::SdkError, primitives::ByteStream};
use chrono::{DateTime, Utc};
use tokio::io::AsyncBufRead;

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
    /// A page of an area's objects, by key, from the one after `after` on.
    pub async fn list_area(&self, area: &str, after: Option<&str>) -> Result<Listed> {
        let list =
            self.client.list_objects_v2().bucket(&self.bucket).prefix(format!("{area}/")).max_keys(PAGE);
        let list = list.set_start_after(after.map(str::to_owned));
        let listed = list.send().await.map_err(|error| unavailable(&error))?;
        let last = listed.contents().last().and_then(|object| object.key()).map(str::to_owned);
        let ours = |object: &aws_sdk_s3::types::Object| {
            let kept_at = DateTime::from_timestamp(object.last_modified()?.secs(), 0)?;
            Some(Kept { key: ObjectKey::parse(object.key()?).ok()?, kept_at })
        };
        let objects = listed.contents().iter().filter_map(ours).collect();
        Ok(Listed { objects, next: last.filter(|_| listed.is_truncated() == Some(true)) })
    }

    /// Keeps a file's content, in place of an earlier object.
    pub async fn put_file(&self, key: &ObjectKey, content_type: &str, path: &Path) -> Result<()> {
        let body = ByteStream::from_path(path).await.map_err(Error::internal)?;
        let put = self.client.put_object().bucket(&self.bucket).key(key.as_str()).content_type(content_type);
        put.body(body).send().await.map(drop).map_err(|error| unavailable(&error))
    }

    /// Reads an object from its begin; a read that fails midway may go well another time.
    pub async fn read(&self, key: &ObjectKey) -> Result<impl AsyncBufRead + Send + Unpin + use<>> {
        match self.client.get_object().bucket(&self.bucket).key(key.as_str()).send().await {
            Ok(got) => Ok(got.body.into_async_read()),
            Err(SdkError::ServiceError(refused)) if refused.err().is_no_such_key() => {
                Err(Error::NotFound("object"))
            }
            Err(error) => Err(unavailable(&error)),
        }
    }
}
