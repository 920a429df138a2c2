//! Jobs and queues: a tenant's members reach its own, operators of the platform all.

use std::time::Duration;

use chrono_tz::Tz;
use permanence_domain::{db::Actor, identity::Role, ids::TenantId};
use serde_json::{Value, json};

use crate::support::{Client, Practice, TestApi};

const JOBS: &str = "/api/v1/jobs";
const REMINDERS: &str = "/api/v1/jobs?kind=notifications.send_message";

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
    assert_eq!(job["kind"], "notifications.send_message");
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
    for tenant in [roses.tenant, lilas.tenant] {
        let named = lilas.admin.post(path, json!({ "tenant_id": tenant })).await;
        named.refused(422, "invalid_input");
        assert_eq!(named.body["errors"][0]["code"], "not_an_operator");
    }
    lilas.assistant.post(path, json!({})).await.refused(403, "forbidden");

    let wanted = json!({ "kind": "notifications.send_message", "code": "discarded_by_hand" });
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
    let within = Duration::from_secs(20);
    let first = tokio::time::timeout(within, response.chunk()).await.unwrap().unwrap().unwrap();
    let first = String::from_utf8_lossy(&first).into_owned();
    assert!(first.starts_with("event: change\n") && first.contains(r#""state":"scheduled""#), "{first}");
    act(&practice.admin, id, "cancel").await.expect(204);
    let rest = tokio::time::timeout(within, response.text()).await.expect("the stream ends").unwrap();
    assert!(rest.contains("event: end\n") && rest.contains(r#""state":"cancelled""#), "{rest}");
    let retry = format!(r#""retry":{{"href":"{JOBS}/{id}/retry","method":"POST"}}"#);
    assert!(!first.contains(r#""retry":"#) && rest.contains(&retry), "{rest}");
}

#[tokio::test]
async fn jobs_are_found_by_the_time_of_their_enqueueing() {
    let api = TestApi::start().await;
    let lilas = api.practice("Lilas", Tz::Europe__Paris).await;
    let roses = api.practice("Roses", Tz::Europe__Paris).await;
    let early = planned(&lilas, 1).await[0];
    api.clock.advance(Duration::from_mins(10));
    let late = planned(&roses, 1).await[0];
    let operator = api.operator().await;
    let from = |filter: &str| format!("{REMINDERS}&{filter}");
    let (first, second) = ("2027-01-04T08:00:00Z", "2027-01-04T09:10:00%2B01:00");
    for (filter, found) in [
        (format!("since={first}&until={second}"), vec![early]),
        (format!("since={second}"), vec![late]),
        (format!("until={first}"), vec![]),
        (format!("since={second}&until={second}"), vec![]),
        (format!("since={first}&state=scheduled"), vec![late, early]),
        (format!("since={first}&state=running"), vec![]),
        ("queue=nowhere".to_owned(), vec![]),
    ] {
        assert_eq!(listed(&operator, &from(&filter)).await, found, "{filter}");
        // Of all that is found, a practice sees its own.
        let own: Vec<i64> = found.iter().copied().filter(|id| *id == early).collect();
        assert_eq!(listed(&lilas.admin, &from(&filter)).await, own, "{filter}");
    }
}

#[tokio::test]
async fn filters_that_cannot_be_read_are_told_all_at_once() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let wrong =
        practice.admin.get(&format!("{JOBS}?state=asleep&since=yesterday&until=2027-01-04T08:00")).await;
    wrong.refused(422, "invalid_input");
    let mut errors: Vec<Value> = wrong.body["errors"].as_array().unwrap().clone();
    errors.sort_by_key(|error| error["field"].to_string());
    let at = "an instant with its offset as 2027-03-15T13:30:00Z";
    let states = "one of scheduled, available, running, retryable, completed, cancelled, discarded";
    assert_eq!(
        errors,
        [
            json!({ "field": "since", "code": "not_a_time", "read": "yesterday", "expected": at }),
            json!({ "field": "state", "code": "unknown_value", "read": "asleep", "expected": states }),
            json!({ "field": "until", "code": "not_a_time", "read": "2027-01-04T08:00", "expected": at }),
        ]
    );
    let reversed = json!({ "since": "2027-01-04T08:00:01Z", "until": "2027-01-04T08:00:00Z" });
    let in_query = format!("{JOBS}?since=2027-01-04T08:00:01Z&until=2027-01-04T08:00:00Z");
    for refused in
        [practice.admin.get(&in_query).await, practice.admin.post("/api/v1/jobs/retry", reversed).await]
    {
        refused.refused(422, "invalid_input");
        let error = &refused.body["errors"][0];
        assert_eq!((&error["field"], &error["code"]), (&json!("until"), &json!("before_since")));
    }
}

/// The actions that a job's links offer.
async fn offered(client: &Client<'_>, id: i64) -> Vec<String> {
    let job = client.get(&format!("{JOBS}/{id}")).await.expect(200).body;
    let links = job["links"].as_object().unwrap();
    let to = |path: String| json!({ "href": path, "method": "GET" });
    assert_eq!(links["self"], to(format!("{JOBS}/{id}")));
    assert_eq!(links["events"], to(format!("{JOBS}/{id}/events")));
    let mut actions = Vec::new();
    for (name, link) in links.iter().filter(|(name, _)| *name != "self" && *name != "events") {
        assert_eq!(*link, json!({ "href": format!("{JOBS}/{id}/{name}"), "method": "POST" }));
        actions.push(name.clone());
    }
    actions.sort();
    let page = client.get(&format!("{JOBS}?before={}", id + 1)).await.expect(200).body;
    assert_eq!(page["items"][0]["links"], job["links"], "alone and in a list alike");
    actions
}

#[tokio::test]
async fn links_offer_what_the_state_and_the_caller_allow() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let id = planned(&practice, 1).await[0];
    let operator = api.operator().await;
    let onlooker = api.operator_as(Role::PlatformAdmin).await;
    let nothing: [&str; 0] = [];
    assert_eq!(offered(&practice.admin, id).await, ["cancel", "discard"]);
    assert_eq!(offered(&operator, id).await, ["cancel", "discard"]);
    assert_eq!(offered(&onlooker, id).await, nothing, "who may only read is offered nothing");
    act(&onlooker, id, "cancel").await.refused(403, "forbidden");

    act(&practice.admin, id, "cancel").await.expect(204);
    assert_eq!(offered(&practice.admin, id).await, ["retry"]);
    assert_eq!(offered(&onlooker, id).await, nothing);
    act(&practice.admin, id, "retry").await.expect(204);
    for (state, actions) in [("running", vec!["cancel"]), ("retryable", vec!["cancel", "discard"])] {
        let mut tx = api.db.system(Actor::JOB).await.unwrap();
        let held = if state == "running" { "gen_random_uuid(), 1" } else { "NULL, NULL" };
        let put = format!(
            "UPDATE queue.jobs SET state = '{state}', (process_id, lease) = ROW({held}) WHERE id = {id}"
        );
        sqlx::query(sqlx::AssertSqlSafe(put)).execute(tx.conn()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(offered(&practice.admin, id).await, actions, "{state}");
    }
}

#[tokio::test]
async fn operators_retry_one_tenants_dead_of_one_span_of_time() {
    let api = TestApi::start().await;
    let lilas = api.practice("Lilas", Tz::Europe__Paris).await;
    let roses = api.practice("Roses", Tz::Europe__Paris).await;
    let operator = api.operator().await;
    let [late, early] = planned(&lilas, 2).await[..] else { panic!("two jobs") };
    let theirs = planned(&roses, 1).await[0];
    act(&lilas.admin, early, "discard").await.expect(204);
    api.clock.advance(Duration::from_mins(10));
    act(&lilas.admin, late, "discard").await.expect(204);
    act(&roses.admin, theirs, "discard").await.expect(204);
    let retried = async |client: &Client<'_>, filter: Value| {
        client.post("/api/v1/jobs/retry", filter).await.expect(200).body["ids"].clone()
    };
    let (begin, then) = ("2027-01-04T08:00:00Z", "2027-01-04T08:10:00Z");
    assert_eq!(retried(&lilas.admin, json!({ "until": begin })).await, json!([]));
    assert_eq!(retried(&lilas.admin, json!({ "since": begin, "until": then })).await, json!([early]));
    let of_lilas = json!({ "tenant_id": lilas.tenant, "since": then });
    assert_eq!(retried(&operator, of_lilas).await, json!([late]));
    assert_eq!(state(&roses.admin, theirs).await, "discarded");
    assert_eq!(retried(&operator, json!({})).await, json!([theirs]));
}

/// What the trail of a tenant says of jobs and queues: action, subject, and whether `user` acted.
async fn trail(api: &TestApi, tenant: TenantId, user: &Client<'_>) -> Vec<(String, String, bool)> {
    let mut tx = api.db.tenant(tenant, Actor::JOB).await.unwrap();
    sqlx::query_as(
        "SELECT action, subject, actor_id = $1 FROM audit_log WHERE resource IN ('job', 'queue') ORDER BY id",
    )
    .bind(user.user.0)
    .fetch_all(tx.conn())
    .await
    .unwrap()
}

#[tokio::test]
async fn a_tenant_finds_in_its_trail_what_an_operator_did_to_its_jobs() {
    let api = TestApi::start().await;
    let lilas = api.practice("Lilas", Tz::Europe__Paris).await;
    let roses = api.practice("Roses", Tz::Europe__Paris).await;
    let operator = api.operator().await;
    let [second, first] = planned(&lilas, 2).await[..] else { panic!("two jobs") };
    let theirs = planned(&roses, 1).await[0];
    act(&lilas.admin, first, "discard").await.expect(204);
    act(&operator, second, "discard").await.expect(204);
    act(&operator, second, "cancel").await.expect(204);
    act(&operator, second, "retry").await.expect(204);
    act(&operator, second, "retry").await.refused(409, "job_not_dead");
    act(&operator, theirs, "discard").await.expect(204);
    operator.post("/api/v1/jobs/retry", json!({})).await.expect(200);
    operator.post("/api/v1/queues/reminders/pause", json!({})).await.expect(204);
    let row = |action: &str, subject: i64, operator| (action.to_owned(), subject.to_string(), operator);
    assert_eq!(
        trail(&api, lilas.tenant, &operator).await,
        [
            row("job.discard", first, false),
            row("job.discard", second, true),
            row("job.retry", second, true),
            row("job.retry", first, true),
        ],
        "what changed nothing is not noted"
    );
    assert_eq!(
        trail(&api, roses.tenant, &operator).await,
        [row("job.discard", theirs, true), row("job.retry", theirs, true)]
    );
    let mut tx = api.db.system(Actor::JOB).await.unwrap();
    let of_queues: Vec<(Option<uuid::Uuid>, String, String)> =
        sqlx::query_as("SELECT tenant_id, action, subject FROM audit_log WHERE resource = 'queue'")
            .fetch_all(tx.conn())
            .await
            .unwrap();
    assert_eq!(of_queues, [(None, "queue.pause".to_owned(), "reminders".to_owned())]);
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
    let reminders = queue(&operator, "reminders").await;
    assert_eq!(reminders["discarded_last_day"], 1);
    assert_eq!(reminders["rate"], json!({ "started": 0.0, "finished": 0.0 }), "nobody works here");
    act(&operator, all[0], "retry").await.expect(204);
    assert_eq!(queue(&operator, "reminders").await["discarded_last_day"], 0);

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
