//! What planning adds to a booking, where very many reminders wait already: statements and time, by the same bookings with
//! and without a patient's consent.

use std::time::Instant;

use chrono::{DateTime, Duration, Utc};
use permanence_domain::{
    db::Actor,
    field::{Moment, PersonName, Phone},
    identity::Role,
    ids::{PatientId, PractitionerId, TenantId},
    patients::{self, NewConsents, NewPatient},
    scheduling::{self, NewAppointment},
};
use permanence_embedded::bench::BenchServer;
use permanence_queue::clock::{Clock, SystemClock};

use crate::{platform::Platform, practice, quantile};

const BOOKINGS: usize = 1_000;

pub(crate) async fn run(server: &BenchServer, waiting: usize) {
    let platform = Platform::start(server).await;
    let tenant = practice::found(&platform, "Cabinet").await;
    let ahead = SystemClock.now() + Duration::days(30);
    let at = |n: usize| ahead + Duration::seconds(i64::try_from(n).unwrap());
    let starts: Vec<_> = (0..waiting).map(at).collect();
    let begun = Instant::now();
    let appointments = practice::fill(&platform, tenant, 0, &starts).await;
    let due: Vec<_> =
        appointments.iter().zip(&starts).map(|(id, at)| (*id, *at - Duration::hours(24))).collect();
    practice::plan(&platform, tenant, &due).await;
    sqlx::raw_sql("CREATE EXTENSION pg_stat_statements").execute(&platform.owner).await.unwrap();
    platform.settle().await;
    println!("{waiting} reminders wait (filled in {:.0?})", begun.elapsed());
    let practitioner = PractitionerId(appointments[0]);
    let silent = book(&platform, tenant, practitioner, false, ahead + Duration::days(90)).await;
    let told = book(&platform, tenant, practitioner, true, ahead + Duration::days(150)).await;
    println!(
        "planning: {} statements a booking with a reminder, {} without: {} more",
        told.statements,
        silent.statements,
        told.statements - silent.statements
    );
    println!(
        "  a booking takes p50 {:.2}, p99 {:.2} ms with a reminder, p50 {:.2}, p99 {:.2} ms without",
        told.p50, told.p99, silent.p50, silent.p99
    );
    platform.stop(server).await;
}

struct Cost {
    statements: i64,
    p50: f64,
    p99: f64,
}

/// Books half hours one after another, each in a transaction of its own.
async fn book(
    platform: &Platform,
    tenant: TenantId,
    practitioner_id: PractitionerId,
    consents: bool,
    from: DateTime<Utc>,
) -> Cost {
    let patient_id = register(platform, tenant, consents).await;
    sqlx::raw_sql("SELECT pg_stat_statements_reset()").execute(&platform.owner).await.unwrap();
    let mut times = Vec::new();
    for n in 0..BOOKINGS {
        let starts_at = from + Duration::minutes(30 * i64::try_from(n).unwrap());
        let new = NewAppointment {
            patient_id,
            practitioner_id,
            room_id: None,
            service_id: None,
            starts_at: Moment::Exact(starts_at),
            ends_at: Moment::Exact(starts_at + Duration::minutes(30)),
            reason: None,
            outside_availability: false,
        };
        let begun = Instant::now();
        let mut tx = platform.db.tenant(tenant, Actor::JOB).await.unwrap();
        scheduling::book(&mut tx, Role::Assistant, &new).await.unwrap();
        tx.commit().await.unwrap();
        times.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    times.sort_unstable_by(f64::total_cmp);
    let calls: i64 = sqlx::query_scalar(
        "SELECT sum(calls)::bigint FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid
         WHERE r.rolname = 'permanence_tenant' AND toplevel",
    )
    .fetch_one(&platform.owner)
    .await
    .unwrap();
    let bookings = i64::try_from(BOOKINGS).unwrap();
    Cost {
        statements: (calls + bookings / 2) / bookings,
        p50: quantile(&times, 0.5),
        p99: quantile(&times, 0.99),
    }
}

async fn register(platform: &Platform, tenant: TenantId, reminder_sms: bool) -> PatientId {
    let new = NewPatient {
        first_name: PersonName::parse("Zoé").unwrap(),
        last_name: PersonName::parse("Le Goff").unwrap(),
        birth_date: None,
        email: None,
        phone: Some(Phone::parse("06 12 34 56 78").unwrap()),
        address: None,
        language: permanence_domain::field::Language::Fr,
        consents: NewConsents { reminder_sms, reminder_email: false, imaging: None },
    };
    let mut tx = platform.db.tenant(tenant, Actor::JOB).await.unwrap();
    let id = patients::register(&mut tx, &new).await.unwrap().id;
    tx.commit().await.unwrap();
    id
}
