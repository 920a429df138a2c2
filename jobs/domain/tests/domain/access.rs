//! What is handed to a person: every table that names one is in it or in a list of reasons; and nobody else's rows are.

use std::collections::BTreeSet;

use permanence_domain::{
    access::{
        Shape, WITHOUT_PATIENT, WITHOUT_USER, Whose, gather, request_of_user, shapes_of_patient,
        shapes_of_user,
    },
    db::Actor,
    field::{EmailAddress, FullName},
    identity::{NewMember, Role, invite},
    ids::{PatientId, UserId},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::{
    two::{Two, two},
    vault::{OLD as MASTER, vault},
};

/// Columns by which a row is a patient's, directly or by what is theirs.
const NAMES_A_PATIENT: [&str; 12] = [
    "access_request_id",
    "erasure_id",
    "patient_id",
    "actor_patient_id",
    "subject_id",
    "appointment_id",
    "consultation_id",
    "invoice_id",
    "quote_id",
    "record_id",
    "message_id",
    "export_id",
];

/// Columns by which a row names a user. Every other one that ends in `_by` and holds a UUID does, too.
const NAMES_A_USER: [&str; 4] = ["user_id", "actor_id", "subject_id", "principal_id"];

/// The tables of ours that have such a column, and what tables of people there are besides.
async fn naming(owner: &mut PgConnection, columns: &[&str], by: bool, itself: &str) -> BTreeSet<String> {
    let mut found: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT c.relname::text
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND NOT a.attisdropped
           AND a.atttypid = 'uuid'::regtype AND (a.attname = ANY ($1) OR $2 AND a.attname LIKE '%\\_by')",
    )
    .bind(columns)
    .bind(by)
    .fetch_all(owner)
    .await
    .unwrap();
    found.push(itself.to_owned());
    found.into_iter().collect()
}

fn told(shapes: impl Iterator<Item = &'static Shape>) -> BTreeSet<String> {
    shapes.flat_map(|shape| shape.tables).map(ToString::to_string).collect()
}

fn without(reasons: &[(&str, &str)]) -> BTreeSet<String> {
    assert!(reasons.iter().all(|(_, reason)| reason.len() > 10), "a reason");
    reasons.iter().map(|(table, _)| (*table).to_owned()).collect()
}

async fn owner(two: &Two) -> PgConnection {
    PgConnection::connect_with(&two.database.owner_options()).await.unwrap()
}

#[tokio::test]
async fn every_table_that_names_a_person_is_handed_over_or_has_a_reason() {
    let two = two().await;
    let mut owner = owner(&two).await;
    let of_patient = naming(&mut owner, &NAMES_A_PATIENT, false, "patients").await;
    let (told_of, left) = (told(shapes_of_patient()), without(WITHOUT_PATIENT));
    assert_eq!(told_of.intersection(&left).count(), 0, "both told and left out");
    let mut known: BTreeSet<String> = told_of.union(&left).cloned().collect();
    // An export is no patient's by its columns; a patient's file is.
    known.remove("exports");
    assert_eq!(of_patient, known, "of a patient");

    let mut of_user = naming(&mut owner, &NAMES_A_USER, true, "users").await;
    // A practitioner's, who may be a user.
    of_user.insert("availability_entries".to_owned());
    let (told_of, left) = (told(shapes_of_user()), without(WITHOUT_USER));
    assert_eq!(told_of.intersection(&left).count(), 0, "both told and left out");
    assert_eq!(of_user, told_of.union(&left).cloned().collect(), "of a user");
}

/// The member of the practice, and one who is a member of both.
async fn people(two: &Two) -> (UserId, UserId) {
    let email = "both@example.fr";
    let mut both = None;
    for tenant in [two.own, two.other] {
        let mut tx = two.db.tenant(tenant, Actor::JOB).await.unwrap();
        let member = NewMember {
            email: EmailAddress::parse(email).unwrap(),
            full_name: FullName::parse("Dominique Deux").unwrap(),
            role: Role::Assistant,
        };
        both = Some(invite(&mut tx, &member).await.unwrap().id);
        tx.commit().await.unwrap();
    }
    let mut all = two.db.system(Actor::JOB).await.unwrap();
    let own: Uuid =
        sqlx::query_scalar("SELECT user_id FROM memberships WHERE tenant_id = $1 AND user_id <> $2")
            .bind(two.own.0)
            .bind(both.unwrap().0)
            .fetch_one(all.conn())
            .await
            .unwrap();
    (UserId(own), both.unwrap())
}

/// Whose a row is: the column that says it, of the tables that a person may read.
const OWNED: [(&str, &str); 16] = [
    ("access_digests", "user_id = $1"),
    ("access_requests", "user_id = $1"),
    ("account_erasures", "user_id = $1"),
    ("account_mails", "user_id = $1"),
    ("audit_log", "actor_id = $1"),
    ("availability_entries", "practitioner_id IN (SELECT id FROM practitioners WHERE user_id = $1)"),
    ("employees", "user_id = $1"),
    ("inventory_digests", "user_id = $1"),
    ("inventory_subscriptions", "user_id = $1"),
    ("invitations", "user_id = $1"),
    ("memberships", "user_id = $1"),
    ("notifications", "user_id = $1"),
    ("practitioners", "user_id = $1"),
    ("sessions", "user_id = $1"),
    ("tenants", "id IN (SELECT tenant_id FROM memberships WHERE user_id = $1)"),
    ("users", "id = $1"),
];

#[tokio::test]
async fn a_person_reads_all_of_their_own_rows_and_none_of_anybody_elses() {
    let two = two().await;
    let (own, both) = people(&two).await;
    let mut owner = owner(&two).await;
    let readable: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname IN ('public', 'queue') AND c.relkind IN ('r', 'p', 'v', 'm')
           AND has_any_column_privilege('permanence_person', c.oid, 'SELECT') ORDER BY 1",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert_eq!(readable, OWNED.map(|(table, _)| table));
    let changes: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname IN ('public', 'queue') AND c.relkind IN ('r', 'p')
           AND (has_any_column_privilege('permanence_person', c.oid, 'INSERT, UPDATE')
                OR has_table_privilege('permanence_person', c.oid, 'DELETE, TRUNCATE'))",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert_eq!(changes, Vec::<String>::new(), "a person changes nothing");
    let mut mine = 0;
    for (table, whose) in OWNED {
        for person in [own, both, UserId(Uuid::from_u128(77))] {
            let mut all = two.db.system(Actor::JOB).await.unwrap();
            let statement = format!("SELECT count(*) FROM {table} WHERE {whose}");
            let theirs: i64 = sqlx::query_scalar(AssertSqlSafe(statement))
                .bind(person.0)
                .fetch_one(all.conn())
                .await
                .unwrap();
            let mut tx = two.db.person(person).await.unwrap();
            let statement = format!("SELECT count(*) FROM {table}");
            let seen: i64 = sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(tx.conn()).await.unwrap();
            assert_eq!(seen, theirs, "{table}");
            tx.rollback().await.unwrap();
            mine += seen;
        }
    }
    assert!(mine > 10, "there was something to see");
    for hidden in ["password_hash FROM users", "resource_id FROM audit_log", "token_hash FROM invitations"] {
        let mut tx = two.db.person(own).await.unwrap();
        let statement = format!("SELECT {hidden}");
        assert!(sqlx::query(AssertSqlSafe(statement)).execute(tx.conn()).await.is_err(), "{hidden}");
    }
}

#[tokio::test]
async fn a_person_is_told_of_their_own_consultations_and_of_nothing_else_of_a_practice() {
    let two = two().await;
    let (own, both) = people(&two).await;
    let functions: Vec<String> = {
        let mut owner = owner(&two).await;
        sqlx::query_scalar(
            "SELECT p.proname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
             WHERE n.nspname IN ('public', 'queue') AND p.prosecdef
               AND has_function_privilege('permanence_person', p.oid, 'EXECUTE') ORDER BY 1",
        )
        .fetch_all(&mut owner)
        .await
        .unwrap()
    };
    assert_eq!(functions, ["own_consultations"], "what reads with other rights than the person's");
    for (person, count) in [(own, 1), (both, 0), (UserId(Uuid::from_u128(77)), 0)] {
        let gathered = gather(&two.db, &vault(&[MASTER]), two.own, Whose::User(person)).await.unwrap();
        let told = gathered.rows("consultations");
        assert_eq!((told.len(), gathered.rows("employments").len()), (count, count), "{person}");
        for row in told {
            assert_eq!(
                (&row["practice"], &row["practitioner"], &row["events"][0]["event"]),
                (&"Lilas".into(), &"Camille Roy".into(), &"scheduled".into())
            );
            assert!(!row.to_string().contains("Garcia"), "the practice's patient");
        }
    }
    // Without a person there is nothing, whoever asks.
    let mut all = two.db.system(Actor::JOB).await.unwrap();
    let told: i64 =
        sqlx::query_scalar("SELECT count(*) FROM own_consultations()").fetch_one(all.conn()).await.unwrap();
    assert_eq!(told, 0);
}

#[tokio::test]
async fn who_belongs_to_two_tenants_gets_both_and_no_colleague() {
    let two = two().await;
    let (own, both) = people(&two).await;
    let mut tx = two.db.tenant(two.own, Actor { user: Some(both), ..Actor::JOB }).await.unwrap();
    request_of_user(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let gathered = gather(&two.db, &vault(&[MASTER]), two.own, Whose::User(both)).await.unwrap();
    let tenants: BTreeSet<&str> =
        gathered.rows("memberships").iter().map(|row| row["tenant_id"].as_str().unwrap()).collect();
    let (first, second) = (two.own.to_string(), two.other.to_string());
    assert_eq!(tenants, BTreeSet::from([first.as_str(), second.as_str()]));
    assert_eq!((gathered.rows("profile").len(), gathered.rows("access_requests").len()), (1, 1));
    assert_eq!(gathered.rows("trail")[0]["action"], "user.export");
    let everything = gathered.sections.iter().map(|(_, rows)| serde_json::json!(rows)).collect::<Vec<_>>();
    let everything = serde_json::json!(everything).to_string();
    for foreign in [own.to_string(), "admin@lilas".to_owned(), "Garcia".to_owned(), "12/8".to_owned()] {
        assert!(!everything.contains(&foreign), "{foreign} is in it");
    }
}

#[tokio::test]
async fn a_patients_data_are_no_other_patients_and_outlive_a_deletion() {
    let two = two().await;
    let mut tx = two.db.tenant(two.own, Actor::JOB).await.unwrap();
    let patient: Uuid = sqlx::query_scalar("SELECT id FROM patients WHERE deleted_at IS NULL")
        .fetch_one(tx.conn())
        .await
        .unwrap();
    sqlx::query("UPDATE patients SET deleted_at = now()").execute(tx.conn()).await.unwrap();
    tx.commit().await.unwrap();
    let keys = vault(&[MASTER]);
    let gathered = gather(&two.db, &keys, two.own, Whose::Patient(PatientId(patient))).await.unwrap();
    assert_eq!(gathered.rows("medical_records")[0]["content"], "12/8");
    for section in ["patient", "consents", "appointments", "unreachable", "links", "trail"] {
        assert!(!gathered.rows(section).is_empty(), "{section}");
    }
    // Nobody of this number is in the other practice.
    assert!(gather(&two.db, &keys, two.other, Whose::Patient(PatientId(patient))).await.is_err());
}
