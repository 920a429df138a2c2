//! `pg_dump` and `pg_restore` as child processes. Passwords go by their environment, never by their arguments, which anybody on the
//! machine can read. What they complain of is told without the rows that it may quote.

use std::{
    fs::File,
    io::{self, Read, Seek},
    process::{Child, ChildStdout, Command, Stdio},
};

use percent_encoding::percent_decode_str;
use permanence_domain::{
    Error,
    config::{Env, Secret, parsed},
    error::Result,
};
use url::Url;

/// The programs, by name or path.
#[derive(Debug, Clone)]
pub struct Programs {
    /// `pg_dump`, of the server's major version or newer.
    pub dump: String,
    /// `pg_restore`.
    pub restore: String,
}

impl Programs {
    /// Reads `PG_DUMP` and `PG_RESTORE`; those on `PATH` by default.
    pub fn read(env: &mut Env) -> Option<Self> {
        let dump = env.or("PG_DUMP", "pg_dump".to_owned(), "the path of a program", parsed);
        let restore = env.or("PG_RESTORE", "pg_restore".to_owned(), "the path of a program", parsed);
        Some(Self { dump: dump?, restore: restore? })
    }

    /// Begins to dump one moment of a database, as Postgres' own archive.
    pub(super) fn dump(&self, source: &Secret, snapshot: &str) -> io::Result<Running> {
        let mut command = Command::new(&self.dump);
        connect(&mut command, source).map_err(io::Error::other)?;
        command.args(["--format=custom", "--compress=1", "--no-password", "--lock-wait-timeout=60s"]);
        // Every table has a policy that lets this role read it; without the option the dump would stop at the first.
        command.args(["--role=permanence_backup", "--enable-row-security"]);
        command.arg(format!("--snapshot={snapshot}"));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        Running::start("pg_dump", command)
    }

    /// Begins to read an archive from its standard input: into an empty database, all of it or nothing, or to nowhere.
    pub(super) fn restore(&self, into: Option<&Secret>) -> io::Result<Running> {
        let mut command = Command::new(&self.restore);
        match into {
            Some(url) => {
                let database = connect(&mut command, url).map_err(io::Error::other)?;
                command.arg(format!("--dbname={database}")).arg("--no-password");
                // Views that are owned by the system role are filled by it, under its policies.
                command.args(["--exit-on-error", "--single-transaction", "--enable-row-security"]);
            }
            None => {
                command.arg("--file=/dev/null");
            }
        }
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        Running::start("pg_restore", command)
    }
}

/// Tells a program where a database is; gives the database's name.
fn connect(command: &mut Command, url: &Secret) -> Result<String> {
    let url = Url::parse(url.expose()).map_err(Error::internal)?;
    let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    let database = decoded(url.path().trim_matches('/'));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("PG")) {
            command.env_remove(name);
        }
    }
    command.env("PGHOST", decoded(url.host_str().unwrap_or("localhost")));
    command.env("PGPORT", url.port().unwrap_or(5432).to_string());
    command.env("PGUSER", decoded(url.username()));
    command.env("PGDATABASE", &database);
    if let Some(password) = url.password() {
        command.env("PGPASSWORD", decoded(password));
    }
    for (name, value) in url.query_pairs() {
        let variable = match name.as_ref() {
            "sslmode" => "PGSSLMODE",
            "sslrootcert" => "PGSSLROOTCERT",
            "host" => "PGHOST",
            _ => continue,
        };
        command.env(variable, value.as_ref());
    }
    Ok(database)
}

/// A program at work; killed where it is dropped.
#[derive(Debug)]
pub(super) struct Running {
    name: &'static str,
    child: Child,
    complaints: File,
}

impl Running {
    fn start(name: &'static str, mut command: Command) -> io::Result<Self> {
        // Into a file without a name: a pipe that nobody reads would stop it.
        let complaints = tempfile::tempfile()?;
        let child = command
            .stderr(complaints.try_clone()?)
            .spawn()
            .map_err(|error| io::Error::other(format!("{name} does not start: {error}")))?;
        Ok(Self { name, child, complaints })
    }

    /// What it writes.
    pub(super) fn output(&mut self) -> io::Result<ChildStdout> {
        self.child.stdout.take().ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }

    /// What it reads.
    pub(super) fn input(&mut self) -> io::Result<std::process::ChildStdin> {
        self.child.stdin.take().ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }

    /// Waits for its end, which must be a good one.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.child.wait()?.success() {
            return Ok(());
        }
        self.complaints.rewind()?;
        let mut said = String::new();
        // What is longer than this is not read by anybody.
        let _ = (&mut self.complaints).take(64 * 1024).read_to_string(&mut said)?;
        Err(io::Error::other(format!("{} failed: {}", self.name, without_rows(&said))))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The complaints themselves, without DETAIL and CONTEXT, which quote rows.
fn without_rows(said: &str) -> String {
    let told: Vec<&str> = said
        .lines()
        .filter(|line| line.contains(": error: ") && !line.contains("detail:"))
        .map(|line| line.split_once(": error: ").map_or(line, |(_, told)| told))
        .collect();
    if told.is_empty() { "it says no more".to_owned() } else { told.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_told_without_the_rows_that_they_quote() {
        let said = "pg_restore: error: could not execute query: ERROR:  duplicate key value violates unique constraint \"u\"\n\
                    DETAIL:  Key (email)=(secret.person@lilas.example) already exists.\n\
                    CONTEXT:  COPY users, line 1: \"secret.person\"\n\
                    pg_restore: detail: Query was: COPY secret\n";
        assert_eq!(
            without_rows(said),
            "could not execute query: ERROR:  duplicate key value violates unique constraint \"u\""
        );
        assert_eq!(without_rows("Killed"), "it says no more");
    }

    #[test]
    fn a_password_goes_by_the_environment_and_is_decoded() {
        let mut command = Command::new("x");
        let url = Secret::new("postgres://own%40er:p%40ss%2Fword@db.example:5433/perm?sslmode=require");
        assert_eq!(connect(&mut command, &url).unwrap(), "perm");
        let set: Vec<(String, String)> = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value?.to_str()?.to_owned())))
            .collect();
        for (name, value) in [
            ("PGHOST", "db.example"),
            ("PGPORT", "5433"),
            ("PGUSER", "own@er"),
            ("PGPASSWORD", "p@ss/word"),
            ("PGSSLMODE", "require"),
        ] {
            assert!(set.contains(&(name.to_owned(), value.to_owned())), "{name}: {set:?}");
        }
        assert_eq!(command.get_args().count(), 0);
    }
}
