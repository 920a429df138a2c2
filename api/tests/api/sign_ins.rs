//! How often somebody may try to sign in: from one place, at one address; and that a password that was replaced meanwhile opens nothing.

use std::time::Duration;

use chrono_tz::Tz;
use permanence_domain::{db::Actor, platform::Ended};
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, PASSWORD, TestApi, at};

const WRONG: &str = "Bonsoir1!";
const NOW: &str = "2027-01-04T08:00:00Z";

/// An API behind a proxy of ours, which is the test.
async fn behind_a_proxy() -> TestApi {
    TestApi::start_with(at(NOW), &[("TRUSTED_PROXIES", "127.0.0.0/8")]).await
}

async fn from(api: &TestApi, source: &str, email: &str, password: &str) -> Answer {
    let body = Some(json!({ "email": email, "password": password }));
    api.send(Method::POST, "/api/v1/auth/login", None, &[("x-forwarded-for", source)], body).await
}

#[tokio::test]
async fn whoever_guesses_waits_and_learns_nothing_and_the_person_does_not_wait() {
    let api = behind_a_proxy().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let known = format!("admin@{}", practice.domain);
    for email in [known.as_str(), "nobody@nowhere.example", "no address at all"] {
        for _ in 0..5 {
            from(&api, "198.51.100.7", email, WRONG).await.refused(401, "wrong_credentials");
        }
        for password in [WRONG, PASSWORD] {
            let refused = from(&api, "198.51.100.7", email, password).await;
            refused.refused(429, "too_many_attempts");
            assert_eq!(refused.header("retry-after"), "180", "{email}");
        }
    }
    // Capitals and spaces are no other address.
    from(&api, "198.51.100.7", &format!(" {}", known.to_uppercase()), PASSWORD)
        .await
        .refused(429, "too_many_attempts");
    from(&api, "192.0.2.1", &known, PASSWORD).await.expect(200);
    // Trying on does not put the end off: after three minutes there is one attempt again.
    api.clock.advance(Duration::from_secs(179));
    from(&api, "198.51.100.7", &known, PASSWORD).await.refused(429, "too_many_attempts");
    api.clock.advance(Duration::from_secs(1));
    from(&api, "198.51.100.7", &known, PASSWORD).await.expect(200);
    from(&api, "198.51.100.7", &known, WRONG).await.refused(401, "wrong_credentials");
    from(&api, "198.51.100.7", &known, WRONG).await.refused(429, "too_many_attempts");
}

#[tokio::test]
async fn who_guesses_from_many_places_delays_the_person_by_seconds() {
    let api = behind_a_proxy().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let email = format!("admin@{}", practice.domain);
    for guess in 0..50 {
        let source = format!("198.51.100.{guess}");
        from(&api, &source, &email, WRONG).await.refused(401, "wrong_credentials");
    }
    let delayed = from(&api, "192.0.2.1", &email, PASSWORD).await;
    delayed.refused(429, "too_many_attempts");
    assert_eq!(delayed.header("retry-after"), "18");
    api.clock.advance(Duration::from_secs(18));
    from(&api, "192.0.2.1", &email, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn who_tries_a_password_on_everybody_waits_too() {
    let api = behind_a_proxy().await;
    for address in 0..100 {
        let email = format!("somebody{address}@nowhere.example");
        from(&api, "198.51.100.7", &email, WRONG).await.refused(401, "wrong_credentials");
    }
    let next = from(&api, "198.51.100.7", "another@nowhere.example", WRONG).await;
    next.refused(429, "too_many_attempts");
    assert_eq!(next.header("retry-after"), "9");
    from(&api, "192.0.2.1", "another@nowhere.example", WRONG).await.refused(401, "wrong_credentials");
    // What is full again is forgotten.
    let mut tx = api.db.system(Actor::JOB).await.unwrap();
    assert_eq!(Ended::SignInLimits.purge(&mut tx, 1_000).await.unwrap(), 0);
    tx.rollback().await.unwrap();
    api.clock.advance(Duration::from_mins(16));
    let mut tx = api.db.system(Actor::JOB).await.unwrap();
    assert!(Ended::SignInLimits.purge(&mut tx, 1_000).await.unwrap() > 200);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn what_goes_well_costs_nothing_and_guesses_at_once_are_counted_one_by_one() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let email = format!("admin@{}", practice.domain);
    for _ in 0..12 {
        api.login(&email, PASSWORD, json!({})).await.expect(200);
    }
    // What a clock wrote that was a year ahead keeps nobody out.
    let mut tx = api.db.system(Actor::JOB).await.unwrap();
    let ahead = "UPDATE sign_in_limits SET full_at = full_at + interval '1 year'";
    assert_eq!(sqlx::query(ahead).execute(tx.conn()).await.unwrap().rows_affected(), 5);
    tx.commit().await.unwrap();
    api.login(&email, PASSWORD, json!({})).await.expect(200);
    // Without a proxy of ours the header is anybody's, and changes nothing.
    let guesses: Vec<String> = (0..12).map(|guess| format!("198.51.100.{guess}")).collect();
    let answers =
        futures::future::join_all(guesses.iter().map(|source| from(&api, source, &email, WRONG))).await;
    let mut codes: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [[401; 5].as_slice(), &[429; 7]].concat());
}

#[tokio::test]
async fn a_password_that_is_replaced_while_it_is_checked_opens_no_session() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let email = format!("admin@{}", practice.domain);
    // As whoever sets another password does: the row is theirs until they commit.
    let mut reset = api.db.system(Actor::JOB).await.unwrap();
    sqlx::query("UPDATE users SET password_version = password_version + 1 WHERE email = $1")
        .bind(&email)
        .execute(reset.conn())
        .await
        .unwrap();
    let sessions = "SELECT count(*) FROM sessions";
    let before: i64 = sqlx::query_scalar(sessions).fetch_one(reset.conn()).await.unwrap();
    let login = api.login(&email, PASSWORD, json!({}));
    let replace = async {
        let mut tx = api.db.system(Actor::JOB).await.unwrap();
        let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid')";
        while !sqlx::query_scalar::<_, bool>(waits).fetch_one(tx.conn()).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        reset.commit().await.unwrap();
    };
    let (answer, ()) = tokio::join!(login, replace);
    answer.refused(401, "wrong_credentials");
    let mut tx = api.db.system(Actor::JOB).await.unwrap();
    let after: i64 = sqlx::query_scalar(sessions).fetch_one(tx.conn()).await.unwrap();
    assert_eq!(after, before);
}
