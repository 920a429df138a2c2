//! Jobs and queues: a tenant's members reach its own, operators of the platform all.

use chrono_tz::Tz;
use serde_json::{Value, json};

use crate::support::{Client, Practice, TestApi};

const JOBS: &str = "/api/v1/jobs";
const REMINDERS: &str = "/api/v1/jobs?kind=notifications.send_reminder";

/// Books as many appointments and gives the numbers of their reminders' jobs, the newest first.
async fn planned(practice: &Practice<'_>, count: usize) -> Vec<i64> {
    let patient = practice.patient("Hélène", "Garcia").await;
    let practitioner = practice.practitioner("Roy").await;
    for hour in 0..count {
        let at = |minute: u8| format!("2027-01-15T{:02}:{minute:02}", 9 + hour);
        practice.booked(&patient, &practitioner, &at(0), &at(30)).await;
    }
    let ids = listed(&practice.admin, REMINDERS).await;
    assert_eq!(ids.len(), count);
    ids
}

async fn listed(client: &Client<'_>, path: &str) -> Vec<i64> {
    let answer = client.get(path).await.expect(200);
    answer.body["items"].as_array().unwrap().iter().map(|job| job["id"].as_i64().unwrap()).collect()
}

async fn state(client: &Client<'_>, id: i64) -> String {
    let job = client.get(&format!("{JOBS}/{id}")).await.expect(200);
    job.body["state"].as_str().unwrap().to_owned()
}

async fn act(client: &Client<'_>, id: i64, action: &str) -> crate::support::Answer {
    client.post(&format!("{JOBS}/{id}/{action}"), json!({})).await
}

#[tokio::test]
async fn a_practice_sees_its_own_jobs_only() {
    let api = TestApi::start().await;
    let lilas = api.practice("Lilas", Tz::Europe__Paris).await;
    let roses = api.practice("Roses", Tz::Europe__Paris).await;
    let ids = planned(&lilas, 1).await;
    let path = format!("{JOBS}/{}", ids[0]);
    let job = lilas.admin.get(&path).await.expect(200).body;
    assert_eq!(job["kind"], "notifications.send_reminder");
    assert_eq!((&job["state"], &job["tenant_id"]), (&json!("scheduled"), &json!(lilas.tenant)));
    assert_eq!(job.get("payload"), None, "arguments stay inside");

    assert!(listed(&roses.admin, JOBS).await.is_empty());
    let named = format!("{JOBS}?tenant_id={}", lilas.tenant.0);
    assert!(listed(&roses.admin, &named).await.is_empty(), "naming another tenant opens nothing");
    roses.admin.get(&path).await.refused(404, "not_found");
    roses.admin.get(&format!("{path}/events")).await.refused(404, "not_found");
    for action in ["retry", "cancel", "discard"] {
        act(&roses.admin, ids[0], action).await.refused(404, "not_found");
        act(&lilas.assistant, ids[0], action).await.refused(403, "forbidden");
    }
    for path in [JOBS, &path, &format!("{path}/events")] {
        lilas.assistant.get(path).await.refused(403, "forbidden");
    }
    let no_number = lilas.admin.get("/api/v1/jobs/first").await;
    no_number.refused(422, "invalid_input");
    assert_eq!(no_number.body["errors"][0]["code"], "not_a_number");
    assert_eq!(state(&lilas.admin, ids[0]).await, "scheduled");
}

#[tokio::test]
async fn pages_go_on_before_the_last_number() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let ids = planned(&practice, 3).await;
    let first = practice.admin.get(&format!("{REMINDERS}&limit=2")).await.expect(200).body;
    assert_eq!(first["next"], ids[1]);
    assert_eq!(listed(&practice.admin, &format!("{REMINDERS}&limit=2")).await, ids[..2]);
    let rest = practice.admin.get(&format!("{REMINDERS}&limit=2&before={}", ids[1])).await.expect(200).body;
    assert_eq!((rest["items"][0]["id"].as_i64(), rest.get("next")), (Some(ids[2]), None));
    practice.admin.get(&format!("{JOBS}?before=x")).await.refused(422, "invalid_input");
    practice.admin.get(&format!("{JOBS}?limit=101")).await.refused(422, "invalid_input");
}

#[tokio::test]
async fn a_job_is_taken_back_ended_and_brought_to_life() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let admin = &practice.admin;
    let ids = planned(&practice, 2).await;
    for (id, action, ended) in [(ids[0], "cancel", "cancelled"), (ids[1], "discard", "discarded")] {
        act(admin, id, "retry").await.refused(409, "job_not_dead");
        act(admin, id, action).await.expect(204);
        assert_eq!(state(admin, id).await, ended);
        act(admin, id, "discard").await.refused(409, "job_not_waiting");
        act(admin, id, "cancel").await.expect(204);
        assert_eq!(state(admin, id).await, ended, "what has ended stays as it is");
        act(admin, id, "retry").await.expect(204);
        assert!(["available", "scheduled"].contains(&&*state(admin, id).await));
        act(admin, id, "retry").await.refused(409, "job_not_dead");
    }
}

#[tokio::test]
async fn many_are_retried_within_the_practice() {
    let api = TestApi::start().await;
    let lilas = api.practice("Lilas", Tz::Europe__Paris).await;
    let roses = api.practice("Roses", Tz::Europe__Paris).await;
    let mine = planned(&lilas, 2).await;
    let theirs = planned(&roses, 1).await[0];
    for id in &mine {
        act(&lilas.admin, *id, "discard").await.expect(204);
    }
    act(&roses.admin, theirs, "discard").await.expect(204);
    let path = "/api/v1/jobs/retry";
    let none = lilas.admin.post(path, json!({ "code": "smtp_refused" })).await.expect(200);
    assert_eq!(none.body, json!({ "ids": [] }));
    lilas.admin.post(path, json!({ "tenant_id": roses.tenant })).await.refused(422, "invalid_input");
    lilas.assistant.post(path, json!({})).await.refused(403, "forbidden");

    let wanted = json!({ "kind": "notifications.send_reminder", "code": "discarded_by_hand" });
    let answer = lilas.admin.post_keyed(path, "all", wanted.clone()).await.expect(200);
    let mut back: Vec<i64> = serde_json::from_value(answer.body["ids"].clone()).unwrap();
    back.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(back, mine);
    assert_eq!(state(&roses.admin, theirs).await, "discarded");
    let again = lilas.admin.post_keyed(path, "all", wanted).await.expect(200);
    assert_eq!((again.body, again.headers["idempotency-replayed"].to_str().unwrap()), (answer.body, "true"));
}

#[tokio::test]
async fn a_watched_job_tells_its_changes_and_its_end() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let id = planned(&practice, 1).await[0];
    let request = api.http.get(format!("{}{JOBS}/{id}/events", api.base)).bearer_auth(&practice.admin.token);
    let mut response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let within = std::time::Duration::from_secs(20);
    let first = tokio::time::timeout(within, response.chunk()).await.unwrap().unwrap().unwrap();
    let first = String::from_utf8_lossy(&first).into_owned();
    assert!(first.starts_with("event: change\n") && first.contains(r#""state":"scheduled""#), "{first}");
    act(&practice.admin, id, "cancel").await.expect(204);
    let rest = tokio::time::timeout(within, response.text()).await.expect("the stream ends").unwrap();
    assert!(rest.contains("event: end\n") && rest.contains(r#""state":"cancelled""#), "{rest}");
}

async fn queue(operator: &Client<'_>, name: &str) -> Value {
    let queues = operator.get("/api/v1/queues").await.expect(200).body;
    queues.as_array().unwrap().iter().find(|queue| queue["name"] == name).expect("the queue").clone()
}

#[tokio::test]
async fn an_operator_sees_every_tenant_and_runs_the_queues() {
    let api = TestApi::start().await;
    let lilas = api.practice("Lilas", Tz::Europe__Paris).await;
    let roses = api.practice("Roses", Tz::Europe__Paris).await;
    let operator = api.operator().await;
    let mut all = [planned(&lilas, 1).await, planned(&roses, 1).await].concat();
    all.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(listed(&operator, REMINDERS).await, all);
    let of_one = format!("{REMINDERS}&tenant_id={}", lilas.tenant.0);
    assert_eq!(listed(&operator, &of_one).await.len(), 1);
    act(&operator, all[0], "discard").await.expect(204);
    act(&operator, all[0], "retry").await.expect(204);

    let name = operator.get(&format!("{JOBS}/{}", all[0])).await.expect(200).body["queue"].clone();
    let name = name.as_str().unwrap();
    let path = format!("/api/v1/queues/{name}");
    assert_eq!(queue(&operator, name).await["paused_at"], Value::Null);
    operator.post(&format!("{path}/pause"), json!({})).await.expect(204);
    assert!(queue(&operator, name).await["paused_at"].is_string());
    operator.post(&format!("{path}/resume"), json!({})).await.expect(204);
    assert_eq!(queue(&operator, name).await["paused_at"], Value::Null);

    let limits = json!({ "max_running": 5, "max_running_per_tenant": 2 });
    operator.post(&format!("{path}/limits"), limits).await.expect(204);
    let limited = queue(&operator, name).await;
    assert_eq!((&limited["max_running"], &limited["max_running_per_tenant"]), (&json!(5), &json!(2)));
    let zero = operator.post(&format!("{path}/limits"), json!({ "max_running": 0 })).await;
    zero.refused(422, "invalid_input");
    assert_eq!(zero.body["errors"][0]["field"], "max_running");
    for action in ["pause", "resume", "limits"] {
        operator.post(&format!("/api/v1/queues/none/{action}"), json!({})).await.refused(404, "not_found");
        lilas.admin.post(&format!("{path}/{action}"), json!({})).await.refused(403, "forbidden");
    }
    lilas.admin.get("/api/v1/queues").await.refused(403, "forbidden");
}
