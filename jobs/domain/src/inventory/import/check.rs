//! What no single line shows: lines that repeat or contradict each other, or what is known already.

use super::{
    report::{Fault, MOST_FAULTS, Report},
    stage::Stage,
};
use crate::{db::TenantTx, error::Result, inventory::level::in_bulk};

/// Adds to the report what is wrong with the staged lines as a whole.
pub async fn check_lines(tx: &mut TenantTx, stage: Stage, report: &mut Report) -> Result<()> {
    in_bulk(tx).await?;
    patiently(tx).await?;
    let rows = sqlx::query!(
        r#"WITH lines AS (
               SELECT line, key, reference, lot, expires_on, ROW (name, unit, supplier, location, price_cents, threshold)
                          IS DISTINCT FROM first_value(ROW (name, unit, supplier, location, price_cents, threshold))
                              OVER by_key AS differs,
                      first_value(line) OVER by_key AS first, min(line) OVER (PARTITION BY key, lot) AS same
               FROM inventory_import_lines WHERE tenant_id = $1 AND import_id = $2 AND run = $3
               WINDOW by_key AS (PARTITION BY key ORDER BY line)
           ), faults AS (
               SELECT line, 'repeated' AS code, reference AS read, same AS other, NULL::date AS day
               FROM lines WHERE same < line
               UNION ALL
               SELECT line, 'differs', reference, first, NULL FROM lines WHERE differs AND same = line
               UNION ALL
               SELECT s.line, 'other_expiry', s.lot, NULL, l.expires_on
               FROM lines s
               JOIN inventory_items i ON i.tenant_id = $1 AND lower(i.reference) = s.key AND i.deleted_at IS NULL
               JOIN inventory_lots l ON l.tenant_id = $1 AND l.item_id = i.id AND l.number = s.lot
               WHERE s.expires_on IS NOT NULL AND l.expires_on IS DISTINCT FROM s.expires_on
           )
           SELECT line AS "line!", code AS "code!", read, other, day, count(*) OVER () AS "count!"
           FROM faults ORDER BY line, code LIMIT $4"#,
        tx.tenant().0,
        stage.import.0,
        stage.run,
        i64::try_from(MOST_FAULTS).unwrap_or(i64::MAX),
    )
    .fetch_all(tx.conn())
    .await?;
    let count = rows.first().map_or(0, |row| row.count);
    let faults = rows.into_iter().map(|row| {
        let other = row.other.unwrap_or_default();
        let expected = match row.code.as_str() {
            "repeated" => format!("each reference once, or once for each of its lots: line {other} has it"),
            "differs" => {
                format!("the same name, unit, supplier, place, price and threshold as on line {other}")
            }
            _ => row.day.map_or_else(
                || "no day: this lot is known to have none".to_owned(),
                |day| format!("{}, as is known of this lot", day.format("%d/%m/%Y")),
            ),
        };
        let line = u64::try_from(row.line).unwrap_or_default();
        Fault::of_line(line, &row.code, expected).read(&row.read.unwrap_or_default())
    });
    report.faults.merge(faults.collect(), count);
    Ok(())
}

/// Gives statements over a whole file the time that they need.
pub(super) async fn patiently(tx: &mut TenantTx) -> Result<()> {
    sqlx::raw_sql("SET LOCAL statement_timeout = '15min'").execute(tx.conn()).await?;
    Ok(())
}
