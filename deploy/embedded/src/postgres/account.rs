//! The account that the server's programs run under: ours, or an unprivileged one where we are root.
//! It never gives a right to more than the data folder.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Error;

/// Who runs the programs of Postgres, which refuse to run as root.
#[derive(Debug, Clone, Copy)]
pub(super) enum Account {
    /// The account of this process.
    Own,
    /// An unprivileged account, since this process is root.
    Other { uid: u32, gid: u32 },
}

impl Account {
    /// Chooses `postgres`, else `nobody`, when this process is root; else its own account.
    pub(super) fn choose() -> Result<Self, Error> {
        if own_uid()? != 0 {
            return Ok(Self::Own);
        }
        for name in ["postgres", "nobody"] {
            if let (Some(uid), Some(gid)) = (id(&["-u", name])?, id(&["-g", name])?) {
                return Ok(Self::Other { uid, gid });
            }
        }
        Err(Error::Postgres {
            step: "choosing an account",
            detail: "Postgres does not run as root and there is no account `postgres` or `nobody`: run as another user"
                .into(),
        })
    }

    /// Prepares a program: in its own process group, so that the terminal's Ctrl-C reaches us alone, from a folder that
    /// the account can enter, without the caller's PG… variables.
    pub(super) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").process_group(0).stdin(Stdio::null()).env("LC_ALL", "C");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Hands a file or folder to the account.
    pub(super) fn give(self, path: &Path) -> Result<(), Error> {
        match self {
            Self::Own => Ok(()),
            Self::Other { uid, gid } => std::os::unix::fs::chown(path, Some(uid), Some(gid))
                .map_err(Error::io(format!("hand {} to the account of Postgres", path.display()))),
        }
    }

    /// Tells whether the account can pass through a folder; asked of the system, which knows every kind of right.
    pub(super) fn can_enter(self, folder: &Path) -> bool {
        matches!(self, Self::Own)
            || self
                .command(Path::new("/bin/sh"))
                .args(["-c", "cd -- \"$1\"", "sh"])
                .arg(folder)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
    }
}

/// Tells the number of our own account.
pub(super) fn own_uid() -> Result<u32, Error> {
    id(&["-u"])?
        .ok_or_else(|| Error::io("read the answer of `id -u`")(std::io::ErrorKind::InvalidData.into()))
}

/// Asks for a numeric identity; `None` where the name is unknown.
fn id(args: &[&str]) -> Result<Option<u32>, Error> {
    let output = Command::new("id").args(args).current_dir("/").output().map_err(Error::io("run `id`"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse().ok())
}
