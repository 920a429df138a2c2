//! Who is to be forgotten, with what the law keeps of them: invoices whose PDFs lie in the store.

use futures::{StreamExt, stream};
use permanence_domain::{ids::TenantId, storage::ObjectKey};
use sqlx::Connection;
use uuid::Uuid;

use crate::shared::platform::Platform;

/// Bytes of a PDF.
const PAPER: usize = 8 * 1024;
/// Objects that are put at once.
const AT_ONCE: usize = 8;
/// Rows of each kind of the one who has a thousand.
const OF_EACH_KIND: i64 = 250;

/// What there is of one.
pub(crate) struct Rows {
    pub(crate) rows: i64,
    pub(crate) objects: usize,
}

/// Gives one patient of the first practice a thousand rows, and has them due.
pub(crate) async fn of_many_rows(platform: &Platform) -> Rows {
    let mut conn = sqlx::PgConnection::connect_with(&platform.owner_options).await.unwrap();
    sqlx::raw_sql("SET session_replication_role = replica").execute(&mut conn).await.unwrap();
    for statement in [
        "UPDATE appointments SET patient_id = bench_patient(0, 0)
         WHERE id IN (SELECT id FROM appointments WHERE tenant_id = bench_practice(0) ORDER BY starts_at LIMIT $1)",
        "UPDATE messages m SET patient_id = a.patient_id FROM appointments a
         WHERE a.tenant_id = m.tenant_id AND a.id = m.appointment_id AND a.patient_id = bench_patient(0, 0) AND $1 > 0",
        "UPDATE invoices SET patient_id = bench_patient(0, 0)
         WHERE id IN (SELECT id FROM invoices WHERE tenant_id = bench_practice(0) ORDER BY issued_at LIMIT $1)",
        "UPDATE medical_records SET patient_id = bench_patient(0, 0)
         WHERE id IN (SELECT id FROM medical_records WHERE tenant_id = bench_practice(0) ORDER BY id LIMIT $1)",
    ] {
        sqlx::query(statement).bind(OF_EACH_KIND).execute(&mut conn).await.unwrap();
    }
    conn.close().await.unwrap();
    let due = "INSERT INTO patient_erasures (tenant_id, id, patient_id, requested_at, due_at)
               SELECT bench_practice(0), bench_id('erasure', now()), bench_patient(0, 0), now() - interval '31 days',
                      now() - interval '1 day'";
    sqlx::raw_sql(due).execute(&platform.owner).await.unwrap();
    let objects = papers(platform).await;
    let rows = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM appointments WHERE patient_id = bench_patient(0, 0))
              + (SELECT count(*) FROM messages WHERE patient_id = bench_patient(0, 0))
              + (SELECT count(*) FROM invoices WHERE patient_id = bench_patient(0, 0))
              + (SELECT count(*) FROM payments JOIN invoices i ON i.id = invoice_id WHERE patient_id = bench_patient(0, 0))
              + (SELECT count(*) FROM medical_records WHERE patient_id = bench_patient(0, 0))",
    )
    .fetch_one(&platform.owner)
    .await
    .unwrap();
    Rows { rows, objects }
}

/// Has so many patients of each practice due; gives how many objects there are of them.
pub(crate) async fn of_practices(platform: &Platform, each: i64) -> usize {
    sqlx::query(
        "INSERT INTO patient_erasures (tenant_id, id, patient_id, requested_at, due_at)
         SELECT t.id, bench_id('erasure' || p || ' ' || n, now()), bench_patient(p, n), now() - interval '31 days',
                now() - interval '1 day'
         FROM generate_series(0, 999) AS p JOIN tenants t ON t.id = bench_practice(p), generate_series(1, $1) AS n",
    )
    .bind(each)
    .execute(&platform.owner)
    .await
    .unwrap();
    sqlx::raw_sql(
        "UPDATE patients p SET deleted_at = now() FROM patient_erasures e WHERE e.patient_id = p.id",
    )
    .execute(&platform.owner)
    .await
    .unwrap();
    papers(platform).await
}

/// Puts a PDF for each invoice of those who are due and have none yet.
async fn papers(platform: &Platform) -> usize {
    let invoices: Vec<(TenantId, Uuid)> = sqlx::query_as(
        "SELECT i.tenant_id, i.id FROM invoices i
         JOIN patient_erasures e ON e.tenant_id = i.tenant_id AND e.patient_id = i.patient_id AND e.status = 'pending'
         WHERE NOT EXISTS (SELECT FROM invoice_papers p WHERE p.tenant_id = i.tenant_id AND p.invoice_id = i.id)",
    )
    .fetch_all(&platform.owner)
    .await
    .unwrap();
    stream::iter(&invoices)
        .for_each_concurrent(AT_ONCE, async |(tenant, invoice)| {
            let key = ObjectKey::of("invoices", *tenant, &format!("{invoice}.pdf")).unwrap();
            platform.storage.put(&key, "application/pdf", vec![b'%'; PAPER]).await.unwrap();
            sqlx::query(
                "INSERT INTO invoice_papers (tenant_id, invoice_id, object_key, sha256, bytes, made_at)
                 VALUES ($1, $2, $3, sha256($3::bytea), $4, now())",
            )
            .bind(tenant.0)
            .bind(invoice)
            .bind(key.as_str())
            .bind(i64::try_from(PAPER).unwrap())
            .execute(&platform.owner)
            .await
            .unwrap();
        })
        .await;
    invoices.len()
}
