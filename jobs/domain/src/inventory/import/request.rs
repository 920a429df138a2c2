//! What was asked for, and what became of it.

use chrono::{DateTime, Utc};
use deserr::Deserr;
use permanence_queue::NewJob;
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use utoipa::{IntoParams, ToSchema};

use super::{
    ImportMode,
    apply::Made,
    columns::Mapping,
    report::{Fault, FoundColumn, Report},
    stage::Stage,
};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Invalid, Result},
    field::Flag,
    ids::{ImportId, UserId},
    inventory::jobs::ImportItems,
    storage::ObjectKey,
};

/// How a file is to be imported.
#[derive(Debug, Clone, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct ImportOptions {
    /// What its quantities are.
    #[param(inline)]
    pub mode: ImportMode,
    /// Checks everything and changes nothing.
    #[deserr(default)]
    #[param(value_type = Option<bool>)]
    pub dry_run: Flag,
    /// Which header names a column, where the usual names do not serve: JSON such as `{"reference": "Code"}`.
    #[deserr(default)]
    #[param(value_type = Option<String>)]
    pub mapping: Mapping,
}

/// How far an import has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum ImportStatus {
    /// Its job waits or runs.
    Waiting,
    /// All of it was applied.
    Applied,
    /// It was a dry run, and all of it could be applied.
    Checked,
    /// It has faults, and nothing of it was applied.
    Refused,
    /// It was given up, and nothing of it was applied: the job tells why.
    Failed,
}

impl ImportStatus {
    fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Applied => "applied",
            Self::Checked => "checked",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// An import with its report.
#[derive(Debug, Serialize, ToSchema)]
pub struct Import {
    /// Identifier.
    pub id: ImportId,
    /// How far it has come.
    pub status: ImportStatus,
    /// What its quantities are.
    pub mode: ImportMode,
    /// Whether it changes nothing.
    pub dry_run: bool,
    /// The job that does it.
    pub job_id: Option<i64>,
    /// Size of the file.
    pub bytes: i64,
    /// The file's encoding, by its name in the Encoding Standard; `null` until it was read, as all that follows.
    pub encoding: Option<String>,
    /// What parts its cells.
    pub delimiter: Option<String>,
    /// Its columns; those without a `field` were passed over.
    #[schema(value_type = Vec<FoundColumn>)]
    pub columns: Json<Vec<FoundColumn>>,
    /// Lines with something in them, without the header.
    pub rows: Option<i64>,
    /// Items that were new; of a dry run, that would be.
    pub created: Option<i64>,
    /// Items that were known.
    pub updated: Option<i64>,
    /// Movements that were noted; of a dry run none.
    pub movements: Option<i64>,
    /// How many faults there are.
    pub fault_count: Option<i64>,
    /// The first thousand of them, in the file's order.
    #[schema(value_type = Vec<Fault>)]
    pub faults: Json<Vec<Fault>>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// The member who asked.
    pub created_by: Option<UserId>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// What the importing job finds.
#[derive(Debug)]
pub enum ImportStart {
    /// The run is noted: read the file.
    Read(Box<Started>),
    /// It has ended; its file is of no use any more.
    Ended(ObjectKey),
    /// There is no such import.
    Gone,
}

/// A run of an import.
#[derive(Debug)]
pub struct Started {
    /// Where its lines wait.
    pub stage: Stage,
    /// The file.
    pub object: ObjectKey,
    /// What its quantities are.
    pub mode: ImportMode,
    /// Whether it changes nothing.
    pub dry_run: bool,
    /// Which header names a column.
    pub mapping: Mapping,
    /// The member who asked.
    pub by: Option<UserId>,
}

/// Asks for the import of a file that lies in the object store.
pub async fn request_import(
    tx: &mut TenantTx,
    options: &ImportOptions,
    object: &ObjectKey,
    bytes: i64,
) -> Result<Import> {
    let (tenant, now, actor) = (tx.tenant(), tx.now(), tx.actor());
    let id = ImportId::new(now);
    let job = tx.enqueue(NewJob::of(&ImportItems { import_id: id })?).await?;
    sqlx::query!(
        "INSERT INTO inventory_imports (tenant_id, id, mode, dry_run, mapping, object, bytes, job_id, created_at,
                                        created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        tenant.0,
        id.0,
        options.mode as ImportMode,
        options.dry_run.get(),
        Json(&options.mapping) as Json<&Mapping>,
        object.as_str(),
        bytes,
        job.id.0,
        now,
        actor.user.map(|user| user.0),
    )
    .execute(tx.conn())
    .await?;
    audit::record(tx, "inventory.request_import", "inventory_import", id.0).await?;
    get_import(tx, id).await
}

/// One import with its report.
pub async fn get_import(tx: &mut TenantTx, id: ImportId) -> Result<Import> {
    sqlx::query_as!(
        Import,
        r#"SELECT id AS "id: ImportId", status AS "status: ImportStatus", mode AS "mode: ImportMode", dry_run, job_id,
                  bytes, encoding, delimiter, columns AS "columns: Json<Vec<FoundColumn>>", lines AS rows, created,
                  updated, movements, fault_count, faults AS "faults: Json<Vec<Fault>>", created_at,
                  created_by AS "created_by: UserId", finished_at
           FROM inventory_imports WHERE tenant_id = $1 AND id = $2"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("import"))
}

/// Notes another run, which overtakes any earlier one, and removes what that has staged.
pub async fn begin_import(tx: &mut TenantTx, id: ImportId) -> Result<ImportStart> {
    let Some(row) = sqlx::query!(
        r#"UPDATE inventory_imports SET run = run + 1 WHERE tenant_id = $1 AND id = $2
           RETURNING status AS "status: ImportStatus", run, object, mode AS "mode: ImportMode", dry_run,
                     mapping AS "mapping: Json<Mapping>", created_by AS "created_by: UserId""#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    else {
        return Ok(ImportStart::Gone);
    };
    let object = ObjectKey::parse(&row.object)?;
    if row.status != ImportStatus::Waiting {
        return Ok(ImportStart::Ended(object));
    }
    let stage = Stage { import: id, run: row.run };
    stage.clear(tx).await?;
    let (mode, dry_run, by) = (row.mode, row.dry_run, row.created_by);
    Ok(ImportStart::Read(Box::new(Started { stage, object, mode, dry_run, mapping: row.mapping.0, by })))
}

/// Notes how a run ended, in the transaction of what it did, and removes its lines.
pub async fn end_import(
    tx: &mut TenantTx,
    stage: Stage,
    status: ImportStatus,
    report: &Report,
    made: Made,
) -> Result<()> {
    stage.hold(tx).await?;
    stage.clear(tx).await?;
    let (tenant, now) = (tx.tenant(), tx.now());
    let read = status != ImportStatus::Failed;
    let done = matches!(status, ImportStatus::Applied | ImportStatus::Checked);
    sqlx::query!(
        "UPDATE inventory_imports
         SET status = $3, encoding = $4, delimiter = $5, columns = $6, lines = $7, created = $8, updated = $9,
             movements = $10, fault_count = $11, faults = $12, finished_at = $13
         WHERE tenant_id = $1 AND id = $2",
        tenant.0,
        stage.import.0,
        status.name(),
        read.then_some(report.encoding.as_str()),
        read.then_some(report.delimiter.as_str()),
        Json(&report.columns) as Json<&Vec<FoundColumn>>,
        read.then_some(report.lines),
        done.then_some(made.created),
        done.then_some(made.updated),
        done.then_some(made.movements),
        read.then_some(report.faults.count),
        Json(&report.faults.kept) as Json<&Vec<Fault>>,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
