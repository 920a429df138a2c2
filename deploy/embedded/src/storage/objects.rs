//! The operations of the store: those of a folder of files, the list of unfinished uploads, which that lacks, and the
//! faults that a test sets. It never guards keys.

use std::path::PathBuf;
use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use s3s::dto;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::time::sleep;

use super::StorageFault;
use crate::Faults;

/// How soon a held operation goes on once it may.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Files in a folder, as an S3.
pub(super) struct Objects {
    pub(super) files: FileSystem,
    pub(super) folder: PathBuf,
    pub(super) faults: Faults<StorageFault>,
}

impl Objects {
    /// Shows the fault that is set for this operation, if any.
    async fn stumble(&self, operation: &str) -> S3Result<()> {
        loop {
            match self.faults.take(|fault| fault.shows_at(operation)) {
                None => return Ok(()),
                Some(StorageFault::Away) => {
                    return Err(s3_error!(ServiceUnavailable, "a test wants it away"));
                }
                Some(StorageFault::HoldAt(_)) => sleep(LOOK_EVERY).await,
            }
        }
    }

    /// The uploads that were begun and neither completed nor aborted: the folder has a file for each, named after
    /// bucket, key and upload.
    async fn unfinished(&self, bucket: &str, prefix: &str) -> std::io::Result<Vec<dto::MultipartUpload>> {
        let of_bucket = format!(".bucket-{}.object-", BASE64_URL_SAFE_NO_PAD.encode(bucket));
        let mut uploads = Vec::new();
        let mut entries = tokio::fs::read_dir(&self.folder).await?;
        while let Some(entry) = entries.next_entry().await? {
            let name = entry.file_name();
            let named = name.to_str().and_then(|name| {
                let (key, upload) =
                    name.strip_prefix(&of_bucket)?.strip_suffix(".metadata.json")?.split_once(".upload-")?;
                let key = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(key).ok()?).ok()?;
                Some((key, upload.to_owned()))
            });
            let Some((key, upload)) = named.filter(|(key, _)| key.starts_with(prefix)) else { continue };
            let initiated = entry.metadata().await?.modified()?;
            uploads.push(dto::MultipartUpload {
                key: Some(key),
                upload_id: Some(upload),
                initiated: Some(initiated.into()),
                ..Default::default()
            });
        }
        uploads.sort_by(|one, other| (&one.key, &one.upload_id).cmp(&(&other.key, &other.upload_id)));
        Ok(uploads)
    }
}

macro_rules! operations {
    ($($name:ident($input:ident) -> $output:ident),* $(,)?) => {
        #[async_trait::async_trait]
        impl S3 for Objects {
            $(async fn $name(&self, req: S3Request<dto::$input>) -> S3Result<S3Response<dto::$output>> {
                self.stumble(stringify!($name)).await?;
                self.files.$name(req).await
            })*

            async fn abort_multipart_upload(
                &self,
                req: S3Request<dto::AbortMultipartUploadInput>,
            ) -> S3Result<S3Response<dto::AbortMultipartUploadOutput>> {
                self.stumble("abort_multipart_upload").await?;
                // The folder refuses one that is not there as if it were somebody else's.
                if !self.folder.join(format!(".upload-{}.json", req.input.upload_id)).exists() {
                    return Err(s3_error!(NoSuchUpload));
                }
                self.files.abort_multipart_upload(req).await
            }

            async fn list_multipart_uploads(
                &self,
                req: S3Request<dto::ListMultipartUploadsInput>,
            ) -> S3Result<S3Response<dto::ListMultipartUploadsOutput>> {
                self.stumble("list_multipart_uploads").await?;
                let prefix = req.input.prefix.unwrap_or_default();
                let uploads = self.unfinished(&req.input.bucket, &prefix).await.map_err(s3s::S3Error::internal_error)?;
                Ok(S3Response::new(dto::ListMultipartUploadsOutput {
                    bucket: Some(req.input.bucket),
                    prefix: Some(prefix),
                    is_truncated: Some(false),
                    uploads: Some(uploads),
                    ..Default::default()
                }))
            }
        }
    };
}

operations! {
    create_bucket(CreateBucketInput) -> CreateBucketOutput,
    copy_object(CopyObjectInput) -> CopyObjectOutput,
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput,
    delete_object(DeleteObjectInput) -> DeleteObjectOutput,
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput,
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput,
    get_object(GetObjectInput) -> GetObjectOutput,
    head_bucket(HeadBucketInput) -> HeadBucketOutput,
    head_object(HeadObjectInput) -> HeadObjectOutput,
    list_buckets(ListBucketsInput) -> ListBucketsOutput,
    list_objects(ListObjectsInput) -> ListObjectsOutput,
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output,
    put_object(PutObjectInput) -> PutObjectOutput,
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput,
    upload_part(UploadPartInput) -> UploadPartOutput,
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput,
    list_parts(ListPartsInput) -> ListPartsOutput,
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput,
}
