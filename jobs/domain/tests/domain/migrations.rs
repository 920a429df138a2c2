//! Bringing a database up to date, and letting the login role in.

use permanence_domain::{
    config::Secret,
    migrate::{MIGRATOR, MigrateFailure, migrate},
};
use permanence_embedded::testing::TestDatabase;
use sqlx::{Connection, PgConnection};

#[tokio::test]
async fn migrating_twice_changes_nothing_and_lets_the_login_in() {
    let database = TestDatabase::create(&MIGRATOR).await;
    let mut owner = PgConnection::connect_with(&database.owner_options()).await.unwrap();
    let name = format!("login_{}", database.name());
    let login = database.login_url().replace("permanence_login", &format!("{name}:p%40ss%2Fword"));
    let login = Secret::new(login);
    for _ in 0..2 {
        migrate(&database.owner_options(), &login).await.unwrap();
    }
    let mut conn = PgConnection::connect(login.expose()).await.unwrap();
    sqlx::raw_sql("BEGIN; SET LOCAL ROLE permanence_system").execute(&mut conn).await.unwrap();
    let tenants: i64 = sqlx::query_scalar("SELECT count(*) FROM tenants").fetch_one(&mut conn).await.unwrap();
    assert_eq!(tenants, 0);
    conn.close().await.unwrap();

    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("ALTER ROLE \"{name}\" INHERIT")))
        .execute(&mut owner)
        .await
        .unwrap();
    let refused = migrate(&database.owner_options(), &login).await;
    assert!(matches!(refused, Err(MigrateFailure::LoginTooStrong)), "{refused:?}");
}

#[tokio::test]
async fn the_owner_needs_not_be_a_superuser() {
    let database = TestDatabase::create(&MIGRATOR).await;
    let mut superuser = PgConnection::connect_with(&database.owner_options()).await.unwrap();
    let name = format!("owner_{}", database.name());
    let made = format!("CREATE ROLE \"{name}\" LOGIN CREATEROLE PASSWORD 'owner'");
    sqlx::raw_sql(sqlx::AssertSqlSafe(made)).execute(&mut superuser).await.unwrap();
    let made = format!("CREATE DATABASE \"{name}\" OWNER \"{name}\"");
    sqlx::raw_sql(sqlx::AssertSqlSafe(made)).execute(&mut superuser).await.unwrap();
    let owner = database.owner_options().username(&name).password("owner").database(&name);
    let login = database.login_url().replace(database.name(), &name);
    migrate(&owner, &Secret::new(login.clone())).await.unwrap();
    let mut conn = PgConnection::connect(&login).await.unwrap();
    sqlx::raw_sql("BEGIN; SET LOCAL ROLE permanence_system").execute(&mut conn).await.unwrap();
    sqlx::query("SELECT count(*) FROM queue.jobs").execute(&mut conn).await.unwrap();
}
