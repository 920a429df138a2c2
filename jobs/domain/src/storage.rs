//! The object store: any S3. Never trusts a key that a person wrote.

use aws_credential_types::Credentials;
use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Region},
    error::{DisplayErrorContext, SdkError},
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};

use crate::{
    config::StorageConfig,
    error::{Error, Result},
};

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
}

fn unavailable<E: std::error::Error + Send + Sync + 'static>(error: &SdkError<E>) -> Error {
    Error::Unavailable { what: "object store", source: DisplayErrorContext(error).to_string().into() }
}
