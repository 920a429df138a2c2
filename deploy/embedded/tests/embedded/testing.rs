//! Databases per test: copied from a template, apart from each other, for the roles that they are meant for.

use permanence_embedded::testing::TestDatabase;
use sqlx::migrate::Migrator;
use sqlx::{Connection, Executor, PgConnection};

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

#[tokio::test]
async fn what_one_test_writes_no_other_sees() {
    let (one, other) = tokio::join!(TestDatabase::create(&MIGRATOR), TestDatabase::create(&MIGRATOR));
    assert_ne!(one.name(), other.name());
    let mut owner = PgConnection::connect(&one.owner_url()).await.unwrap();
    owner.execute("CREATE TABLE mine (id int)").await.unwrap();
    let mut stranger = PgConnection::connect_with(&other.owner_options()).await.unwrap();
    assert!(stranger.execute("SELECT FROM mine").await.is_err());
}

#[tokio::test]
async fn the_login_role_may_take_the_roles_and_nothing_else() {
    let database = TestDatabase::create(&MIGRATOR).await;
    let mut owner = PgConnection::connect(&database.owner_url()).await.unwrap();
    owner.execute("CREATE TABLE secret (id int); GRANT SELECT ON secret TO permanence_system").await.unwrap();
    let mut login = PgConnection::connect_with(&database.login_options()).await.unwrap();
    assert!(login.execute("SELECT FROM secret").await.is_err());
    assert!(login.execute("CREATE TABLE other (id int)").await.is_err());
    login.execute("SET ROLE permanence_system").await.unwrap();
    login.execute("SELECT FROM secret").await.unwrap();
    assert!(login.execute("SET ROLE permanence_owner").await.is_err());
}

#[tokio::test]
async fn only_the_login_role_may_connect() {
    let database = TestDatabase::create(&MIGRATOR).await;
    let mut owner = PgConnection::connect(&database.owner_url()).await.unwrap();
    owner.execute("CREATE ROLE passer_by LOGIN").await.unwrap();
    let url = database.login_url().replace("permanence_login", "passer_by");
    let refused = PgConnection::connect(&url).await.unwrap_err().to_string();
    assert!(refused.contains("permission denied for database"), "{refused}");
}

#[test]
fn tests_with_runtimes_of_their_own_share_one_server() {
    let tests: Vec<_> = (0..8)
        .map(|_| {
            std::thread::spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let database = TestDatabase::create(&MIGRATOR).await;
                    let mut login = PgConnection::connect(&database.login_url()).await.unwrap();
                    login.execute("SET ROLE permanence_tenant").await.unwrap();
                    database.name().to_owned()
                })
            })
        })
        .collect();
    let mut names: Vec<_> = tests.into_iter().map(|test| test.join().unwrap()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 8);
}
