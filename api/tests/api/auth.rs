//! Signing in and out.

use chrono_tz::Tz;
use permanence_domain::{db::Actor, identity::Role};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApi, patient};

async fn refresh(api: &TestApi, token: &Value) -> crate::support::Answer {
    api.post("/api/v1/auth/refresh", json!({ "refresh_token": token })).await
}

#[tokio::test]
async fn a_session_from_login_to_logout() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let answer = api.login(&format!("ASSISTANT@{}", practice.domain), PASSWORD, json!({})).await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.body["role"], "assistant");
    assert_eq!(answer.body["permissions"]["medical_records"], json!({ "read": true, "write": false }));
    assert_eq!(answer.body["expires_in"], 900);

    let token = answer.body["access_token"].as_str().unwrap().to_owned();
    let me = api.send(Method::GET, "/api/v1/auth/me", Some(&token), &[], None).await.expect(200);
    assert_eq!(me.body["email"], format!("assistant@{}", practice.domain));
    assert_eq!(me.header("etag"), "", "a member changes at /users");
    let out = "/api/v1/auth/logout";
    let unknown = api.send(Method::POST, out, Some(&token), &[], Some(json!({ "all": true }))).await;
    unknown.refused(422, "invalid_input");
    let keyless = api.send(Method::POST, out, Some(&token), &[("idempotency-key", "")], None).await;
    keyless.refused(400, "malformed_idempotency_key");
    let raw = api.http.post(format!("{}{out}", api.base)).bearer_auth(&token);
    let raw = raw.header("content-type", "application/json").body("{").send().await.unwrap();
    assert_eq!(raw.status(), 400);
    api.send(Method::POST, out, Some(&token), &[("idempotency-key", "k")], Some(json!({}))).await.expect(204);
    api.send(Method::POST, "/api/v1/auth/logout", Some(&token), &[], None).await.expect(204);
    let after = api.send(Method::GET, "/api/v1/auth/me", Some(&token), &[], None).await;
    after.refused(401, "session_over");
    refresh(&api, &answer.body["refresh_token"]).await.refused(401, "session_over");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_look_the_same() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let mut wrong = api.login(&format!("admin@{}", practice.domain), "Bonsoir1!", json!({})).await;
    let mut unknown = api.login("nobody@nowhere.example", PASSWORD, json!({})).await;
    for answer in [&mut wrong, &mut unknown] {
        answer.refused(401, "wrong_credentials");
        answer.body["request_id"] = Value::Null;
    }
    assert_eq!(wrong.body, unknown.body);
    let mut tx = api.db.system(Actor::JOB).await.unwrap();
    let refused: i64 =
        sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE action = 'auth.login_refused'")
            .fetch_one(tx.conn())
            .await
            .unwrap();
    assert_eq!(refused, 2);
}

#[tokio::test]
async fn a_refresh_token_rotates_and_its_reuse_closes_the_session() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let first = api.login(&format!("admin@{}", practice.domain), PASSWORD, json!({})).await.expect(200).body;
    api.clock.advance(std::time::Duration::from_mins(10));
    let second = refresh(&api, &first["refresh_token"]).await.expect(200).body;
    assert_ne!(first["refresh_token"], second["refresh_token"]);

    // A second tab that refreshes at the same time with the same token is not a thief.
    api.clock.advance(std::time::Duration::from_secs(9));
    let other_tab = refresh(&api, &first["refresh_token"]).await.expect(200).body;
    api.clock.advance(std::time::Duration::from_mins(1));
    refresh(&api, &other_tab["refresh_token"]).await.expect(200);

    // With a key, twice: the refusal is not kept as an answer.
    for code in ["token_reuse", "session_over"] {
        let body = Some(json!({ "refresh_token": first["refresh_token"] }));
        let keyed = [("idempotency-key", "stolen")];
        let answer = api.send(Method::POST, "/api/v1/auth/refresh", None, &keyed, body).await;
        answer.refused(401, code);
    }
    refresh(&api, &second["refresh_token"]).await.refused(401, "session_over");
    let token = second["access_token"].as_str();
    api.send(Method::GET, "/api/v1/auth/me", token, &[], None).await.refused(401, "session_over");
    refresh(&api, &json!("made-up")).await.refused(401, "invalid_refresh_token");
}

#[tokio::test]
async fn sessions_end_when_idle_and_after_a_week() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let hour = std::time::Duration::from_hours(1);
    let email = format!("admin@{}", practice.domain);
    let mut session = api.login(&email, PASSWORD, json!({})).await.expect(200).body;
    for _ in 0..15 {
        api.clock.advance(hour * 11);
        session = refresh(&api, &session["refresh_token"]).await.expect(200).body;
    }
    api.clock.advance(hour * 11);
    refresh(&api, &session["refresh_token"]).await.refused(401, "session_over");

    let idle = api.login(&email, PASSWORD, json!({})).await.expect(200).body;
    let token = idle["access_token"].as_str();
    api.clock.advance(hour / 4);
    api.send(Method::GET, "/api/v1/auth/me", token, &[], None).await.refused(401, "token_expired");
    api.clock.advance(hour * 12);
    refresh(&api, &idle["refresh_token"]).await.refused(401, "session_over");
}

#[tokio::test]
async fn a_user_of_two_practices_chooses_and_lands_in_the_first() {
    let api = TestApi::start().await;
    let first = api.practice("Lilas", Tz::Europe__Paris).await;
    api.clock.advance(std::time::Duration::from_mins(1));
    let second = api.practice("Port", Tz::Indian__Reunion).await;
    let email = format!("admin@{}", first.domain);
    api.member(second.tenant, &email, Role::Practitioner).await;
    let by_default = api.login(&email, PASSWORD, json!({})).await.expect(200).body;
    assert_eq!((&by_default["tenant_id"], &by_default["role"]), (&json!(first.tenant), &json!("admin")));
    assert_eq!(by_default["tenants"].as_array().unwrap().len(), 2);
    let chosen = api.login(&email, PASSWORD, json!({ "tenant_id": second.tenant })).await.expect(200).body;
    assert_eq!((&chosen["tenant_id"], &chosen["role"]), (&json!(second.tenant), &json!("practitioner")));
    let stranger = format!("assistant@{}", first.domain);
    api.login(&stranger, PASSWORD, json!({ "tenant_id": second.tenant })).await.refused(401, "no_membership");
}

#[tokio::test]
async fn an_imported_bcrypt_hash_is_accepted_once_and_replaced() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let imported = bcrypt::hash(PASSWORD, 4).unwrap();
    let hash_of = async |set: Option<&str>| -> String {
        let mut tx = api.db.system(Actor::JOB).await.unwrap();
        if let Some(hash) = set {
            sqlx::query("UPDATE users SET password_hash = $2 WHERE id = $1")
                .bind(practice.admin.user.0)
                .bind(hash)
                .execute(tx.conn())
                .await
                .unwrap();
        }
        let hash = sqlx::query_scalar("SELECT password_hash FROM users WHERE id = $1")
            .bind(practice.admin.user.0)
            .fetch_one(tx.conn())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        hash
    };
    hash_of(Some(&imported)).await;
    let email = format!("admin@{}", practice.domain);
    api.login(&email, "Bonsoir1!", json!({})).await.refused(401, "wrong_credentials");
    api.login(&email, PASSWORD, json!({})).await.expect(200);
    assert!(hash_of(None).await.starts_with("$argon2id$"));
    api.login(&email, PASSWORD, json!({})).await.expect(200);
}

#[tokio::test]
async fn without_a_token_or_with_a_forged_one_nothing_is_told() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let answer = api.get("/api/v1/patients").await;
    answer.refused(401, "missing_token");
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    for path in ["/api/v1/patients?limit=0", "/api/v1/patients/42", "/api/v1/appointments?date=never"] {
        api.get(path).await.refused(401, "missing_token");
    }
    let mut forged = practice.admin.token.clone();
    forged.replace_range(forged.len() - 4.., "AAAA");
    for token in ["x", "a.b.c", forged.as_str()] {
        api.send(Method::GET, "/api/v1/patients", Some(token), &[], None).await.refused(401, "invalid_token");
    }
}

#[tokio::test]
async fn a_role_counts_at_once_whatever_the_token_says() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let id = practice.assistant.user;
    practice.assistant.post("/api/v1/patients", patient("Zoé", "Noël")).await.expect(201);
    let change = json!({ "role": "nurse" });
    let path = format!("/api/v1/users/{id}/role");
    practice.admin.send(Method::PATCH, &path, &[("if-match", "\"1\"")], Some(change)).await.expect(200);
    let body = json!({ "patient_id": id, "practitioner_id": id, "starts_at": "2027-01-05T10:00", "ends_at": "2027-01-05T10:30" });
    practice.assistant.post("/api/v1/appointments", body).await.refused(403, "forbidden");
    practice.admin.delete(&format!("/api/v1/users/{id}")).await.expect(204);
    practice.assistant.get("/api/v1/patients").await.refused(401, "session_over");
}

#[tokio::test]
async fn a_key_gives_tokens_again_only_while_they_are_fresh() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let session =
        api.login(&format!("admin@{}", practice.domain), PASSWORD, json!({})).await.expect(200).body;
    let keyed = async || {
        let body = Some(json!({ "refresh_token": session["refresh_token"] }));
        api.send(Method::POST, "/api/v1/auth/refresh", None, &[("idempotency-key", "refresh")], body).await
    };
    let first = keyed().await.expect(200);
    assert_eq!(keyed().await.expect(200).body, first.body, "a repeated request");
    api.clock.advance(std::time::Duration::from_secs(11));
    keyed().await.refused(401, "token_reuse");
    keyed().await.refused(401, "session_over");

    // Two people who happen to use the same key do not meet.
    let login = async |email: String| {
        let body = Some(json!({ "email": email, "password": PASSWORD }));
        api.send(Method::POST, "/api/v1/auth/login", None, &[("idempotency-key", "login-1")], body).await
    };
    let one = login(format!("admin@{}", practice.domain)).await.expect(200);
    let other = login(format!("assistant@{}", practice.domain)).await.expect(200);
    assert_ne!(one.body["user_id"], other.body["user_id"]);
}
