//! Materialised views know no row-level security: that nobody reaches around their functions.

use chrono::NaiveDate;
use permanence_domain::{
    db::{Actor, Db},
    figures::{Start, View, begin, jobs::RefreshView},
    ids::TenantId,
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::two::{Two, two};

/// The functions by which a tenant reads a view.
const READERS: [&str; 2] = ["practice_days_between('2000-01-01', '2100-01-01')", "practice_open_items()"];

async fn owner(two: &Two) -> PgConnection {
    PgConnection::connect_with(&two.database.owner_options()).await.unwrap()
}

/// Refreshes a view without a job.
pub(crate) async fn refresh(db: &Db, view: View) {
    let Start::Refresh(refresh) = begin(db, RefreshView { view, after: i64::MAX }).await.unwrap() else {
        panic!("nobody else refreshes")
    };
    refresh.run(db).await.unwrap();
}

#[tokio::test]
async fn every_view_belongs_to_the_system_role_and_is_read_by_nobody_else() {
    let two = two().await;
    let mut owner = owner(&two).await;
    let views: Vec<(String, String, bool, bool)> = sqlx::query_as(
        "SELECT c.relname::text, pg_get_userbyid(c.relowner)::text,
                EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indpred IS NULL),
                EXISTS (SELECT FROM unnest(ARRAY['permanence_tenant', 'permanence_queue', 'permanence_login']) AS role
                        WHERE has_any_column_privilege(role, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))
         FROM pg_class c WHERE c.relkind = 'm' ORDER BY 1",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    let mut expected: Vec<_> = View::ALL
        .iter()
        .map(|view| (view.name().to_owned(), "permanence_system".to_owned(), true, false))
        .collect();
    expected.sort();
    assert_eq!(views, expected, "name, owner, unique index, within others' reach");
    for view in View::ALL {
        let mut tx = two.db.tenant(two.own, Actor::JOB).await.unwrap();
        let read = AssertSqlSafe(format!("SELECT * FROM {}", view.name()));
        let error = sqlx::query(read).execute(tx.conn()).await.unwrap_err();
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        assert_eq!(code.as_deref(), Some("42501"), "{view:?}: {error}");
    }
}

#[tokio::test]
async fn the_functions_give_a_tenant_its_own_and_nothing_without_one() {
    let two = two().await;
    for view in View::ALL {
        refresh(&two.db, *view).await;
    }
    for reader in READERS {
        let count = format!("SELECT count(*) FROM {reader}");
        let mut login = PgConnection::connect_with(&two.database.login_options()).await.unwrap();
        sqlx::raw_sql("BEGIN; SET LOCAL ROLE permanence_tenant").execute(&mut login).await.unwrap();
        let seen: i64 = sqlx::query_scalar(AssertSqlSafe(count.clone())).fetch_one(&mut login).await.unwrap();
        assert_eq!(seen, 0, "{reader}: read without a tenant");
        let read = async |tenant: TenantId| -> i64 {
            let mut tx = two.db.tenant(tenant, Actor::JOB).await.unwrap();
            sqlx::query_scalar(AssertSqlSafe(count.clone())).fetch_one(tx.conn()).await.unwrap()
        };
        assert!(read(two.own).await > 0 && read(two.other).await > 0, "{reader}: not even its own");
    }
}

#[tokio::test]
async fn what_another_practice_does_changes_nothing_here() {
    let two = two().await;
    let days = async |tenant: TenantId| -> Vec<(NaiveDate, i64, i64)> {
        refresh(&two.db, View::PracticeDays).await;
        let mut tx = two.db.tenant(tenant, Actor::JOB).await.unwrap();
        let read = "SELECT day, appointments, invoiced FROM practice_days_between('2000-01-01', '2100-01-01') ORDER BY day";
        sqlx::query_as(read).fetch_all(tx.conn()).await.unwrap()
    };
    let before = days(two.own).await;
    assert!(before.contains(&("2027-01-15".parse().unwrap(), 1, 0)), "{before:?}");
    let mut all = two.db.system(Actor::JOB).await.unwrap();
    sqlx::query("UPDATE appointments SET starts_at = starts_at + interval '1 day', ends_at = ends_at + interval '1 day' WHERE tenant_id = $1")
        .bind(two.other.0)
        .execute(all.conn())
        .await
        .unwrap();
    all.commit().await.unwrap();
    assert_eq!(days(two.own).await, before);
    assert!(days(two.other).await.contains(&("2027-01-16".parse().unwrap(), 1, 0)));
}
