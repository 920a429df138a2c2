//! Answers that have not changed are not sent again; what care wrote down is never kept by anybody.

use chrono_tz::Tz;
use reqwest::Method;
use serde_json::json;

use crate::support::{Client, TestApi, patient};

async fn again(client: &Client<'_>, path: &str, tag: &str) -> crate::support::Answer {
    client.send(Method::GET, path, &[("if-none-match", tag)], None).await
}

#[tokio::test]
async fn a_list_that_has_not_changed_is_not_sent_again() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    practice.assistant.post("/api/v1/patients", patient("Hélène", "Garcia")).await.expect(201);
    let path = "/api/v1/patients";
    let first = practice.assistant.get(path).await.expect(200);
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with("W/\"") && tag.len() == 36, "{tag}");
    assert_eq!(first.header("cache-control"), "no-store", "whose patients they are is kept by no browser");
    for known in [tag.clone(), format!("\"other\", {tag}"), tag.trim_start_matches("W/").to_owned()] {
        let answer = again(&practice.assistant, path, &known).await;
        assert_eq!((answer.status.as_u16(), answer.header("etag")), (304, &*tag), "{known}");
        assert!(!answer.header("x-request-id").is_empty());
    }
    practice.assistant.post(path, patient("Éloi", "Duval")).await.expect(201);
    let changed = again(&practice.assistant, path, &tag).await.expect(200);
    assert_eq!(changed.body["total"], 2);
    assert_ne!(changed.header("etag"), tag);

    let other = api.practice("Roses", Tz::Europe__Paris).await;
    let theirs = again(&other.assistant, path, changed.header("etag")).await.expect(200);
    assert_eq!(theirs.body["total"], 0, "a tag opens nothing");
    api.send(Method::GET, path, None, &[("if-none-match", &tag)], None).await.refused(401, "missing_token");
}

#[tokio::test]
async fn a_browser_may_keep_what_is_of_nobody_and_asks_each_time() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let room = practice.admin.post("/api/v1/rooms", json!({ "name": "Cabinet 1" })).await.expect(201).id();
    let rooms = practice.admin.get("/api/v1/rooms").await.expect(200);
    assert_eq!(rooms.header("cache-control"), "private, no-cache");
    let one = practice.admin.get(&format!("/api/v1/rooms/{room}")).await.expect(200);
    assert_eq!(one.header("etag"), "\"1\"", "the version, for If-Match");
    let whole = again(&practice.admin, &format!("/api/v1/rooms/{room}"), "\"1\"").await;
    assert_eq!(
        whole.expect(200).body["name"],
        "Cabinet 1",
        "a version tells of a change, not of every answer"
    );
    practice.admin.get("/api/v1/rooms?page=0").await.refused(422, "invalid_input");
    let me = practice.admin.get("/api/v1/auth/me").await.expect(200);
    assert_eq!((me.header("etag"), me.header("cache-control")), ("", "no-store"));
}

#[tokio::test]
async fn long_answers_are_compressed_and_keep_their_tag() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let path = "/api/v1/message-templates";
    let plain = practice.admin.get(path).await.expect(200);
    let request = api.http.get(format!("{}{path}", api.base)).bearer_auth(&practice.admin.token);
    let packed = request.header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert_eq!(packed.headers()["etag"].to_str().unwrap(), plain.header("etag"));
    assert!(packed.bytes().await.unwrap().len() < plain.body.to_string().len() / 2);
}
