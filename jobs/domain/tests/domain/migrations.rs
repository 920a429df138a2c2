//! Bringing a database up to date, and letting the login role in.

use permanence_domain::{
    config::Secret,
    migrate::{MIGRATOR, MigrateFailure, admit_scaler, migrate},
    platform::PurgeAnswers,
};
use permanence_embedded::testing::TestDatabase;
use permanence_queue::{NewJob, clock::SystemClock, enqueue};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

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

/// Going back to the release before must not be held up by its own `migrate`; a database of some other branch must.
#[tokio::test]
async fn a_database_of_a_later_release_stays_as_it_is() {
    let database = TestDatabase::create(&MIGRATOR).await;
    let mut owner = PgConnection::connect_with(&database.owner_options()).await.unwrap();
    let login = Secret::new(database.login_url());
    let add = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
               VALUES ($1, 'of another', true, '', 0)";
    sqlx::query(add).bind(30_000_101_000_000_i64).execute(&mut owner).await.unwrap();
    migrate(&database.owner_options(), &login).await.unwrap();
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = 20261121000000")
        .execute(&mut owner)
        .await
        .unwrap();
    let refused = migrate(&database.owner_options(), &login).await;
    assert!(refused.is_err(), "one of ours is missing");

    let database = TestDatabase::create(&MIGRATOR).await;
    let mut owner = PgConnection::connect_with(&database.owner_options()).await.unwrap();
    let login = Secret::new(database.login_url());
    sqlx::query(add).bind(20_261_121_000_001_i64).execute(&mut owner).await.unwrap();
    let refused = migrate(&database.owner_options(), &login).await;
    assert!(refused.is_err(), "one that is not ours, among ours");
}

/// An empty database of an owner who is no superuser, so that row-level security binds them as well.
async fn of_a_plain_owner(database: &TestDatabase) -> (String, PgConnectOptions) {
    let mut superuser = PgConnection::connect_with(&database.owner_options()).await.unwrap();
    let name = format!("owner_{}", database.name());
    let made = format!("CREATE ROLE \"{name}\" LOGIN CREATEROLE PASSWORD 'owner'");
    sqlx::raw_sql(sqlx::AssertSqlSafe(made)).execute(&mut superuser).await.unwrap();
    let made = format!("CREATE DATABASE \"{name}\" OWNER \"{name}\"");
    sqlx::raw_sql(sqlx::AssertSqlSafe(made)).execute(&mut superuser).await.unwrap();
    let owner = database.owner_options().username(&name).password("owner").database(&name);
    (name, owner)
}

#[tokio::test]
async fn practices_that_are_there_already_get_their_settings() {
    let database = TestDatabase::create(&MIGRATOR).await;
    let (name, owner) = of_a_plain_owner(&database).await;
    let mut conn = PgConnection::connect_with(&owner).await.unwrap();
    MIGRATOR.run_to(20_261_121_000_500, &mut conn).await.unwrap();
    let founded = "INSERT INTO tenants (id, kind, name, time_zone, created_at)
                   SELECT gen_random_uuid(), kind, kind, 'Europe/Paris', now()
                   FROM unnest(ARRAY['practice', 'company', 'platform']) AS kind";
    let everything = database.owner_options().database(&name);
    let mut superuser = PgConnection::connect_with(&everything).await.unwrap();
    sqlx::query(founded).execute(&mut superuser).await.unwrap();
    MIGRATOR.run(&mut conn).await.unwrap();
    let kinds: Vec<String> = sqlx::query_scalar("SELECT kind FROM settings JOIN tenants ON id = tenant_id")
        .fetch_all(&mut superuser)
        .await
        .unwrap();
    assert_eq!(kinds, ["practice"]);
}

#[tokio::test]
async fn the_owner_needs_not_be_a_superuser() {
    let database = TestDatabase::create(&MIGRATOR).await;
    let (name, owner) = of_a_plain_owner(&database).await;
    let login = database.login_url().replace(database.name(), &name);
    migrate(&owner, &Secret::new(login.clone())).await.unwrap();
    let mut conn = PgConnection::connect(&login).await.unwrap();
    sqlx::raw_sql("BEGIN; SET LOCAL ROLE permanence_system").execute(&mut conn).await.unwrap();
    sqlx::query("SELECT count(*) FROM queue.jobs").execute(&mut conn).await.unwrap();
    sqlx::query("REFRESH MATERIALIZED VIEW CONCURRENTLY practice_days").execute(&mut conn).await.unwrap();
}

/// An autoscaler connects by itself, so what it may do is all that its password is worth.
#[tokio::test]
async fn an_autoscaler_counts_what_waits_and_can_do_nothing_else() {
    let database = TestDatabase::create(&MIGRATOR).await;
    let mut owner = PgConnection::connect_with(&database.owner_options()).await.unwrap();
    let name = format!("scaler_{}", database.name());
    let url = database.login_url().replace("permanence_login", &format!("{name}:secret"));
    for _ in 0..2 {
        admit_scaler(&database.owner_options(), &Secret::new(url.as_str())).await.unwrap();
    }
    for _ in 0..3 {
        enqueue(&mut owner, &SystemClock, NewJob::of(&PurgeAnswers {}).unwrap()).await.unwrap();
    }
    let mut scaler = PgConnection::connect(&url).await.unwrap();
    let mut jobs = async |most: i64| {
        sqlx::query_scalar::<_, i64>("SELECT jobs FROM queue.backlog('privacy', $1)")
            .bind(most)
            .fetch_one(&mut scaler)
            .await
            .unwrap()
    };
    assert_eq!((jobs(10).await, jobs(2).await), (3, 2));

    let rights = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE n.nspname IN ('public', 'queue') AND c.relkind IN ('r', 'p', 'v', 'm')
                    AND has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')";
    let tables: i64 = sqlx::query_scalar(rights).fetch_one(&mut scaler).await.unwrap();
    assert_eq!(tables, 0, "a table is within its reach");
    let functions = "SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                     WHERE n.nspname IN ('public', 'queue') AND has_function_privilege(p.oid, 'EXECUTE')
                       AND has_schema_privilege(n.oid, 'USAGE')";
    let callable: Vec<String> = sqlx::query_scalar(functions).fetch_all(&mut scaler).await.unwrap();
    assert_eq!(callable, ["backlog"]);
    for role in ["permanence_queue", "permanence_system", "permanence_tenant"] {
        let taken = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("SET ROLE {role}"))).execute(&mut scaler).await;
        assert!(taken.is_err(), "it may be {role}");
    }
}
