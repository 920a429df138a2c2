//! A shell that outlives us by as long as it takes to stop our server, even after `kill -9`.
//! It never acts while we live: it reads a pipe that only our death, or our order, closes.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use super::Durability;
use crate::Error;

/// Each line names the server to mind, an empty one none; the end of input means that we are gone.
///
/// A dead server may stay a zombie where nothing adopts it, so its pid file tells too; the count bounds the wait.
const SCRIPT: &str = r#"
trap '' INT TERM HUP QUIT
signal=$1 data=$2
shift 2
server=
while IFS= read -r line; do server=$line; done
if [ -n "$server" ] && kill -s "$signal" "$server"; then
    turns=0
    while [ -e "$data/postmaster.pid" ] && kill -0 "$server" && [ $turns -lt 600 ]; do
        sleep 0.05
        turns=$((turns + 1))
    done
fi
[ $# -eq 0 ] || rm -rf -- "$@"
"#;

/// The shell and the pipe that keeps it waiting.
#[derive(Debug)]
pub(super) struct Watchdog {
    shell: Child,
    pipe: ChildStdin,
}

impl Watchdog {
    /// Starts the shell under our own account, which may stop the server and remove `litter` whoever owns them.
    ///
    /// It shares `lock`: the folder stays ours until the server is gone.
    pub(super) fn start(
        data: &Path,
        durability: Durability,
        litter: &[PathBuf],
        lock: &File,
    ) -> Result<Self, Error> {
        let doing = "start the watchdog of Postgres";
        let signal = match durability {
            Durability::Durable => "INT",    // fast shutdown: a checkpoint, then the end
            Durability::Throwaway => "QUIT", // immediate shutdown: nothing is worth saving
        };
        let lock = lock.try_clone().map_err(Error::io(doing))?;
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "permanence-watchdog", signal])
            .arg(data)
            .args(litter)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(lock)
            .stderr(Stdio::null())
            .spawn()
            .map_err(Error::io(doing))?;
        let pipe =
            shell.stdin.take().ok_or_else(|| Error::io(doing)(std::io::ErrorKind::BrokenPipe.into()))?;
        Ok(Self { shell, pipe })
    }

    /// Names the server to stop when we are gone; `None` when there is none.
    pub(super) fn mind(&mut self, server: Option<u32>) -> Result<(), Error> {
        let line = server.map(|pid| pid.to_string()).unwrap_or_default();
        writeln!(self.pipe, "{line}").map_err(Error::io("tell the watchdog of Postgres which server to mind"))
    }

    /// Ends the shell after it did its work.
    pub(super) fn dismiss(self) -> Result<(), Error> {
        let Self { mut shell, pipe } = self;
        drop(pipe);
        shell.wait().map(|_| ()).map_err(Error::io("end the watchdog of Postgres"))
    }
}
