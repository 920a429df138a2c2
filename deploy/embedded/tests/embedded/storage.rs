//! The object store through the client that the platform uses.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use permanence_embedded::Error;
use permanence_embedded::storage::{ObjectStore, StorageFault};

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

#[tokio::test]
async fn uploads_are_listed_until_they_are_completed_or_aborted() {
    let temp = tempfile::tempdir().unwrap();
    let store = ObjectStore::start(temp.path(), ANY).await.unwrap();
    store.ensure_bucket("documents").unwrap();
    let client = client(&store, store.secret_key());
    let begin = async |key: &str| {
        let begun = client.create_multipart_upload().bucket("documents").key(key).send().await.unwrap();
        begun.upload_id.unwrap()
    };
    let listed = async |prefix: &str| {
        let list = client.list_multipart_uploads().bucket("documents").prefix(prefix).send().await.unwrap();
        let named = |upload: &aws_sdk_s3::types::MultipartUpload| {
            assert!(upload.initiated().is_some());
            (upload.key().unwrap().to_owned(), upload.upload_id().unwrap().to_owned())
        };
        list.uploads().iter().map(named).collect::<Vec<_>>()
    };
    let (one, two, apart) = (begin("a/1").await, begin("a/2").await, begin("b/1").await);
    assert_eq!(listed("a/").await, [("a/1".to_owned(), one.clone()), ("a/2".to_owned(), two.clone())]);
    let part = client.upload_part().bucket("documents").key("a/1").upload_id(&one).part_number(1);
    let tag = part.body(ByteStream::from_static(b"whole")).send().await.unwrap().e_tag.unwrap();
    let part = aws_sdk_s3::types::CompletedPart::builder().part_number(1).e_tag(tag).build();
    let whole = aws_sdk_s3::types::CompletedMultipartUpload::builder().parts(part).build();
    let complete = client.complete_multipart_upload().bucket("documents").key("a/1").upload_id(&one);
    complete.multipart_upload(whole).send().await.unwrap();
    assert_eq!(std::fs::read(store.bucket_folder("documents").join("a/1")).unwrap(), b"whole");
    let abort = async |upload: &str| {
        client.abort_multipart_upload().bucket("documents").key("a/2").upload_id(upload).send().await
    };
    abort(&two).await.unwrap();
    let again = abort(&two).await.unwrap_err().into_service_error();
    assert!(again.is_no_such_upload(), "{again:?}");
    assert_eq!(listed("a/").await, []);
    assert_eq!(listed("").await, [("b/1".to_owned(), apart)]);
}

#[tokio::test]
async fn a_fault_shows_until_it_is_cleared() {
    let temp = tempfile::tempdir().unwrap();
    let store = ObjectStore::start(temp.path(), ANY).await.unwrap();
    store.ensure_bucket("documents").unwrap();
    let client = client(&store, store.secret_key());
    let put = || client.put_object().bucket("documents").key("a").body(ByteStream::from_static(b"x")).send();
    let ask = || client.head_bucket().bucket("documents").send();
    store.faults().always(StorageFault::Away);
    let refused = put().await.unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 503);
    store.faults().always(StorageFault::HoldAt("put_object"));
    ask().await.unwrap();
    let mut held = Box::pin(put());
    // Another operation is answered while this one is not.
    tokio::select! {
        _ = &mut held => panic!("it was answered"),
        answered = ask() => drop(answered.unwrap()),
    }
    store.faults().clear();
    tokio::time::timeout(Duration::from_secs(10), held).await.unwrap().unwrap();
}
