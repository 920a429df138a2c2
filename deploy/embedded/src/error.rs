//! What can keep a stand-in from starting, each as one sentence that says what to do.
//! It never names an environment variable: the caller knows which one replaces the part.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a stand-in does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No usable Postgres is installed.
    #[error(
        "no Postgres {minimum} or newer was found on PATH, through pg_config or in /usr/lib/postgresql: install one, \
         for example with `apt-get install postgresql`"
    )]
    PostgresMissing {
        /// The oldest major version that serves.
        minimum: u32,
    },
    /// Every Postgres that was found is too old.
    #[error(
        "Postgres {found} in {path} is too old: install version {minimum} or newer, for example with \
         `apt-get install postgresql`"
    )]
    PostgresTooOld {
        /// The newest major version that was found.
        found: u32,
        /// The oldest major version that serves.
        minimum: u32,
        /// The folder of its programs.
        path: PathBuf,
    },
    /// The data folder lacks something that only a complete one has.
    #[error(
        "{path} is not a complete Postgres data folder: clear it with `cargo run -- reset`, then start again"
    )]
    IncompleteData {
        /// The folder, or its companion that is missing.
        path: PathBuf,
    },
    /// The data was written by a major version that is not installed.
    #[error(
        "{path} was written by Postgres {written}, which is not installed: install it, or clear the data with \
         `cargo run -- reset`"
    )]
    OtherVersion {
        /// The data folder.
        path: PathBuf,
        /// The major version that wrote it.
        written: u32,
    },
    /// Another running process holds the data folder.
    #[error("{path} is in use by process {pid}: stop that one first, or choose another folder")]
    InUse {
        /// The data folder.
        path: PathBuf,
        /// The process that holds it.
        pid: u32,
    },
    /// The wanted address is taken.
    #[error("{addr} is in use by another program: stop it or choose another port")]
    PortInUse {
        /// The address that was asked for.
        addr: SocketAddr,
    },
    /// The wanted address cannot be listened on for another reason.
    #[error("cannot listen on {addr}: {source}")]
    Bind {
        /// The address that was asked for.
        addr: SocketAddr,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A program of Postgres failed; `detail` quotes the last lines it wrote.
    #[error("Postgres: {step} failed: {detail}")]
    Postgres {
        /// What was being done.
        step: &'static str,
        /// The last lines of its log or output.
        detail: String,
    },
    /// A file, folder or process could not be handled.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was being done, as a verb and its object.
        doing: String,
        /// What the system answered.
        source: std::io::Error,
    },
    /// The running server refused a statement.
    #[error("the embedded Postgres answered: {0}")]
    Database(#[from] sqlx::Error),
    /// The migrations do not apply.
    #[error("the migrations do not apply: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl Error {
    /// Names what was being done when the system refused.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// Tells a taken address from every other reason not to listen.
    pub(crate) fn bind(addr: SocketAddr) -> impl FnOnce(std::io::Error) -> Self {
        move |source| match source.kind() {
            std::io::ErrorKind::AddrInUse => Self::PortInUse { addr },
            _ => Self::Bind { addr, source },
        }
    }
}
