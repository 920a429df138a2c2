//! One run of the `postgres` program: start, readiness, signals, end.
//! It never pipes the server's output, which nobody would read: it goes to the log.

use std::fs::OpenOptions;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use super::Durability;
use super::account::Account;
use super::binaries::Binaries;
use super::folder::{Folder, last_lines};
use crate::Error;

/// The recovery after a crash reads the write-ahead log, so the first answer may take its time.
const START_PATIENCE: Duration = Duration::from_mins(1);
const STOP_PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(5);
/// A log longer than this starts afresh.
const LOG_LIMIT: u64 = 4 << 20;

/// Holds for every server, whatever its data folder says.
const SETTINGS: [&str; 6] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=200",
    "timezone=UTC",
    "log_timezone=UTC",
    "log_checkpoints=off",
];
/// Spares the disk. Commits stay synchronous: without `fsync` that costs nothing, and what a test saw committed is
/// still there after [`super::Postgres::crash`].
const THROWAWAY_SETTINGS: [&str; 5] =
    ["fsync=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0", "max_wal_size=4GB"];

/// How a server is asked to end.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stop {
    /// Ends the sessions, writes a checkpoint, then ends.
    Fast,
    /// Ends at once: the next start recovers.
    Immediate,
}

/// What one run of the program needs to know.
#[derive(Debug)]
pub(super) struct Launch<'a> {
    pub(super) binaries: &'a Binaries,
    pub(super) account: Account,
    pub(super) folder: &'a Folder,
    pub(super) durability: Durability,
}

impl Launch<'_> {
    /// Starts the program; it is ready only after [`Launch::until_ready`].
    pub(super) fn spawn(&self, port: u16) -> Result<Child, Error> {
        let path = self.folder.log();
        let doing = || format!("write {}", path.display());
        let log = OpenOptions::new().append(true).create(true).open(&path).map_err(Error::io(doing()))?;
        if log.metadata().is_ok_and(|found| found.len() > LOG_LIMIT) {
            log.set_len(0).map_err(Error::io(doing()))?;
        }
        let output = log.try_clone().map_err(Error::io(doing()))?;
        let program = self.binaries.program("postgres");
        let mut command = self.account.command(&program);
        command.arg("-D").arg(self.folder.data()).arg("-p").arg(port.to_string());
        let extra: &[&str] = if self.durability == Durability::Throwaway { &THROWAWAY_SETTINGS } else { &[] };
        for setting in SETTINGS.iter().chain(extra) {
            command.args(["-c", setting]);
        }
        command.stdout(output).stderr(log).spawn().map_err(Error::io(format!("run {}", program.display())))
    }

    /// Waits until the server accepts connections, or quotes the log when it ends instead.
    pub(super) async fn until_ready(&self, server: &mut Child) -> Result<(), Error> {
        let step = "starting the server";
        let waiting = async {
            loop {
                if is_ready(self.folder.data(), server.id()) {
                    return Ok(());
                }
                if server.try_wait().map_err(Error::io("wait for Postgres"))?.is_some() {
                    return Err(Error::Postgres { step, detail: self.log_of(server.id()) });
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(START_PATIENCE, waiting).await.unwrap_or_else(|_| {
            let detail =
                format!("not ready after {} s\n{}", START_PATIENCE.as_secs(), self.log_of(server.id()));
            Err(Error::Postgres { step, detail })
        })
    }

    /// Asks a server to end and waits for it, ever more firmly.
    pub(super) async fn stop(&self, server: &mut Child, how: Stop) -> Result<(), Error> {
        let escalation: &[&str] = match how {
            Stop::Fast => &["INT", "QUIT"],
            Stop::Immediate => &["QUIT"],
        };
        for signal in escalation {
            self.signal(server.id(), signal)?;
            if tokio::time::timeout(STOP_PATIENCE, ended(server)).await.is_ok() {
                return Ok(());
            }
        }
        server.kill().map_err(Error::io("kill Postgres"))?;
        ended(server).await.map(|_| ())
    }

    fn signal(&self, pid: u32, signal: &str) -> Result<(), Error> {
        let output = self
            .pg_ctl()
            .args(["kill", signal, &pid.to_string()])
            .output()
            .map_err(Error::io("run pg_ctl"))?;
        // A server that ended by itself in the meantime is what was asked for; the wait that follows tells.
        tracing::debug!(signal, pid, success = output.status.success(), "signalled Postgres");
        Ok(())
    }

    /// Stops a server that nobody minds any more: both its parent and its watchdog were killed.
    ///
    /// A pid file left behind by a machine that lost its power is removed, even if its number now names another program.
    pub(super) fn stop_orphan(&self) -> Result<(), Error> {
        let pid_file = self.folder.data().join("postmaster.pid");
        let Ok(text) = std::fs::read_to_string(&pid_file) else { return Ok(()) };
        let pid: Option<u32> = text.lines().next().and_then(|line| line.trim().parse().ok());
        if pid.is_none_or(|pid| works_elsewhere(pid, self.folder.data())) {
            return std::fs::remove_file(&pid_file)
                .map_err(Error::io(format!("remove {}", pid_file.display())));
        }
        tracing::warn!(pid, "stopping a Postgres that outlived its process");
        for mode in ["fast", "immediate"] {
            let output = self
                .pg_ctl()
                .arg("stop")
                .arg("-D")
                .arg(self.folder.data())
                .args(["-w", "-t", "30", "-m", mode])
                .output()
                .map_err(Error::io("run pg_ctl"))?;
            // It also fails where the pid file was stale, and then `postgres` itself takes it over.
            if output.status.success() || !pid_file.exists() {
                break;
            }
        }
        Ok(())
    }

    fn pg_ctl(&self) -> Command {
        self.account.command(&self.binaries.program("pg_ctl"))
    }

    /// Quotes what the log says of a run, which Debian's default prefix `%m [%p] ` tells by its number.
    fn log_of(&self, pid: u32) -> String {
        let log = std::fs::read(self.folder.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let mark = format!("[{pid}]");
        let start = log.find(&mark).map_or(0, |at| log[..at].rfind('\n').map_or(0, |line| line + 1));
        let quoted = last_lines(&log[start..]);
        if quoted.is_empty() {
            format!("it wrote nothing to {}", self.folder.log().display())
        } else {
            quoted
        }
    }
}

/// Waits for a program to end; `std`'s child rather than tokio's, which belongs to one runtime.
async fn ended(server: &mut Child) -> Result<ExitStatus, Error> {
    loop {
        if let Some(status) = server.try_wait().map_err(Error::io("wait for Postgres"))? {
            return Ok(status);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Reads the state that the server itself keeps in its pid file, as `pg_ctl` does: number first, state in line 8.
fn is_ready(data: &Path, pid: u32) -> bool {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let mut lines = text.lines();
    lines.next().and_then(|line| line.trim().parse().ok()) == Some(pid)
        && lines.nth(6).is_some_and(|state| state.trim() == "ready")
}

/// Reads the port of the server that is ready on `data`, from line 4 of its pid file; a file of a server that is gone
/// tells none.
pub(super) fn port_of(data: &Path) -> Option<u16> {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let mut lines = text.lines();
    let pid: u32 = lines.next()?.trim().parse().ok()?;
    let port = lines.nth(2)?.trim().parse().ok()?;
    (is_ready(data, pid) && !works_elsewhere(pid, data)).then_some(port)
}

/// Tells whether a process is certainly not a server of `data`: a server works from its data folder.
fn works_elsewhere(pid: u32, data: &Path) -> bool {
    if !Path::new("/proc/self").exists() {
        return false;
    }
    let real = data.canonicalize().unwrap_or_else(|_| data.to_owned());
    std::fs::read_link(format!("/proc/{pid}/cwd")).map_or(true, |folder| folder != real)
}

/// Finds a port that is free now.
pub(super) fn free_port() -> Result<u16, Error> {
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = TcpListener::bind(addr).map_err(Error::bind(addr))?;
    listener.local_addr().map(|addr| addr.port()).map_err(Error::bind(addr))
}

/// Refuses a port that another program listens on.
pub(super) fn check_port(port: u16) -> Result<(), Error> {
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(addr).map(|_| ()).map_err(Error::bind(addr))
}
