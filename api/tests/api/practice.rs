//! Practitioners and rooms.

use chrono_tz::Tz;
use serde_json::json;

use crate::support::TestApi;

#[tokio::test]
async fn practitioners_carry_their_national_numbers_and_one_member_each() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let roy = json!({ "first_name": "Camille", "last_name": "Roy", "specialty": "Kinésithérapie",
        "rpps_number": "101 0000 0016", "user_id": practice.admin.user });
    let added = practice.admin.post("/api/v1/practitioners", roy.clone()).await.expect(201);
    assert_eq!(added.body["rpps_number"], "10100000016");
    let mut twin = roy.clone();
    twin["user_id"] = json!(practice.assistant.user);
    practice.admin.post("/api/v1/practitioners", twin).await.refused(409, "rpps_taken");
    let mut other = json!({ "first_name": "Naïma", "last_name": "Benali", "user_id": practice.admin.user });
    practice.admin.post("/api/v1/practitioners", other.clone()).await.refused(409, "user_taken");
    other["user_id"] = json!(uuid::Uuid::new_v4());
    other["rpps_number"] = json!("12345678901");
    let answer = practice.admin.post("/api/v1/practitioners", other.clone()).await;
    assert_eq!(answer.body["errors"][0]["code"], "not_an_rpps");
    other["rpps_number"] = json!(null);
    let answer = practice.admin.post("/api/v1/practitioners", other).await;
    assert_eq!(answer.body["errors"][0]["code"], "unknown_user");

    let path = format!("/api/v1/practitioners/{}", added.id());
    let mut changed = roy;
    changed["specialty"] = json!("Ostéopathie");
    assert_eq!(practice.admin.put(&path, 1, changed).await.expect(200).body["specialty"], "Ostéopathie");
    practice.assistant.delete(&path).await.refused(403, "forbidden");
    practice.admin.delete(&path).await.expect(204);
    assert_eq!(practice.assistant.get("/api/v1/practitioners").await.expect(200).body["total"], 0);
}

#[tokio::test]
async fn rooms_have_names_of_their_own() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let id = practice.room("Salle Éole").await;
    practice.admin.post("/api/v1/rooms", json!({ "name": "salle eole" })).await.refused(409, "name_taken");
    let path = format!("/api/v1/rooms/{id}");
    practice.admin.put(&path, 1, json!({ "name": "Salle 1" })).await.expect(200);
    practice.admin.put(&path, 1, json!({ "name": "Salle 2" })).await.refused(409, "version_conflict");
    practice.admin.post("/api/v1/rooms", json!({ "name": "salle eole" })).await.expect(201);
    practice.admin.delete(&path).await.expect(204);
    practice.admin.get(&path).await.refused(404, "not_found");
}
