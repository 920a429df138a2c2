//! The last step of an erasure: who is found nowhere any more loses the last keys and is certified; who is found stays open.

use permanence_queue::NewJob;
use sqlx::types::Json;

use super::{
    Certificate, Destroyed, Finding, Identifiers, Kept, Searched, Signer,
    erase::{note, personal, place},
    jobs::RenderCertificate,
    retained,
};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Result},
    ids::{ErasureId, PatientId},
    vault::{Sealed, Subject, Vault},
};

/// The erasures of the practice that are done but not proved.
pub async fn to_verify(tx: &mut TenantTx) -> Result<Vec<ErasureId>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: ErasureId" FROM patient_erasures
           WHERE tenant_id = $1 AND status = 'running' AND objects_removed_at IS NOT NULL ORDER BY id"#,
        tx.tenant().0,
    )
    .fetch_all(tx.conn())
    .await?)
}

/// What is to be searched for, and whose it was.
pub async fn open_identifiers(
    tx: &mut TenantTx,
    vault: &Vault,
    id: ErasureId,
) -> Result<(PatientId, Identifiers)> {
    let tenant = tx.tenant();
    let row = sqlx::query!(
        r#"SELECT patient_id AS "patient: PatientId", identifiers AS "identifiers!" FROM patient_erasures
           WHERE tenant_id = $1 AND id = $2 AND identifiers IS NOT NULL"#,
        tenant.0,
        id.0,
    )
    .fetch_one(tx.conn())
    .await?;
    let key = vault.reading(tx, personal(row.patient)).await?;
    let plain = key.open(&place(tenant, id), &Sealed(row.identifiers))?;
    let identifiers =
        serde_json::from_slice(&plain).map_err(|_| Error::internal("identifiers do not read"))?;
    Ok((row.patient, identifiers))
}

/// Notes where the search still found something: the erasure stays open.
pub async fn found(tx: &mut TenantTx, id: ErasureId, findings: &[Finding]) -> Result<()> {
    sqlx::query!(
        "UPDATE patient_erasures SET findings = $3 WHERE tenant_id = $1 AND id = $2",
        tx.tenant().0,
        id.0,
        Json(findings) as Json<&[Finding]>,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Destroys the keys of which nothing is kept, makes sure that they open nothing any more, and certifies the erasure.
pub async fn finish(
    tx: &mut TenantTx,
    vault: &Vault,
    signer: &Signer,
    id: ErasureId,
    searched: &Searched,
) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let row = sqlx::query!(
        r#"SELECT e.patient_id AS "patient: PatientId", e.requested_at, e.erased_at AS "erased_at!", t.name,
                  e.destroyed AS "destroyed: Json<Vec<Destroyed>>", e.kept AS "kept: Json<Vec<Kept>>"
           FROM patient_erasures e JOIN tenants t ON t.id = e.tenant_id
           WHERE e.tenant_id = $1 AND e.id = $2 AND e.status = 'running' FOR UPDATE OF e"#,
        tenant.0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    // Another run has certified it meanwhile.
    let Some(row) = row else { return Ok(()) };
    let (Json(mut destroyed), Json(kept)) = (row.destroyed, row.kept);
    let mut ends = vec![personal(row.patient)];
    if kept.iter().all(|kept| kept.until.is_none()) {
        ends.push(retained::subject(row.patient));
    }
    let keys = end_keys(tx, vault, &ends).await?;
    note(&mut destroyed, "subject_keys", keys, "key_destroyed");
    let certificate = signer.sign(Certificate {
        format: 1,
        erasure_id: id.0,
        tenant_id: tenant.0,
        tenant_name: row.name,
        subject_id: row.patient.0,
        requested_at: row.requested_at,
        erased_at: row.erased_at,
        certified_at: now,
        destroyed: destroyed.clone(),
        kept,
        tables_searched: searched.tables,
        rows_searched: searched.rows,
        objects_searched: searched.objects,
        identifiers_found: 0,
        not_searched: searched.left_out.clone(),
    })?;
    sqlx::query!(
        "UPDATE patient_erasures
         SET status = 'completed', completed_at = $3, identifiers = NULL, findings = '[]', destroyed = $4,
             certificate = $5
         WHERE tenant_id = $1 AND id = $2",
        tenant.0,
        id.0,
        now,
        Json(&destroyed) as Json<&Vec<Destroyed>>,
        Json(&certificate) as Json<&super::SignedCertificate>,
    )
    .execute(tx.conn())
    .await?;
    tx.enqueue(NewJob::of(&RenderCertificate { erasure_id: id })?).await?;
    audit::record(tx, "erasure.certify", "patient", row.patient.0).await
}

/// Destroys keys and makes sure that they open nothing any more; gives how many there were.
pub(super) async fn end_keys(tx: &mut TenantTx, vault: &Vault, ends: &[Subject]) -> Result<u64> {
    let mut keys = 0;
    for subject in ends {
        keys += u64::from(Vault::destroy(tx, *subject).await?);
        let read = vault.reading(tx, *subject).await;
        if !matches!(read, Err(Error::Conflict { code: "key_destroyed", .. } | Error::Internal(_))) {
            return Err(Error::internal("a key that was destroyed still opens"));
        }
    }
    Ok(keys)
}
