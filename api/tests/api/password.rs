//! A forgotten password: a link by mail sets another, once and within the hour, and nobody learns whose address is known.

use chrono_tz::Tz;
use permanence_domain::{
    config::Secret,
    db::Actor,
    identity::{AccountMailAbout, AccountMailStart, TokenHashes, begin_account_mail, end_account_mail},
    ids::AccountMailId,
    platform::Ended,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, TestApi};

const NEW: &str = "Autrement2!";

async fn forget(api: &TestApi, email: &str) -> Answer {
    api.post("/api/v1/auth/forgot-password", json!({ "email": email })).await
}

async fn reset(api: &TestApi, token: &str, password: &str) -> Answer {
    api.post("/api/v1/auth/reset-password", json!({ "token": token, "password": password })).await
}

/// A refusal of one field, which shows neither a password nor a token.
async fn refused(api: &TestApi, token: &str, password: &str, (field, code): (&str, &str)) {
    let answer = reset(api, token, password).await;
    answer.refused(422, "invalid_input");
    let error = &answer.body["errors"][0];
    assert_eq!((&error["field"], &error["code"], error.get("read")), (&json!(field), &json!(code), None));
}

/// What asking left: mails with and without a person, jobs, rows of the trail.
async fn left(api: &TestApi) -> [i64; 4] {
    let mut tx = api.db.system(Actor::JOB).await.unwrap();
    let mut counts = [0; 4];
    for (count, question) in counts.iter_mut().zip([
        "SELECT count(*) FROM account_mails WHERE user_id IS NOT NULL",
        "SELECT count(*) FROM account_mails WHERE user_id IS NULL",
        "SELECT count(*) FROM queue.jobs WHERE kind = 'identity.send_account_mail' AND tenant_id IS NULL",
        "SELECT count(*) FROM audit_log WHERE action = 'auth.forgot_password' AND tenant_id IS NULL",
    ]) {
        *count = sqlx::query_scalar(question).fetch_one(tx.conn()).await.unwrap();
    }
    counts
}

/// Does what the worker does with the newest mail, and gives its token.
async fn mailed_token(api: &TestApi) -> String {
    let hashes = TokenHashes::new(Secret::new("r".repeat(32)));
    let mut tx = api.db.system(Actor::JOB).await.unwrap();
    let id: uuid::Uuid =
        sqlx::query_scalar("SELECT id FROM account_mails WHERE status = 'pending' ORDER BY id DESC LIMIT 1")
            .fetch_one(tx.conn())
            .await
            .unwrap();
    let start = begin_account_mail(&mut tx, &hashes, AccountMailId(id)).await.unwrap();
    let AccountMailStart::Send(draft) = start else { panic!("{start:?}") };
    end_account_mail(&mut tx, AccountMailId(id), "sent", None).await.unwrap();
    tx.commit().await.unwrap();
    let AccountMailAbout::PasswordReset { token } = draft.about else { panic!("another mail") };
    token
}

#[tokio::test]
async fn whoever_asks_learns_nothing_and_nobody_is_flooded() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let known = format!("admin@{}", practice.domain);
    // Invited and not yet there: the invitation is the way in.
    let new = json!({ "email": "lea@lilas.example", "full_name": "Léa Martin", "role": "assistant" });
    practice.admin.post("/api/v1/users", new).await.expect(201);
    let told = |answer: Answer| {
        let headers: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
        (answer.status, headers, answer.body)
    };
    let first = told(forget(&api, &known.to_uppercase()).await.expect(202));
    assert_eq!(first.2, json!(""));
    assert_eq!(left(&api).await, [1, 0, 1, 1]);
    for (asked, address) in [(1, "nobody@nowhere.example"), (2, "lea@lilas.example")] {
        assert_eq!(told(forget(&api, address).await), first);
        assert_eq!(left(&api).await, [1, asked, 1 + asked, 1 + asked], "the same is left of it");
    }
    for _ in 0..2 {
        forget(&api, &known).await.expect(202);
    }
    assert_eq!(left(&api).await, [3, 2, 5, 5]);
    assert_eq!(told(forget(&api, &known).await), first);
    assert_eq!(left(&api).await, [3, 3, 6, 6], "a fourth within the hour goes nowhere");
    api.clock.advance(std::time::Duration::from_mins(61));
    forget(&api, &known).await.expect(202);
    assert_eq!(left(&api).await[0], 4);

    forget(&api, "nobody").await.refused(422, "invalid_input");
    let keyed = async |email: &str| {
        let body = Some(json!({ "email": email }));
        api.send(Method::POST, "/api/v1/auth/forgot-password", None, &[("idempotency-key", "k")], body).await
    };
    keyed(&known).await.expect(202);
    assert_eq!(keyed(&known).await.expect(202).header("idempotency-replayed"), "true");
    assert_eq!(keyed("a@b.example").await.expect(202).header("idempotency-replayed"), "", "another's key");
    assert_eq!(left(&api).await[..2], [5, 4]);
}

#[tokio::test]
async fn of_many_who_ask_at_once_a_few_are_mailed() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let known = format!("admin@{}", practice.domain);
    for answer in futures::future::join_all((0..12).map(|_| forget(&api, &known))).await {
        answer.expect(202);
    }
    assert_eq!(left(&api).await, [3, 9, 12, 12]);
}

#[tokio::test]
async fn a_new_password_is_set_once_and_every_session_ends() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let other = api.practice("Port", Tz::Indian__Reunion).await;
    let email = format!("admin@{}", practice.domain);
    let elsewhere = api.member(other.tenant, &email, permanence_domain::identity::Role::Nurse).await;
    let session = api.login(&email, PASSWORD, json!({})).await.expect(200).body;
    let mut tokens = Vec::new();
    for _ in 0..2 {
        forget(&api, &email).await.expect(202);
        tokens.push(mailed_token(&api).await);
    }
    refused(&api, &tokens[0], "bonjour", ("password", "weak_password")).await;
    refused(&api, "made-up", NEW, ("token", "invalid_token")).await;
    practice.admin.get("/api/v1/auth/me").await.expect(200);

    let body = json!({ "token": tokens[0], "password": NEW });
    let once = async || {
        let keyed = [("idempotency-key", "reset")];
        let path = "/api/v1/auth/reset-password";
        api.send(Method::POST, path, None, &keyed, Some(body.clone())).await.expect(200).body
    };
    assert_eq!(once().await, json!({ "user_id": practice.admin.user }));
    assert_eq!(once().await, json!({ "user_id": practice.admin.user }), "the same key, the same answer");
    for token in &tokens {
        refused(&api, token, NEW, ("token", "invalid_token")).await;
    }
    for caller in [&practice.admin, &elsewhere] {
        caller.get("/api/v1/auth/me").await.refused(401, "session_over");
    }
    practice.assistant.get("/api/v1/auth/me").await.expect(200);
    let renewal = json!({ "refresh_token": session["refresh_token"] });
    api.post("/api/v1/auth/refresh", renewal).await.refused(401, "session_over");
    api.login(&email, PASSWORD, json!({})).await.refused(401, "wrong_credentials");
    api.login(&email, NEW, json!({})).await.expect(200);

    let mut tx = api.db.system(Actor::JOB).await.unwrap();
    let notices: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM account_mails m JOIN queue.jobs j ON j.payload->>'mail_id' = m.id::text
         WHERE m.kind = 'password_changed' AND m.user_id = $1",
    )
    .bind(practice.admin.user.0)
    .fetch_one(tx.conn())
    .await
    .unwrap();
    assert_eq!(notices, 1);
    let actors: Vec<Option<uuid::Uuid>> =
        sqlx::query_scalar("SELECT actor_id FROM audit_log WHERE action = 'auth.reset_password'")
            .fetch_all(tx.conn())
            .await
            .unwrap();
    assert_eq!(actors, [Some(practice.admin.user.0)]);
}

#[tokio::test]
async fn a_link_ends_after_an_hour_and_what_has_ended_is_forgotten() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let email = format!("admin@{}", practice.domain);
    let hour = std::time::Duration::from_hours(1);
    forget(&api, &email).await.expect(202);
    let token = mailed_token(&api).await;
    api.clock.advance(hour);
    reset(&api, &token, NEW).await.refused(422, "invalid_input");
    forget(&api, &email).await.expect(202);
    let token = mailed_token(&api).await;
    api.clock.advance(std::time::Duration::from_secs(3_599));
    reset(&api, &token, NEW).await.expect(200);

    let new = json!({ "email": "lea@lilas.example", "full_name": "Léa Martin", "role": "assistant" });
    let admin = api.login(&email, NEW, json!({})).await.expect(200).body;
    let admin = admin["access_token"].as_str();
    let keyed = [("idempotency-key", "k")];
    api.send(Method::POST, "/api/v1/users", admin, &keyed, Some(new)).await.expect(201);
    let forgotten = async || {
        let mut gone = std::collections::BTreeMap::new();
        let mut tx = api.db.system(Actor::JOB).await.unwrap();
        for ended in Ended::ALL {
            gone.insert(ended.name(), ended.purge(&mut tx, 100).await.unwrap());
        }
        tx.commit().await.unwrap();
        gone
    };
    api.clock.advance(hour * 24 * 29);
    // What was counted of two people who signed in from one place, who may again.
    let none = [
        ("account_mails", 0),
        ("answers", 1),
        ("invitations", 0),
        ("links", 0),
        ("sessions", 0),
        ("sign_in_limits", 5),
    ];
    assert_eq!(forgotten().await, none.into());
    api.clock.advance(hour * 24 * 30);
    // Three sign-ins, three mails, one invitation; the members stay.
    let all = [
        ("account_mails", 3),
        ("answers", 0),
        ("invitations", 1),
        ("links", 0),
        ("sessions", 3),
        ("sign_in_limits", 0),
    ];
    assert_eq!(forgotten().await, all.into());
    api.login(&email, NEW, json!({})).await.expect(200);
}

#[tokio::test]
async fn the_pages_of_secret_links_ask_for_a_password_and_need_no_other_server() {
    let api = TestApi::start().await;
    for (path, route, title) in [
        ("/reset-password", "api/v1/auth/reset-password", "Choisir un nouveau mot de passe"),
        ("/invitation", "api/v1/auth/accept-invitation", "Accepter l’invitation"),
    ] {
        let page = api.get(path).await.expect(200);
        assert_eq!(page.header("x-robots-tag"), "noindex");
        let policy = page.header("content-security-policy").to_owned();
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
        let words = page.body.as_str().unwrap();
        assert!(words.contains(title) && words.contains(&format!("data-route=\"{route}\"")), "{words}");
        assert!(!words.contains("http"), "{words}");
        assert_eq!(api.post(&format!("/{route}"), Value::Null).await.status, 422);
        for (path, kind) in [("pages/password.js", "text/javascript"), ("pages/style.css", "text/css")] {
            assert!(words.contains(&format!("\"{path}\"")), "{path}");
            assert!(api.get(&format!("/{path}")).await.expect(200).header("content-type").starts_with(kind));
        }
    }
}
