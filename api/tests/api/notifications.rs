//! What members are told within the application, and how they choose it.

use chrono_tz::Tz;
use permanence_domain::{db::Actor, identity::Role, inventory::watch};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    inventory::{gloves, item, moved},
    support::{Answer, Client, Practice, TestApi},
};

const NOTIFICATIONS: &str = "/api/v1/notifications";
const SUBSCRIPTION: &str = "/api/v1/inventory/subscription";

/// Lets the stock fall, as often as wanted, and looks at it.
async fn fallen(api: &TestApi, practice: &Practice<'_>, times: usize) {
    for number in 0..times {
        let mut new = gloves();
        new["reference"] = json!(format!("GN-{number}"));
        let id = item(practice, new).await;
        moved(&practice.assistant, &id, json!({ "kind": "receipt", "quantity": 1000 })).await;
    }
    let mut tx = api.db.tenant(practice.tenant, Actor::JOB).await.unwrap();
    watch(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
}

async fn mark(client: &Client<'_>, what: &str) -> Answer {
    client.send(Method::PUT, &format!("{NOTIFICATIONS}/{what}"), &[], None).await
}

async fn inbox(client: &Client<'_>) -> Value {
    client.get(NOTIFICATIONS).await.expect(200).body
}

#[tokio::test]
async fn each_reads_their_own() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    fallen(&api, &practice, 2).await;
    let mine = inbox(&practice.assistant).await;
    assert_eq!((&mine["total"], &mine["unread"]), (&json!(2), &json!(2)));
    let first = &mine["items"][0];
    assert_eq!((&first["kind"], &first["resource"]), (&json!("stock_low"), &json!("inventory_item")));
    assert_eq!(first["title"], "Stock bas : Gants nitrile M");
    let id = first["id"].as_str().unwrap();

    // Neither a colleague nor another practice reaches it.
    let other = api.practice("Port", Tz::Indian__Reunion).await;
    for stranger in [&practice.admin, &other.admin] {
        mark(stranger, &format!("{id}/read")).await.refused(404, "not_found");
        stranger.delete(&format!("{NOTIFICATIONS}/{id}")).await.refused(404, "not_found");
    }
    mark(&practice.assistant, &format!("{id}/read")).await.expect(204);
    let read_at = inbox(&practice.assistant).await["items"][0]["read_at"].clone();
    api.clock.advance(std::time::Duration::from_mins(1));
    mark(&practice.assistant, &format!("{id}/read")).await.expect(204);
    let mine = inbox(&practice.assistant).await;
    assert_eq!((&mine["items"][0]["read_at"], &mine["unread"]), (&read_at, &json!(1)), "twice is once");
    mark(&practice.assistant, "read-all").await.expect(204);
    assert_eq!(inbox(&practice.assistant).await["unread"], 0);
    practice.assistant.delete(&format!("{NOTIFICATIONS}/{id}")).await.expect(204);
    practice.assistant.delete(&format!("{NOTIFICATIONS}/{id}")).await.refused(404, "not_found");
    assert_eq!(inbox(&practice.assistant).await["total"], 1);
    assert_eq!(inbox(&practice.admin).await["unread"], 2, "a colleague's are theirs");
    assert_eq!(inbox(&other.admin).await["total"], 0);
    mark(&practice.assistant, "42/read").await.refused(422, "invalid_input");
    api.get(NOTIFICATIONS).await.refused(401, "missing_token");
}

#[tokio::test]
async fn where_much_is_amiss_one_sums_it_up() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    fallen(&api, &practice, 21).await;
    let mine = inbox(&practice.assistant).await;
    assert_eq!((&mine["total"], &mine["items"][0]["kind"]), (&json!(1), &json!("stock_summary")));
    assert_eq!(mine["items"][0]["title"], "Stock : 21 alertes");
    assert_eq!(mine["items"][0]["resource_id"], json!(null));
}

#[tokio::test]
async fn members_choose_how_they_hear() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let standard = practice.assistant.get(SUBSCRIPTION).await.expect(200);
    assert_eq!(standard.body, json!({ "in_app": true, "email": false, "version": 0 }));
    assert_eq!(standard.header("etag"), "\"0\"");
    let quiet = json!({ "in_app": false, "email": true });
    practice.assistant.put(SUBSCRIPTION, 1, quiet.clone()).await.refused(409, "version_conflict");
    let chosen = practice.assistant.put(SUBSCRIPTION, 0, quiet.clone()).await.expect(200);
    assert_eq!(chosen.body, json!({ "in_app": false, "email": true, "version": 1 }));
    practice.assistant.put(SUBSCRIPTION, 0, quiet.clone()).await.refused(409, "version_conflict");
    let answer = practice.assistant.put(SUBSCRIPTION, 1, json!({ "in_app": "yes" })).await.expect(422);
    let codes: Vec<_> =
        answer.body["errors"].as_array().unwrap().iter().map(|error| error["code"].clone()).collect();
    assert_eq!(codes, ["wrong_type", "missing"]);
    let employee = api.member(practice.tenant, "e@lilas.example", Role::Employee).await;
    employee.get(SUBSCRIPTION).await.refused(403, "forbidden");
    employee.put(SUBSCRIPTION, 0, quiet).await.refused(403, "forbidden");

    fallen(&api, &practice, 1).await;
    assert_eq!(inbox(&practice.assistant).await["total"], 0);
    assert_eq!(inbox(&practice.admin).await["total"], 1);
    assert_eq!(inbox(&employee).await["total"], 0);
    let mut tx = api.db.system(Actor::JOB).await.unwrap();
    let digests: Vec<uuid::Uuid> =
        sqlx::query_scalar("SELECT user_id FROM inventory_digests").fetch_all(tx.conn()).await.unwrap();
    assert_eq!(digests, [practice.assistant.user.0]);
}
