//! Objects that are too large to be held in memory: kept from a file, read as a stream.

use std::path::Path;

use aws_sdk_s3::{error::SdkError, primitives::ByteStream};
use tokio::io::AsyncBufRead;

use super::{ObjectKey, Storage, unavailable};
use crate::error::{Error, Result};

impl Storage {
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
