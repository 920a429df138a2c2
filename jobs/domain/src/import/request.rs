//! What was asked for, and what became of it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use deserr::{Deserr, IntoValue, ValuePointerRef};
use permanence_queue::NewJob;
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use utoipa::{IntoParams, ToSchema};

use super::{DumpFault, MigrationFile, Report, Stage, Table, TableReport, files, jobs::ImportDump};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Invalid, Problem, Result, field_at},
    field::Flag,
    files::Received,
    ids::{MigrationId, PractitionerId, UserId},
    page::{Count, Page, PageQuery},
    storage::ObjectKey,
    vault::{ContentKey, Vault},
};

/// Which practitioner an old identifier means.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Named(pub BTreeMap<String, PractitionerId>);

/// Written as JSON in one parameter of a query: `{"7": "0192…"}`.
impl Deserr<Invalid> for Named {
    fn deserialize_from_value<V: IntoValue>(
        value: deserr::Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, Invalid> {
        let text = <String as Deserr<Invalid>>::deserialize_from_value(value, location)?;
        serde_json::from_str(&text).map_err(|_| {
            let expected = "an object of JSON that names a practitioner's UUID for each old identifier";
            Invalid(vec![Problem::new(field_at(location), "malformed", expected).read(&text)])
        })
    }
}

/// How a dump is to be moved in.
#[derive(Debug, Clone, Default, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct MigrationOptions {
    /// Checks everything and changes nothing.
    #[deserr(default)]
    #[param(value_type = Option<bool>)]
    pub dry_run: Flag,
    /// Which practitioner each old identifier means: JSON such as `{"7": "<UUID>"}`. A practitioner's own UUID needs none.
    #[deserr(default)]
    #[param(value_type = Option<String>)]
    pub practitioners: Named,
    /// Days for which the dump and the backup are kept once it has ended, 1 to 365.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 365, example = 30)]
    pub keep_days: Count<30, 365>,
}

/// How far a migration has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum MigrationStatus {
    /// Its job waits.
    Pending,
    /// Its job is at it.
    Running,
    /// All of it was moved in; of a dry run, it could be.
    Completed,
    /// Nothing of it was moved in: it has faults, or was given up.
    Failed,
    /// It was taken back.
    RolledBack,
}

/// A migration with its report.
#[derive(Debug, Serialize, ToSchema)]
pub struct Migration {
    /// Identifier.
    pub migration_id: MigrationId,
    /// How far it has come.
    pub status: MigrationStatus,
    /// Whether it changes nothing.
    pub dry_run: bool,
    /// The job that does it.
    pub job_id: i64,
    /// Size of the dump.
    pub bytes: i64,
    /// The tables that are in the dump.
    pub tables: Vec<Table>,
    /// Rows that were made, of all tables.
    pub records_migrated: i64,
    /// What became of each table.
    pub details: Vec<TableReport>,
    /// Where what the practice held before lies in the object store, sealed; absent once it has ended.
    pub backup_location: Option<String>,
    /// Where the dump itself lies, sealed; absent once it has ended.
    pub dump_location: Option<String>,
    /// How many faults there are; absent until all was read.
    pub fault_count: Option<i64>,
    /// The first thousand of them.
    pub faults: Vec<DumpFault>,
    /// Until when both are kept.
    pub files_kept_until: Option<DateTime<Utc>>,
    /// From when on nobody opens them any more: their keys were destroyed.
    pub files_ended_at: Option<DateTime<Utc>>,
    /// When they were removed.
    pub files_removed_at: Option<DateTime<Utc>>,
    /// Why it failed: `faults`, `withdrawn`, or the last attempt's code.
    pub failure: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// The member who asked.
    pub created_by: Option<UserId>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// When it was taken back.
    pub rolled_back_at: Option<DateTime<Utc>>,
}

struct Row {
    id: MigrationId,
    status: MigrationStatus,
    dry_run: bool,
    job_id: i64,
    bytes: i64,
    tables: Json<Vec<TableReport>>,
    backup_object: String,
    backed_up_at: Option<DateTime<Utc>>,
    dump_object: String,
    fault_count: Option<i64>,
    faults: Json<Vec<DumpFault>>,
    files_kept_until: Option<DateTime<Utc>>,
    files_ended_at: Option<DateTime<Utc>>,
    files_removed_at: Option<DateTime<Utc>>,
    failure: Option<String>,
    created_at: DateTime<Utc>,
    created_by: Option<UserId>,
    finished_at: Option<DateTime<Utc>>,
    rolled_back_at: Option<DateTime<Utc>>,
    total: i64,
}

/// The columns of [`Row`].
macro_rules! select_migrations {
    ($rest:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"SELECT id AS "id: MigrationId", status AS "status: MigrationStatus", dry_run, job_id, bytes,
                      tables AS "tables: Json<Vec<TableReport>>", backup_object, backed_up_at, dump_object, fault_count,
                      faults AS "faults: Json<Vec<DumpFault>>", files_kept_until, files_ended_at, files_removed_at, failure,
                      created_at, created_by AS "created_by: UserId",
                      finished_at, rolled_back_at, count(*) OVER () AS "total!"
               FROM data_migrations WHERE "#
                + $rest,
            $($argument),*
        )
    };
}

impl From<Row> for Migration {
    fn from(row: Row) -> Self {
        let details = row.tables.0;
        let kept = row.finished_at.is_some() && row.files_ended_at.is_none();
        Self {
            migration_id: row.id,
            status: row.status,
            dry_run: row.dry_run,
            job_id: row.job_id,
            bytes: row.bytes,
            tables: details.iter().map(|report| report.table).collect(),
            records_migrated: details.iter().map(|report| report.created).sum(),
            details,
            backup_location: row.backed_up_at.filter(|_| kept).map(|_| row.backup_object),
            dump_location: kept.then_some(row.dump_object),
            fault_count: row.fault_count,
            faults: row.faults.0,
            files_kept_until: row.files_kept_until,
            files_ended_at: row.files_ended_at,
            files_removed_at: row.files_removed_at,
            failure: row.failure,
            created_at: row.created_at,
            created_by: row.created_by,
            finished_at: row.finished_at,
            rolled_back_at: row.rolled_back_at,
        }
    }
}

/// Asks for a dump that lies in the object store to be moved in.
pub async fn request(
    tx: &mut TenantTx,
    vault: &Vault,
    options: &MigrationOptions,
    dump: &Received<'_>,
) -> Result<Migration> {
    let (tenant, now, actor) = (tx.tenant(), tx.now(), tx.actor());
    let id = MigrationId::new(now);
    // No run has this number: it stands for a backup that was not written yet.
    let backup = files::backup_object(tenant, id, 0)?;
    let key = files::keep_key(tx, vault, id, MigrationFile::Dump, dump.key).await?;
    let keep_days = i32::try_from(options.keep_days.get()).map_err(Error::internal)?;
    let job = tx.enqueue(NewJob::of(&ImportDump { migration_id: id })?).await?;
    sqlx::query!(
        "INSERT INTO data_migrations (tenant_id, id, dry_run, practitioners, dump_object, dump_key, bytes, backup_object,
                                      keep_days, job_id, created_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        tenant.0,
        id.0,
        options.dry_run.get(),
        Json(&options.practitioners) as Json<&Named>,
        dump.object.as_str(),
        key,
        dump.bytes,
        backup.as_str(),
        keep_days,
        job.id.0,
        now,
        actor.user.map(|user| user.0),
    )
    .execute(tx.conn())
    .await?;
    audit::record(tx, "migration.request", "data_migration", id.0).await?;
    get(tx, id).await
}

/// One migration with its report.
pub async fn get(tx: &mut TenantTx, id: MigrationId) -> Result<Migration> {
    let tenant = tx.tenant();
    let row =
        select_migrations!("tenant_id = $1 AND id = $2", tenant.0, id.0).fetch_optional(tx.conn()).await?;
    row.map(Migration::from).ok_or(Error::NotFound("migration"))
}

/// The migrations, the newest first.
pub async fn list(tx: &mut TenantTx, query: PageQuery) -> Result<Page<Migration>> {
    let tenant = tx.tenant();
    let rows = select_migrations!(
        "tenant_id = $1 ORDER BY created_at DESC, id LIMIT $2 OFFSET $3",
        tenant.0,
        query.limit(),
        query.offset(),
    )
    .fetch_all(tx.conn())
    .await?;
    let total = rows.first().map_or(0, |row| row.total);
    Ok(Page::new(rows.into_iter().map(Migration::from).collect(), query, total))
}

/// What the job of a migration finds.
#[derive(Debug)]
pub enum MigrationStart {
    /// The run is noted: read the dump.
    Read(Box<Started>),
    /// It has ended, or there is none: nothing is to be done.
    Ended,
}

/// A run of a migration.
#[derive(Debug)]
pub struct Started {
    /// Where its records wait.
    pub stage: Stage,
    /// The dump.
    pub dump: ObjectKey,
    /// What opens it.
    pub key: ContentKey,
    /// Where this run is to write the backup.
    pub backup: ObjectKey,
    /// Whether it changes nothing.
    pub dry_run: bool,
    /// Which practitioner an old identifier means.
    pub practitioners: BTreeMap<String, PractitionerId>,
    /// The member who asked.
    pub by: Option<UserId>,
}

/// Notes another run, which overtakes any earlier one, and removes what that has staged.
pub async fn begin(tx: &mut TenantTx, vault: &Vault, id: MigrationId) -> Result<MigrationStart> {
    let Some(row) = sqlx::query!(
        r#"UPDATE data_migrations
           SET run = run + 1, status = 'running'
           WHERE tenant_id = $1 AND id = $2 AND status IN ('pending', 'running')
           RETURNING run, dump_object, dump_key AS "dump_key!", dry_run,
                     practitioners AS "practitioners: Json<Named>", created_by AS "created_by: UserId""#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    else {
        return Ok(MigrationStart::Ended);
    };
    let stage = Stage { migration: id, run: row.run };
    stage.clear(tx).await?;
    Ok(MigrationStart::Read(Box::new(Started {
        stage,
        dump: ObjectKey::parse(&row.dump_object)?,
        key: files::open_key(tx, vault, id, MigrationFile::Dump, row.dump_key).await?,
        backup: files::backup_object(tx.tenant(), id, row.run)?,
        dry_run: row.dry_run,
        practitioners: row.practitioners.0.0,
        by: row.created_by,
    })))
}

/// Notes how a run ended, in the transaction of what it did, and removes its records. What was moved in keeps its dump and its
/// backup for a while; of a dry run, or of what failed, nothing is of use any more.
pub async fn end(tx: &mut TenantTx, stage: Stage, report: &Report) -> Result<()> {
    settle(tx, stage, report, Some(report.count), (!report.is_sound()).then_some("faults")).await
}

/// Notes that a migration was given up, by this failure.
pub async fn fail(tx: &mut TenantTx, stage: Stage, failure: &str) -> Result<()> {
    settle(tx, stage, &Report::default(), None, Some(failure)).await
}

async fn settle(
    tx: &mut TenantTx,
    stage: Stage,
    report: &Report,
    count: Option<i64>,
    failure: Option<&str>,
) -> Result<()> {
    stage.hold(tx).await?;
    stage.clear(tx).await?;
    let (tenant, now) = (tx.tenant(), tx.now());
    let of_use = sqlx::query_scalar!(
        r#"UPDATE data_migrations
           SET status = CASE WHEN $3::text IS NULL THEN 'completed' ELSE 'failed' END, failure = $3, tables = $4,
               fault_count = $5, faults = $6, finished_at = $7
           WHERE tenant_id = $1 AND id = $2 RETURNING NOT dry_run AND failure IS NULL AS "of_use!""#,
        tenant.0,
        stage.migration.0,
        failure,
        Json(&report.tables) as Json<&Vec<TableReport>>,
        count,
        Json(&report.faults) as Json<&Vec<DumpFault>>,
        now,
    )
    .fetch_one(tx.conn())
    .await?;
    if of_use { files::keep(tx, stage.migration).await } else { files::end(tx, stage.migration).await }
}
