//! Any one of the platform's processes: an image holds this program alone, and names the process.

use std::process::Output;

use permanence_domain::migrate::MIGRATOR;
use permanence_embedded::testing::TestDatabase;

use crate::program::run;

/// The program as that process, with these variables and no others.
fn run_as(process: &str, variables: &[(&str, &str)]) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_permanence"));
    command.env_clear().envs(variables.iter().copied()).args(["run", process]);
    run(command)
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn each_process_tells_what_it_needs_and_asks_for_nothing_else() {
    let needs = [
        ("api", "JWT_ACCESS_KEYS"),
        ("reminders", "SMS_PROVIDER"),
        ("invoices", "S3_BUCKET"),
        ("exports", "S3_BUCKET"),
        ("views", "DATABASE_URL"),
        ("stock", "S3_BUCKET"),
        ("privacy", "CERTIFICATE_KEY"),
        ("scheduler", "DATABASE_URL"),
        ("migrate", "DATABASE_OWNER_URL"),
    ];
    for (process, variable) in needs {
        let output = run_as(process, &[]);
        let said = told(&output);
        assert!(
            !output.status.success() && said.contains(&format!("{variable}: read nothing")),
            "{process}: {said}"
        );
        let keys = said.contains("MASTER_KEYS");
        assert_eq!(keys, ["api", "privacy"].contains(&process), "{process} and the master keys: {said}");
    }
    assert!(told(&run_as("admin", &[])).contains("usage: admin create-practice"));
    assert_eq!(run_as("nobody", &[]).status.code(), Some(2));
}

#[tokio::test]
async fn migrating_lets_in_whoever_is_named() {
    let database = TestDatabase::create(&MIGRATOR).await;
    let (login, scaler) = (format!("login_{}", database.name()), format!("scaler_{}", database.name()));
    let url = |name: &str| database.login_url().replace("permanence_login", &format!("{name}:secret"));
    let (login, scaler) = (url(&login), url(&scaler));
    let variables = [
        ("DATABASE_OWNER_URL", database.owner_url()),
        ("DATABASE_URL", login),
        ("DATABASE_SCALER_URL", scaler.clone()),
        ("RUST_LOG", String::new()),
    ];
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let output = run_as("migrate", &variables);
    // An empty variable counts as absent: the log is not silent.
    assert!(output.status.success() && told(&output).contains("up to date"), "{}", told(&output));
    let mut conn = <sqlx::PgConnection as sqlx::Connection>::connect(&scaler).await.expect("it may connect");
    let jobs: i64 = sqlx::query_scalar("SELECT jobs FROM queue.backlog('views')")
        .fetch_one(&mut conn)
        .await
        .expect("it may ask");
    assert_eq!(jobs, 0);
}
