//! The launcher of Postgres: its data, its end, its errors.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use permanence_embedded::Error;
use permanence_embedded::postgres::{self, Durability, Options, Postgres};
use sqlx::{Connection, Executor, PgConnection};

use crate::eventually;

/// Set for the process that holds a server until it is killed: the data folder and where to tell its address.
const HOLDER: &str = "EMBEDDED_TEST_HOLDER";

fn options(data: &Path, durability: Durability) -> Options {
    Options { data: data.to_owned(), port: None, durability }
}

async fn count(url: &str) -> sqlx::Result<i64> {
    let mut connection = PgConnection::connect(url).await?;
    let count = sqlx::query_scalar("SELECT count(*) FROM kept").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(count)
}

async fn write(url: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection.execute("CREATE TABLE kept (id int); INSERT INTO kept VALUES (1), (2)").await.unwrap();
}

#[tokio::test]
async fn data_survives_a_restart_behind_a_password() {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path().join("postgres");
    let first = Postgres::start(options(&data, Durability::Durable)).await.unwrap();
    first.ensure_database("practice").await.unwrap();
    first.ensure_database("practice").await.unwrap();
    write(&first.owner_url("practice")).await;
    assert!(PgConnection::connect(&first.url("permanence_owner", Some("wrong"), "practice")).await.is_err());
    let secret = first.data().with_extension("password");
    assert_eq!(secret.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    first.stop().await.unwrap();
    first.stop().await.unwrap();

    let second = Postgres::start(options(&data, Durability::Durable)).await.unwrap();
    assert_eq!(count(&second.owner_url("practice")).await.unwrap(), 2);
    second.stop().await.unwrap();
    let lies_at = second.data().to_owned();
    postgres::remove(data).await.unwrap();
    assert!(!lies_at.exists() && !secret.exists());
}

#[tokio::test]
async fn a_crash_recovers_on_the_same_port_and_stop_removes_a_throwaway() {
    let temp = tempfile::tempdir().unwrap();
    let server =
        Postgres::start(options(&temp.path().join("postgres"), Durability::Throwaway)).await.unwrap();
    let url = server.owner_url("postgres");
    write(&url).await;
    server.crash().await.unwrap();
    assert!(PgConnection::connect(&url).await.is_err());
    server.restart().await.unwrap();
    assert_eq!(count(&url).await.unwrap(), 2);
    server.stop().await.unwrap();
    assert!(!server.data().exists() && !server.log().exists());
}

#[tokio::test]
async fn root_keeps_data_elsewhere_when_the_servers_account_cannot_pass() {
    let temp = tempfile::tempdir().unwrap();
    std::fs::set_permissions(temp.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let wanted = temp.path().join("postgres");
    let server = Postgres::start(options(&wanted, Durability::Durable)).await.unwrap();
    let we_are_root = temp.path().metadata().unwrap().uid() == 0;
    let lies_at = server.data().to_owned();
    assert_eq!(lies_at != wanted, we_are_root, "{}", lies_at.display());
    write(&server.owner_url("postgres")).await;
    server.stop().await.unwrap();

    let again = Postgres::start(options(&wanted, Durability::Durable)).await.unwrap();
    assert_eq!(count(&again.owner_url("postgres")).await.unwrap(), 2);
    again.stop().await.unwrap();
    postgres::remove(wanted).await.unwrap();
    assert!(!lies_at.exists());
    assert!(!we_are_root || !lies_at.parent().unwrap().exists());
}

#[tokio::test]
async fn the_terminals_interrupt_reaches_neither_server_nor_watchdog() {
    let temp = tempfile::tempdir().unwrap();
    let server =
        Postgres::start(options(&temp.path().join("postgres"), Durability::Throwaway)).await.unwrap();
    let pid_file = std::fs::read_to_string(server.data().join("postmaster.pid")).unwrap();
    let group = |pid: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        // After the name in brackets: state, parent, group (proc(5)).
        stat.rsplit_once(") ").unwrap().1.split(' ').nth(2).unwrap().to_owned()
    };
    let ours = group("self");
    assert_ne!(group(pid_file.lines().next().unwrap()), ours);
    assert_ne!(group(&watchdog_of(std::process::id(), server.data()).to_string()), ours);
    server.stop().await.unwrap();
}

/// Not a test of its own: the process that [`start_holder`] starts, and that is killed.
#[tokio::test]
async fn holder() {
    let Ok(order) = std::env::var(HOLDER) else { return };
    let (data, answer) = order.split_once('|').unwrap();
    let server = Postgres::start(options(Path::new(data), Durability::Durable)).await.unwrap();
    let draft = format!("{answer}.draft");
    std::fs::write(&draft, format!("{}\n{}", server.owner_url("postgres"), server.data().display())).unwrap();
    std::fs::rename(draft, answer).unwrap();
    std::future::pending::<()>().await;
}

/// Starts a process that holds a server, and tells the process, the server's address and its folder.
async fn start_holder(temp: &Path) -> (std::process::Child, String, std::path::PathBuf) {
    let answer = temp.join("answer");
    let order = format!("{}|{}", temp.join("postgres").display(), answer.display());
    let process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "postgres::holder"])
        .env(HOLDER, order)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    eventually("the other process has its server", || async { answer.exists() }).await;
    let text = std::fs::read_to_string(&answer).unwrap();
    let (url, data) = text.split_once('\n').unwrap();
    (process, url.to_owned(), data.into())
}

/// Finds the shell that minds a folder among the children of a process.
fn watchdog_of(parent: u32, data: &Path) -> u32 {
    let is_it = |pid: &u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.contains("permanence-watchdog")
            && status.contains(&format!("PPid:\t{parent}\n"))
            && line.contains(&*data.to_string_lossy())
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(is_it).unwrap()
}

#[tokio::test]
async fn no_server_outlives_a_killed_process() {
    let temp = tempfile::tempdir().unwrap();
    let (mut process, url, data) = start_holder(temp.path()).await;
    write(&url).await;

    let refused =
        Postgres::start(options(&temp.path().join("postgres"), Durability::Durable)).await.unwrap_err();
    assert!(matches!(refused, Error::InUse { pid, .. } if pid == process.id()), "{refused}");

    process.kill().unwrap();
    process.wait().unwrap();
    eventually("the server is gone", || async { PgConnection::connect(&url).await.is_err() }).await;
    eventually("it ended in good order", || async { !data.join("postmaster.pid").exists() }).await;

    let next = Postgres::start(options(&temp.path().join("postgres"), Durability::Durable)).await.unwrap();
    assert_eq!(count(&next.owner_url("postgres")).await.unwrap(), 2);
    next.stop().await.unwrap();
    postgres::remove(temp.path().join("postgres")).await.unwrap();
}

#[tokio::test]
async fn an_orphan_and_a_stale_pid_file_do_not_hinder_the_next_start() {
    let temp = tempfile::tempdir().unwrap();
    let (mut process, url, data) = start_holder(temp.path()).await;
    write(&url).await;
    let wanted = temp.path().join("postgres");
    // The worst case: the watchdog is killed first, then the process.
    let watchdog = watchdog_of(process.id(), &data).to_string();
    assert!(
        Command::new("/bin/sh").args(["-c", "kill -9 \"$1\"", "sh", &watchdog]).status().unwrap().success()
    );
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(count(&url).await.unwrap(), 2, "the orphan still answers");

    let server = Postgres::start(options(&wanted, Durability::Durable)).await.unwrap();
    assert!(PgConnection::connect(&url).await.is_err(), "the orphan was stopped");
    assert_eq!(count(&server.owner_url("postgres")).await.unwrap(), 2);
    server.stop().await.unwrap();

    // A number that after a reboot names another living program: ours.
    std::fs::write(data.join("postmaster.pid"), format!("{}\n{}\n", std::process::id(), data.display()))
        .unwrap();
    let server = Postgres::start(options(&wanted, Durability::Durable)).await.unwrap();
    assert_eq!(count(&server.owner_url("postgres")).await.unwrap(), 2);
    server.stop().await.unwrap();
    postgres::remove(wanted).await.unwrap();
}

#[tokio::test]
async fn a_half_written_folder_is_named_with_the_remedy() {
    let temp = tempfile::tempdir_in("/var/tmp").unwrap();
    std::fs::set_permissions(temp.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let data = temp.path().join("postgres");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("PG_VERSION"), "15\n").unwrap();
    let error = Postgres::start(options(&data, Durability::Durable)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{} is not a complete Postgres data folder: clear it with `cargo run -- reset`, then start again",
            data.display()
        )
    );
    postgres::remove(data.clone()).await.unwrap();
    assert!(!data.exists());
}

#[tokio::test]
async fn a_busy_port_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let mut wanted = options(&temp.path().join("postgres"), Durability::Throwaway);
    wanted.port = Some(addr.port());
    let error = Postgres::start(wanted).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{addr} is in use by another program: stop it or choose another port")
    );
}

#[tokio::test]
async fn a_server_that_cannot_start_quotes_its_log() {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path().join("postgres");
    let server = Postgres::start(options(&data, Durability::Durable)).await.unwrap();
    server.stop().await.unwrap();
    std::fs::write(server.data().join("postgresql.auto.conf"), "no_such_setting = on\n").unwrap();
    let error = Postgres::start(options(&data, Durability::Durable)).await.unwrap_err().to_string();
    assert!(error.starts_with("Postgres: starting the server failed: "), "{error}");
    assert!(error.contains("unrecognized configuration parameter \"no_such_setting\""), "{error}");
    postgres::remove(data).await.unwrap();
}
