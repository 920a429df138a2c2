//! Reading the audit trail: a practice its own, operators everybody's; and that it is recorded.

use chrono_tz::Tz;
use permanence_domain::identity::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestApi;

fn actions(body: &Value) -> Vec<&str> {
    body["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| item["action"].as_str().expect("an action"))
        .collect()
}

const OWN: &str = "/api/v1/audit-logs";
const ALL: &str = "/api/v1/super-admin/audit-logs";

#[tokio::test]
async fn a_practice_reads_its_own_trail_newest_first() {
    let api = TestApi::start().await;
    let lilas = api.practice("Lilas", Tz::Europe__Paris).await;
    let roses = api.practice("Roses", Tz::Europe__Paris).await;
    roses.patient("Hélène", "Garcia").await;
    let patient = lilas.patient("Hélène", "Garcia").await;
    lilas.practitioner("Roy").await;
    let trail = lilas.admin.get(OWN).await.expect(200);
    let first = &trail.body["items"][1];
    assert_eq!(actions(&trail.body)[..2], ["practitioner.add", "patient.register"]);
    assert_eq!(first["resource_id"], json!(patient));
    assert_eq!(first["actor_id"], json!(lilas.assistant.user));
    assert_eq!(first["class"], "record");
    assert!(first["request_id"].is_string());
    for item in trail.body["items"].as_array().expect("items") {
        assert_eq!(item["tenant_id"], json!(lilas.tenant), "nothing of another practice");
    }
    // Once for each request, in the trail itself.
    lilas.admin.get(OWN).await.expect(200);
    let reads = lilas.admin.get(&format!("{OWN}?action=audit.read")).await.expect(200);
    assert_eq!(actions(&reads.body), ["audit.read", "audit.read"]);
    assert_eq!(reads.body["items"][0]["actor_id"], json!(lilas.admin.user));
}

#[tokio::test]
async fn filters_and_pages() {
    let api = TestApi::start().await;
    let lilas = api.practice("Lilas", Tz::Europe__Paris).await;
    for number in 0..5 {
        api.clock.advance(std::time::Duration::from_mins(1));
        lilas.room(&format!("Cabinet {number}")).await;
    }
    lilas.patient("Hélène", "Garcia").await;
    let of = async |query: &str| lilas.admin.get(&format!("{OWN}?{query}")).await.expect(200).body;
    assert_eq!(actions(&of("resource=room").await), ["room.add"; 5]);
    let user = lilas.assistant.user;
    assert_eq!(actions(&of(&format!("user_id={user}&resource=patient")).await), ["patient.register"]);
    let span = "since=2027-01-04T08:02:00Z&until=2027-01-04T08:04:00Z&resource=room";
    assert_eq!(actions(&of(span).await), ["room.add"; 2]);
    // Page after page, each entry once, whatever is added meanwhile.
    let (mut seen, mut before) = (Vec::new(), String::new());
    loop {
        let page = of(&format!("resource=room&limit=2{before}")).await;
        seen.extend(
            page["items"].as_array().expect("items").iter().map(|item| item["id"].as_i64().expect("an id")),
        );
        let Some(next) = page["next"].as_i64() else { break };
        before = format!("&before={next}");
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted_by(|a, b| a > b), "{seen:?}");

    let wrong = lilas.admin.get(&format!("{OWN}?user_id=me&since=today&before=x&limit=0&colour=red")).await;
    wrong.refused(422, "invalid_input");
    let fields: Vec<_> =
        wrong.body["errors"].as_array().expect("errors").iter().map(|e| &e["field"]).collect();
    assert_eq!(fields.len(), 5, "{:#}", wrong.body);
    let turned = "since=2027-01-05T00:00:00Z&until=2027-01-04T00:00:00Z";
    let wrong = lilas.admin.get(&format!("{OWN}?{turned}")).await;
    wrong.refused(422, "invalid_input");
    assert_eq!(wrong.body["errors"][0]["code"], "before_since");
    // A practice names no tenant: there is only its own.
    let named = lilas.admin.get(&format!("{OWN}?tenant_id={}", lilas.tenant)).await;
    named.refused(422, "invalid_input");
    assert_eq!(named.body["errors"][0]["code"], "not_an_operator");
}

#[tokio::test]
async fn operators_read_every_trail_and_the_practice_sees_that_they_did() {
    let api = TestApi::start().await;
    let lilas = api.practice("Lilas", Tz::Europe__Paris).await;
    let roses = api.practice("Roses", Tz::Europe__Paris).await;
    lilas.room("Cabinet 1").await;
    roses.room("Cabinet 1").await;
    api.login("nobody@example.fr", "Bonjour1!", json!({})).await.refused(401, "wrong_credentials");
    for role in [Role::SuperAdmin, Role::PlatformAdmin] {
        let operator = api.operator_as(role).await;
        let rooms = operator.get(&format!("{ALL}?action=room.add")).await.expect(200);
        let tenants: Vec<_> =
            rooms.body["items"].as_array().expect("items").iter().map(|i| &i["tenant_id"]).collect();
        assert_eq!(tenants, [&json!(roses.tenant), &json!(lilas.tenant)]);
        let refused = operator.get(&format!("{ALL}?action=auth.login_refused")).await.expect(200);
        assert_eq!(refused.body["items"][0]["tenant_id"], Value::Null, "the platform's own");
        let of_one =
            operator.get(&format!("{ALL}?tenant_id={}&resource=room", lilas.tenant)).await.expect(200);
        assert_eq!(actions(&of_one.body), ["room.add"]);
        // A tenant that does not exist has no trail, and no trace of the question but the platform's.
        let none = operator.get(&format!("{ALL}?tenant_id={}", uuid::Uuid::new_v4())).await.expect(200);
        assert_eq!(none.body, json!({ "items": [] }));
        let seen =
            lilas.admin.get(&format!("{OWN}?action=audit.read&user_id={}", operator.user)).await.expect(200);
        assert_eq!(actions(&seen.body), ["audit.read"], "the one that asked for this practice");
        let own =
            operator.get(&format!("{ALL}?action=audit.read&user_id={}", operator.user)).await.expect(200);
        assert_eq!(own.body["items"].as_array().expect("items").len(), 4);
    }
}

#[tokio::test]
async fn who_may_not_read_does_not() {
    let api = TestApi::start().await;
    let lilas = api.practice("Lilas", Tz::Europe__Paris).await;
    lilas.assistant.get(OWN).await.refused(403, "forbidden");
    for role in [Role::Practitioner, Role::Nurse] {
        let member = api.member(lilas.tenant, &format!("{role:?}@lilas.example").to_lowercase(), role).await;
        member.get(OWN).await.refused(403, "forbidden");
        member.get(ALL).await.refused(403, "forbidden");
    }
    lilas.admin.get(ALL).await.refused(403, "forbidden");
    api.operator().await.get(OWN).await.refused(403, "forbidden");
    api.get(OWN).await.refused(401, "missing_token");
    api.send(Method::DELETE, OWN, Some(&lilas.admin.token), &[], None)
        .await
        .refused(405, "method_not_allowed");
}
