//! What no single record shows: records that repeat each other, that lead nowhere, or that clash with one another or with what
//! the practice has already. What an earlier migration brought is passed over.

use super::{DumpFault, Report, Stage, Table, report::MOST_FAULTS};
use crate::{
    db::TenantTx,
    error::{Error, Result},
};

/// Adds to the report what is wrong with the staged records as a whole.
#[expect(clippy::too_many_lines, reason = "one statement that finds every fault, and its words")]
pub async fn check_records(tx: &mut TenantTx, stage: Stage, report: &mut Report) -> Result<()> {
    patiently(tx).await?;
    join_whole(tx, true).await?;
    // A clash is found by walking through a practitioner's or a patient's appointments by their begin, with the latest end so far.
    let rows = sqlx::query!(
        r#"WITH records AS (
               SELECT r.*, min(r.place) OVER (PARTITION BY r.collection, r.old_id) AS first, m.new_id IS NOT NULL AS known
               FROM migration_records r
               LEFT JOIN migration_ids m
                   ON m.tenant_id = $1 AND m.collection = r.collection AND m.old_id = r.old_id
               WHERE r.tenant_id = $1 AND r.migration_id = $2 AND r.run = $3
           ), of_patients AS (
               SELECT v.*, p.id AS patient_id
               FROM records v
               LEFT JOIN migration_ids m ON m.tenant_id = $1 AND m.collection = 'patients' AND m.old_id = v.patient
               LEFT JOIN patients p ON p.tenant_id = $1 AND p.id = m.new_id AND p.deleted_at IS NULL
               WHERE v.patient IS NOT NULL AND NOT v.known
           ), standing AS (
               SELECT place, starts_at, ends_at, patient, practitioner_id, patient_id,
                      max(ends_at) OVER (PARTITION BY practitioner_id ORDER BY starts_at, place
                                         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS practitioner_until,
                      max(ends_at) OVER (PARTITION BY patient ORDER BY starts_at, place
                                         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS patient_until
               FROM of_patients WHERE stands
           ), faults AS (
               SELECT collection, place, 'id' AS field, 'repeated' AS code, old_id AS read, first::text AS other
               FROM records WHERE first < place
               UNION ALL
               SELECT collection, place, 'patient_id', 'unknown_patient', patient, NULL FROM of_patients
               WHERE patient_id IS NULL
                 AND NOT EXISTS (SELECT FROM records p WHERE p.collection = 'patients'
                                                         AND p.old_id = of_patients.patient AND NOT p.known)
               UNION ALL
               SELECT 'appointments', place, 'starts_at', 'slot_taken', starts_at::text,
                      CASE WHEN practitioner_until > starts_at THEN 'practitioner' ELSE 'patient' END
               FROM standing WHERE practitioner_until > starts_at OR patient_until > starts_at
               UNION ALL
               SELECT 'appointments', s.place, 'starts_at', 'slot_taken', s.starts_at::text, 'present'
               FROM standing s
               WHERE EXISTS (SELECT FROM appointments a
                             WHERE a.tenant_id = $1 AND a.practitioner_id = s.practitioner_id AND a.status = 'scheduled'
                               AND tstzrange(a.starts_at, a.ends_at) && tstzrange(s.starts_at, s.ends_at))
                  OR EXISTS (SELECT FROM appointments a
                             WHERE a.tenant_id = $1 AND a.patient_id = s.patient_id AND a.status = 'scheduled'
                               AND tstzrange(a.starts_at, a.ends_at) && tstzrange(s.starts_at, s.ends_at))
           )
           SELECT collection AS "collection!", place AS "place!", field AS "field!", code AS "code!", read, other,
                  count(*) OVER () AS "count!"
           FROM faults ORDER BY collection, place, code, other LIMIT $4"#,
        tx.tenant().0,
        stage.migration.0,
        stage.run,
        i64::try_from(MOST_FAULTS).unwrap_or(i64::MAX),
    )
    .fetch_all(tx.conn())
    .await?;
    let (count, shown) = (rows.first().map_or(0, |row| row.count), rows.len());
    for row in rows {
        let table = staged(&row.collection)?;
        let other = row.other.unwrap_or_default();
        let expected = match (row.code.as_str(), other.as_str()) {
            ("repeated", _) => format!("an identifier of its own: record {other} has it"),
            ("unknown_patient", _) => {
                "a patient of the dump, or one whom an earlier migration brought".to_owned()
            }
            (_, "present") => "a time at which neither has an appointment in the agenda".to_owned(),
            (_, who) => format!("a time at which the {who} has no other appointment of the dump"),
        };
        report.push(DumpFault {
            table: Some(table),
            index: Some(row.place),
            field: Some(row.field),
            code: row.code,
            expected,
            read: row.read,
        });
    }
    report.count += count - i64::try_from(shown).unwrap_or_default();
    count_known(tx, stage, report).await?;
    join_whole(tx, false).await
}

/// Tells how many records of each table an earlier migration brought.
async fn count_known(tx: &mut TenantTx, stage: Stage, report: &mut Report) -> Result<()> {
    let rows = sqlx::query!(
        r#"SELECT r.collection, count(*) AS "known!" FROM migration_records r
           JOIN migration_ids m ON m.tenant_id = $1 AND m.collection = r.collection AND m.old_id = r.old_id
           WHERE r.tenant_id = $1 AND r.migration_id = $2 AND r.run = $3 GROUP BY r.collection"#,
        tx.tenant().0,
        stage.migration.0,
        stage.run,
    )
    .fetch_all(tx.conn())
    .await?;
    for row in rows {
        report.of(staged(&row.collection)?).known = row.known;
    }
    Ok(())
}

fn staged(collection: &str) -> Result<Table> {
    Table::named(collection).ok_or_else(|| Error::internal("a record of no table was staged"))
}

/// Gives statements over a whole dump the time that they need.
pub(super) async fn patiently(tx: &mut TenantTx) -> Result<()> {
    sqlx::raw_sql("SET LOCAL statement_timeout = '15min'").execute(tx.conn()).await?;
    Ok(())
}

/// Joins whole tables from here on, or again row by row. Nobody has counted what was written a moment ago: the planner takes it for
/// a row or two, and of its ways to join only the hash does not become a comparison of each with each.
pub(super) async fn join_whole(tx: &mut TenantTx, whole: bool) -> Result<()> {
    let settings = if whole {
        "SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off; SET LOCAL work_mem = '64MB'"
    } else {
        "SET LOCAL enable_nestloop = on; SET LOCAL enable_mergejoin = on; SET LOCAL work_mem = '4MB'"
    };
    sqlx::raw_sql(settings).execute(tx.conn()).await?;
    Ok(())
}
