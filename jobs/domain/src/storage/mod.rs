//! The object store: any S3. Never trusts a key that a person wrote.

mod list;
mod multipart;
mod stream;
mod traced;

use std::{collections::BTreeMap, fmt, time::Duration};

use aws_credential_types::Credentials;
use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Region},
    error::{DisplayErrorContext, SdkError},
    presigning::PresigningConfig,
    primitives::ByteStream,
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};

use crate::{
    config::StorageConfig,
    error::{Error, Result},
    ids::TenantId,
};

pub use list::{Kept, Listed};
pub use multipart::{PART_BYTES, Part, Unfinished, UploadId};

/// Where an object lies in the bucket: parts of our own making, each of letters, digits, `-`, `_` and `.`, so that no
/// key leads out of the bucket and none is the folder of another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// A tenant's object, such as `invoices/0192…/5b1c….pdf` for an area, a tenant and a name.
    pub fn of(area: &str, tenant: TenantId, name: &str) -> Result<Self> {
        Self::parse(&format!("{area}/{tenant}/{name}"))
    }

    /// A key as it was kept.
    pub fn parse(key: &str) -> Result<Self> {
        let plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        let known =
            key.split('/').next().is_some_and(|area| AREAS.contains(&area) || PLATFORM.contains(&area));
        let sound = known && key.len() <= 512 && key.split('/').count() == 3 && key.split('/').all(plain);
        if sound {
            Ok(Self(key.to_owned()))
        } else {
            Err(Error::internal("a key of the object store is malformed"))
        }
    }

    /// The area that it lies in.
    pub fn area(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// The key as the store knows it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The folders that may hold a tenant's objects: one in each area.
pub fn folders(tenant: TenantId) -> impl Iterator<Item = String> {
    AREAS.into_iter().map(move |area| format!("{area}/{tenant}"))
}

/// Every area that holds tenants' objects. A key of another area is refused, so that none can be forgotten here.
const AREAS: [&str; 11] = [
    "certificates",
    "exports",
    "files",
    "images",
    "imports",
    "invoices",
    "logos",
    "migrations",
    "previews",
    "thumbnails",
    "uploads",
];

/// The areas of what belongs to no tenant.
const PLATFORM: [&str; 2] = ["audit", "backups"];

/// A link under which an object can be kept.
#[derive(Debug, Clone)]
pub struct PutLink {
    /// Where to PUT it.
    pub url: String,
    /// Headers that must come with it, as they are here.
    pub headers: BTreeMap<String, String>,
}

/// One bucket of an S3 store.
#[derive(Debug, Clone)]
pub struct Storage {
    client: Client,
    bucket: String,
}

impl Storage {
    /// A client of the configured bucket; nothing is sent yet.
    pub fn new(config: &StorageConfig) -> Self {
        let http = if config.endpoint.scheme() == "http" {
            Builder::new().build_http()
        } else {
            Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
        };
        let credentials = Credentials::new(
            config.access_key.as_str(),
            config.secret_key.expose(),
            None,
            None,
            "environment",
        );
        let client = Client::from_conf(
            aws_sdk_s3::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .http_client(http)
                .region(Region::new(config.region.clone()))
                .endpoint_url(config.endpoint.as_str().trim_end_matches('/'))
                .credentials_provider(credentials)
                .force_path_style(true)
                .interceptor(traced::Traced)
                .build(),
        );
        Self { client, bucket: config.bucket.clone() }
    }

    /// Makes the bucket if it is not there.
    pub async fn ensure_bucket(&self) -> Result<()> {
        match self.client.create_bucket().bucket(&self.bucket).send().await {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(refused))
                if refused.err().is_bucket_already_owned_by_you()
                    || refused.err().is_bucket_already_exists() =>
            {
                Ok(())
            }
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Whether the bucket answers.
    pub async fn ping(&self) -> Result<()> {
        self.client
            .head_bucket()
            .bucket(&self.bucket)
            .send()
            .await
            .map(drop)
            .map_err(|error| unavailable(&error))
    }

    /// Keeps an object whole, in place of an earlier one.
    pub async fn put(&self, key: &ObjectKey, content_type: &str, body: Vec<u8>) -> Result<()> {
        let put = self.client.put_object().bucket(&self.bucket).key(key.as_str()).content_type(content_type);
        put.body(ByteStream::from(body)).send().await.map(drop).map_err(|error| unavailable(&error))
    }

    /// Keeps an object whole where there is none; false where there is one, which stays as it is. A bucket with object lock and
    /// a default retention locks it for that time by itself.
    pub async fn put_new(&self, key: &ObjectKey, content_type: &str, body: Vec<u8>) -> Result<bool> {
        // Some stores take no condition on a put and would replace it: so it is looked for first.
        match self.client.head_object().bucket(&self.bucket).key(key.as_str()).send().await {
            Ok(_) => return Ok(false),
            Err(SdkError::ServiceError(refused)) if refused.err().is_not_found() => {}
            Err(error) => return Err(unavailable(&error)),
        }
        let put = self.client.put_object().bucket(&self.bucket).key(key.as_str()).content_type(content_type);
        match put.if_none_match("*").body(ByteStream::from(body)).send().await {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(refused)) if refused.raw().status().as_u16() == 412 => Ok(false),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// An object, whole in memory: for those whose size we know to be small.
    pub async fn get(&self, key: &ObjectKey) -> Result<Vec<u8>> {
        let got = match self.client.get_object().bucket(&self.bucket).key(key.as_str()).send().await {
            Ok(got) => got,
            Err(SdkError::ServiceError(refused)) if refused.err().is_no_such_key() => {
                return Err(Error::NotFound("object"));
            }
            Err(error) => return Err(unavailable(&error)),
        };
        let body = got.body.collect().await;
        let away = |error: aws_sdk_s3::primitives::ByteStreamError| Error::Unavailable {
            what: "object store",
            source: error.to_string().into(),
        };
        Ok(body.map_err(away)?.into_bytes().into())
    }

    /// A link under which anybody may read an object, as a file of this name, until `life` is over.
    pub async fn link(&self, key: &ObjectKey, file_name: &str, life: Duration) -> Result<String> {
        let get = self.client.get_object().bucket(&self.bucket).key(key.as_str());
        get.response_content_disposition(format!("attachment; filename=\"{file_name}\""))
            .presigned(expiring(life)?)
            .await
            .map(|request| request.uri().to_owned())
            .map_err(|error| unavailable(&error))
    }

    /// A link under which anybody may keep an object until `life` is over: of this type and this many bytes, which are signed.
    pub async fn put_link(
        &self,
        key: &ObjectKey,
        content_type: &str,
        bytes: i64,
        life: Duration,
    ) -> Result<PutLink> {
        let put = self.client.put_object().bucket(&self.bucket).key(key.as_str());
        let request = put
            .content_type(content_type)
            .content_length(bytes)
            .presigned(expiring(life)?)
            .await
            .map_err(|error| unavailable(&error))?;
        let headers = request.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(PutLink { url: request.uri().to_owned(), headers })
    }

    /// Removes an object; one that is not there is removed already.
    pub async fn remove(&self, key: &ObjectKey) -> Result<()> {
        let removed = self.client.delete_object().bucket(&self.bucket).key(key.as_str()).send().await;
        removed.map(drop).map_err(|error| unavailable(&error))
    }
}

fn expiring(life: Duration) -> Result<PresigningConfig> {
    PresigningConfig::expires_in(life)
        .map_err(|_| Error::internal("a link of the object store lives for a week at the most"))
}

fn unavailable<E: std::error::Error + Send + Sync + 'static>(error: &SdkError<E>) -> Error {
    Error::Unavailable { what: "object store", source: DisplayErrorContext(error).to_string().into() }
}
