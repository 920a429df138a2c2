//! The proof of an account's erasure: every row of the platform is read once, of all tenants and of none. Addresses and numbers count
//! wherever they stand, names where the person belonged, and neither in what is another's.

use sqlx::PgConnection;

use super::{
    Automaton, Searched,
    search::{moment, search_rows},
};
use crate::{db::Db, error::Result};

/// Tables that are left out, each with the reason, which the certificate tells.
const LEFT_OUT: [(&str, &str); 1] = [(
    "public.invoices",
    "what was issued names who treated, and is kept as it was issued (C. com. L123-22)",
)];

/// A table, the query that reads it, and whether the system may.
struct Table {
    name: String,
    query: String,
    readable: bool,
}

/// Every table of ours. A row is its user's, else its patient's, else nobody's.
async fn tables(conn: &mut PgConnection) -> Result<Vec<Table>> {
    let rows: Vec<(String, String, bool)> = sqlx::query_as(
        "SELECT n.nspname || '.' || c.relname,
                format('SELECT %s, coalesce(%s, %s), t.* FROM %I.%I t',
                       CASE WHEN c.relname = 'tenants' THEN 't.id'
                            WHEN has.tenant_id THEN 't.tenant_id' ELSE 'NULL::uuid' END,
                       CASE WHEN c.relname = 'users' THEN 't.id'
                            WHEN has.user_id THEN 't.user_id' ELSE 'NULL::uuid' END,
                       CASE WHEN c.relname = 'patients' THEN 't.id'
                            WHEN has.patient_id THEN 't.patient_id' ELSE 'NULL::uuid' END,
                       n.nspname, c.relname),
                has_table_privilege(c.oid, 'SELECT')
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
              LATERAL (SELECT coalesce(bool_or(a.attname = 'tenant_id'), false) AS tenant_id,
                              coalesce(bool_or(a.attname = 'user_id'), false) AS user_id,
                              coalesce(bool_or(a.attname = 'patient_id'), false) AS patient_id
                       FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS has
         WHERE n.nspname IN ('public', 'queue') AND c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition
         ORDER BY 1",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(name, query, readable)| Table { name, query, readable }).collect())
}

/// Searches every row of the platform.
pub async fn search_platform(db: &Db, automaton: &Automaton<'_>) -> Result<Searched> {
    let mut searched = Searched::default();
    searched.left_out.push("rows of other users and of patients: theirs, whatever they share".to_owned());
    let mut conn = moment(db).await?;
    for table in tables(&mut conn).await? {
        if let Some((name, reason)) = LEFT_OUT.iter().find(|(name, _)| *name == table.name) {
            searched.left_out.push(format!("{name}: {reason}"));
        } else if table.readable {
            search_rows(&mut conn, &table.query, &table.name, automaton, &mut searched).await?;
            searched.tables += 1;
        } else {
            searched.left_out.push(format!("{}: out of the platform's own reach", table.name));
        }
    }
    sqlx::Connection::close(conn).await?;
    Ok(searched)
}
