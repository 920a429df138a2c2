//! The command line to queues and jobs: the program itself, on a database that it is given and on the one it finds.

use std::{path::Path, process::Output, sync::Arc};

use chrono_tz::Tz;
use permanence_domain::{
    clock::SystemClock,
    db::{Actor, Db},
    field::{Label, Language},
    identity::{NewTenant, create_tenant},
    ids::TenantId,
    migrate::MIGRATOR,
    platform::PurgeAnswers,
};
use permanence_embedded::testing::TestDatabase;
use permanence_queue::{NewJob, Waker};
use serde_json::{Value, json};

use crate::program::{command, free_address, run, start};

/// A migrated database with two tenants, and a job of each in the queue `privacy`.
struct Filled {
    database: TestDatabase,
    db: Db,
    tenants: [TenantId; 2],
    jobs: [i64; 2],
}

impl Filled {
    async fn create() -> Self {
        let database = TestDatabase::create(&MIGRATOR).await;
        let waker = Waker::start(database.login_options());
        let db = Db::new(database.login_options(), 2, Arc::new(SystemClock), waker);
        let (mut tenants, mut jobs) = (Vec::new(), Vec::new());
        for name in ["Lilas", "Roses"] {
            let mut tx = db.system(Actor::JOB).await.expect("a transaction");
            let new = NewTenant {
                kind: "practice",
                name: Label::parse(name).expect("a name"),
                time_zone: Tz::Europe__Paris,
                language: Language::Fr,
                phone: None,
                address: None,
            };
            let tenant = create_tenant(&mut tx, &new).await.expect("a tenant");
            let job = NewJob::of(&PurgeAnswers {}).expect("a job").tenant(tenant.0);
            jobs.push(tx.enqueue(job).await.expect("enqueued").id.0);
            tx.commit().await.expect("committed");
            tenants.push(tenant);
        }
        let (tenants, jobs) = ([tenants[0], tenants[1]], [jobs[0], jobs[1]]);
        Self { database, db, tenants, jobs }
    }

    fn run(&self, arguments: &str) -> Output {
        let mut command = command(Path::new("/nonexistent"), "nowhere");
        command.env("DATABASE_URL", self.database.login_url()).args(arguments.split(' '));
        run(command)
    }

    /// The lines of an answer, cut into their columns.
    fn lines(&self, arguments: &str) -> Vec<Vec<String>> {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("text");
        text.lines()
            .map(|line| {
                line.split("  ").map(str::trim).filter(|c| !c.is_empty()).map(str::to_owned).collect()
            })
            .collect()
    }

    fn json(&self, arguments: &str) -> Value {
        let output = self.run(&format!("{arguments} --json"));
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// The exit code and what is said.
    fn refused(&self, arguments: &str) -> (Option<i32>, String) {
        let output = self.run(arguments);
        assert!(output.stdout.is_empty(), "{arguments}");
        (output.status.code(), String::from_utf8(output.stderr).expect("text"))
    }
}

fn columns(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

#[tokio::test]
async fn queues_are_listed_paused_resumed_and_limited() {
    let at = Filled::create().await;
    let lines = at.lines("queues list");
    let head = "QUEUE STATE AVAILABLE RUNNING SCHEDULED RETRYABLE OLDEST WORKERS STARTED/S FINISHED/S DISCARDED/24H \
                LIMIT TENANT-LIMIT";
    assert_eq!(lines[0], columns(head));
    let names: Vec<&str> = lines[1..].iter().map(|line| line[0].as_str()).collect();
    assert_eq!(
        names,
        ["backups", "default", "erasures", "exports", "invoices", "privacy", "reminders", "stock", "views"]
    );
    assert_eq!(lines[2][7], "no pool", "no process serves it");
    let privacy = &lines[6];
    assert_eq!(privacy[1..6], columns("active 2 0 0 0"));
    assert_eq!(privacy[7..], columns("0 0.0 0.0 0 - -"));

    assert_eq!(at.lines("queues pause privacy")[1][..2], columns("privacy paused"));
    assert!(at.json("queues show privacy")["paused_at"].is_string());
    assert_eq!(at.lines("queues resume privacy")[1][..2], columns("privacy active"));
    let limited = at.json("queues limit privacy --running 5 --running-per-tenant 2");
    assert_eq!((&limited["max_running"], &limited["max_running_per_tenant"]), (&json!(5), &json!(2)));
    assert_eq!(at.lines("queues limit privacy")[1][11..], columns("- -"), "what is left out is unlimited");

    assert_eq!(at.refused("queues show nowhere"), (Some(1), "permanence: queue not found\n".to_owned()));
    assert_eq!(at.refused("queues pause nowhere").0, Some(1));
    for wrong in ["queues limit privacy --running 0", "queues", "queues stop privacy", "nonsense"] {
        assert_eq!(at.refused(wrong).0, Some(2), "{wrong}");
    }
}

#[tokio::test]
async fn jobs_are_listed_ended_and_brought_back() {
    let at = Filled::create().await;
    let [first, second] = at.jobs;
    let lines = at.lines("jobs list --queue privacy");
    assert_eq!(lines[0], columns("ID STATE ATTEMPT ENQUEUED DUE QUEUE KIND TENANT"));
    assert_eq!((&lines[1][0], &lines[2][0]), (&second.to_string(), &first.to_string()));
    assert_eq!(lines[1][5..], columns(&format!("privacy platform.purge_answers {}", at.tenants[1])));
    let of_one =
        format!("jobs list --tenant {} --state available --since 2020-01-01T00:00:00Z", at.tenants[0]);
    assert_eq!(at.json(&of_one)["items"][0]["id"], first);
    assert_eq!(at.json("queues jobs list --limit 1")["next"], second);
    assert_eq!(at.lines("jobs list --until 2020-01-01T00:00:00Z").len(), 1, "the head alone");

    let sheet = at.lines(&format!("jobs discard {first}"));
    let line = |name: &str| sheet.iter().find(|line| line[0] == name).expect("a line")[1].clone();
    assert_eq!((line("state"), line("tenant")), ("discarded".to_owned(), at.tenants[0].to_string()));
    assert!(line("error").ends_with("discarded_by_hand: a person decided"), "{}", line("error"));
    assert_eq!(at.json(&format!("jobs retry {first}"))["state"], "available");
    let again = at.refused(&format!("jobs retry {first}"));
    assert_eq!(again, (Some(1), "permanence: only a discarded or cancelled job can be retried\n".to_owned()));
    assert_eq!(at.json(&format!("jobs cancel {second}"))["state"], "cancelled");
    assert_eq!(at.json(&format!("jobs show {second}"))["state"], "cancelled");
    at.lines(&format!("jobs discard {first}"));
    let other = at.lines(&format!("jobs retry-all --tenant {}", at.tenants[1]));
    assert_eq!(other, [["0 retried"]], "a cancelled job comes back by its number alone");
    let back = at.lines("jobs retry-all --queue privacy --code discarded_by_hand");
    assert_eq!(back, [["1 retried".to_owned()], [first.to_string()]]);

    assert_eq!(at.refused("jobs show 999999"), (Some(1), "permanence: job not found\n".to_owned()));
    let (code, said) = at.refused("jobs list --state asleep --tenant me");
    assert_eq!(code, Some(2));
    assert!(said.contains("--tenant: read `me`, expected a UUID\n"), "{said}");
    assert!(
        said.contains("--state: read `asleep`, expected one of scheduled, available, running,"),
        "{said}"
    );
    assert_eq!(at.refused("jobs show first").0, Some(2));

    let mut tx = at.db.tenant(at.tenants[0], Actor::JOB).await.expect("a transaction");
    let trail: Vec<(String, String, bool)> = sqlx::query_as(
        "SELECT action, subject, actor_id IS NULL FROM audit_log WHERE resource = 'job' ORDER BY id",
    )
    .fetch_all(tx.conn())
    .await
    .expect("the trail");
    let row = |action: &str| (action.to_owned(), first.to_string(), true);
    assert_eq!(trail, ["job.discard", "job.retry", "job.discard", "job.retry"].map(row));
}

#[test]
fn without_an_address_it_finds_the_platform_that_runs_here() {
    let folder = tempfile::tempdir().expect("a folder");
    let asked = |arguments: &[&str]| {
        let mut command = command(folder.path(), &free_address());
        command.args(arguments);
        run(command)
    };
    let not_running = "permanence: no platform runs here: start one with `cargo run`, or set DATABASE_URL to the \
                       database of another\n";
    let none = asked(&["queues", "list"]);
    assert_eq!((none.status.code(), &*none.stderr), (Some(1), not_running.as_bytes()));
    assert!(!folder.path().join("data").exists(), "asking makes nothing");

    let program = start(folder.path());
    let of = |name: &str| -> Value {
        let queue = asked(&["queues", "show", name, "--json"]);
        assert!(queue.status.success(), "{}", String::from_utf8_lossy(&queue.stderr));
        serde_json::from_slice(&queue.stdout).expect("JSON")
    };
    // The pools sign on shortly after the API answers.
    let signed_on = (0..100).any(|_| of("reminders")["workers"] == 1);
    assert!(signed_on, "{:#}", of("reminders"));
    assert_eq!(of("default")["workers"], 0);
    assert!(of("reminders")["scheduled"].as_i64() > Some(0), "{:#}", of("reminders"));
    let paused = asked(&["queues", "pause", "views"]);
    assert!(paused.status.success(), "{}", String::from_utf8_lossy(&paused.stderr));
    program.interrupt();

    let ended = asked(&["jobs", "list"]);
    assert_eq!((ended.status.code(), &*ended.stderr), (Some(1), not_running.as_bytes()));
}
