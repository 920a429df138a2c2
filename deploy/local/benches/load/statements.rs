//! What the database was asked: how long each statement took, from a sample that its log keeps, and the plan of whatever took long.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use sqlx::PgPool;

use crate::shared::figures::Figures;

/// Statements above this show their plan.
const LONG: Duration = Duration::from_millis(10);
/// Statements of which so many were sampled are told.
const ENOUGH: usize = 20;
const TOLD: usize = 12;
/// Lines of a plan that are told.
const PLAN: usize = 14;
/// Characters of a statement that name it.
const NAME: usize = 150;

/// Where the log stood when it was to be read from.
static BEGIN: Mutex<usize> = Mutex::new(0);

/// Has a twentieth of all statements logged with what it took, and the plans of long ones; never a value.
pub(crate) async fn sample(owner: &PgPool) {
    // Its settings are known where it is loaded.
    let mut conn = owner.acquire().await.unwrap();
    sqlx::query("LOAD 'auto_explain'").execute(&mut *conn).await.unwrap();
    for setting in [
        "log_min_duration_sample = 0",
        "log_statement_sample_rate = 0.05",
        "log_parameter_max_length = 0",
        "session_preload_libraries = 'auto_explain'",
        "auto_explain.log_min_duration = 10",
    ] {
        let set = format!("ALTER SYSTEM SET {setting}");
        sqlx::query(sqlx::AssertSqlSafe(set)).execute(&mut *conn).await.unwrap();
    }
    sqlx::query("SELECT pg_reload_conf()").execute(&mut *conn).await.unwrap();
}

/// What is logged from now on counts.
pub(crate) async fn begin(owner: &PgPool, log: PathBuf) {
    sqlx::query("SELECT 1").execute(owner).await.unwrap();
    *BEGIN.lock().unwrap() = std::fs::metadata(log).map_or(0, |file| usize::try_from(file.len()).unwrap());
}

/// Says how long the slowest statements took, and the plans of those above ten milliseconds, each once.
pub(crate) async fn tell(owner: &PgPool, log: PathBuf) {
    sqlx::query("SELECT 1").execute(owner).await.unwrap();
    let mut times: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
    let mut plans: BTreeMap<String, (Duration, usize, String)> = BTreeMap::new();
    for entry in entries(&log) {
        let Some((took, rest)) =
            entry.split_once("duration: ").and_then(|(_, rest)| rest.split_once(" ms  "))
        else {
            continue;
        };
        let took = Duration::from_secs_f64(took.parse::<f64>().unwrap() / 1_000.0);
        if let Some(plan) = rest.strip_prefix("plan:") {
            let plan = plan.trim().strip_prefix("Query Text:").unwrap_or(plan);
            let (text, tree) = plan.find("(cost=").map_or((plan, ""), |cost| {
                let line = plan[..cost].rfind('\n').unwrap_or(0);
                plan.split_at(line)
            });
            let known = plans.entry(name(text)).or_default();
            known.1 += 1;
            if took > known.0 {
                (known.0, known.2) = (took, tree.to_owned());
            }
        } else if let Some((_, text)) = rest.strip_prefix("execute ").and_then(|rest| rest.split_once(": ")) {
            times.entry(name(text)).or_default().push(took);
        }
    }
    let mut all: Vec<(String, usize, Figures)> = times
        .into_iter()
        .filter(|(_, times)| times.len() >= ENOUGH)
        .map(|(name, times)| (name, times.len(), Figures::of(times)))
        .collect();
    all.sort_by_key(|(_, _, figures)| std::cmp::Reverse(figures.p95));
    println!("\nstatements, a twentieth of them sampled, the slowest {TOLD} by p95 of {} kinds:", all.len());
    for (name, count, figures) in all.iter().take(TOLD) {
        println!("{count:>6} × {figures}  {name}");
    }
    println!("\n{} kinds of statement took more than {LONG:?} at least once:", plans.len());
    for (name, (took, count, tree)) in plans {
        println!("{count} ×, at most {took:.1?}: {name}");
        for line in tree.lines().filter(|line| !line.is_empty()).take(PLAN) {
            println!("    {line}");
        }
    }
}

/// The entries of the log since the beginning, each whole.
fn entries(log: &Path) -> Vec<String> {
    let bytes = std::fs::read(log).unwrap();
    let text = String::from_utf8_lossy(&bytes[*BEGIN.lock().unwrap()..]).into_owned();
    let mut entries: Vec<String> = Vec::new();
    for line in text.lines() {
        match entries.last_mut() {
            Some(entry) if line.starts_with('\t') => {
                entry.push('\n');
                entry.push_str(line.trim_start_matches('\t'));
            }
            _ => entries.push(line.to_owned()),
        }
    }
    entries
}

/// The beginning of a statement, on one line.
fn name(statement: &str) -> String {
    let one_line: Vec<&str> = statement.split_whitespace().collect();
    one_line.join(" ").chars().take(NAME).collect()
}
