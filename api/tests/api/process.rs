//! The API as a process: configuration, logs, metrics, the orderly end.

use std::{
    io::Read,
    process::{Child, Command, Stdio},
    time::Duration,
};

use chrono_tz::Tz;
use permanence_domain::identity::Role;
use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApi, patient};

/// Starts the real binary on the database and the object store of a harness.
fn start(api: &TestApi, listen: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_api"))
        .env_clear()
        .envs(api.environment())
        .env("LISTEN", listen)
        .env("RUST_LOG", "debug")
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts")
}

fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

#[test]
fn wrong_settings_are_told_all_at_once_by_name() {
    let output = Command::new(env!("CARGO_BIN_EXE_api"))
        .env_clear()
        .env("DATABASE_URL", "db.example")
        .env("LISTEN", "8080")
        .env("CORS_ORIGINS", "*")
        .output()
        .expect("the binary runs");
    assert!(!output.status.success());
    let line: Value = serde_json::from_slice(&output.stderr).expect("one JSON line");
    let told = line["message"].as_str().expect("a message");
    for name in [
        "LISTEN",
        "CORS_ORIGINS",
        "DATABASE_URL",
        "S3_ENDPOINT",
        "S3_BUCKET",
        "JWT_ACCESS_KEYS",
        "JWT_REFRESH_KEY",
        "ENCRYPTION_KEY",
        "MASTER_KEYS",
    ] {
        assert!(told.contains(&format!("\n  {name}: read ")), "{name}\n{told}");
    }
}

#[tokio::test]
async fn logs_name_requests_and_never_people_and_the_end_is_orderly() {
    let mut api = TestApi::start().await;
    let listen = free_address();
    let tenant = api.practice("Lilas", Tz::Europe__Paris).await.tenant;
    api.member(tenant, "secret.person@lilas.example", Role::Admin).await;
    let mut process = start(&api, &listen);
    api.base = format!("http://{listen}");
    let up = async {
        while api.http.get(format!("{}/health/live", api.base)).send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), up).await.expect("never up");

    // The real process goes by the machine's clock, so the sign-in is made anew.
    let signed_in = api.login("secret.person@lilas.example", PASSWORD, json!({})).await.expect(200);
    let token = signed_in.body["access_token"].as_str().expect("a token");
    let keyed = [("idempotency-key", "k")];
    let path = "/api/v1/patients";
    let new = Some(patient("Hildegarde", "Vonbingen"));
    api.send(reqwest::Method::POST, path, Some(token), &keyed, new).await.expect(201);
    let found =
        api.send(reqwest::Method::GET, "/api/v1/patients?search=vonbingen", Some(token), &[], None).await;
    let request = found.expect(200).header("x-request-id").to_owned();
    let made_up = reqwest::Method::from_bytes(b"FOOBAR").expect("a token");
    api.send(made_up, path, None, &[], None).await.refused(405, "method_not_allowed");
    api.get("/r/SecretOfALink").await.expect(404);
    api.get("/u/SecretOfAMail?q=SecretQuery").await.expect(404);
    let metrics = api.get("/metrics").await.expect(200);
    let metrics = metrics.body.as_str().expect("text").to_owned();
    for told in [
        r#"permanence_http_request_seconds_count{method="POST",route="/api/v1/patients",status="201"} 1"#,
        r#"{method="other",route="/api/v1/patients",status="405"} 1"#,
        r#"{method="GET",route="/r/{token}",status="404"} 1"#,
        r#"permanence_wrong_tokens_total{kind="appointment"} 1"#,
        r#"permanence_wrong_tokens_total{kind="mail"} 1"#,
    ] {
        assert!(metrics.contains(told), "{told}: {metrics}");
    }
    assert!(!metrics.contains("FOOBAR"), "a caller makes up labels");

    Command::new("kill").arg(process.id().to_string()).status().expect("kill runs");
    let mut log = String::new();
    process.stderr.take().expect("a pipe").read_to_string(&mut log).expect("text");
    assert!(process.wait().expect("it ends").success(), "{log}");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(
        lines.iter().any(|line| line["span"]["request_id"] == request.as_str() && line["status"] == 200),
        "{log}"
    );
    for secret in [
        "SecretOf",
        "SecretQuery",
        "secret.person",
        "Hildegarde",
        "Vonbingen",
        "vonbingen",
        "+3360000",
        PASSWORD,
        token,
    ] {
        assert!(!log.contains(secret) && !metrics.contains(secret), "{secret} is told");
    }
}
