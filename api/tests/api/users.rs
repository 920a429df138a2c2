//! Members of the tenant.

use chrono_tz::Tz;
use permanence_domain::{
    db::Actor,
    identity::{InvitationStart, Role, TokenHashes, begin_invitation, end_invitation},
    ids::{InvitationId, TenantId},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Practice, TestApi};

fn person(email: &str) -> Value {
    json!({ "email": email, "full_name": "Léa Martin", "role": "assistant" })
}

/// Does what the worker does, and gives the token of the mail.
async fn mailed_token(api: &TestApi, tenant: TenantId) -> String {
    let hashes = TokenHashes::new(permanence_domain::config::Secret::new("r".repeat(32)));
    let mut tx = api.db.tenant(tenant, Actor::JOB).await.unwrap();
    let id: uuid::Uuid =
        sqlx::query_scalar("SELECT id FROM invitations WHERE status = 'pending' ORDER BY id DESC")
            .fetch_one(tx.conn())
            .await
            .unwrap();
    let id = InvitationId(id);
    let InvitationStart::Send(draft) = begin_invitation(&mut tx, &hashes, id).await.unwrap() else {
        panic!("nothing to send");
    };
    end_invitation(&mut tx, id, "sent", None).await.unwrap();
    tx.commit().await.unwrap();
    draft.token
}

async fn accept(api: &TestApi, token: &str, password: &str) -> crate::support::Answer {
    api.post("/api/v1/auth/accept-invitation", json!({ "token": token, "password": password })).await
}

#[tokio::test]
async fn an_invited_person_chooses_a_password_and_signs_in() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let invited = practice.admin.post("/api/v1/users", person("lea@lilas.example")).await.expect(201);
    assert_eq!(invited.header("location"), format!("/api/v1/users/{}", invited.id()));
    assert_eq!((&invited.body["role"], &invited.body["accepted_at"]), (&json!("assistant"), &Value::Null));
    api.login("lea@lilas.example", PASSWORD, json!({})).await.refused(401, "wrong_credentials");

    let token = mailed_token(&api, practice.tenant).await;
    let weak = accept(&api, &token, "bonjour").await;
    weak.refused(422, "invalid_input");
    assert_eq!(weak.body["errors"][0]["code"], "weak_password");
    assert_eq!(weak.body["errors"][0].get("read"), None, "a password is never shown");
    accept(&api, "made-up", PASSWORD).await.refused(422, "invalid_input");
    let body = json!({ "token": token, "password": PASSWORD });
    let keyed = [("idempotency-key", "accept")];
    let path = "/api/v1/auth/accept-invitation";
    let once = async || api.send(Method::POST, path, None, &keyed, Some(body.clone())).await.expect(200).body;
    assert_eq!(once().await, once().await, "the same key, the same answer");
    accept(&api, &token, "Autrement1!").await.refused(422, "invalid_input");
    api.login("lea@lilas.example", PASSWORD, json!({})).await.expect(200);
}

#[tokio::test]
async fn an_open_invitation_ends_after_a_week_or_with_a_newer_one() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let id = practice.admin.post("/api/v1/users", person("lea@lilas.example")).await.expect(201).id();
    let first = mailed_token(&api, practice.tenant).await;
    api.clock.advance(std::time::Duration::from_mins(1));
    let again = format!("/api/v1/users/{id}/invitations");
    practice.admin.post(&again, json!({})).await.expect(204);
    let second = mailed_token(&api, practice.tenant).await;
    accept(&api, &first, PASSWORD).await.refused(422, "invalid_input");
    api.clock.advance(std::time::Duration::from_hours(168));
    accept(&api, &second, PASSWORD).await.refused(422, "invalid_input");
}

#[tokio::test]
async fn inviting_does_not_tell_whether_an_address_is_known_elsewhere() {
    let api = TestApi::start().await;
    let first = api.practice("Lilas", Tz::Europe__Paris).await;
    let second = api.practice("Port", Tz::Indian__Reunion).await;
    let known =
        first.admin.post("/api/v1/users", person(&format!("assistant@{}", second.domain))).await.expect(201);
    let new = first.admin.post("/api/v1/users", person("new@lilas.example")).await.expect(201);
    let shape = |answer: &crate::support::Answer| {
        let mut body = answer.body.clone();
        body["id"] = Value::Null;
        body["email"] = Value::Null;
        body
    };
    assert_eq!(shape(&known), shape(&new), "not even the name known elsewhere");
    // And whoever knows nothing but the mail cannot take over the account that exists elsewhere.
    sqlx_latest_first(&api, &first, &known.id()).await;
    let token = mailed_token(&api, first.tenant).await;
    accept(&api, &token, "Autrement1!").await.refused(401, "wrong_credentials");
    accept(&api, &token, PASSWORD).await.expect(200);
    let signed_in = api.login(&format!("assistant@{}", second.domain), PASSWORD, json!({})).await.expect(200);
    assert_eq!(signed_in.body["tenants"].as_array().unwrap().len(), 2);
}

/// Leaves only one user's invitation pending.
async fn sqlx_latest_first(api: &TestApi, practice: &Practice<'_>, user: &str) {
    let mut tx = api.db.tenant(practice.tenant, Actor::JOB).await.unwrap();
    sqlx::query("UPDATE invitations SET status = 'failed' WHERE user_id <> $1::uuid")
        .bind(user)
        .execute(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn only_who_may_invites_and_only_fitting_roles() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    practice.assistant.post("/api/v1/users", person("lea@lilas.example")).await.refused(403, "forbidden");
    practice.assistant.get("/api/v1/users").await.expect(200);
    let mut wrong = person("lea@lilas.example");
    wrong["role"] = json!("hr_admin");
    let answer = practice.admin.post("/api/v1/users", wrong).await;
    answer.refused(422, "invalid_input");
    assert_eq!(answer.body["errors"][0]["field"], "role");
    let member = person(&format!("assistant@{}", practice.domain));
    practice.admin.post("/api/v1/users", member).await.refused(409, "already_member");
}

#[tokio::test]
async fn a_tenant_keeps_an_administrator() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let path = format!("/api/v1/users/{}", practice.admin.user);
    practice.admin.delete(&path).await.refused(409, "last_admin");
    let change = Some(json!({ "role": "nurse" }));
    let role = format!("{path}/role");
    practice
        .admin
        .send(Method::PATCH, &role, &[("if-match", "1")], change.clone())
        .await
        .refused(409, "last_admin");
    api.member(practice.tenant, "second@lilas.example", Role::Admin).await;
    practice
        .admin
        .send(Method::PATCH, &role, &[("if-match", "7")], change.clone())
        .await
        .refused(409, "version_conflict");
    practice.admin.send(Method::PATCH, &role, &[("if-match", "1")], change).await.expect(200);
}

#[tokio::test]
async fn two_administrators_who_demote_each_other_at_once_leave_one() {
    let api = TestApi::start().await;
    for _ in 0..5 {
        let practice =
            api.practice(&format!("Lilas {}", uuid::Uuid::new_v4().simple()), Tz::Europe__Paris).await;
        let second = api.member(practice.tenant, &format!("second@{}", practice.domain), Role::Admin).await;
        let demote = async |by: &crate::support::Client<'_>, whom: permanence_domain::ids::UserId| {
            let change = Some(json!({ "role": "nurse" }));
            by.send(Method::PATCH, &format!("/api/v1/users/{whom}/role"), &[("if-match", "1")], change).await
        };
        let (one, two) =
            tokio::join!(demote(&practice.admin, second.user), demote(&second, practice.admin.user));
        let mut statuses = [one.status.as_u16(), two.status.as_u16()];
        statuses.sort_unstable();
        // The loser is told that nobody would be left, or has lost the right to ask by then.
        assert!(matches!(statuses, [200, 403 | 409]), "{statuses:?} {:#} {:#}", one.body, two.body);
    }
}

#[tokio::test]
async fn an_administrator_who_has_not_accepted_yet_may_go() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let mut invited = person("lea@lilas.example");
    invited["role"] = json!("admin");
    let id = practice.admin.post("/api/v1/users", invited).await.expect(201).id();
    practice.admin.delete(&format!("/api/v1/users/{id}")).await.expect(204);
    practice.admin.get(&format!("/api/v1/users/{id}")).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_promotion_counts_from_the_next_request_on() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let path = format!("/api/v1/users/{}/role", practice.assistant.user);
    let change = Some(json!({ "role": "admin" }));
    practice.assistant.post("/api/v1/rooms", json!({ "name": "Salle 1" })).await.refused(403, "forbidden");
    practice.admin.send(Method::PATCH, &path, &[("if-match", "1")], change).await.expect(200);
    practice.assistant.post("/api/v1/rooms", json!({ "name": "Salle 1" })).await.expect(201);
}
