//! What the audit trail costs: a record in a request, sealing as fast as it can and while others record, a page of a long
//! trail, proving it. Run it with `cargo bench --workspace --bench audit`; `ENTRIES=5000000` makes the trail longer.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]
#![expect(clippy::print_stdout, reason = "the results are the output")]

#[allow(dead_code, reason = "each benchmark uses a part of what they share")]
mod shared;

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use permanence_domain::{
    audit::{self, EntryNumber, TrailQuery, read_trail, seal_batch, set_fence, verify::Verifier},
    clock::{Clock, SystemClock},
    db::{Actor, Db},
    ids::{TenantId, UserId},
};
use shared::Platform;
use sqlx::PgPool;
use uuid::Uuid;

const BATCH: usize = 10_000;

fn percentile(sorted: &[f64], part: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let place = ((sorted.len() - 1) as f64 * part) as usize;
    sorted[place]
}

/// Milliseconds of a request's transaction that writes one row, with and without a record: median and 99th hundredth.
async fn request(platform: &Platform, records: bool) -> (f64, f64) {
    let mut took = Vec::new();
    for _ in 0..3_000 {
        let begun = Instant::now();
        let mut tx = platform.begin().await;
        sqlx::query(
            "INSERT INTO rooms (tenant_id, id, name, created_at, updated_at) VALUES ($1, $2, $3, now(), now())",
        )
        .bind(platform.tenant.0)
        .bind(Uuid::new_v4())
        .bind(Uuid::new_v4().to_string())
        .execute(tx.conn())
        .await
        .unwrap();
        if records {
            audit::record(&mut tx, "room.add", "room", Uuid::new_v4()).await.unwrap();
        }
        tx.commit().await.unwrap();
        took.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    took.sort_by(f64::total_cmp);
    (percentile(&took, 0.5), percentile(&took, 0.99))
}

/// Statements that the server was sent, but for those that begin and end transactions.
async fn statements(owner: &PgPool) -> i64 {
    sqlx::query_scalar(
        "SELECT COALESCE(sum(calls), 0)::bigint FROM pg_stat_statements
         WHERE query ~* '^\\s*(INSERT|SELECT|UPDATE|DELETE|WITH)' AND query !~ 'pg_stat_statements'",
    )
    .fetch_one(owner)
    .await
    .unwrap()
}

/// A long trail of a thousand tenants, over a year.
async fn fill(platform: &Platform, entries: i64) {
    sqlx::raw_sql(
        "INSERT INTO tenants (id, kind, name, time_zone, language, created_at)
         SELECT gen_random_uuid(), 'practice', 'P' || n, 'Europe/Paris', 'fr', now() FROM generate_series(1, 1000) AS n",
    )
    .execute(&platform.owner)
    .await
    .unwrap();
    sqlx::query(
        "WITH t AS (SELECT array_agg(id) AS ids FROM tenants),
              u AS (SELECT array_agg(gen_random_uuid()) AS ids FROM generate_series(1, 5000))
         INSERT INTO audit_log (tenant_id, at, actor_id, class, action, resource, resource_id, request_id)
         SELECT t.ids[1 + (random() * 999)::int], now() - interval '365 days' * (1 - n / $1::float8),
                u.ids[1 + (random() * 4999)::int],
                (ARRAY['record', 'business', 'security'])[1 + n % 3],
                (ARRAY['patient.update', 'invoice.issue', 'auth.login'])[1 + n % 3],
                (ARRAY['patient', 'invoice', 'session'])[1 + n % 3], gen_random_uuid(), gen_random_uuid()
         FROM t, u, generate_series(1, $1) AS n",
    )
    .bind(entries)
    .execute(&platform.owner)
    .await
    .unwrap();
    sqlx::query("VACUUM (ANALYZE)").execute(&platform.owner).await.unwrap();
}

/// Seals what was recorded until nothing is left, or until told to stop; gives how many entries.
async fn seal(db: &Db, stop: Option<&AtomicBool>) -> usize {
    let mut entries = 0;
    loop {
        let mut tx = db.system(Actor::JOB).await.unwrap();
        let more = set_fence(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        let stopped = stop.is_some_and(|stop| stop.load(Ordering::Relaxed));
        if !more && stop.is_none_or(|_| stopped) {
            return entries;
        }
        loop {
            let mut tx = db.system(Actor::JOB).await.unwrap();
            let sealed = seal_batch(&mut tx, BATCH).await.unwrap();
            tx.commit().await.unwrap();
            let Some(sealed) = sealed else {
                // A transaction from before the fence still runs.
                tokio::time::sleep(Duration::from_millis(20)).await;
                break;
            };
            entries += sealed.entries;
            if !sealed.more {
                break;
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate")]
async fn together(platform: &Platform) {
    let (stop, recorded) = (AtomicBool::new(false), AtomicU64::new(0));
    let begun = Instant::now();
    let record = async || {
        while begun.elapsed() < Duration::from_secs(20) {
            let mut tx = platform.begin().await;
            for _ in 0..20 {
                audit::record(&mut tx, "patient.update", "patient", Uuid::new_v4()).await.unwrap();
            }
            tx.commit().await.unwrap();
            recorded.fetch_add(20, Ordering::Relaxed);
        }
    };
    let writers = async {
        tokio::join!(record(), record(), record());
        stop.store(true, Ordering::Relaxed);
        begun.elapsed()
    };
    let (wrote, sealed) = tokio::join!(Box::pin(writers), Box::pin(seal(&platform.db, Some(&stop))));
    let recorded = recorded.load(Ordering::Relaxed) as f64;
    println!(
        "together, on the same cores: {:.0} entries/s recorded, {sealed} of {recorded} sealed {:.1} s after the last",
        recorded / wrote.as_secs_f64(),
        begun.elapsed().saturating_sub(wrote).as_secs_f64()
    );
}

async fn pages(platform: &Platform) {
    let (tenant, user): (Uuid, Uuid) = sqlx::query_as(
        "SELECT tenant_id, actor_id FROM audit_log WHERE actor_id IS NOT NULL AND tenant_id IS NOT NULL LIMIT 1",
    )
    .fetch_one(&platform.owner)
    .await
    .unwrap();
    let deep: i64 = sqlx::query_scalar("SELECT id FROM audit_log WHERE id > 100000 ORDER BY id LIMIT 1")
        .fetch_one(&platform.owner)
        .await
        .unwrap();
    let all = TrailQuery::default;
    let past = permanence_domain::field::Instant(SystemClock.now() - TimeDelta::days(300));
    for (what, query) in [
        ("newest", all()),
        ("deep, before an entry near the beginning", TrailQuery { before: Some(EntryNumber(deep)), ..all() }),
        ("of a tenant", TrailQuery { tenant_id: Some(TenantId(tenant)), ..all() }),
        ("of a user", TrailQuery { user_id: Some(UserId(user)), ..all() }),
        (
            "of an action, 300 days ago",
            TrailQuery { action: Some("invoice.issue".to_owned()), until: Some(past), ..all() },
        ),
        (
            "of a resource of a tenant",
            TrailQuery { tenant_id: Some(TenantId(tenant)), resource: Some("session".to_owned()), ..all() },
        ),
    ] {
        let mut tx = platform.db.system(Actor::JOB).await.unwrap();
        audit::read_all(&mut tx, &query).await.unwrap();
        let begun = Instant::now();
        let page = audit::read_all(&mut tx, &query).await.unwrap();
        println!(
            "page {what}: {} rows in {:.1} ms",
            page.items.len(),
            begun.elapsed().as_secs_f64() * 1_000.0
        );
        tx.rollback().await.unwrap();
    }
}

#[tokio::main]
#[expect(clippy::cast_precision_loss, reason = "a rate")]
async fn main() {
    let entries = std::env::var("ENTRIES").map_or(1_000_000, |count| count.parse().unwrap());
    let platform = Platform::start("audit").await;
    println!("{} · {entries} entries, 1000 tenants · synchronous_commit on", platform.version().await);
    sqlx::raw_sql("CREATE EXTENSION pg_stat_statements").execute(&platform.owner).await.unwrap();
    request(&platform, true).await;
    let before = statements(&platform.owner).await;
    let without = request(&platform, false).await;
    let between = statements(&platform.owner).await;
    let with = request(&platform, true).await;
    let after = statements(&platform.owner).await;
    println!(
        "a request that writes one row: {:.2} ms (p99 {:.2}); with a record {:.2} ms (p99 {:.2}), {:.2} statements more",
        without.0,
        without.1,
        with.0,
        with.1,
        ((after - between) - (between - before)) as f64 / 3_000.0
    );
    fill(&platform, entries).await;
    let begun = Instant::now();
    let sealed = seal(&platform.db, None).await;
    let took = begun.elapsed().as_secs_f64();
    let memory = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = memory.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim().to_owned();
    println!(
        "sealing alone: {sealed} entries in {took:.1} s, {:.0}/s; the process held {peak} at most",
        sealed as f64 / took
    );
    Box::pin(together(&platform)).await;
    pages(&platform).await;
    let begun = Instant::now();
    let mut verifier = Verifier::new(SystemClock.now(), TimeDelta::minutes(10), None);
    read_trail(&platform.db, None, |line| -> permanence_domain::Result<()> {
        verifier.line(line);
        Ok(())
    })
    .await
    .unwrap();
    let report = verifier.finish();
    let took = begun.elapsed().as_secs_f64();
    println!(
        "verifying {} entries under {} seals: {took:.1} s, {:.0}/s, {} faults",
        report.entries,
        report.seals,
        report.entries as f64 / took,
        report.faults
    );
    platform.stop().await;
}
