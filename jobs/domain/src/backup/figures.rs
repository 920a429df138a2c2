//! What a database holds, table by table: how many rows, and a checksum of them that does not depend on their order. Two databases
//! that hold the same have the same figures; one that lacks a row, or has another value anywhere, has not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::error::Result;

/// What one table holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableFigures {
    /// The table with its schema; a partition is a table.
    pub table: String,
    /// Its rows.
    pub rows: i64,
    /// The sum of the rows' hashes of 64 bits, decimal.
    pub checksum: String,
}

/// The text of a row is the same on every server with these.
const AS_TEXT: &str =
    "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'postgres';
    SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; SET LOCAL statement_timeout = 0;
    SET LOCAL search_path = pg_catalog";

/// Reads every table of the platform, in the transaction of a role that sees every row.
pub async fn table_figures(conn: &mut PgConnection) -> Result<Vec<TableFigures>> {
    sqlx::raw_sql(AS_TEXT).execute(&mut *conn).await?;
    let tables = sqlx::query!(
        r#"SELECT n.nspname || '.' || c.relname AS "name!", format('%I.%I', n.nspname, c.relname) AS "quoted!"
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE n.nspname IN ('public', 'queue') AND c.relkind = 'r' ORDER BY 1"#
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut figures = Vec::with_capacity(tables.len());
    for table in tables {
        // A table's name is no parameter: Postgres itself quoted it. The sum is exact, as `numeric`.
        let read = format!(
            "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text FROM ONLY {} AS t",
            table.quoted
        );
        let (rows, checksum) = sqlx::query_as(AssertSqlSafe(read)).fetch_one(&mut *conn).await?;
        figures.push(TableFigures { table: table.name, rows, checksum });
    }
    Ok(figures)
}

/// Where two databases differ: a sentence for each table, nothing where they hold the same.
pub fn differences(expected: &[TableFigures], found: &[TableFigures]) -> Vec<String> {
    let by_name = |figures: &[TableFigures]| -> BTreeMap<String, TableFigures> {
        figures.iter().map(|figures| (figures.table.clone(), figures.clone())).collect()
    };
    let (expected, mut found) = (by_name(expected), by_name(found));
    let mut told = Vec::new();
    for (table, wanted) in expected {
        match found.remove(&table) {
            None => told.push(format!("{table} is not there")),
            Some(has) if has.rows != wanted.rows => {
                told.push(format!("{table} has {} rows where the backup has {}", has.rows, wanted.rows));
            }
            Some(has) if has.checksum != wanted.checksum => {
                told.push(format!("{table} has other content than the backup"));
            }
            Some(_) => {}
        }
    }
    told.extend(found.into_keys().map(|table| format!("{table} is not in the backup")));
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(table: &str, rows: i64, checksum: &str) -> TableFigures {
        TableFigures { table: table.to_owned(), rows, checksum: checksum.to_owned() }
    }

    #[test]
    fn a_table_that_lacks_differs_or_is_too_many_is_told() {
        let expected =
            [figures("a", 1, "7"), figures("b", 1, "7"), figures("c", 1, "7"), figures("d", 1, "7")];
        assert_eq!(differences(&expected, &expected), Vec::<String>::new());
        let found = [figures("a", 1, "7"), figures("b", 2, "7"), figures("c", 1, "8"), figures("e", 0, "0")];
        assert_eq!(
            differences(&expected, &found),
            [
                "b has 2 rows where the backup has 1",
                "c has other content than the backup",
                "d is not there",
                "e is not in the backup"
            ]
        );
    }
}
