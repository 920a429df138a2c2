//! Consultations: an employee books with a practice; each side sees its own, and the employer none.

use chrono_tz::Tz;
use permanence_domain::{db::Actor, identity::Role};
use serde_json::{Value, json};

use crate::{
    companies::{Company, company},
    support::{Client, Practice, TestApi, at},
};

/// A practitioner who signs in, of a practice that a company works with.
pub(crate) struct Conducting<'a> {
    pub(crate) practice: Practice<'a>,
    pub(crate) doctor: Client<'a>,
    pub(crate) practitioner: String,
}

pub(crate) async fn conducting<'a>(api: &'a TestApi, company: &Company<'_>, name: &str) -> Conducting<'a> {
    let practice = api.practice(name, Tz::Europe__Paris).await;
    let doctor =
        api.member(practice.tenant, &format!("sophie@{}", practice.domain), Role::Practitioner).await;
    let body = json!({ "first_name": "Sophie", "last_name": "Martin", "user_id": doctor.user });
    let practitioner = practice.admin.post("/api/v1/practitioners", body).await.expect(201).id();
    let agreement = json!({ "practice_id": practice.tenant });
    company
        .platform
        .post(&format!("/api/v1/companies/{}/practices", company.id), agreement)
        .await
        .expect(204);
    Conducting { practice, doctor, practitioner }
}

fn wanted(practitioner: &str, hour: &str, end: &str) -> Value {
    json!({ "practitioner_id": practitioner, "starts_at": format!("2027-01-05T{hour}"),
            "ends_at": format!("2027-01-05T{end}"), "reason": "Stress au travail" })
}

async fn step(who: &Client<'_>, id: &str, what: &str, version: i64) -> crate::support::Answer {
    let body = if what == "cancel" { json!({ "reason": "Empêché" }) } else { json!({}) };
    who.put(&format!("/api/v1/consultations/{id}/{what}"), version, body).await
}

#[tokio::test]
async fn a_consultation_goes_from_its_booking_to_minutes_that_count() {
    let api = TestApi::start().await;
    let own = company(&api, "Alpha").await;
    let at_work = conducting(&api, &own, "Lilas").await;
    let marc = own.employee(&api, "Marc", "Ventes").await;
    let offered = marc.get("/api/v1/consultations/practitioners").await.expect(200);
    assert_eq!(offered.body[0]["id"], at_work.practitioner.as_str());
    let slots = format!(
        "/api/v1/consultations/slots?practitioner_id={}&from=2027-01-05&to=2027-01-05",
        at_work.practitioner
    );
    assert!(!marc.get(&slots).await.expect(200).body["items"].as_array().unwrap().is_empty());
    let body = wanted(&at_work.practitioner, "10:00", "10:50");
    let booked = marc.post_keyed("/api/v1/consultations", "book", body.clone()).await.expect(201);
    let again = marc.post_keyed("/api/v1/consultations", "book", body.clone()).await.expect(201);
    assert_eq!((booked.id(), &booked.body["status"]), (again.id(), &json!("scheduled")));
    let id = booked.id();
    marc.post("/api/v1/consultations", body.clone()).await.refused(409, "slot_taken");
    let free = marc.get(&slots).await.expect(200).body.to_string();
    assert!(!free.contains("2027-01-05T09:00:00Z"), "a time that is taken is not offered");

    let upcoming = at_work.doctor.get("/api/v1/consultations/upcoming").await.expect(200);
    assert_eq!(
        (upcoming.body["items"][0]["id"].as_str(), &upcoming.body["total"]),
        (Some(id.as_str()), &json!(1))
    );
    assert_eq!(upcoming.body["items"][0]["company_name"], "Alpha");
    step(&marc, &id, "confirm", 1).await.refused(403, "forbidden");
    assert_eq!(step(&at_work.doctor, &id, "confirm", 1).await.expect(200).body["status"], "confirmed");
    step(&at_work.doctor, &id, "confirm", 2).await.refused(409, "consultation_not_scheduled");
    step(&at_work.doctor, &id, "start", 2).await.refused(409, "consultation_too_early");
    step(&at_work.doctor, &id, "end", 2).await.refused(409, "consultation_not_begun");
    api.clock.set(at("2027-01-05T08:58:00Z"));
    let (marc, at_work) = again_in(&api, &own, at_work).await;
    step(&at_work.doctor, &id, "start", 2).await.expect(200);
    step(&marc, &id, "cancel", 3).await.refused(409, "consultation_not_open");
    api.clock.set(at("2027-01-05T09:50:20Z"));
    let (marc, at_work) = again_in(&api, &own, at_work).await;
    step(&at_work.doctor, &id, "end", 2).await.refused(409, "version_conflict");
    let ended = step(&at_work.doctor, &id, "end", 3).await.expect(200);
    let told = ["status", "billing_status", "actual_minutes"].map(|field| ended.body[field].clone());
    assert_eq!(told, [json!("completed"), json!("validated"), json!(52)]);
    let events = marc.get(&format!("/api/v1/consultations/{id}/events")).await.expect(200);
    let kinds: Vec<_> = events.body.as_array().unwrap().iter().map(|event| event["kind"].clone()).collect();
    assert_eq!(kinds, ["scheduled", "confirmed", "started", "ended"]);
    assert_eq!(marc.get("/api/v1/consultations/history").await.expect(200).body["total"], 1);
    assert_eq!(marc.get("/api/v1/consultations/upcoming").await.expect(200).body["total"], 0);
}

/// The same people after the clock was moved.
async fn again_in<'a>(
    api: &'a TestApi,
    own: &Company<'_>,
    was: Conducting<'a>,
) -> (Client<'a>, Conducting<'a>) {
    let marc = api.signed_in(&format!("marc@{}.example", &own.id[24..]), own.id.parse().unwrap()).await;
    let doctor = api.signed_in(&format!("sophie@{}", was.practice.domain), was.practice.tenant).await;
    (marc, Conducting { doctor, ..was })
}

#[tokio::test]
async fn what_is_cancelled_frees_its_time_whoever_cancels_it() {
    let api = TestApi::start().await;
    let own = company(&api, "Alpha").await;
    let at_work = conducting(&api, &own, "Lilas").await;
    let marc = own.employee(&api, "Marc", "Ventes").await;
    let body = wanted(&at_work.practitioner, "10:00", "10:50");
    let first = marc.post("/api/v1/consultations", body.clone()).await.expect(201);
    let gone = step(&marc, &first.id(), "cancel", 1).await.expect(200);
    assert_eq!((&gone.body["status"], &gone.body["cancel_reason"]), (&json!("cancelled"), &json!("Empêché")));
    // By the front desk, in the agenda.
    let second = marc.post("/api/v1/consultations", body.clone()).await.expect(201);
    let appointment = second.body["appointment_id"].as_str().unwrap().to_owned();
    at_work.practice.assistant.delete(&format!("/api/v1/appointments/{appointment}")).await.expect(204);
    let seen = marc.get(&format!("/api/v1/consultations/{}", second.id())).await.expect(200);
    assert_eq!((&seen.body["status"], &seen.body["version"]), (&json!("cancelled"), &json!(2)));
    let third = marc.post("/api/v1/consultations", body).await.expect(201).id();
    let no_show = format!("/api/v1/consultations/{third}/no-show");
    at_work.doctor.post(&no_show, json!({})).await.refused(409, "appointment_not_begun");
    api.clock.set(at("2027-01-05T09:20:00Z"));
    let (_, at_work) = again_in(&api, &own, at_work).await;
    for _ in 0..2 {
        assert_eq!(at_work.doctor.post(&no_show, json!({})).await.expect(200).body["status"], "no_show");
    }
    let appointment = at_work.doctor.get(&format!("/api/v1/consultations/{third}")).await.expect(200);
    assert_eq!(appointment.body["billing_status"], "pending");
}

#[tokio::test]
async fn nobody_but_the_two_sees_a_consultation() {
    let api = TestApi::start().await;
    let (own, other) = (company(&api, "Alpha").await, company(&api, "Beta").await);
    let at_work = conducting(&api, &own, "Lilas").await;
    let marc = own.employee(&api, "Marc", "Ventes").await;
    let id = marc
        .post("/api/v1/consultations", wanted(&at_work.practitioner, "10:00", "10:50"))
        .await
        .expect(201)
        .id();
    let path = format!("/api/v1/consultations/{id}");
    // The employer, in no way.
    for path in [
        path.as_str(),
        "/api/v1/consultations/mine",
        "/api/v1/consultations/history",
        "/api/v1/appointments?date=2027-01-05",
        "/api/v1/patients",
        "/api/v1/practitioners",
    ] {
        own.hr.get(path).await.refused(403, "forbidden");
    }
    // A colleague, another company's employee, another practitioner, the practice's front desk.
    let claire = own.employee(&api, "Claire", "Ventes").await;
    let stranger = other.employee(&api, "Zoe", "Ventes").await;
    let elsewhere = conducting(&api, &other, "Port").await;
    for who in [&claire, &stranger, &elsewhere.doctor] {
        who.get(&path).await.refused(404, "not_found");
        step(who, &id, "cancel", 1).await.refused(404, "not_found");
        assert_eq!(who.get("/api/v1/consultations/mine").await.expect(200).body["total"], 0);
    }
    at_work.practice.assistant.get(&path).await.refused(403, "forbidden");
    // A practice that the company has no agreement with is not offered, nor booked.
    let refused = marc.post("/api/v1/consultations", wanted(&elsewhere.practitioner, "14:00", "14:50")).await;
    refused.refused(422, "invalid_input");
    assert_eq!(refused.body["errors"][0]["code"], "unknown_practitioner");
    marc.get("/api/v1/patients").await.refused(403, "forbidden");

    // In the database: a company's transaction reads no row of a practice, and the other way round.
    let mut tx = api.db.tenant(own.id.parse().unwrap(), Actor::JOB).await.unwrap();
    for table in [
        "consultations",
        "consultation_events",
        "employee_patients",
        "appointments",
        "patients",
        "practitioners",
    ] {
        let seen: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
            .fetch_one(tx.conn())
            .await
            .unwrap();
        assert_eq!(seen, 0, "a company reads {table}");
    }
    tx.rollback().await.unwrap();
    let mut tx = api.db.tenant(at_work.practice.tenant, Actor::JOB).await.unwrap();
    for table in ["companies", "employees", "usage_cohorts", "usage_publications"] {
        let seen: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
            .fetch_one(tx.conn())
            .await
            .unwrap();
        assert_eq!(seen, 0, "a practice reads {table}");
    }
    tx.rollback().await.unwrap();
}

#[tokio::test]
async fn one_employee_is_not_with_two_practices_at_once() {
    let api = TestApi::start().await;
    let own = company(&api, "Alpha").await;
    let (one, two) = (conducting(&api, &own, "Lilas").await, conducting(&api, &own, "Port").await);
    let marc = own.employee(&api, "Marc", "Ventes").await;
    marc.post("/api/v1/consultations", wanted(&one.practitioner, "10:00", "10:50")).await.expect(201);
    marc.post("/api/v1/consultations", wanted(&two.practitioner, "10:30", "11:20"))
        .await
        .refused(409, "slot_taken");
    let mut tx = api.db.system(Actor::JOB).await.unwrap();
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM appointments").fetch_one(tx.conn()).await.unwrap();
    assert_eq!(left, 1, "nothing half-done stays");
    marc.post("/api/v1/consultations", wanted(&two.practitioner, "11:00", "11:50")).await.expect(201);
}
