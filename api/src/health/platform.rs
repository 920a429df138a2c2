//! How the whole platform stands, for its operators: everything is asked at once, each question gets its own time, and what does not
//! answer in it is told as down. Figures with their units, and nothing of anybody.

use std::time::{Duration, Instant};

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use permanence_domain::{
    Error,
    audit::backlog,
    backup::{LastBackup, last_backup},
    clock::Clock,
    db::{Actor, Db, SystemTx},
    operations::{self, DatabaseFigures, QueueState},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::machine::{Cpu, Disk, Memory, cpu, disks, memory};
use crate::{
    error::{CommonErrors, Result},
    extract::{PlatformHealthRead, Read},
    state::App,
};

/// How long a question may take.
const PATIENCE: Duration = Duration::from_millis(1_600);
/// A disk or memory that is used to this is about to run out.
const FULL_PERCENT: f64 = 90.0;
/// Processes that wait for each processor, over five minutes: more is too few processors.
const BUSY_LOAD: f64 = 2.0;
/// A day and the time that a backup takes.
const BACKUP_OLD_SECONDS: f64 = 26.0 * 3_600.0;
/// A job that is due waits for seconds; the pools are too small or stand still if it waits for this long.
const JOBS_LATE_SECONDS: f64 = 600.0;
/// The trail is sealed each minute.
const SEALS_LATE_SECONDS: f64 = 600.0;

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CheckState {
    /// As it should.
    Ok,
    /// It works, and somebody should look.
    Degraded,
    /// It does not work, or does not answer.
    Down,
}

/// One thing that was looked at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Check<T> {
    /// How it stands.
    state: CheckState,
    /// When it was measured.
    measured_at: DateTime<Utc>,
    /// How long the answer took, milliseconds.
    took_ms: u64,
    /// Why it is not as it should: a stable word. None where it is.
    reason: Option<&'static str>,
    /// What was measured; none where it did not answer.
    figures: Option<T>,
}

/// What the audit trail waits for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditLag {
    /// The age of the oldest entry without a seal, seconds.
    unsealed_seconds: f64,
    /// The age of the oldest seal that no anchor holds, seconds.
    unanchored_seconds: f64,
}

/// What answered, and how soon.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Answered {
    /// How long the answer took, milliseconds.
    latency_ms: f64,
}

/// How the platform stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlatformHealth {
    /// The worst of all checks.
    state: CheckState,
    /// The program's version.
    version: &'static str,
    /// Since when this process has served, seconds.
    uptime_seconds: u64,
    /// Postgres, through the login role.
    database: Check<DatabaseFigures>,
    /// The S3 bucket.
    object_store: Check<Answered>,
    /// Every queue with its workers.
    queues: Check<Vec<QueueState>>,
    /// The last backup that is whole.
    backup: Check<LastBackup>,
    /// What the audit trail waits for.
    audit_trail: Check<AuditLag>,
    /// The disks of the machine that answers, the fullest first.
    disk: Check<Vec<Disk>>,
    /// Its processors.
    cpu: Check<Cpu>,
    /// Its memory.
    memory: Check<Memory>,
}

/// What was found: figures, and what is wrong with them.
type Found<T> = Result<(Option<T>, Option<&'static str>), Error>;

async fn look<T>(
    clock: &dyn Clock,
    what: &'static str,
    question: impl Future<Output = Found<T>>,
) -> Check<T> {
    answered_within(PATIENCE, clock, what, question).await
}

async fn answered_within<T>(
    patience: Duration,
    clock: &dyn Clock,
    what: &'static str,
    question: impl Future<Output = Found<T>>,
) -> Check<T> {
    let (measured_at, begun) = (clock.now(), Instant::now());
    let (state, reason, figures) = match tokio::time::timeout(patience, question).await {
        Ok(Ok((figures, None))) => (CheckState::Ok, None, figures),
        Ok(Ok((figures, reason))) => (CheckState::Degraded, reason, figures),
        Ok(Err(error)) => {
            tracing::warn!(what, %error, "a check of the platform's health failed");
            (CheckState::Down, Some("unavailable"), None)
        }
        Err(_) => {
            tracing::warn!(what, "a check of the platform's health had no answer");
            (CheckState::Down, Some("timeout"), None)
        }
    };
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Check { state, measured_at, took_ms, reason, figures }
}

async fn begin(db: &Db) -> Result<SystemTx, Error> {
    let mut tx = db.system(Actor::JOB).await?;
    operations::hurry(&mut tx).await?;
    Ok(tx)
}

async fn database(db: &Db) -> Found<DatabaseFigures> {
    let mut tx = begin(db).await?;
    let figures = operations::database_figures(&mut tx).await?;
    tx.commit().await?;
    // The last tenth is what an operator needs to look for the cause.
    let scarce = figures.connections * 10 >= i64::from(figures.max_connections) * 9;
    Ok((Some(figures), scarce.then_some("connections_scarce")))
}

async fn object_store(app: &App) -> Found<Answered> {
    let begun = Instant::now();
    app.storage.ping().await?;
    Ok((Some(Answered { latency_ms: begun.elapsed().as_secs_f64() * 1_000.0 }), None))
}

async fn queues(db: &Db) -> Found<Vec<QueueState>> {
    let mut tx = begin(db).await?;
    let queues = operations::list_queues(&mut tx).await?;
    tx.commit().await?;
    let reason = wrong_with(&queues);
    Ok((Some(queues), reason))
}

fn wrong_with(queues: &[QueueState]) -> Option<&'static str> {
    let any = |wrong: fn(&QueueState) -> bool| queues.iter().any(wrong);
    if any(|queue| queue.workers == 0) {
        Some("no_workers")
    } else if any(|queue| queue.paused_at.is_some()) {
        Some("paused")
    } else if any(|queue| queue.oldest_seconds.is_some_and(|seconds| seconds > JOBS_LATE_SECONDS)) {
        Some("jobs_late")
    } else {
        None
    }
}

async fn backup(db: &Db) -> Found<LastBackup> {
    let mut tx = begin(db).await?;
    let now = tx.now();
    let last = last_backup(tx.conn(), now).await?;
    tx.commit().await?;
    let reason = match &last {
        None => Some("no_backup"),
        Some(last) => (last.age_seconds > BACKUP_OLD_SECONDS).then_some("backup_old"),
    };
    Ok((last, reason))
}

async fn audit_trail(db: &Db) -> Found<AuditLag> {
    let mut tx = begin(db).await?;
    let lag = backlog(&mut tx).await?;
    tx.commit().await?;
    let (unsealed_seconds, unanchored_seconds) = (lag.unsealed_seconds, lag.unanchored_seconds);
    let late = unsealed_seconds.max(unanchored_seconds) > SEALS_LATE_SECONDS;
    Ok((Some(AuditLag { unsealed_seconds, unanchored_seconds }), late.then_some("seals_late")))
}

/// Measures the machine where that holds up nobody.
async fn measure<T: Send + 'static>(
    measure: fn() -> T,
    wrong: impl FnOnce(&T) -> Option<&'static str>,
) -> Found<T> {
    let measured = tokio::task::spawn_blocking(measure).await.map_err(Error::internal)?;
    let reason = wrong(&measured);
    Ok((Some(measured), reason))
}

#[expect(clippy::cast_precision_loss, reason = "no machine has so many processors")]
fn is_busy(cpu: &Cpu) -> bool {
    cpu.load_5m > BUSY_LOAD * cpu.cores.max(1) as f64
}

/// How the whole platform stands, for its operators. Always `200` once the caller is known; everything is asked at once, and what
/// does not answer within two seconds is `down`.
#[utoipa::path(get, path = "/super-admin/health", tag = "operations", security(("bearer" = [])),
    responses((status = 200, body = PlatformHealth), CommonErrors))]
pub(crate) async fn platform_health(
    State(app): State<App>,
    read: Read<PlatformHealthRead>,
) -> Result<Json<PlatformHealth>> {
    // The caller is known: the connection goes back before the questions want theirs.
    read.tx.commit().await?;
    Ok(Json(Box::pin(of(&app)).await))
}

async fn of(app: &App) -> PlatformHealth {
    let (db, clock) = (&app.db, &**app.clock());
    let full =
        |disks: &Vec<Disk>| disks.iter().any(|disk| disk.used_percent >= FULL_PERCENT).then_some("disk_full");
    let scarce = |memory: &Memory| (memory.used_percent >= FULL_PERCENT).then_some("memory_scarce");
    let (database, object_store, queues, backup, audit_trail, disk, cpu, memory) = tokio::join!(
        look(clock, "database", database(db)),
        look(clock, "object store", object_store(app)),
        look(clock, "queues", queues(db)),
        look(clock, "backup", backup(db)),
        look(clock, "audit trail", audit_trail(db)),
        look(clock, "disk", measure(disks, full)),
        look(clock, "processors", measure(cpu, |cpu| is_busy(cpu).then_some("cpu_busy"))),
        look(clock, "memory", measure(memory, scarce)),
    );
    let states = [
        database.state,
        object_store.state,
        queues.state,
        backup.state,
        audit_trail.state,
        disk.state,
        cpu.state,
        memory.state,
    ];
    PlatformHealth {
        state: states.into_iter().max().unwrap_or(CheckState::Ok),
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: app.started.elapsed().as_secs(),
        database,
        object_store,
        queues,
        backup,
        audit_trail,
        disk,
        cpu,
        memory,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::machine::percent;

    #[test]
    fn the_worst_of_all_is_the_whole() {
        assert!(CheckState::Down > CheckState::Degraded && CheckState::Degraded > CheckState::Ok);
    }

    #[test]
    fn a_machine_is_full_at_nine_tenths_and_busy_beyond_two_for_each_processor() {
        assert!(percent(90, 100) >= FULL_PERCENT && percent(899, 1_000) < FULL_PERCENT);
        assert!((percent(7, 0) - 0.0).abs() < f64::EPSILON);
        let cpu = |load_5m| Cpu { cores: 2, used_percent: 100.0, load_1m: 9.0, load_5m };
        assert!(!is_busy(&cpu(4.0)) && is_busy(&cpu(4.1)));
    }

    #[test]
    fn the_machine_is_measured() {
        let (disks, cpu, memory) = (disks(), cpu(), memory());
        assert!(disks.iter().all(|disk| disk.available_bytes <= disk.total_bytes), "{disks:?}");
        assert!(disks.is_sorted_by(|a, b| a.used_percent >= b.used_percent), "{disks:?}");
        assert!(cpu.cores > 0 && (0.0..=100.0).contains(&cpu.used_percent), "{cpu:?}");
        assert!(memory.total_bytes > 0 && memory.used_bytes <= memory.total_bytes, "{memory:?}");
    }

    #[tokio::test]
    async fn what_does_not_answer_is_down_in_time() {
        let clock = permanence_domain::clock::SystemClock;
        let never =
            answered_within::<()>(Duration::from_millis(1), &clock, "nothing", std::future::pending()).await;
        assert_eq!((never.state, never.reason), (CheckState::Down, Some("timeout")));
    }
}
