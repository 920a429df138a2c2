//! What a practice's day is made of, in the shares that a front desk has; and what must be true at its end.

use chrono::{DateTime, Duration, Utc};
use permanence_domain::clock::{Clock, SystemClock};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::users::{Crowd, Dice, User};

/// One request.
pub(crate) struct Request {
    /// Method and path as documented.
    pub(crate) route: &'static str,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    /// The table that a `201` promises a row in.
    pub(crate) adds: Option<&'static str>,
}

fn now() -> DateTime<Utc> {
    SystemClock.now()
}

fn get(route: &'static str, path: String) -> Request {
    Request { route, method: Method::GET, path, body: None, adds: None }
}

fn post(route: &'static str, path: String, body: Value, adds: Option<&'static str>) -> Request {
    Request { route, method: Method::POST, path, body: Some(body), adds }
}

/// What somebody does next: a seventh of it changes something.
pub(crate) fn next(user: &User, dice: &mut Dice) -> Request {
    match dice.roll(100) {
        0..20 => {
            let date = (now() + Duration::days(i64::try_from(dice.roll(30)).unwrap() - 10)).date_naive();
            get("GET /appointments", format!("/appointments?date={date}"))
        }
        20..30 => {
            let name =
                dice.one(&["garcia", "noel", "lefevre", "martin", "ndiaye", "helene garcia", "zoe petit"]);
            get("GET /patients?search", format!("/patients?search={name}&limit=20"))
        }
        30..40 => get("GET /patients/{id}", format!("/patients/{}", dice.one(&user.patients))),
        40..45 => get("GET /patients", format!("/patients?page={}", 1 + dice.roll(60))),
        45..53 => {
            let from = (now() + Duration::days(1)).date_naive();
            let (to, who) = (from + Duration::days(13), dice.one(&user.practitioners));
            get(
                "GET /availability/slots",
                format!("/availability/slots?practitioner_id={who}&from={from}&to={to}"),
            )
        }
        53..58 => get("GET /dashboard/overview", "/dashboard/overview".to_owned()),
        58..62 => get("GET /invoices", format!("/invoices?page={}", 1 + dice.roll(20))),
        62..66 => get("GET /invoices/{id}", format!("/invoices/{}", dice.one(&user.invoices))),
        66..70 => {
            get("GET /patients/{id}/messages", format!("/patients/{}/messages", dice.one(&user.patients)))
        }
        70..73 => get("GET /appointments/{id}", format!("/appointments/{}", dice.one(&user.appointments))),
        73..76 => get("GET /messages", "/messages?status=uncertain".to_owned()),
        76..78 => get("GET /receivables", "/receivables".to_owned()),
        78..81 => get("GET /inventory", "/inventory".to_owned()),
        81..84 => get("GET /notifications", "/notifications".to_owned()),
        84..86 => get("GET /jobs", "/jobs?limit=20".to_owned()),
        rest => change(user, dice, rest),
    }
}

fn change(user: &User, dice: &mut Dice, what: usize) -> Request {
    match what {
        86..94 => {
            let half_hour = i64::try_from(dice.roll(2 * 7 + 1)).unwrap();
            let day = (now() + Duration::days(61 + i64::try_from(dice.roll(250)).unwrap())).date_naive();
            let begin = day.and_hms_opt(8, 0, 0).unwrap() + Duration::minutes(30 * half_hour);
            let body = json!({
                "patient_id": dice.one(&user.patients), "practitioner_id": dice.one(&user.practitioners),
                "starts_at": begin.and_utc(), "ends_at": (begin + Duration::minutes(30)).and_utc(),
                "outside_availability": true,
            });
            post("POST /appointments", "/appointments".to_owned(), body, Some("appointments"))
        }
        94..96 => {
            let body = json!({
                "first_name": "Zoé", "last_name": format!("Noël {}", dice.roll(1_000_000)), "email": "zoe@noel.example",
                "consents": { "reminder_email": true },
            });
            post("POST /patients", "/patients".to_owned(), body, Some("patients"))
        }
        96..98 => {
            let body = json!({
                "patient_id": dice.one(&user.patients),
                "lines": [{ "name": "Séance", "unit_price": 6000, "vat": { "category": "care" } }],
            });
            post("POST /invoices", "/invoices".to_owned(), body, Some("invoices"))
        }
        _ => {
            let path = format!("/inventory/items/{}/movements", dice.one(&user.items));
            let body = json!({ "kind": "receipt", "quantity": 1_000 });
            post("POST /inventory/items/{id}/movements", path, body, None)
        }
    }
}

/// Asserts that everything that was accepted is there, with the messages that it gave rise to, and that no job was lost.
pub(crate) async fn nothing_is_lost(owner: &PgPool, crowd: &Crowd) {
    let accepted = crowd.accepted.lock().unwrap().clone();
    for table in ["appointments", "patients", "invoices"] {
        let ids: Vec<_> = accepted.iter().filter(|(of, _)| *of == table).map(|(_, id)| *id).collect();
        let count = format!("SELECT count(*) FROM {table} WHERE id = ANY($1)");
        let found: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(count)).bind(&ids).fetch_one(owner).await.unwrap();
        assert_eq!(
            usize::try_from(found).unwrap(),
            ids.len(),
            "{table}: what was answered with 201 is there"
        );
        println!("{found} of {} accepted rows of {table} are there", ids.len());
    }
    let booked: Vec<_> = accepted.iter().filter(|(of, _)| *of == "appointments").map(|(_, id)| *id).collect();
    let (messages, without): (i64, i64) = sqlx::query_as(
        "SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (SELECT FROM queue.jobs j WHERE j.id = m.job_id)
                                             AND NOT EXISTS (SELECT FROM queue.job_history h WHERE h.id = m.job_id))
         FROM messages m WHERE m.appointment_id = ANY($1)",
    )
    .bind(&booked)
    .fetch_one(owner)
    .await
    .unwrap();
    let dead: i64 = sqlx::query_scalar("SELECT count(*) FROM queue.job_history WHERE state = 'discarded'")
        .fetch_one(owner)
        .await
        .unwrap();
    assert_eq!((without, dead), (0, 0), "no job is lost, none is dead");
    println!("each of their {messages} messages has its job, and no job died");
}
