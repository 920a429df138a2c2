//! The people who use it: each signed in at a practice, each doing what comes next in a day, then thinking.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use permanence_domain::{config::Secret, crypto::hash_password};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    day::{Request, next},
    processes::Platform,
    shared::figures::Figures,
};

/// How long somebody thinks between two requests, on average.
pub(crate) const THINKS: Duration = Duration::from_millis(500);
const PASSWORD: &str = "Bonjour1!";

/// Somebody at a practice, and what they have before their eyes.
pub(crate) struct User {
    token: String,
    pub(crate) patients: Vec<Uuid>,
    pub(crate) practitioners: Vec<Uuid>,
    pub(crate) invoices: Vec<Uuid>,
    pub(crate) appointments: Vec<Uuid>,
    pub(crate) items: Vec<Uuid>,
}

/// All of them, and what was promised to them.
pub(crate) struct Crowd {
    users: Vec<User>,
    /// What was answered with `201`: the table, and the row.
    pub(crate) accepted: Mutex<Vec<(&'static str, Uuid)>>,
}

/// Chooses as if by chance, the same each time.
pub(crate) struct Dice(u64);

impl Dice {
    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    pub(crate) fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }
}

impl Crowd {
    /// Makes an administrator of a practice of each, signs them in, and finds out what they work with.
    pub(crate) async fn gather(owner: &PgPool, platform: &Platform, count: usize) -> Self {
        let practices: Vec<Uuid> =
            sqlx::query_scalar("SELECT id FROM tenants WHERE name LIKE 'Cabinet ___' ORDER BY name")
                .fetch_all(owner)
                .await
                .unwrap();
        let hash = hash_password(Secret::new(PASSWORD)).await.unwrap();
        let mut users = Vec::new();
        for number in 0..count {
            let (practice, id) = (practices[number % practices.len()], Uuid::new_v4());
            let email = format!("user{number}@cabinet.example");
            sqlx::query(
                "WITH who AS (INSERT INTO users (id, email, password_hash, created_at) VALUES ($1, $2, $3, now()))
                 INSERT INTO memberships (tenant_id, user_id, role, full_name, created_at, accepted_at)
                 VALUES ($4, $1, 'admin', 'Camille Roy', now(), now())",
            )
            .bind(id)
            .bind(&email)
            .bind(&hash)
            .bind(practice)
            .execute(owner)
            .await
            .unwrap();
            let body = json!({ "email": email, "password": PASSWORD });
            let answer =
                platform.http.post(format!("{}/api/v1/auth/login", platform.base(number))).json(&body);
            let answer: Value =
                answer.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();
            let of = async |table: &str| -> Vec<Uuid> {
                let some =
                    format!("SELECT id FROM {table} WHERE tenant_id = $1 ORDER BY md5(id::text) LIMIT 500");
                sqlx::query_scalar(sqlx::AssertSqlSafe(some)).bind(practice).fetch_all(owner).await.unwrap()
            };
            users.push(User {
                token: answer["access_token"].as_str().unwrap().to_owned(),
                patients: of("patients").await,
                practitioners: of("practitioners").await,
                invoices: of("invoices").await,
                appointments: of("appointments").await,
                items: of("inventory_items").await,
            });
        }
        Self { users, accepted: Mutex::new(Vec::new()) }
    }

    /// Has all of them work for a while; tells how they were answered.
    pub(crate) async fn work(&self, platform: &Platform, time: Duration) -> Answers {
        let begun = Instant::now();
        let seed = u64::try_from(self.accepted.lock().unwrap().len()).unwrap();
        let each = self.users.iter().enumerate().map(|(number, user)| async move {
            let (mut dice, mut answers) =
                (Dice(seed * 1_000 + u64::try_from(number).unwrap()), Answers::default());
            let mut turn = number;
            while begun.elapsed() < time {
                let thinks = THINKS.mul_f64(f64::from(u32::try_from(dice.roll(1_000)).unwrap()) / 500.0);
                tokio::time::sleep(thinks).await;
                turn += 1;
                self.ask(platform, user, next(user, &mut dice), turn, &mut answers).await;
            }
            answers
        });
        let mut all = Answers { took: begun.elapsed(), ..Answers::default() };
        for answers in futures::future::join_all(each).await {
            all.add(answers);
        }
        all.took = begun.elapsed();
        all
    }

    async fn ask(
        &self,
        platform: &Platform,
        user: &User,
        request: Request,
        turn: usize,
        answers: &mut Answers,
    ) {
        let url = format!("{}/api/v1{}", platform.base(turn), request.path);
        let mut asked = platform.http.request(request.method.clone(), url).bearer_auth(&user.token);
        if let Some(body) = &request.body {
            asked = asked.header("Idempotency-Key", Uuid::new_v4().to_string()).json(body);
        }
        let begun = Instant::now();
        let answer = match asked.send().await {
            Ok(answer) => answer,
            Err(error) => {
                answers.lost.push(format!("{}: {error:?}", request.route));
                return;
            }
        };
        let status = answer.status().as_u16();
        let text = match answer.bytes().await {
            Ok(text) => text,
            Err(error) => {
                answers.lost.push(format!("{}: {error:?}", request.route));
                return;
            }
        };
        answers.times.entry(request.route).or_default().push(begun.elapsed());
        *answers.statuses.entry((request.route, status)).or_default() += 1;
        if let (201, Some(table)) = (status, request.adds) {
            let body: Value = serde_json::from_slice(&text).unwrap();
            let id = body["id"].as_str().unwrap().parse().unwrap();
            self.accepted.lock().unwrap().push((table, id));
        }
        assert!(
            status < 400 || status == 409 || status >= 500,
            "{}: {status} {}",
            request.route,
            String::from_utf8_lossy(&text)
        );
    }
}

/// How they were answered.
#[derive(Default)]
pub(crate) struct Answers {
    took: Duration,
    times: BTreeMap<&'static str, Vec<Duration>>,
    statuses: BTreeMap<(&'static str, u16), usize>,
    /// Requests without an answer.
    lost: Vec<String>,
}

impl Answers {
    pub(crate) fn add(&mut self, other: Self) {
        self.took += other.took;
        for (route, times) in other.times {
            self.times.entry(route).or_default().extend(times);
        }
        for (key, count) in other.statuses {
            *self.statuses.entry(key).or_default() += count;
        }
        self.lost.extend(other.lost);
    }

    /// Says how long each route took, the slowest of reads and writes, and whether anything failed, which it must not.
    pub(crate) fn tell(&self) {
        let all: usize = self.times.values().map(Vec::len).sum();
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let rate = all as f64 / self.took.as_secs_f64();
        let (mut reads, mut writes) = ((Duration::ZERO, Duration::ZERO), (Duration::ZERO, Duration::ZERO));
        for (route, times) in &self.times {
            let figures = Figures::of(times.clone());
            println!("{route:<44} {:>6} × {figures}", times.len());
            let worst = if route.starts_with("GET") { &mut reads } else { &mut writes };
            *worst = (worst.0.max(figures.p95), worst.1.max(figures.p99));
        }
        println!(
            "{all} requests, {rate:.0}/s; slowest read route p95 {:.1?}, p99 {:.1?} (bars 20 ms, 60 ms); slowest write \
                  route p95 {:.1?} (bar 30 ms), p99 {:.1?}",
            reads.0, reads.1, writes.0, writes.1
        );
        let failed: usize =
            self.statuses.iter().filter(|((_, status), _)| *status >= 500).map(|(_, count)| count).sum();
        let taken: usize =
            self.statuses.iter().filter(|((_, status), _)| *status == 409).map(|(_, count)| count).sum();
        println!(
            "{failed} answers of 5xx, {} requests without an answer, {taken} times somebody was faster (409)",
            self.lost.len()
        );
        for lost in self.lost.iter().take(5) {
            println!("  {lost}");
        }
        for ((route, status), count) in self.statuses.iter().filter(|((_, status), _)| *status >= 500) {
            println!("  {route}: {count} × {status}");
        }
    }
}
