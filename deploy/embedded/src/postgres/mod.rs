//! A private Postgres on the installed programs: created, started, minded, stopped.
//! It never outlives this process, never listens beyond 127.0.0.1 and never runs as root.
//!
//! Beside the data folder `postgres` lie `postgres.log`, `postgres.password` (0600) and `postgres.lock`. Where we are
//! root, the programs run as `postgres` or `nobody`; and where that account cannot pass through the wanted folder's
//! parents, the data lies in `/var/tmp/permanence-<hash of the wanted path>` instead, as [`Postgres::data`] tells.
//!
//! Who finds what at the start:
//! - another live process on the folder: [`Error::InUse`];
//! - a process that died and whose watchdog is still stopping its server: wait for it;
//! - a server without process and watchdog: stop it, then start our own;
//! - the pid file of a machine that lost its power: remove it, recover, start.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Child;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use tokio::sync::Mutex;

use crate::Error;
use account::Account;
use folder::Folder;
use server::{Launch, Stop};
use watchdog::Watchdog;

mod account;
mod binaries;
#[cfg(feature = "download")]
mod download;
mod folder;
mod lock;
mod server;
mod watchdog;

pub use binaries::Binaries;

/// The superuser of every embedded server, owner of the platform's tables.
pub const OWNER: &str = "permanence_owner";

/// How many free ports may be snatched from us before we give up.
const PORT_ATTEMPTS: usize = 5;

/// How much a server cares for its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Safe against a power cut; asks for a password.
    Durable,
    /// Fast, trusts this machine, and removed with the server.
    Throwaway,
}

/// What a server is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data folder; created where it is absent.
    pub data: PathBuf,
    /// The port on 127.0.0.1; a free one where it is `None`.
    pub port: Option<u16>,
    /// How much it cares for its data.
    pub durability: Durability,
}

/// A running server, stopped by [`Postgres::stop`], by a drop (in the background) or by the death of this process.
#[derive(Debug)]
pub struct Postgres {
    binaries: Binaries,
    account: Account,
    folder: Folder,
    durability: Durability,
    password: Option<String>,
    port: u16,
    running: Mutex<Running>,
}

/// What ends with the server. No part belongs to a runtime, so that tests can share a server.
#[derive(Debug)]
struct Running {
    server: Option<Child>,
    watchdog: Option<Watchdog>,
    lock: Option<File>,
}

impl Postgres {
    /// Starts a server, creating its data folder where there is none.
    pub async fn start(options: Options) -> Result<Self, Error> {
        if let Some(port) = options.port {
            server::check_port(port)?;
        }
        #[cfg(feature = "download")]
        download::ensure().await?;
        let wanted = options.port;
        let mut this = tokio::task::spawn_blocking(move || Self::prepare(&options))
            .await
            .map_err(|error| Error::io("prepare Postgres")(error.into()))??;
        for attempt in 1.. {
            this.port = wanted.map_or_else(server::free_port, Ok)?;
            match this.launch().await {
                // Somebody took the port between our look and the server's.
                Err(_)
                    if server::check_port(this.port).is_err()
                        && wanted.is_none()
                        && attempt < PORT_ATTEMPTS => {}
                Err(error) => {
                    server::check_port(this.port)?;
                    return Err(error);
                }
                Ok(()) => break,
            }
        }
        Ok(this)
    }

    /// Settles everything but the run itself.
    fn prepare(options: &Options) -> Result<Self, Error> {
        let mut binaries = Binaries::find()?;
        let account = Account::choose()?;
        let folder = Folder::locate(&options.data, account)?;
        let lock = lock::acquire(&folder.lock(), folder.data())?;
        let durability = options.durability;
        match folder.written_by()? {
            None => folder.initialise(&binaries, account, durability)?,
            Some(major) if major != binaries.major() => {
                binaries = Binaries::find_major(major)
                    .map_err(|_| Error::OtherVersion { path: folder.data().to_owned(), written: major })?;
            }
            Some(_) => {}
        }
        let password = folder.password(durability)?;
        Launch { binaries: &binaries, account, folder: &folder, durability }.stop_orphan()?;
        let litter = if durability == Durability::Throwaway { folder.everything() } else { Vec::new() };
        let watchdog = Watchdog::start(folder.data(), durability, &litter, &lock)?;
        let running = Mutex::new(Running { server: None, watchdog: Some(watchdog), lock: Some(lock) });
        Ok(Self { binaries, account, folder, durability, password, port: 0, running })
    }

    async fn launch(&self) -> Result<(), Error> {
        let mut running = self.running.lock().await;
        let mut server = self.how().spawn(self.port)?;
        if let Some(watchdog) = &mut running.watchdog {
            watchdog.mind(Some(server.id()))?;
        }
        let outcome = self.how().until_ready(&mut server).await;
        running.server = Some(server);
        if outcome.is_err() {
            self.end(&mut running, Stop::Immediate).await?;
        }
        outcome
    }

    fn how(&self) -> Launch<'_> {
        Launch {
            binaries: &self.binaries,
            account: self.account,
            folder: &self.folder,
            durability: self.durability,
        }
    }

    async fn end(&self, running: &mut Running, how: Stop) -> Result<(), Error> {
        if let Some(server) = &mut running.server {
            self.how().stop(server, how).await?;
        }
        running.server = None;
        running.watchdog.as_mut().map_or(Ok(()), |watchdog| watchdog.mind(None))
    }

    /// Stops the server, waits for its end and frees its folder; a throwaway one is removed. Idempotent.
    pub async fn stop(&self) -> Result<(), Error> {
        let mut running = self.running.lock().await;
        let how = if self.durability == Durability::Durable { Stop::Fast } else { Stop::Immediate };
        self.end(&mut running, how).await?;
        if let Some(watchdog) = running.watchdog.take() {
            tokio::task::spawn_blocking(move || watchdog.dismiss())
                .await
                .map_err(|error| Error::io("stop Postgres")(error.into()))??;
        }
        running.lock = None;
        Ok(())
    }

    /// Ends the server as a crash would: at once, with every session cut and recovery at the next start.
    pub async fn crash(&self) -> Result<(), Error> {
        self.end(&mut *self.running.lock().await, Stop::Immediate).await
    }

    /// Starts the server again on its port, after [`Postgres::crash`] or in place of the running one.
    pub async fn restart(&self) -> Result<(), Error> {
        self.end(&mut *self.running.lock().await, Stop::Fast).await?;
        self.launch().await
    }

    /// Creates a database owned by [`OWNER`] unless it is there.
    pub async fn ensure_database(&self, name: &str) -> Result<(), Error> {
        let mut connection = self.connect("postgres").await?;
        let found: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(name)
            .fetch_one(&mut connection)
            .await?;
        if !found {
            connection.execute(AssertSqlSafe(format!("CREATE DATABASE {}", quote(name)))).await?;
        }
        Ok(())
    }

    /// Creates a superuser of this name unless it is there: an owner as another server had.
    pub async fn ensure_role(&self, name: &str) -> Result<(), Error> {
        let mut connection = self.connect("postgres").await?;
        let found: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
            .bind(name)
            .fetch_one(&mut connection)
            .await?;
        if !found {
            let made = format!("CREATE ROLE {} LOGIN SUPERUSER", quote(name));
            connection.execute(AssertSqlSafe(made)).await?;
        }
        Ok(())
    }

    /// Returns the password of [`OWNER`], where one is asked for.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// Opens one connection as [`OWNER`].
    pub(crate) async fn connect(&self, database: &str) -> Result<PgConnection, Error> {
        Ok(self.owner_options(database).connect().await?)
    }

    /// Returns how to connect as [`OWNER`].
    #[must_use]
    pub fn owner_options(&self, database: &str) -> PgConnectOptions {
        self.options(OWNER, self.password.as_deref(), database)
    }

    /// Returns how to connect as any role.
    #[must_use]
    pub fn options(&self, user: &str, password: Option<&str>, database: &str) -> PgConnectOptions {
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username(user)
            .database(database)
            .ssl_mode(PgSslMode::Disable);
        match password {
            Some(password) => options.password(password),
            None => options,
        }
    }

    /// Returns the address for [`OWNER`], with its password where there is one.
    #[must_use]
    pub fn owner_url(&self, database: &str) -> String {
        self.url(OWNER, self.password.as_deref(), database)
    }

    /// Returns the address for any role: `postgres://user:password@127.0.0.1:port/database`.
    #[must_use]
    pub fn url(&self, user: &str, password: Option<&str>, database: &str) -> String {
        url(self.port, user, password, database)
    }

    /// Returns where one of its programs is, such as `pg_dump`: those of its own version.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.binaries.program(name)
    }

    /// Returns the port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns where the data really lies.
    #[must_use]
    pub fn data(&self) -> &Path {
        self.folder.data()
    }

    /// Returns where the server writes its log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.log()
    }
}

/// Returns the address for any role of the server on a port of this machine, see [`Postgres::url`].
#[must_use]
pub fn url(port: u16, user: &str, password: Option<&str>, database: &str) -> String {
    let secret = password.map(|password| format!(":{}", encode(password))).unwrap_or_default();
    format!("postgres://{}{secret}@127.0.0.1:{port}/{}?sslmode=disable", encode(user), encode(database))
}

/// Returns the port of the server that another process runs on a data folder; `None` where none is ready.
pub fn find(data: &Path) -> Result<Option<u16>, Error> {
    Ok(server::port_of(Folder::locate(data, Account::choose()?)?.data()))
}

/// Removes a data folder and its companions, wherever they really lie; refused while a live process holds them.
pub async fn remove(data: PathBuf) -> Result<(), Error> {
    let removal = move || {
        let account = Account::choose()?;
        let folder = Folder::locate(&data, account)?;
        let _lock = lock::acquire(&folder.lock(), folder.data())?;
        if folder.data().join("postmaster.pid").exists() {
            let binaries = Binaries::find()?;
            let durability = Durability::Durable;
            Launch { binaries: &binaries, account, folder: &folder, durability }.stop_orphan()?;
        }
        folder.remove()
    };
    tokio::task::spawn_blocking(removal)
        .await
        .map_err(|error| Error::io("remove the data of Postgres")(error.into()))?
}

/// Quotes a name for SQL.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Writes what a part of an address may hold as it is, and the rest as %XX.
fn encode(part: &str) -> String {
    part.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// Draws 128 bits from the system.
#[expect(
    clippy::disallowed_methods,
    reason = "this crate knows no domain, so it has no crypto module to ask"
)]
pub(crate) fn random_hex() -> Result<String, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::io("draw a random number")(std::io::Error::other(error)))?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_send<T: Send>(_: &T) {}

    /// Never run: it only has to compile.
    #[expect(dead_code, reason = "a proof for the compiler")]
    fn every_future_is_send(server: &Postgres, options: Options) {
        assert_send(&Postgres::start(options));
        assert_send(&server.ensure_database(""));
        assert_send(&server.restart());
        assert_send(&server.crash());
        assert_send(&server.stop());
        assert_send(&remove(PathBuf::new()));
    }

    #[test]
    fn addresses_carry_any_password() {
        assert_eq!(encode("p@ss:word/é"), "p%40ss%3Aword%2F%C3%A9");
    }

    #[test]
    fn names_are_quoted_for_sql() {
        assert_eq!(quote("a\"b"), "\"a\"\"b\"");
    }
}
