//! Very many reminders of many practices, due within one minute, by two processes of the pool.

use std::{collections::HashMap, time::Instant};

use chrono::{DateTime, Duration, Utc};
use permanence_domain::ids::TenantId;
use permanence_embedded::bench::BenchServer;
use permanence_queue::clock::{Clock, SystemClock};
use uuid::Uuid;

use crate::{platform::Platform, practice, quantile};

const WORKERS: usize = 2;
/// All but one of the practices are small; together they have two reminders in five.
const SMALL: usize = 100;

/// A practice's part of the burst.
struct Part {
    tenant: TenantId,
    /// The number of its first patient.
    first: usize,
    appointments: Vec<Uuid>,
}

pub(crate) async fn run(server: &BenchServer, reminders: usize) {
    let platform = Platform::start(server).await;
    let parts = found(&platform, reminders).await;
    let mut workers: Vec<_> = (0..WORKERS).map(|_| platform.worker()).collect();
    // The first are due shortly after the last is planned.
    let begin = SystemClock.now() + Duration::seconds(10 + i64::try_from(reminders).unwrap() / 5_000);
    let mut due_of = HashMap::new();
    for part in &parts {
        let due = due(&part.appointments, begin);
        due_of.extend(due.iter().enumerate().map(|(n, (_, at))| (part.first + n + 1, (part.tenant, *at))));
        practice::plan(&platform, part.tenant, &due).await;
    }
    platform.settle().await;
    let late = SystemClock.now() - begin;
    assert!(late < Duration::zero(), "planning took longer than expected: {late}");
    let planned = Instant::now();
    platform.until_sent().await;
    let wall = planned.elapsed().as_secs_f64() - (-late).as_seconds_f64();
    for worker in &mut workers {
        worker.kill().unwrap();
        worker.wait().unwrap();
    }
    tell(&platform, begin, &due_of, wall).await;
    platform.stop(server).await;
}

async fn found(platform: &Platform, reminders: usize) -> Vec<Part> {
    let each = reminders * 2 / 5 / SMALL;
    let starts = SystemClock.now() + Duration::hours(24);
    let (mut parts, mut first) = (Vec::new(), 0);
    for n in 0..=SMALL {
        let count = if n == 0 { reminders - each * SMALL } else { each };
        let tenant = practice::found(platform, &format!("Cabinet {n}")).await;
        let appointments = practice::fill(platform, tenant, first, &vec![starts; count]).await;
        parts.push(Part { tenant, first, appointments });
        first += count;
    }
    parts
}

/// Spreads reminders over a minute, in another order than that in which they are planned.
fn due(appointments: &[Uuid], begin: DateTime<Utc>) -> Vec<(Uuid, DateTime<Utc>)> {
    let count = appointments.len();
    // A step that shares no divisor with the count visits every place once.
    let step = (count / 3..=count).find(|step| gcd(*step, count) == 1).unwrap_or(1);
    let place = |n: usize| i64::try_from(n * step % count * 60_000 / count).unwrap();
    appointments.iter().enumerate().map(|(n, id)| (*id, begin + Duration::milliseconds(place(n)))).collect()
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

async fn tell(
    platform: &Platform,
    begin: DateTime<Utc>,
    due_of: &HashMap<usize, (TenantId, DateTime<Utc>)>,
    wall: f64,
) {
    let texts = platform.outbox.texts();
    let count = texts.len();
    assert_eq!(count, due_of.len(), "each reminder once");
    // How much sooner than a reminder another of the same practice was due that left after it.
    let mut latest: HashMap<TenantId, DateTime<Utc>> = HashMap::new();
    let mut ends: HashMap<TenantId, DateTime<Utc>> = HashMap::new();
    let mut displaced = Vec::new();
    let mut seen = vec![false; due_of.len() + 1];
    for text in &texts {
        let number: usize = text.to.trim_start_matches("+336").parse().unwrap();
        assert!(!std::mem::replace(&mut seen[number], true), "{number} was told twice");
        let (tenant, due) = due_of[&number];
        let last = latest.entry(tenant).or_insert(due);
        displaced.push((*last - due).as_seconds_f64().max(0.0));
        *last = due.max(*last);
        ends.insert(tenant, text.received_at);
    }
    displaced.sort_unstable_by(f64::total_cmp);
    let after = |at: DateTime<Utc>| (at - begin).as_seconds_f64();
    let mut ends: Vec<f64> = ends.into_values().map(after).collect();
    ends.sort_unstable_by(f64::total_cmp);
    let late = platform.lateness().await;
    let total = f64::from(u32::try_from(count).unwrap());
    println!(
        "burst of {count} due within 60 s, {WORKERS} processes: all handed over {wall:.1} s after the first was due, \
         {:.0}/s",
        total / wall
    );
    println!(
        "  {SMALL} small practices had all of theirs after {:.1} to {:.1} s, the large one after {:.1} s",
        ends[0],
        ends[ends.len() - 2],
        ends[ends.len() - 1]
    );
    println!(
        "  order within a practice: p99 {:.2} s, most {:.2} s out of turn; lateness p50 {:.1}, p99 {:.1} s",
        quantile(&displaced, 0.99),
        quantile(&displaced, 1.0),
        quantile(&late, 0.5),
        quantile(&late, 0.99)
    );
}
