//! The pool's real binary, bound to one core, and what the kernel tells of it.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::practice::{BUCKET, Bench};

/// Ticks of a processor's time in a second, as Linux counts them in /proc.
const TICKS: f64 = 100.0;

pub(crate) struct Worker {
    process: Child,
}

impl Worker {
    /// Starts it, and waits until it has settled.
    pub(crate) async fn start(bench: &Bench) -> Self {
        // The last core: the kernel's own work prefers the first.
        let core = std::thread::available_parallelism().unwrap().get() - 1;
        let process = Command::new("taskset")
            .args(["-c", &core.to_string(), env!("CARGO_BIN_EXE_exports")])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("DATABASE_URL", &bench.login_url)
            .env("S3_ENDPOINT", bench.objects.endpoint())
            .env("S3_BUCKET", BUCKET)
            .env("S3_ACCESS_KEY", bench.objects.access_key())
            .env("S3_SECRET_KEY", bench.objects.secret_key())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;
        Self { process }
    }

    /// The most memory that it has held so far.
    pub(crate) fn peak_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }

    /// The processor's time that it has taken so far.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let ticks: f64 = fields.split(' ').skip(11).take(2).map(|field| field.parse::<f64>().unwrap()).sum();
        ticks / TICKS
    }

    pub(crate) fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
