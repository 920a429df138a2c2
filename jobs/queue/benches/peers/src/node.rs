//! Starts the peers that are Node packages, and reads what they say. They are installed when absent.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    enqueue::BATCH,
    latency::{PER_SECOND, PickUp, SECONDS},
    peer::Gauge,
    server::Database,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("node")
}

/// The version of Node, with the packages installed; or why these peers are left out.
pub(crate) async fn ready() -> Result<String, String> {
    let node = Command::new("node").arg("--version").output().await;
    let version = match node {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => return Err("`node` is not on PATH".into()),
    };
    if !folder().join("node_modules").exists() {
        println!("npm ci");
        let installed = Command::new("npm").arg("ci").current_dir(folder()).status().await;
        if !installed.is_ok_and(|status| status.success()) {
            return Err(format!("`npm ci` failed in {}", folder().display()));
        }
    }
    Ok(version)
}

/// The version of a package, as the lock file has it.
pub(crate) fn locked_version(package: &str) -> String {
    let lock: Value = serde_json::from_str(include_str!("../node/package-lock.json")).unwrap();
    lock["packages"][format!("node_modules/{package}")]["version"].as_str().unwrap().to_owned()
}

pub(crate) async fn enqueue(db: &Database, file: &str, jobs: usize) -> Duration {
    let mut said = Script::start(db, file, "enqueue", &json!({ "jobs": jobs, "batch": BATCH }));
    Duration::from_secs_f64(said.hear().await.unwrap()["seconds"].as_f64().unwrap())
}

/// Works in several processes, since a Node process computes on one core.
pub(crate) async fn work(
    db: &Database,
    file: &str,
    processes: usize,
    settings: &Value,
    gauge: Arc<Gauge>,
    stop: CancellationToken,
) {
    let scripts = join_all((0..processes).map(|_| async {
        let mut script = Script::start(db, file, "work", settings);
        assert_eq!(script.hear().await.unwrap(), "ready");
        script
    }))
    .await;
    gauge.start();
    join_all(scripts.into_iter().map(async |mut script| {
        let mut input = script.process.stdin.take().unwrap();
        input.write_all(b"go\n").await.unwrap();
        while let Some(Some(ran)) = stop.run_until_cancelled(script.hear()).await {
            gauge.ran(usize::try_from(ran.as_u64().unwrap()).unwrap());
        }
        assert!(stop.is_cancelled(), "{file} ended early");
        drop(input);
        // All is completed; a script that does not end by itself is killed.
        let _ = timeout(Duration::from_secs(5), script.process.wait()).await;
    }))
    .await;
}

pub(crate) async fn pick_up(db: &Database, file: &str) -> PickUp {
    let mut script =
        Script::start(db, file, "pick_up", &json!({ "perSecond": PER_SECOND, "seconds": SECONDS }));
    let said = script.hear().await.unwrap();
    let wait = |name: &str| Duration::from_secs_f64(said[name].as_f64().unwrap() / 1000.0);
    PickUp { p50: wait("p50"), p95: wait("p95"), p99: wait("p99"), most: wait("most") }
}

struct Script {
    process: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Script {
    fn start(db: &Database, file: &str, part: &str, options: &Value) -> Self {
        let mut process = Command::new("node")
            .args(["bench.mjs", file, part, &db.url, &options.to_string()])
            .current_dir(folder())
            // Otherwise graphile-worker composes a line of log for each job.
            .env("NO_LOG_SUCCESS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let said = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, said }
    }

    async fn hear(&mut self) -> Option<Value> {
        let line = self.said.next_line().await.unwrap()?;
        Some(serde_json::from_str(&line).unwrap())
    }
}
