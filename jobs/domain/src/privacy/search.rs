//! The proof: every row of the practice and every object is read once, and searched for the identifiers of all who were erased, in
//! one pass however many they are. It reads as the system does, and tells places, never content.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::{AhoCorasick, MatchKind};
use futures::{StreamExt, TryStreamExt, stream};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::io::AsyncReadExt;
use uuid::Uuid;

use super::{Finding, Identifiers};
use crate::{
    db::Db,
    error::{Error, Result},
    ids::{ErasureId, TenantId},
    storage::{Kept, ObjectKey, Storage, folders},
};

/// Tables of people who are not patients: somebody may work where they were treated, or share a name with who does.
const OTHERS: [&str; 2] = ["public.memberships", "public.practitioners"];
/// Milliseconds that one table may take.
const PATIENCE: u64 = 3_600_000;
/// Bytes of an object that are read at once.
const CHUNK: usize = 256 * 1024;

/// Somebody who is searched for.
#[derive(Debug)]
pub struct Wanted {
    /// The erasure that is to be proved.
    pub erasure: ErasureId,
    /// Whose rows count, a patient's or a user's: those of another do not, whatever they share.
    pub subject: Uuid,
    /// The tenants where it counts; everywhere, if none.
    pub within: Option<Vec<Uuid>>,
    /// What is searched for.
    pub identifiers: Identifiers,
}

/// What was found of one erasure.
pub type Found = BTreeMap<ErasureId, Vec<Finding>>;

/// What a search read.
#[derive(Debug, Default)]
pub struct Searched {
    /// Tables.
    pub tables: u32,
    /// Rows.
    pub rows: u64,
    /// Objects.
    pub objects: u64,
    /// What was left out, and why.
    pub left_out: Vec<String>,
    /// Where something was found.
    pub found: Found,
}

/// All forms of all who are searched for, as one automaton.
#[derive(Debug)]
pub struct Automaton<'a> {
    wanted: &'a [Wanted],
    matcher: AhoCorasick,
    /// Whose form it is.
    whose: Vec<usize>,
    /// Bytes of the longest form.
    longest: usize,
}

impl<'a> Automaton<'a> {
    /// Puts them together, once for tables and objects.
    pub fn new(wanted: &'a [Wanted]) -> Result<Self> {
        let mut forms: Vec<String> = Vec::new();
        let mut whose = Vec::new();
        for (place, person) in wanted.iter().enumerate() {
            for form in person.identifiers.forms() {
                forms.push(form);
                whose.push(place);
            }
        }
        let longest = forms.iter().map(String::len).max().unwrap_or(0);
        let matcher =
            AhoCorasick::builder().match_kind(MatchKind::Standard).build(&forms).map_err(Error::internal)?;
        Ok(Self { wanted, matcher, whose, longest })
    }

    /// Who is named in a text of somebody, or of nobody in particular, in a tenant, or in none.
    fn named(&self, text: &str, whose: Option<Uuid>, tenant: Option<Uuid>) -> BTreeSet<usize> {
        let counts = |who: &Wanted| {
            whose.is_none_or(|id| who.subject == id)
                && tenant.is_none_or(|id| who.within.as_ref().is_none_or(|within| within.contains(&id)))
        };
        self.matcher
            .find_overlapping_iter(text)
            .filter_map(|found| self.whose.get(found.pattern().as_usize()).copied())
            .filter(|place| self.wanted.get(*place).is_some_and(counts))
            .collect()
    }
}

impl Searched {
    fn add(&mut self, automaton: &Automaton<'_>, named: &BTreeSet<usize>, place: &str) {
        // Somebody with two names in one row is in it once.
        let erasures: BTreeSet<ErasureId> =
            named.iter().filter_map(|place| automaton.wanted.get(*place)).map(|who| who.erasure).collect();
        for erasure in erasures {
            let findings = self.found.entry(erasure).or_default();
            match findings.iter_mut().find(|finding| finding.place == place) {
                Some(finding) => finding.count += 1,
                None => findings.push(Finding { place: place.to_owned(), count: 1 }),
            }
        }
    }
}

/// A table of the practice, and the column that tells whose a row is.
struct Table {
    name: String,
    patient: Option<String>,
}

async fn tables(conn: &mut PgConnection) -> Result<Vec<Table>> {
    let rows: Vec<(String, String, Option<String>)> = sqlx::query_as(
        "SELECT n.nspname || '.' || c.relname, format('%I.%I', n.nspname, c.relname),
                (SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped
                 AND a.attname = CASE WHEN c.relname = 'patients' THEN 'id' ELSE 'patient_id' END)
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname IN ('public', 'queue') AND c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition
           AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id')
         ORDER BY 1",
    )
    .fetch_all(conn)
    .await?;
    let ours = |(name, _, _): &(String, String, Option<String>)| !OTHERS.contains(&name.as_str());
    Ok(rows.into_iter().filter(ours).map(|(_, name, patient)| Table { name, patient }).collect())
}

/// A connection that sees everything as it stands at one moment, and changes nothing.
pub(super) async fn moment(db: &Db) -> Result<PgConnection> {
    let mut conn = PgConnection::connect_with(&db.connect_options()).await?;
    let begin = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {PATIENCE};
         SET LOCAL ROLE permanence_system"
    );
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut conn).await?;
    Ok(conn)
}

/// Searches every row of the practice.
pub async fn search_tables(db: &Db, tenant: TenantId, automaton: &Automaton<'_>) -> Result<Searched> {
    let left_out = OTHERS.iter().map(|name| format!("{name}: people who work here, not patients")).collect();
    let mut searched = Searched { left_out, ..Searched::default() };
    let mut conn = moment(db).await?;
    for table in tables(&mut conn).await? {
        search_table(&mut conn, tenant, &table, automaton, &mut searched).await?;
        searched.tables += 1;
    }
    conn.close().await?;
    Ok(searched)
}

async fn search_table(
    conn: &mut PgConnection,
    tenant: TenantId,
    table: &Table,
    automaton: &Automaton<'_>,
    searched: &mut Searched,
) -> Result<()> {
    let patient = table.patient.as_deref().map_or("NULL::uuid".to_owned(), |column| format!("t.{column}"));
    let rows =
        format!("SELECT '{tenant}', {patient}, t.* FROM {} t WHERE tenant_id = '{tenant}'", table.name);
    search_rows(conn, &rows, &table.name, automaton, searched).await
}

/// Searches the rows of a query, of which the first column is the tenant and the second whose a row is.
pub(super) async fn search_rows(
    conn: &mut PgConnection,
    query: &str,
    place: &str,
    automaton: &Automaton<'_>,
    searched: &mut Searched,
) -> Result<()> {
    let mut rows = conn.copy_out_raw(&format!("COPY ({query}) TO STDOUT")).await?;
    // A chunk may end in the middle of a row.
    let mut rest = Vec::new();
    while let Some(chunk) = rows.try_next().await? {
        rest.extend_from_slice(&chunk);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).to_lowercase();
            // COPY writes a tab between columns, and one within a text as `\t`.
            let (tenant, line) = line.split_once('\t').unwrap_or_default();
            let (whose, row) = line.split_once('\t').unwrap_or_default();
            searched.rows += 1;
            let named = automaton.named(row, whose.parse().ok(), tenant.parse().ok());
            searched.add(automaton, &named, place);
        }
    }
    Ok(())
}

/// Searches every object of the practice, byte by byte as it lies there. What is packed or sealed shows no text: of that the
/// objects of the patient are known by name, and must be gone; so must those that may hold anybody, such as dumps.
pub async fn search_objects(
    storage: &Storage,
    tenant: TenantId,
    automaton: &Automaton<'_>,
    gone: &BTreeMap<ObjectKey, ErasureId>,
    anybodys: &BTreeSet<ObjectKey>,
    searched: &mut Searched,
) -> Result<()> {
    let mut kept = std::pin::pin!(stream::iter(folders(tenant)).flat_map(|folder| storage.every(folder)));
    while let Some(Kept { key, .. }) = kept.try_next().await? {
        let mut named = BTreeSet::new();
        let mut object = match storage.read(&key).await {
            Ok(object) => object,
            Err(Error::NotFound(_)) => continue,
            Err(error) => return Err(error),
        };
        let (mut text, mut buffer) = (Vec::new(), vec![0; CHUNK]);
        loop {
            let read = object.read(&mut buffer).await.map_err(Error::internal)?;
            if read == 0 {
                break;
            }
            text.extend_from_slice(buffer.get(..read).unwrap_or_default());
            named.extend(automaton.named(
                &String::from_utf8_lossy(&text).to_lowercase(),
                None,
                Some(tenant.0),
            ));
            // What begins at the end of one piece ends in the next.
            text.drain(..text.len().saturating_sub(automaton.longest));
        }
        searched.objects += 1;
        if anybodys.contains(&key) {
            named.extend(0..automaton.wanted.len());
        }
        searched.add(automaton, &named, key.as_str());
        if let Some(erasure) = gone.get(&key) {
            let left = Finding { place: key.as_str().to_owned(), count: 1 };
            searched.found.entry(*erasure).or_default().push(left);
        }
    }
    Ok(())
}
