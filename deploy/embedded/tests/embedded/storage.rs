//! The object store through the client that the platform uses.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use permanence_embedded::Error;
use permanence_embedded::storage::ObjectStore;

use crate::ANY;

fn client(store: &ObjectStore, secret: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-3"))
        .endpoint_url(store.endpoint())
        .credentials_provider(Credentials::new(store.access_key(), secret, None, None, "test"))
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

#[tokio::test]
async fn an_object_is_a_file_and_comes_back_after_a_restart() {
    let temp = tempfile::tempdir().unwrap();
    let first = ObjectStore::start(temp.path().join("s3"), ANY).await.unwrap();
    first.ensure_bucket("documents").unwrap();
    first.ensure_bucket("documents").unwrap();
    let body = ByteStream::from_static(b"%PDF-1.7");
    client(&first, first.secret_key())
        .put_object()
        .bucket("documents")
        .key("a/b.pdf")
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(std::fs::read(first.bucket_folder("documents").join("a/b.pdf")).unwrap(), b"%PDF-1.7");
    tokio::time::timeout(Duration::from_secs(5), first.stop()).await.unwrap();

    let second = ObjectStore::start(temp.path().join("s3"), ANY).await.unwrap();
    let got = client(&second, second.secret_key())
        .get_object()
        .bucket("documents")
        .key("a/b.pdf")
        .send()
        .await
        .unwrap();
    assert_eq!(got.body.collect().await.unwrap().into_bytes().as_ref(), b"%PDF-1.7");
    assert!(client(&second, "wrong").get_object().bucket("documents").key("a/b.pdf").send().await.is_err());

    let _ = rustls::crypto::ring::default_provider().install_default();
    let signing = PresigningConfig::expires_in(Duration::from_mins(1)).unwrap();
    let reading = client(&second, second.secret_key()).get_object().bucket("documents").key("a/b.pdf");
    let link = reading.presigned(signing).await.unwrap();
    assert_eq!(reqwest::get(link.uri()).await.unwrap().text().await.unwrap(), "%PDF-1.7");
    second.stop().await;
}

#[tokio::test]
async fn a_busy_port_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let store = ObjectStore::start(temp.path(), ANY).await.unwrap();
    let busy = ObjectStore::start(temp.path(), store.addr()).await.unwrap_err();
    assert!(matches!(busy, Error::PortInUse { addr } if addr == store.addr()), "{busy}");
}
