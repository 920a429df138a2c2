//! A platform of real processes over practices of ten gigabytes, used by a hundred people at once: how long each route and each
//! statement takes, what processes hold, how soon they start, and whether anything is lost when all are restarted one after the
//! other. Run it with `cargo bench --workspace --bench load`; `GIGABYTES=1`, `USERS=20` and `DURATION=10` make it smaller.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]
#![expect(clippy::print_stdout, reason = "the results are the output")]

mod day;
mod processes;
#[path = "../shared/mod.rs"]
#[allow(dead_code, reason = "each benchmark uses a part of what they share")]
mod shared;
mod statements;
mod users;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use permanence_domain::{clock::SystemClock, config::Secret, db::Db, migrate::migrate};
use permanence_embedded::bench::{BenchDatabase, BenchServer};
use permanence_queue::Waker;
use sqlx::{PgPool, postgres::PgConnectOptions};

use self::{
    processes::Platform,
    shared::practices::{Size, fill},
    users::{Answers, Crowd},
};

/// What a practice has: two years of six practitioners.
const PATIENTS: i64 = 6_000;
const APPOINTMENTS: i64 = 60_000;
/// Bytes that such a practice takes, indexes included.
const A_PRACTICE: f64 = 330e6;

struct Wanted {
    gigabytes: f64,
    users: usize,
    seconds: Duration,
}

fn wanted() -> Wanted {
    // `cargo test --benches` runs benches too, to see that they run.
    let bench = std::env::args().any(|argument| argument == "--bench");
    let (gigabytes, users, seconds) = if bench { (10.0, 100, 120) } else { (0.1, 4, 3) };
    let number = |name: &str, usual: f64| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of people")]
    Wanted {
        gigabytes: number("GIGABYTES", gigabytes),
        users: number("USERS", f64::from(users)) as usize,
        seconds: Duration::from_secs_f64(number("DURATION", f64::from(seconds))),
    }
}

#[tokio::main]
async fn main() {
    let wanted = wanted();
    let server = BenchServer::start("load").await.unwrap();
    let database = server.database().await.unwrap();
    let login = server.url("permanence_login", "bench", &database);
    filled(&database, &login, wanted.gigabytes).await;
    let owner = PgPool::connect_with(database.owner.clone()).await.unwrap();
    let bytes: i64 =
        sqlx::query_scalar("SELECT pg_database_size(current_database())").fetch_one(&owner).await.unwrap();
    #[expect(clippy::cast_precision_loss, reason = "told in gigabytes")]
    let gigabytes = bytes as f64 / 1e9;
    println!("{} · {gigabytes:.1} GB of practices", server.version().await.unwrap());

    let platform = Platform::start(login).await;
    platform.tell_starts();
    let crowd = Crowd::gather(&owner, &platform, wanted.users).await;
    statements::sample(&owner).await;
    // Pages and plans of the first requests are not what a day is like.
    crowd.work(&platform, wanted.seconds / 8).await;
    statements::begin(&owner, server.log()).await;

    println!("\n{} users, each thinks for {:?} on average:", wanted.users, users::THINKS);
    let answers = crowd.work(&platform, wanted.seconds).await;
    answers.tell();
    platform.tell_memory();
    statements::tell(&owner, server.log()).await;

    println!("\nthe same while every process is replaced, one after the other:");
    let mut restarted = Answers::default();
    let begun = Instant::now();
    while begun.elapsed() < wanted.seconds / 2 {
        let (answers, ()) = tokio::join!(crowd.work(&platform, wanted.seconds / 4), platform.replace_all());
        restarted.add(answers);
    }
    restarted.tell();
    day::nothing_is_lost(&owner, &crowd).await;
    platform.stop().await;
    owner.close().await;
    server.stop().await.unwrap();
}

async fn filled(database: &BenchDatabase, login: &str, gigabytes: f64) {
    migrate(&database.owner, &Secret::new(login)).await.unwrap();
    let options: PgConnectOptions = login.parse().unwrap();
    let db = Db::new(options.clone(), 4, Arc::new(SystemClock), Waker::start(options));
    #[expect(clippy::cast_possible_truncation, reason = "a count of practices")]
    let practices = (gigabytes * 1e9 / A_PRACTICE).ceil() as i64;
    let begun = Instant::now();
    fill(&database.owner, &db, Size { practices, patients: PATIENTS, appointments: APPOINTMENTS, ahead: 60 })
        .await;
    db.close().await;
    database.settle().await.unwrap();
    println!("{practices} practices written in {:.0} s", begun.elapsed().as_secs_f64());
}
