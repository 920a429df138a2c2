//! Asking for what is known of a person: the one row, the one job and the one file that follow; how they stand; and the fetching.

use chrono::Months;
use permanence_queue::NewJob;

use super::{
    AccessRequest, Whose,
    jobs::WriteAccessFile,
    row::{Row, select_requests},
};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Result},
    exports::{ExportStatus, Turn, begin_turn, file_key, find_file, request_file},
    ids::{AccessRequestId, ExportId, PatientId, UserId},
    scheduling::today,
    storage::ObjectKey,
    vault::{Place, SubjectKey, Vault},
};

/// A file to fetch: where it lies sealed, and what opens it.
#[derive(Debug)]
pub struct Fetch {
    /// Where it lies.
    pub object: ObjectKey,
    /// What opens it.
    pub key: SubjectKey,
    /// What it is bound to.
    pub place: Place,
    /// What it is called on the caller's side.
    pub file_name: String,
    /// Its size, opened.
    pub size_bytes: i64,
}

/// What a job is to write.
#[derive(Debug)]
pub struct Task {
    /// Whose data.
    pub whose: Whose,
    /// The turn at the file.
    pub turn: Turn,
    /// What seals it.
    pub key: SubjectKey,
    /// What it is bound to.
    pub place: Place,
}

/// Asks for what is known of a patient, one who was deleted too: as long as there is something to know, there is the right. While
/// an earlier request is at work it is the answer.
pub async fn request_of_patient(tx: &mut TenantTx, patient: PatientId) -> Result<AccessRequest> {
    // Of two at once the second waits, and finds the first one's.
    let erased = sqlx::query_scalar!(
        r#"SELECT erased_at IS NOT NULL AS "erased!" FROM patients WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE"#,
        tx.tenant().0,
        patient.0
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("patient"))?;
    if erased {
        let detail = "the person was erased: what the law keeps is opened one by one";
        return Err(Error::conflict("person_erased", detail));
    }
    let request = match latest_of_patient(tx, patient).await?.filter(at_work) {
        Some(earlier) => earlier,
        None => ask(tx, Whose::Patient(patient)).await?,
    };
    audit::record(tx, "patient.access_request", "patient", patient.0).await?;
    Ok(request)
}

/// Asks for what is known of the caller. While an earlier request is at work it is the answer.
pub async fn request_of_user(tx: &mut TenantTx) -> Result<AccessRequest> {
    let user = caller(tx)?;
    let request = match newest_of_user(tx, user).await?.filter(at_work) {
        Some(earlier) => earlier,
        None => ask(tx, Whose::User(user)).await?,
    };
    audit::record(tx, "user.export", "user", user.0).await?;
    Ok(request)
}

fn at_work(request: &AccessRequest) -> bool {
    matches!(request.status, ExportStatus::Queued | ExportStatus::Running)
}

fn caller(tx: &TenantTx) -> Result<UserId> {
    tx.actor().user.ok_or_else(|| Error::internal("nobody asks for what is known of them"))
}

async fn ask(tx: &mut TenantTx, whose: Whose) -> Result<AccessRequest> {
    let (tenant, now, by) = (tx.tenant(), tx.now(), tx.actor().user);
    let (id, export) = (AccessRequestId::new(now), ExportId::new(now));
    let day = today(tx).await?;
    let due_on = day.checked_add_months(Months::new(1)).ok_or_else(|| Error::internal("no such month"))?;
    let (patient, user, kind) = match whose {
        Whose::Patient(patient) => (Some(patient.0), None, "patient_access"),
        Whose::User(user) => (None, Some(user.0), "user_access"),
    };
    let job = tx.enqueue(NewJob::of(&WriteAccessFile { access_request_id: id })?).await?;
    request_file(tx, export, job.id, kind).await?;
    sqlx::query!(
        "INSERT INTO access_requests (tenant_id, id, patient_id, user_id, export_id, requested_at, requested_by, due_on)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        tenant.0,
        id.0,
        patient,
        user,
        export.0,
        now,
        by.map(|user| user.0),
        due_on,
    )
    .execute(tx.conn())
    .await?;
    find(tx, id).await?.ok_or(Error::NotFound("access request"))?.on(tx, day).await
}

async fn now(tx: &mut TenantTx, row: Row) -> Result<AccessRequest> {
    let today = today(tx).await?;
    row.on(tx, today).await
}

async fn find(tx: &mut TenantTx, id: AccessRequestId) -> Result<Option<Row>> {
    let tenant = tx.tenant();
    Ok(select_requests!("WHERE r.tenant_id = $1 AND r.id = $2", tenant.0, id.0)
        .fetch_optional(tx.conn())
        .await?)
}

async fn of_patient(tx: &mut TenantTx, id: AccessRequestId) -> Result<Row> {
    let row = find(tx, id).await?.filter(|row| row.patient_id.is_some());
    row.ok_or(Error::NotFound("access request"))
}

/// A request of a patient's. A user's own is nobody else's business.
pub async fn get(tx: &mut TenantTx, id: AccessRequestId) -> Result<AccessRequest> {
    let row = of_patient(tx, id).await?;
    now(tx, row).await
}

async fn latest_of_patient(tx: &mut TenantTx, patient: PatientId) -> Result<Option<AccessRequest>> {
    let tenant = tx.tenant();
    let row = select_requests!(
        "WHERE r.tenant_id = $1 AND r.patient_id = $2 ORDER BY r.requested_at DESC, r.id DESC LIMIT 1",
        tenant.0,
        patient.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    match row {
        Some(row) => now(tx, row).await.map(Some),
        None => Ok(None),
    }
}

async fn newest_row_of_user(tx: &mut TenantTx, user: UserId) -> Result<Option<Row>> {
    let tenant = tx.tenant();
    Ok(select_requests!(
        "WHERE r.tenant_id = $1 AND r.user_id = $2 ORDER BY r.requested_at DESC, r.id DESC LIMIT 1",
        tenant.0,
        user.0,
    )
    .fetch_optional(tx.conn())
    .await?)
}

async fn newest_of_user(tx: &mut TenantTx, user: UserId) -> Result<Option<AccessRequest>> {
    match newest_row_of_user(tx, user).await? {
        Some(row) => now(tx, row).await.map(Some),
        None => Ok(None),
    }
}

/// The caller's newest request.
pub async fn latest_of_user(tx: &mut TenantTx) -> Result<AccessRequest> {
    let user = caller(tx)?;
    newest_of_user(tx, user).await?.ok_or(Error::NotFound("export"))
}

/// Begins to write the file of a request; none if it is there or over.
pub async fn begin_task(tx: &mut TenantTx, vault: &Vault, id: AccessRequestId) -> Result<Option<Task>> {
    let Some(row) = find(tx, id).await? else { return Ok(None) };
    let whose = row.whose()?;
    let Some(turn) = begin_turn(tx, row.export_id).await? else { return Ok(None) };
    let key = vault.writing(tx, file_key(row.export_id)).await?;
    Ok(Some(Task { whose, key, place: place(tx, row.export_id), turn }))
}

/// Lets the caller fetch a patient's file, and notes it.
pub async fn fetch_of_patient(tx: &mut TenantTx, vault: &Vault, id: AccessRequestId) -> Result<Fetch> {
    let row = of_patient(tx, id).await?;
    fetch(tx, vault, row).await
}

/// Lets the caller fetch their newest file, and notes it.
pub async fn fetch_of_user(tx: &mut TenantTx, vault: &Vault) -> Result<Fetch> {
    let user = caller(tx)?;
    let row = newest_row_of_user(tx, user).await?.ok_or(Error::NotFound("export"))?;
    fetch(tx, vault, row).await
}

async fn fetch(tx: &mut TenantTx, vault: &Vault, row: Row) -> Result<Fetch> {
    let over = || {
        let detail = "it came to nothing or its time is over: ask anew";
        Error::conflict("access_file_over", detail)
    };
    let file = find_file(tx, row.export_id).await?.ok_or_else(over)?;
    let size_bytes = match (file.status, file.size_bytes) {
        (ExportStatus::Completed, Some(size)) => size,
        (ExportStatus::Queued | ExportStatus::Running, _) => {
            return Err(Error::conflict(
                "access_file_not_ready",
                "the file is being written: look again soon",
            ));
        }
        _ => return Err(over()),
    };
    match row.whose()? {
        Whose::Patient(patient) => audit::record(tx, "patient.access_download", "patient", patient.0).await?,
        Whose::User(user) => audit::record(tx, "user.export_download", "user", user.0).await?,
    }
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "UPDATE access_requests SET fetched_at = coalesce(fetched_at, $3) WHERE tenant_id = $1 AND id = $2",
        tenant.0,
        row.id.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    let key = vault.reading(tx, file_key(row.export_id)).await?;
    // No name: the file lies in a downloads folder that others may see.
    let file_name = format!("donnees-{}.zip", row.requested_at.format("%Y-%m-%d"));
    Ok(Fetch { object: file.key, key, place: place(tx, row.export_id), file_name, size_bytes })
}

/// The version counts the frames.
fn place(tx: &TenantTx, export: ExportId) -> Place {
    Place { tenant: tx.tenant(), table: "exports/personal", row: export.0, version: 1 }
}
