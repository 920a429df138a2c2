//! The whole trail as lines, in the order in which it is verified: from the database at one moment, or from a file. Owns the
//! form of the file; judges nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::{
    entry::Entry,
    seal::{Bytes, Chain, Head, Seal},
};
use crate::{
    db::Db,
    error::Result,
    ids::{PatientId, TenantId, UserId},
};

/// How long one statement may take.
const PATIENCE: Duration = Duration::from_hours(1);
/// Rows that are read at once. A seal may hold the marks of many entries.
const ENTRIES: i64 = 5_000;
const SEALS: i64 = 50;

/// What retention took out of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// The chain.
    #[serde(flatten)]
    pub chain: Chain,
    /// The seals whose entries went: those after this one.
    pub after_number: i64,
    /// Up to this one.
    pub to_number: i64,
    /// The last entry that went.
    pub last_id: i64,
    /// How many went.
    pub entries: i64,
    /// When.
    pub removed_at: DateTime<Utc>,
}

/// One line of an exported trail. First the trail and the anchors; then, for each tenant, its heads, its removals, and its
/// entries and seals by number, each seal after its entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line {
    /// What follows.
    Trail {
        /// The form of the file: 1.
        version: u8,
        /// The moment that it shows.
        at: DateTime<Utc>,
        /// Every entry up to this number is sealed.
        sealed_to: i64,
        /// The one tenant that it is of, where it is of one.
        tenant_id: Option<Uuid>,
    },
    /// An anchor that the database knows of.
    Anchored {
        /// Its number.
        number: i64,
        /// SHA-256 of the object.
        hash: Bytes,
    },
    /// Where a chain ends.
    Head(Head),
    /// What retention took.
    Removal(Removal),
    /// An entry.
    Entry(Entry),
    /// A seal.
    Seal(Seal),
    /// The end: without it, lines are missing.
    End,
}

/// Reads the trail of all tenants, or of one (the nil UUID: the platform's), at one moment, and gives it line by line.
pub async fn read_trail<E: From<crate::Error>>(
    db: &Db,
    tenant: Option<Uuid>,
    mut take: impl FnMut(Line) -> Result<(), E>,
) -> Result<(), E> {
    let mut reader = Reader::open(db).await?;
    take(reader.begin(db, tenant).await?)?;
    for line in reader.anchors().await? {
        take(line)?;
    }
    let tenants = match tenant {
        Some(tenant) => vec![tenant],
        None => reader.tenants().await?,
    };
    for tenant in tenants {
        for line in reader.heads(tenant).await? {
            take(line)?;
        }
        reader.merge(tenant, &mut take).await?;
    }
    take(Line::End)?;
    Ok(reader.conn.close().await.map_err(crate::Error::from)?)
}

/// A read-only transaction across tenants, on a connection of its own.
struct Reader {
    conn: PgConnection,
}

impl Reader {
    async fn open(db: &Db) -> Result<Self> {
        let mut conn = PgConnection::connect_with(&db.connect_options()).await?;
        let statement = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {}; \
             SET LOCAL ROLE permanence_system",
            PATIENCE.as_millis()
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut conn).await?;
        Ok(Self { conn })
    }

    /// The first statement: it fixes the moment.
    async fn begin(&mut self, db: &Db, tenant_id: Option<Uuid>) -> Result<Line> {
        let sealed_to =
            sqlx::query_scalar!("SELECT sealed_to FROM audit_sealing").fetch_one(&mut self.conn).await?;
        Ok(Line::Trail { version: 1, at: db.clock().now(), sealed_to, tenant_id })
    }

    async fn anchors(&mut self) -> Result<Vec<Line>> {
        Ok(sqlx::query!(r#"SELECT number, hash AS "hash: Bytes" FROM audit_anchors ORDER BY number"#)
            .map(|row| Line::Anchored { number: row.number, hash: row.hash })
            .fetch_all(&mut self.conn)
            .await?)
    }

    /// Also those of whom nothing but a seal is left.
    async fn tenants(&mut self) -> Result<Vec<Uuid>> {
        Ok(sqlx::query_scalar!(
            r#"SELECT id AS "id!" FROM tenants
               UNION SELECT '00000000-0000-0000-0000-000000000000'
               UNION SELECT tenant_id FROM audit_chains
               UNION SELECT tenant_id FROM audit_seals
               ORDER BY 1"#
        )
        .fetch_all(&mut self.conn)
        .await?)
    }

    async fn heads(&mut self, tenant: Uuid) -> Result<Vec<Line>> {
        let heads = sqlx::query!(
            r#"SELECT class, number, last_id, hash AS "hash: Bytes" FROM audit_chains
               WHERE tenant_id = $1 ORDER BY class"#,
            tenant
        )
        .map(|row| {
            let chain = Chain { tenant_id: tenant, class: row.class };
            Line::Head(Head { chain, number: row.number, last_id: row.last_id, hash: row.hash })
        })
        .fetch_all(&mut self.conn)
        .await?;
        let removals = sqlx::query!(
            "SELECT class, after_number, to_number, last_id, entries, removed_at FROM audit_removals
             WHERE tenant_id = $1 ORDER BY class, to_number",
            tenant
        )
        .map(|row| {
            Line::Removal(Removal {
                chain: Chain { tenant_id: tenant, class: row.class },
                after_number: row.after_number,
                to_number: row.to_number,
                last_id: row.last_id,
                entries: row.entries,
                removed_at: row.removed_at,
            })
        })
        .fetch_all(&mut self.conn)
        .await?;
        Ok(heads.into_iter().chain(removals).collect())
    }

    /// Entries and seals of a tenant by number, a page of each in memory.
    async fn merge<E: From<crate::Error>>(
        &mut self,
        tenant: Uuid,
        take: &mut impl FnMut(Line) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut after = 0;
        let mut seals = self.seals(tenant, None).await?.into_iter().peekable();
        let mut last = None;
        loop {
            let page = self.entries(tenant, after).await?;
            let at_end = page.last().is_none();
            after = page.last().map_or(after, |entry| entry.id);
            for entry in page.into_iter().map(Some).chain(at_end.then_some(None)) {
                // The seals whose entries have all been given; all that are left, after the last entry.
                loop {
                    if seals.peek().is_none() && last.is_some() {
                        seals = self.seals(tenant, last.as_ref()).await?.into_iter().peekable();
                    }
                    let next = seals
                        .next_if(|seal: &Seal| entry.as_ref().is_none_or(|e: &Entry| seal.last_id < e.id));
                    let Some(seal) = next else { break };
                    last = Some(seal.clone());
                    take(Line::Seal(seal))?;
                }
                if let Some(entry) = entry {
                    take(Line::Entry(entry))?;
                }
            }
            if at_end {
                return Ok(());
            }
        }
    }

    async fn seals(&mut self, tenant: Uuid, after: Option<&Seal>) -> Result<Vec<Seal>> {
        let after_class = after.map_or("", |seal| seal.chain.class.as_str());
        Ok(sqlx::query!(
            r#"SELECT class, number, previous AS "previous: Bytes", first_id, last_id, entries, from_at, until_at,
                      sealed_at, root AS "root: Bytes", leaves AS "leaves: Bytes", hash AS "hash: Bytes"
               FROM audit_seals WHERE tenant_id = $1 AND (last_id, class, number) > ($2, $3, $4)
               ORDER BY last_id, class, number LIMIT $5"#,
            tenant,
            after.map_or(i64::MIN, |seal| seal.last_id),
            after_class,
            after.map_or(0, |seal| seal.number),
            SEALS
        )
        .map(|row| Seal {
            chain: Chain { tenant_id: tenant, class: row.class },
            number: row.number,
            previous: row.previous,
            first_id: row.first_id,
            last_id: row.last_id,
            entries: row.entries,
            from_at: row.from_at,
            until_at: row.until_at,
            sealed_at: row.sealed_at,
            root: row.root,
            leaves: row.leaves,
            hash: row.hash,
        })
        .fetch_all(&mut self.conn)
        .await?)
    }

    /// Each half goes along the index of a tenant's numbers; one of them is empty without being read.
    async fn entries(&mut self, tenant: Uuid, after: i64) -> Result<Vec<Entry>> {
        Ok(sqlx::query_as!(
            Entry,
            r#"SELECT id AS "id!", tenant_id AS "tenant_id: TenantId", class AS "class!", at AS "at!",
                      actor_id AS "actor_id: UserId", actor_patient_id AS "actor_patient_id: PatientId",
                      action AS "action!", resource AS "resource!", resource_id, subject, request_id
               FROM (SELECT id, tenant_id, class, at, actor_id, actor_patient_id, action, resource, resource_id, subject,
                            request_id FROM audit_log WHERE tenant_id = $1
                     UNION ALL
                     SELECT id, tenant_id, class, at, actor_id, actor_patient_id, action, resource, resource_id, subject,
                            request_id FROM audit_log
                     WHERE tenant_id IS NULL AND $1 = '00000000-0000-0000-0000-000000000000') AS l
               WHERE id > $2 ORDER BY id LIMIT $3"#,
            tenant,
            after,
            ENTRIES
        )
        .fetch_all(&mut self.conn)
        .await?)
    }
}
