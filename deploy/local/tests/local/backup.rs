//! The restore drill, as a person would do it: two practices at work, a backup, everything lost, restored onto a fresh server,
//! compared, and at work again: what waited happens once, and who was erased since is erased again.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Output,
    sync::Arc,
    time::Duration,
};

use permanence_domain::{
    clock::SystemClock,
    db::{Actor, Db},
    field::{Label, Language, PersonName},
    identity::{NewTenant, create_tenant},
    ids::{PatientId, TenantId},
    patients::{self, NewConsents, NewPatient},
    privacy::{self, jobs::FindDueErasures},
};
use permanence_embedded::postgres::{self, Durability, Options, Postgres};
use permanence_queue::{NewJob, Waker};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::program::{ASSISTANT, Caller, book_for_soon, command, run, start};

const DATABASE: &str = "permanence";

/// One of the keys that the local platform made.
fn key(folder: &Path, name: &str) -> String {
    let keys = std::fs::read_to_string(folder.join("data/keys.env")).expect("keys");
    let line = keys.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
    line.expect("a key").to_owned()
}

fn database(folder: &Path) -> Db {
    let port = postgres::find(&folder.join("data/postgres")).expect("found").expect("it runs");
    let password = key(folder, "EMBEDDED_DATABASE_PASSWORD");
    let url = postgres::url(port, "permanence_login", Some(&password), DATABASE);
    let options: sqlx::postgres::PgConnectOptions = url.parse().expect("a URL");
    Db::new(options.clone(), 2, Arc::new(SystemClock), Waker::start(options))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

fn permanence(folder: &Path, env: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = command(folder, "127.0.0.1:0");
    command.args(arguments);
    for (name, value) in env {
        command.env(name, value);
    }
    run(command)
}

fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = permanence(folder, &[], arguments);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).expect("text")
}

async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

fn patient(name: &str) -> NewPatient {
    NewPatient {
        first_name: PersonName::parse(name).expect("a name"),
        last_name: PersonName::parse("Martin").expect("a name"),
        birth_date: None,
        email: None,
        phone: None,
        address: None,
        language: Language::Fr,
        consents: NewConsents::default(),
    }
}

async fn register(db: &Db, tenant: TenantId, name: &str) -> PatientId {
    let mut tx = db.tenant(tenant, Actor::JOB).await.expect("a transaction");
    let id = patients::register(&mut tx, &patient(name)).await.expect("a patient").id;
    tx.commit().await.expect("committed");
    id
}

/// A second practice.
async fn second(db: &Db) -> TenantId {
    let mut tx = db.system(Actor::JOB).await.expect("a transaction");
    let new = NewTenant {
        kind: "practice",
        name: Label::parse("Cabinet du Port").expect("a name"),
        time_zone: chrono_tz::Tz::America__Martinique,
        language: Language::Fr,
        phone: None,
        address: None,
    };
    let tenant = create_tenant(&mut tx, &new).await.expect("a tenant");
    tx.commit().await.expect("committed");
    tenant
}

/// Rows and a checksum of each table and tenant, without what a restore itself changes.
async fn figures(db: &Db) -> BTreeMap<(String, String), (i64, String)> {
    let mut tx = db.system(Actor::JOB).await.expect("a transaction");
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND has_table_privilege(c.oid, 'SELECT')
           AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id')",
    )
    .fetch_all(tx.conn())
    .await
    .expect("tables");
    let mut figures = BTreeMap::new();
    for table in tables.into_iter().filter(|table| !table.starts_with("audit_")) {
        let read = format!(
            "SELECT tenant_id::text, count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM {table} t
             WHERE tenant_id IS NOT NULL GROUP BY tenant_id"
        );
        let rows: Vec<(String, i64, String)> =
            sqlx::query_as(AssertSqlSafe(read)).fetch_all(tx.conn()).await.expect("rows");
        figures.extend(rows.into_iter().map(|(tenant, rows, hash)| ((table.clone(), tenant), (rows, hash))));
    }
    figures
}

/// The patient is erased, as if the thirty days had passed.
async fn erase(db: &Db, tenant: TenantId, patient: PatientId) {
    let mut tx = db.tenant(tenant, Actor::JOB).await.expect("a transaction");
    privacy::request_erasure(&mut tx, patient).await.expect("asked for");
    sqlx::query("UPDATE patient_erasures SET due_at = now() WHERE tenant_id = $1")
        .bind(tenant.0)
        .execute(tx.conn())
        .await
        .expect("due");
    tx.commit().await.expect("committed");
    let mut tx = db.system(Actor::JOB).await.expect("a transaction");
    tx.enqueue(NewJob::of(&FindDueErasures {}).expect("a job")).await.expect("enqueued");
    tx.commit().await.expect("committed");
    until("erased", async || is_erased(db, tenant, patient).await).await;
}

async fn is_erased(db: &Db, tenant: TenantId, patient: PatientId) -> bool {
    let mut tx = db.tenant(tenant, Actor::JOB).await.expect("a transaction");
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM patients p JOIN patient_erasures e ON e.patient_id = p.id
                        WHERE p.id = $1 AND p.erased_at IS NOT NULL AND e.status = 'completed')",
    )
    .bind(patient.0)
    .fetch_one(tx.conn())
    .await
    .expect("an answer")
}

fn dump_of(folder: &Path, id: &str) -> PathBuf {
    folder.join("data/storage/permanence/backups/dumps").join(format!("{id}.sealed"))
}

/// A fresh, empty server where the lost one was.
async fn fresh(folder: &Path) -> Postgres {
    let data = folder.join("data/postgres");
    postgres::remove(data.clone()).await.expect("everything is lost");
    let server = Postgres::start(Options { data, port: None, durability: Durability::Durable })
        .await
        .expect("a server");
    server.ensure_database(DATABASE).await.expect("an empty database");
    server
}

async fn tables_of(server: &Postgres) -> i64 {
    let mut owner = PgConnection::connect_with(&server.owner_options(DATABASE)).await.expect("the owner");
    sqlx::query_scalar("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        .fetch_one(&mut owner)
        .await
        .expect("a count")
}

/// Everything that must not be restored is refused before anything is touched.
async fn refused(folder: &Path, server: &Postgres, id: &str, env: &[(&str, &str)]) {
    let restore = async |more: &[(&str, &str)], expected: &str| {
        let output = permanence(folder, &[env, more].concat(), &["backup", "restore", id]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains(expected), "{expected}: {}", said(&output));
        assert_eq!(tables_of(server).await, 0, "{expected}");
    };
    let wrong = format!("local:{}", "0f".repeat(32));
    restore(&[("BACKUP_KEYS", &wrong)], "does not open this backup").await;
    restore(&[("BACKUP_KEYS", &wrong.replace("local", "other"))], "which BACKUP_KEYS does not have").await;
    let file = dump_of(folder, id);
    let whole = std::fs::read(&file).expect("the dump");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for changed in [&flipped[..], &whole[..whole.len() - 20]] {
        std::fs::write(&file, changed).expect("written");
        restore(&[], "is cut short or was changed").await;
    }
    std::fs::write(&file, &whole).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one drill, told in its order")]
async fn what_is_lost_comes_back_and_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let program = start(folder);
    let db = database(folder);
    let port = second(&db).await;
    let erased = register(&db, port, "Gone").await;
    register(&db, port, "Stays").await;
    // Nothing is to change between what is noted here and the backup: no message leaves, and nobody looks at the stock.
    for queue in ["reminders", "stock"] {
        done(folder, &["queues", "pause", queue]);
    }
    let booked = book_for_soon(&program).await;
    let number = "+33600000099";
    // What ran when the queues were paused goes on to its end.
    let running =
        "SELECT count(*) FROM queue.jobs WHERE queue IN ('reminders', 'stock') AND state = 'running'";
    until("quiet", async || {
        let mut tx = db.system(Actor::JOB).await.expect("a transaction");
        sqlx::query_scalar::<_, i64>(running).fetch_one(tx.conn()).await.expect("a count") == 0
    })
    .await;
    let before = figures(&db).await;

    done(folder, &["backup", "run"]);
    let list =
        || -> Value { serde_json::from_str(&done(folder, &["backup", "list", "--json"])).expect("JSON") };
    until("a backup", async || !list().as_array().expect("a list").is_empty()).await;
    let id = list()[0]["id"].as_str().expect("an id").to_owned();
    assert!(done(folder, &["backup", "list"]).contains(&id));
    assert!(done(folder, &["backup", "verify", "--read-only"]).contains("reads to its end"));
    let verified = done(folder, &["backup", "verify"]);
    assert!(verified.contains("hold what was backed up\nNoted."), "{verified}");

    // What comes after the backup: one is erased, one is lost with the database.
    erase(&db, port, erased).await;
    let later = register(&db, port, "Lost").await;
    db.close().await;
    program.kill();

    let server = fresh(folder).await;
    let (owner, password) = (server.owner_url(DATABASE), key(folder, "EMBEDDED_DATABASE_PASSWORD"));
    let login = server.url("permanence_login", Some(&password), DATABASE);
    let backup_login =
        server.url("permanence_backup_login", Some(&key(folder, "EMBEDDED_BACKUP_PASSWORD")), DATABASE);
    let env =
        [("DATABASE_OWNER_URL", &*owner), ("DATABASE_URL", &*login), ("BACKUP_DATABASE_URL", &*backup_login)];
    refused(folder, &server, &id, &env).await;
    let output = permanence(folder, &env, &["backup", "restore", &id, "--json"]);
    assert!(output.status.success(), "{}", said(&output));
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(told["more"]["erasures"], json!({ "due": 1, "settled": 0, "foreign": 0 }), "{told}");
    let again = permanence(folder, &env, &["backup", "restore", &id]);
    assert!(said(&again).contains("is not empty"), "{}", said(&again));

    let db = database(folder);
    let mut after = figures(&db).await;
    let mut expected = before.clone();
    // The one who is to be erased again is out of sight already.
    let changed =
        [("patients".to_owned(), port.to_string()), ("patient_erasures".to_owned(), port.to_string())];
    for key in changed {
        assert_ne!(after.remove(&key), expected.remove(&key), "{key:?}");
    }
    assert_eq!(after, expected);
    assert!(before.len() > 20, "only {} to compare", before.len());
    let mut tx = db.tenant(port, Actor::JOB).await.expect("a transaction");
    assert!(patients::get(&mut tx, erased).await.is_err(), "out of sight before the API is up");
    drop(tx);
    db.close().await;
    server.stop().await.expect("stopped");

    let program = start(folder);
    let assistant = Caller::sign_in(&program, ASSISTANT).await;
    assert_eq!(assistant.get(&format!("appointments/{booked}")).await["id"], booked);
    let db = database(folder);
    until("erased again", async || is_erased(&db, port, erased).await).await;
    let mut tx = db.tenant(port, Actor::JOB).await.expect("a transaction");
    assert!(patients::get(&mut tx, later).await.is_err(), "nobody promised what came after the backup");
    drop(tx);
    assert_eq!(assistant.outbox().await.matches(number).count(), 0, "reminders wait for a person");
    done(folder, &["queues", "resume", "reminders"]);
    until("sent", async || {
        let messages = assistant.get(&format!("appointments/{booked}/messages")).await;
        messages.as_array().expect("messages").iter().all(|message| message["status"] == "sent")
    })
    .await;
    let sent =
        assistant.get(&format!("appointments/{booked}/messages")).await.as_array().expect("messages").len();
    assert_eq!(assistant.outbox().await.matches(number).count(), sent, "each once");
    // The next backup is made as any other.
    done(folder, &["backup", "run"]);
    until("another backup", async || list().as_array().expect("a list").len() == 2).await;
    db.close().await;
    program.interrupt();
}
