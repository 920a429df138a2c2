//! Exports over HTTP: asked for, followed, fetched, removed; who may, and what is refused.

use chrono_tz::Tz;
use permanence_domain::{
    db::Actor,
    exports::{self, Start, Written},
    ids::ExportId,
    storage::Storage,
};
use serde_json::{Value, json};

use crate::support::{Practice, TestApi, at};

const EXPORTS: &str = "/api/v1/exports";

fn patients() -> Value {
    json!({ "kind": "patients", "format": "zip" })
}

/// Asks for an export, and gives its number.
async fn asked(practice: &Practice<'_>, body: Value) -> String {
    practice.admin.post(EXPORTS, body).await.expect(202).id()
}

/// Has an export written as a worker would, with this file.
async fn written(api: &TestApi, practice: &Practice<'_>, id: &str, file: &[u8]) {
    let id: ExportId = id.parse().unwrap();
    let mut tx = api.db.tenant(practice.tenant, Actor::JOB).await.unwrap();
    let Start::Write(draft) = exports::begin(&mut tx, id).await.unwrap() else { panic!("nothing to write") };
    let storage = Storage::new(&api.storage_config());
    storage.put(&draft.turn.key, draft.format.content_type(), file.to_vec()).await.unwrap();
    let size_bytes = i64::try_from(file.len()).unwrap();
    let written = Written { rows: 1, size_bytes, sha256: [7; 32] };
    assert_eq!(exports::complete(&mut tx, &draft.turn, &written).await.unwrap(), exports::End::Now);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn an_export_is_asked_for_followed_and_removed() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let answer = practice.admin.post(EXPORTS, patients()).await.expect(202);
    let id = answer.id();
    let job = answer.body["job_id"].as_i64().unwrap();
    assert_eq!(answer.header("location"), format!("/api/v1/jobs/{job}"));
    assert_eq!(answer.header("retry-after"), "1");
    let to = |path: String| json!({ "href": path, "method": "GET" });
    assert_eq!(
        answer.body,
        json!({
            "id": id, "kind": "patients", "format": "zip", "profile": "french", "filters": {}, "status": "queued",
            "job_id": job, "rows": null, "size_bytes": null, "sha256": null, "failure": null,
            "created_by": practice.admin.user, "created_at": "2027-01-04T08:00:00Z", "completed_at": null,
            "expires_at": null,
            "links": { "self": to(format!("{EXPORTS}/{id}")), "job": to(format!("/api/v1/jobs/{job}")) },
        })
    );
    let followed = practice.admin.get(&format!("/api/v1/jobs/{job}")).await.expect(200);
    assert_eq!(
        (&followed.body["kind"], &followed.body["state"]),
        (&json!("exports.write_export"), &json!("available"))
    );
    assert_eq!(practice.admin.get(&format!("{EXPORTS}/{id}")).await.expect(200).body, answer.body);
    let list = practice.admin.get(EXPORTS).await.expect(200);
    assert_eq!(list.body, json!({ "items": [answer.body], "page": 1, "limit": 50, "total": 1 }));

    practice.admin.get(&format!("{EXPORTS}/{id}/download")).await.refused(409, "export_not_ready");
    practice.admin.delete(&format!("{EXPORTS}/{id}")).await.expect(204);
    practice.admin.delete(&format!("{EXPORTS}/{id}")).await.refused(404, "not_found");
    practice.admin.get(&format!("{EXPORTS}/{id}")).await.refused(404, "not_found");
    assert_eq!(practice.admin.get(EXPORTS).await.expect(200).body["total"], 0);
    let stopped = practice.admin.get(&format!("/api/v1/jobs/{job}")).await.expect(200);
    assert_eq!(stopped.body["state"], "cancelled");
}

#[tokio::test]
async fn a_download_leads_to_the_file_until_its_time_is_over_and_is_noted() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let id = asked(&practice, patients()).await;
    written(&api, &practice, &id, b"PK").await;
    let there = practice.admin.get(&format!("{EXPORTS}/{id}")).await.expect(200).body;
    assert_eq!(
        (&there["status"], &there["rows"], &there["sha256"], &there["expires_at"]),
        (&json!("completed"), &json!(1), &json!("07".repeat(32)), &json!("2027-01-05T08:00:00Z"))
    );
    let path = format!("{EXPORTS}/{id}/download");
    assert_eq!(there["links"]["download"], json!({ "href": path, "method": "GET" }));
    // The client of the harness follows: without the caller's token, to the store.
    let file = practice.admin.get(&path).await.expect(200);
    assert_eq!(file.body, "PK");
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"patients-2027-01-04.zip\"");
    let link = practice.admin.unfollowed(&path).await.expect(302);
    let link = reqwest::Url::parse(link.header("location")).unwrap();
    let life = link.query_pairs().find(|(name, _)| name == "X-Amz-Expires").unwrap().1.into_owned();
    assert_eq!(life, "86400");

    let mut tx = api.db.tenant(practice.tenant, Actor::JOB).await.unwrap();
    let trail: Vec<(String, Option<uuid::Uuid>)> = sqlx::query_as(
        "SELECT action, actor_id FROM audit_log WHERE resource = 'export' AND resource_id = $1::uuid ORDER BY id",
    )
    .bind(&id)
    .fetch_all(tx.conn())
    .await
    .unwrap();
    let by = Some(practice.admin.user.0);
    let noted = |action: &str| (action.to_owned(), by);
    assert_eq!(trail, [noted("export.request"), noted("export.download"), noted("export.download")]);

    api.clock.set(at("2027-01-05T07:59:59Z"));
    let practice_admin =
        api.login("admin@lilas.example", crate::support::PASSWORD, json!({})).await.expect(200);
    let token = practice_admin.body["access_token"].as_str().unwrap().to_owned();
    let get = async |path: &str| api.send(reqwest::Method::GET, path, Some(&token), &[], None).await;
    get(&path).await.expect(200);
    api.clock.set(at("2027-01-05T08:00:00Z"));
    get(&path).await.refused(409, "export_over");
    assert_eq!(get(&format!("{EXPORTS}/{id}")).await.expect(200).body["status"], "expired");
}

#[tokio::test]
async fn the_same_question_within_a_minute_is_one_export() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let second =
        api.member(practice.tenant, "second@lilas.example", permanence_domain::identity::Role::Admin).await;
    let first = practice.admin.post_keyed(EXPORTS, "k", patients()).await.expect(202);
    let replayed = practice.admin.post_keyed(EXPORTS, "k", patients()).await.expect(202);
    assert_eq!((replayed.header("idempotency-replayed"), &replayed.body), ("true", &first.body));
    assert_eq!(replayed.header("location"), first.header("location"));
    practice
        .admin
        .post_keyed(EXPORTS, "k", json!({ "kind": "patients", "format": "csv" }))
        .await
        .refused(422, "idempotency_key_reused");

    api.clock.set(at("2027-01-04T08:00:59Z"));
    let same = json!({ "kind": "patients", "format": "zip", "profile": "french", "filters": {} });
    let theirs = second.post(EXPORTS, same).await.expect(202);
    assert_eq!(theirs.body, first.body, "whoever asked first owns it");
    for other in [
        json!({ "kind": "patients", "format": "csv" }),
        json!({ "kind": "patients", "format": "zip", "profile": "rfc4180" }),
        json!({ "kind": "patients", "format": "zip", "filters": { "from": "2027-01-01" } }),
    ] {
        assert_ne!(asked(&practice, other).await, first.id());
    }
    let port = api.practice("Port", Tz::Europe__Paris).await;
    assert_ne!(asked(&port, patients()).await, first.id());

    // One that came to nothing is no answer; its heir is.
    practice.admin.delete(&format!("{EXPORTS}/{}", first.id())).await.expect(204);
    let heir = asked(&practice, patients()).await;
    assert_ne!(heir, first.id());
    assert_eq!(asked(&practice, patients()).await, heir);
    api.clock.set(at("2027-01-04T08:02:00Z"));
    assert_ne!(asked(&practice, patients()).await, heir);
}

#[tokio::test]
async fn what_cannot_be_exported_is_told_all_at_once() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let stranger = uuid::Uuid::new_v4();
    let wrong = json!({
        "kind": "patients", "format": "xlsx", "profile": "french",
        "filters": { "from": "2027-01-02", "to": "2027-01-01", "practitioner_id": stranger, "status": "cancelled" },
    });
    let refused = practice.admin.post(EXPORTS, wrong).await;
    refused.refused(422, "invalid_input");
    let errors: Vec<(&str, &str)> = refused.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["field"].as_str().unwrap(), error["code"].as_str().unwrap()))
        .collect();
    assert_eq!(
        errors,
        [
            ("profile", "not_for_xlsx"),
            ("filters.practitioner_id", "not_for_kind"),
            ("filters.status", "not_for_kind"),
            ("filters.to", "wrong_order"),
            ("filters.practitioner_id", "unknown_practitioner"),
        ]
    );
    let unknown = practice.admin.post(EXPORTS, json!({ "kind": "cats", "format": "pdf", "color": 1 })).await;
    unknown.refused(422, "invalid_input");
    let mut told: Vec<String> = unknown.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| format!("{}: {}: {}", error["field"], error["code"], error["expected"]).replace('"', ""))
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            "color: unknown_field: one of the fields kind, format, profile, filters",
            "format: unknown_value: one of csv, zip, xlsx, txt",
            "kind: unknown_value: one of patients, appointments, invoices, payments, inventory, accounting_entries",
        ]
    );
    assert_eq!(practice.admin.get(EXPORTS).await.expect(200).body["total"], 0);
}

#[tokio::test]
async fn accounting_entries_need_a_period_that_is_over_and_a_seller() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let entries = |format: &str, filters: Value| json!({ "kind": "accounting_entries", "format": format, "filters": filters });
    let period = |from: &str, to: &str| json!({ "from": from, "to": to });
    let refusals = async |body: Value| -> Vec<(String, String)> {
        let refused = practice.admin.post(EXPORTS, body).await;
        refused.refused(422, "invalid_input");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let errors = refused.body["errors"].as_array().unwrap();
        errors.iter().map(|error| (text(&error["field"]), text(&error["code"]))).collect()
    };
    let of = |field: &str, code: &str| (field.to_owned(), code.to_owned());
    assert_eq!(
        refusals(entries("csv", json!({}))).await,
        [of("format", "not_for_kind"), of("filters.from", "missing"), of("filters.to", "missing")]
    );
    // It is the fourth of January.
    assert_eq!(
        refusals(entries("txt", period("2027-01-01", "2027-01-04"))).await,
        [of("filters.to", "period_not_over")]
    );
    assert_eq!(
        refusals(entries("zip", period("2025-01-01", "2027-01-01"))).await,
        [of("filters.to", "period_too_long")]
    );
    let mut profiled = entries("zip", period("2026-01-01", "2026-12-31"));
    profiled["profile"] = json!("french");
    assert_eq!(refusals(profiled).await, [of("profile", "not_for_kind")]);
    let other = json!({ "kind": "patients", "format": "txt" });
    assert_eq!(refusals(other).await, [of("format", "not_for_kind")]);

    let year = entries("txt", period("2026-01-01", "2026-12-31"));
    practice.admin.post(EXPORTS, year.clone()).await.refused(409, "seller_unknown");
    practice.sells().await;
    let asked = practice.admin.post(EXPORTS, year).await.expect(202);
    assert_eq!((&asked.body["kind"], &asked.body["profile"]), (&json!("accounting_entries"), &Value::Null));
    written(&api, &practice, &asked.id(), b"x").await;
    let led = practice.admin.unfollowed(&format!("{EXPORTS}/{}/download", asked.id())).await.expect(302);
    assert!(led.header("location").contains("732829320FEC20261231.txt"), "{}", led.header("location"));
}

#[tokio::test]
async fn only_who_runs_the_practice_exports_and_only_its_own() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let other = api.practice("Port", Tz::Europe__Paris).await;
    let id = asked(&practice, patients()).await;
    written(&api, &practice, &id, b"PK").await;
    let (one, download) = (format!("{EXPORTS}/{id}"), format!("{EXPORTS}/{id}/download"));
    practice.assistant.post(EXPORTS, patients()).await.refused(403, "forbidden");
    practice.assistant.delete(&one).await.refused(403, "forbidden");
    for path in [EXPORTS, &one, &download] {
        practice.assistant.get(path).await.refused(403, "forbidden");
    }
    for path in [&one, &download] {
        other.admin.get(path).await.refused(404, "not_found");
    }
    other.admin.delete(&one).await.refused(404, "not_found");
    assert_eq!(other.admin.get(EXPORTS).await.expect(200).body["total"], 0);
    practice.admin.get(&one).await.expect(200);
}
