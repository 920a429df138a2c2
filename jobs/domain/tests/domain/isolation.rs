//! Tenants apart: every table is listed from the catalogue, so that a new one can not be forgotten.

use permanence_domain::{db::Actor, ids::TenantId};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::two::{Two, two};

/// Tables that hold no tenant's rows, with the reason.
const WITHOUT_TENANT: [(&str, &str); 15] = [
    ("public._sqlx_migrations", "which migrations ran; only the owner may read it"),
    ("public.users", "identities belong to people; a tenant sees those of its members"),
    ("queue.queues", "the names of the pools; no rights for the tenant role"),
    ("queue.processes", "which workers run; no rights for the tenant role"),
    ("queue.rates", "how often providers may be called; no rights for the tenant role"),
    ("queue.cron_runs", "the last due times; no rights for the tenant role"),
    ("public.tenants", "the tenant itself, by its id"),
    ("public.view_refreshes", "when views were refreshed; a tenant reads the moments alone"),
    ("public.audit_sealing", "how far the trail is sealed; no rights for the tenant role"),
    ("public.audit_fences", "transactions that must end first; no rights for the tenant role"),
    ("public.audit_anchors", "objects with heads of every tenant; no rights for the tenant role"),
    ("public.sign_in_limits", "attempts of whoever it may be; no rights for the tenant role"),
    ("public.backups", "what backups came to; no rights for the tenant role"),
    ("public.account_mails", "a person's, like the account; no rights for the tenant role"),
    ("public.account_erasures", "a person's, like the account; no rights for the tenant role"),
];

/// Every table of ours, partitions left to their parents.
async fn tables(conn: &mut PgConnection) -> Vec<(String, bool)> {
    sqlx::query_as(
        "SELECT n.nspname || '.' || c.relname,
                EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id')
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname IN ('public', 'queue') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
         ORDER BY 1",
    )
    .fetch_all(conn)
    .await
    .unwrap()
}

async fn owner(two: &Two) -> PgConnection {
    PgConnection::connect_with(&two.database.owner_options()).await.unwrap()
}

#[tokio::test]
async fn every_table_is_bound_by_forced_row_level_security() {
    let two = two().await;
    let mut owner = owner(&two).await;
    for (table, has_tenant) in tables(&mut owner).await {
        let known = WITHOUT_TENANT.iter().any(|(name, _)| *name == table);
        assert!(has_tenant != known, "{table}: a tenant_id, or a reason not to have one");
        let out_of_reach =
            ["queue.", "public.account_", "public.sign_in_limits", "public.audit_", "public.backups"];
        if known && out_of_reach.iter().any(|begin| table.starts_with(begin)) {
            let rights: bool = sqlx::query_scalar(
                "SELECT has_table_privilege('permanence_tenant', $1, 'SELECT, INSERT, UPDATE, DELETE')",
            )
            .bind(&table)
            .fetch_one(&mut owner)
            .await
            .unwrap();
            assert!(!rights, "{table} is within a tenant's reach");
        }
        let persons = ["public.users", "public.tenants", "public.account_mails", "public.account_erasures"];
        if has_tenant || persons.contains(&table.as_str()) {
            let forced: bool = sqlx::query_scalar(
                "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = $1::regclass",
            )
            .bind(&table)
            .fetch_one(&mut owner)
            .await
            .unwrap();
            assert!(forced, "{table} is not bound by row-level security, or its owner is not");
        }
    }
    let partitions: Vec<String> = sqlx::query_scalar(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname IN ('public', 'queue') AND c.relispartition AND c.relkind = 'r'
           AND has_table_privilege('permanence_tenant', c.oid, 'SELECT, INSERT, UPDATE, DELETE')",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert_eq!(partitions, Vec::<String>::new(), "reached around their parent's policies");
}

#[tokio::test]
async fn a_tenant_reads_and_changes_only_its_own_rows() {
    let two = two().await;
    let mut owner = owner(&two).await;
    let mut filled = 0;
    for (table, has_tenant) in tables(&mut owner).await {
        if !has_tenant {
            continue;
        }
        let count = |tenant: TenantId| {
            AssertSqlSafe(format!("SELECT count(*) FROM {table} WHERE tenant_id = '{tenant}'"))
        };
        let mut all = two.db.system(Actor::JOB).await.unwrap();
        let theirs: i64 = match sqlx::query_scalar(count(two.other)).fetch_one(all.conn()).await {
            Ok(count) => count,
            Err(error) => panic!("{table}: the system role cannot read it: {error}"),
        };
        all.rollback().await.unwrap();
        filled += usize::from(theirs > 0);

        let mut tx = two.db.tenant(two.own, Actor::JOB).await.unwrap();
        let may = |what: &'static str| {
            sqlx::query_scalar::<_, bool>("SELECT has_table_privilege('permanence_tenant', $1, $2)")
                .bind(table.clone())
                .bind(what)
        };
        if may("SELECT").fetch_one(tx.conn()).await.unwrap() {
            let seen: i64 = sqlx::query_scalar(count(two.other)).fetch_one(tx.conn()).await.unwrap();
            assert_eq!(seen, 0, "{table}: another tenant's rows are read");
            let own: i64 = sqlx::query_scalar(count(two.own)).fetch_one(tx.conn()).await.unwrap();
            assert!(own > 0 || theirs == 0, "{table}: not even its own rows are read");
        }
        if may("UPDATE").fetch_one(tx.conn()).await.unwrap() {
            let steal =
                format!("UPDATE {table} SET tenant_id = '{}' WHERE tenant_id = '{}'", two.own, two.other);
            let stolen = sqlx::query(AssertSqlSafe(steal)).execute(tx.conn()).await.unwrap();
            assert_eq!(stolen.rows_affected(), 0, "{table}: another tenant's rows are taken");
            tx.rollback().await.unwrap();
            tx = two.db.tenant(two.own, Actor::JOB).await.unwrap();
            let give = format!("UPDATE {table} SET tenant_id = '{}'", two.other);
            let given = sqlx::query(AssertSqlSafe(give)).execute(tx.conn()).await;
            assert!(given.is_err() || theirs == 0, "{table}: rows are pushed onto another tenant");
            tx.rollback().await.unwrap();
            tx = two.db.tenant(two.own, Actor::JOB).await.unwrap();
        }
        if may("DELETE").fetch_one(tx.conn()).await.unwrap() {
            let delete = format!("DELETE FROM {table} WHERE tenant_id = '{}'", two.other);
            let gone = sqlx::query(AssertSqlSafe(delete)).execute(tx.conn()).await.unwrap();
            assert_eq!(gone.rows_affected(), 0, "{table}: another tenant's rows are deleted");
        }
        tx.rollback().await.unwrap();
    }
    assert!(filled >= 25, "only {filled} tables had rows to protect");
}

#[tokio::test]
async fn keys_and_references_tell_nothing_of_another_tenant() {
    let two = two().await;
    let mut all = two.db.system(Actor::JOB).await.unwrap();
    let theirs: Uuid = sqlx::query_scalar("SELECT id FROM patients WHERE tenant_id = $1")
        .bind(two.other.0)
        .fetch_one(all.conn())
        .await
        .unwrap();
    all.rollback().await.unwrap();
    let consent = async |patient: Uuid| {
        let mut tx = two.db.tenant(two.own, Actor::JOB).await.unwrap();
        let error = sqlx::query(
            "INSERT INTO patient_consents (tenant_id, patient_id, purpose, granted, recorded_at)
             VALUES ($1, $2, 'reminder_sms', true, now())",
        )
        .bind(two.own.0)
        .bind(patient)
        .execute(tx.conn())
        .await
        .unwrap_err();
        let database = error.into_database_error().unwrap();
        (database.code().map(std::borrow::Cow::into_owned), database.message().to_owned())
    };
    let (existing, invented) = (consent(theirs).await, consent(Uuid::new_v4()).await);
    assert_eq!(existing, invented, "a reference tells whether another's row exists");
    // The same key as another's row is free.
    let mut tx = two.db.tenant(two.own, Actor::JOB).await.unwrap();
    sqlx::query(
        "INSERT INTO patients (tenant_id, id, first_name, last_name, sms_consent, email_consent, created_at, updated_at)
         VALUES ($1, $2, 'A', 'B', false, false, now(), now())",
    )
    .bind(two.own.0)
    .bind(theirs)
    .execute(tx.conn())
    .await
    .unwrap();
    tx.rollback().await.unwrap();

    let mut owner = owner(&two).await;
    let mut unsafe_keys: Vec<String> = sqlx::query_scalar(
        "SELECT i.indexrelid::regclass::text
         FROM pg_index i
         JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname = 'tenant_id'
         WHERE n.nspname IN ('public', 'queue') AND NOT c.relispartition
           AND (i.indisunique OR i.indisexclusion) AND i.indkey[0] <> t.attnum
         ORDER BY 1",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    // Random 256-bit hashes, which nobody meets on purpose; and numbers of a sequence, of which a clash tells no more
    // than that the number was given out.
    let hashes = ["invitations_by_hash", "patient_links_by_hash", "refresh_tokens_by_hash"];
    let numbers =
        ["audit_log_pkey", "queue.batch_members_pkey", "queue.batches_pkey", "queue.job_progress_pkey"];
    // Made of a name by the platform, which alone founds companies.
    let named = ["companies_slug"];
    unsafe_keys.retain(|key| !named.contains(&key.as_str()));
    unsafe_keys.retain(|key| !hashes.contains(&key.as_str()) && !numbers.contains(&key.as_str()));
    assert_eq!(unsafe_keys, Vec::<String>::new(), "a key that does not begin with the tenant");
}

#[tokio::test]
async fn the_login_role_can_do_nothing_by_itself() {
    let two = two().await;
    let mut owner = owner(&two).await;
    let mut login = PgConnection::connect_with(&two.database.login_options()).await.unwrap();
    for (table, _) in tables(&mut owner).await {
        for statement in [format!("SELECT * FROM {table}"), format!("DELETE FROM {table}")] {
            let error = sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut login).await.unwrap_err();
            let code = error
                .as_database_error()
                .and_then(sqlx::error::DatabaseError::code)
                .map(std::borrow::Cow::into_owned);
            assert_eq!(code.as_deref(), Some("42501"), "{statement}: {error}");
        }
    }
    for forbidden in
        ["CREATE TABLE public.mine (id int)", "CREATE TEMP TABLE mine (id int)", "CREATE ROLE mine"]
    {
        assert!(sqlx::query(forbidden).execute(&mut login).await.is_err(), "{forbidden}");
    }
}

#[tokio::test]
async fn without_a_tenant_nothing_is_there() {
    let two = two().await;
    let mut login = PgConnection::connect_with(&two.database.login_options()).await.unwrap();
    sqlx::raw_sql("BEGIN; SET LOCAL ROLE permanence_tenant").execute(&mut login).await.unwrap();
    let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM patients").fetch_one(&mut login).await.unwrap();
    assert_eq!(seen, 0);
    sqlx::raw_sql("ROLLBACK").execute(&mut login).await.unwrap();
    // A tenant set for one transaction does not leak into the next on the same connection.
    let mut tx = two.db.tenant(two.own, Actor::JOB).await.unwrap();
    let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM patients").fetch_one(tx.conn()).await.unwrap();
    assert_eq!(seen, 2);
    tx.commit().await.unwrap();
    let mut conn = PgConnection::connect_with(&two.database.login_options()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!(
        "BEGIN; SET LOCAL ROLE permanence_tenant; SET LOCAL permanence.tenant_id = '{}'; COMMIT;
         BEGIN; SET LOCAL ROLE permanence_tenant",
        two.own
    )))
    .execute(&mut conn)
    .await
    .unwrap();
    let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM patients").fetch_one(&mut conn).await.unwrap();
    assert_eq!(seen, 0);
}

#[tokio::test]
async fn a_password_hash_is_out_of_a_tenants_reach() {
    let two = two().await;
    let mut tx = two.db.tenant(two.own, Actor::JOB).await.unwrap();
    let emails: Vec<String> =
        sqlx::query_scalar("SELECT email FROM users").fetch_all(tx.conn()).await.unwrap();
    assert_eq!(emails, ["admin@lilas.example"], "only its own members");
    for forbidden in
        ["SELECT password_hash FROM users", "SELECT last_login_at FROM users", "SELECT * FROM refresh_tokens"]
    {
        let error = sqlx::query(forbidden).execute(tx.conn()).await.unwrap_err();
        assert_eq!(
            error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref(),
            Some("42501"),
            "{forbidden}"
        );
        tx.rollback().await.unwrap();
        tx = two.db.tenant(two.own, Actor::JOB).await.unwrap();
    }
}

#[tokio::test]
async fn an_identity_is_not_brought_in_by_its_number() {
    let two = two().await;
    let mut all = two.db.system(Actor::JOB).await.unwrap();
    let theirs: Uuid = sqlx::query_scalar("SELECT user_id FROM memberships WHERE tenant_id = $1")
        .bind(two.other.0)
        .fetch_one(all.conn())
        .await
        .unwrap();
    all.rollback().await.unwrap();
    let refused = async |statement: &'static str| {
        let mut tx = two.db.tenant(two.own, Actor::JOB).await.unwrap();
        let error = sqlx::query(statement).bind(two.own.0).bind(theirs).execute(tx.conn()).await.unwrap_err();
        error.as_database_error().and_then(sqlx::error::DatabaseError::code).map(std::borrow::Cow::into_owned)
    };
    let insert = "INSERT INTO memberships (tenant_id, user_id, role, full_name, created_at, accepted_at)
                  VALUES ($1, $2, 'admin', 'x', now(), now())";
    assert_eq!(refused(insert).await.as_deref(), Some("42501"));
    let steal = "UPDATE memberships SET user_id = $2 WHERE tenant_id = $1";
    assert_eq!(refused(steal).await.as_deref(), Some("42501"));
    let user = "INSERT INTO users (id, email, created_at) VALUES ($2, $1::text, now())";
    assert_eq!(refused(user).await.as_deref(), Some("42501"));
}
