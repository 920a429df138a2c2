//! Objects that are too large to be held whole: sent in parts, and there only once all of them are. What is begun and
//! neither completed nor aborted is kept by the store, and billed, until somebody aborts it.

use aws_sdk_s3::{
    error::SdkError,
    operation::abort_multipart_upload::AbortMultipartUploadError,
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};
use chrono::{DateTime, Utc};

use super::{ObjectKey, Storage, unavailable};
use crate::error::{Error, Result};

/// The size of every part but the last: S3 takes 5 MiB to 5 GiB, and ten thousand of them.
pub const PART_BYTES: usize = 8 * 1024 * 1024;

/// An upload that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadId(pub String);

/// A part that the store has.
#[derive(Debug, Clone)]
pub struct Part {
    number: i32,
    tag: String,
}

/// An upload that was begun and neither completed nor aborted.
#[derive(Debug, Clone)]
pub struct Unfinished {
    /// What it would become.
    pub key: ObjectKey,
    /// The upload.
    pub id: UploadId,
    /// When it was begun, by the store's clock.
    pub begun_at: DateTime<Utc>,
}

impl Storage {
    /// Begins an object in parts. Note the upload before using it: who loses its name cannot abort it.
    pub async fn begin_upload(&self, key: &ObjectKey, content_type: &str) -> Result<UploadId> {
        let create = self.client.create_multipart_upload().bucket(&self.bucket).key(key.as_str());
        let created = create.content_type(content_type).send().await.map_err(|error| unavailable(&error))?;
        created
            .upload_id
            .map(UploadId)
            .ok_or_else(|| Error::internal("the object store began an upload without a name"))
    }

    /// Sends a part, counted from 1; all but the last have [`PART_BYTES`].
    pub async fn upload_part(
        &self,
        key: &ObjectKey,
        id: &UploadId,
        number: i32,
        body: Vec<u8>,
    ) -> Result<Part> {
        let part = self.client.upload_part().bucket(&self.bucket).key(key.as_str()).upload_id(&id.0);
        let sent = part.part_number(number).body(ByteStream::from(body)).send().await;
        let sent = sent.map_err(|error| unavailable(&error))?;
        let tag = sent.e_tag.ok_or_else(|| Error::internal("the object store took a part without a tag"))?;
        Ok(Part { number, tag })
    }

    /// Makes the object of its parts, in place of an earlier one.
    pub async fn complete_upload(&self, key: &ObjectKey, id: &UploadId, parts: &[Part]) -> Result<()> {
        let parts = parts
            .iter()
            .map(|part| CompletedPart::builder().part_number(part.number).e_tag(&part.tag).build())
            .collect();
        let whole = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.client.complete_multipart_upload().bucket(&self.bucket).key(key.as_str());
        let completed = complete.upload_id(&id.0).multipart_upload(whole).send().await;
        completed.map(drop).map_err(|error| unavailable(&error))
    }

    /// Gives an upload up, with its parts; one that is not there is given up already.
    pub async fn abort_upload(&self, key: &ObjectKey, id: &UploadId) -> Result<()> {
        let abort = self.client.abort_multipart_upload().bucket(&self.bucket).key(key.as_str());
        match abort.upload_id(&id.0).send().await {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(refused))
                if matches!(refused.err(), AbortMultipartUploadError::NoSuchUpload(_)) =>
            {
                Ok(())
            }
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// The unfinished uploads of an area, up to a thousand. Those whose keys are not ours are left out.
    pub async fn list_uploads(&self, area: &str) -> Result<Vec<Unfinished>> {
        let list = self.client.list_multipart_uploads().bucket(&self.bucket).prefix(format!("{area}/"));
        let listed = list.send().await.map_err(|error| unavailable(&error))?;
        let ours = |upload: &aws_sdk_s3::types::MultipartUpload| {
            let begun_at = DateTime::from_timestamp(upload.initiated()?.secs(), 0)?;
            let key = ObjectKey::parse(upload.key()?).ok()?;
            Some(Unfinished { key, id: UploadId(upload.upload_id()?.to_owned()), begun_at })
        };
        Ok(listed.uploads().iter().filter_map(ours).collect())
    }
}
