//! The last step of an account's erasure: who is found nowhere any more loses the last key and is certified; who is found stays open.

use permanence_queue::NewJob;
use sqlx::types::Json;
use uuid::Uuid;

use super::{
    super::{
        Certificate, Destroyed, Finding, Identifiers, Kept, Searched, SignedCertificate, Signer, Wanted,
        certify::end_keys, erase::note, jobs::RenderAccountCertificate,
    },
    leave::nobody,
    whose,
};
use crate::{
    audit,
    db::SystemTx,
    error::{Error, Result},
    ids::{ErasureId, PatientId, TenantId, UserId},
    vault::{Sealed, Vault},
};

/// What a certificate about an account names in place of a practice: the platform, which has no name of its own here.
const PLATFORM: &str = "Permanence";

/// What is to be searched for of an account, and the tenants whose objects are to be read.
pub async fn open_account(
    mut tx: SystemTx,
    vault: &Vault,
    id: ErasureId,
) -> Result<(SystemTx, Vec<Wanted>, Vec<TenantId>)> {
    let row = sqlx::query!(
        r#"SELECT user_id AS "user: UserId", home_id AS "home: TenantId", tenants, identifiers AS "identifiers!"
           FROM account_erasures WHERE id = $1 AND status = 'running' AND identifiers IS NOT NULL"#,
        id.0,
    )
    .fetch_one(tx.conn())
    .await?;
    let mut own = tx.narrow(row.home).await?;
    let key = vault.reading(&mut own, whose::subject(row.user)).await?;
    let plain = key.open(&whose::place(row.home, id), &Sealed(row.identifiers))?;
    let all: Vec<Identifiers> =
        serde_json::from_slice(&plain).map_err(|_| Error::internal("identifiers do not read"))?;
    let tenants: Vec<TenantId> = row.tenants.into_iter().map(TenantId).collect();
    Ok((own.widen().await?, whose::wanted(id, row.user, &all, &tenants), tenants))
}

/// Notes where the search still found something: the erasure stays open.
pub async fn found(tx: &mut SystemTx, id: ErasureId, findings: &[Finding]) -> Result<()> {
    sqlx::query!(
        "UPDATE account_erasures SET findings = $2 WHERE id = $1 AND status = 'running'",
        id.0,
        Json(findings) as Json<&[Finding]>,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Destroys the key of what was searched for and certifies the erasure.
pub async fn finish_account(
    mut tx: SystemTx,
    signer: &Signer,
    vault: &Vault,
    id: ErasureId,
    searched: &Searched,
) -> Result<SystemTx> {
    let now = tx.now();
    let row = sqlx::query!(
        r#"SELECT user_id AS "user: UserId", home_id AS "home: TenantId", requested_at, erased_at AS "erased_at!",
                  destroyed AS "destroyed: Json<Vec<Destroyed>>", kept AS "kept: Json<Vec<Kept>>"
           FROM account_erasures WHERE id = $1 AND status = 'running' AND erased_at IS NOT NULL FOR UPDATE"#,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    // Another run has certified it meanwhile.
    let Some(row) = row else { return Ok(tx) };
    let (Json(mut destroyed), Json(kept)) = (row.destroyed, row.kept);
    let (tx, with_patients) = end_patients(tx, id).await?;
    destroyed.extend(with_patients);
    let mut destroyed = added_up(destroyed);
    let mut tx = tx.narrow(row.home).await?;
    let keys = end_keys(&mut tx, vault, &[whose::subject(row.user)]).await?;
    note(&mut destroyed, "subject_keys", keys, "key_destroyed");
    let mut tx = tx.widen().await?;
    let certificate = signer.sign(Certificate {
        format: 1,
        erasure_id: id.0,
        // No tenant: where somebody belonged is nobody's business who finds the certificate.
        tenant_id: Uuid::nil(),
        tenant_name: PLATFORM.to_owned(),
        subject_id: row.user.0,
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
        "UPDATE account_erasures
         SET status = 'completed', completed_at = $2, identifiers = NULL, tenants = '{}', findings = '[]', destroyed = $3,
             certificate = $4
         WHERE id = $1",
        id.0,
        now,
        Json(&destroyed) as Json<&Vec<Destroyed>>,
        Json(&certificate) as Json<&SignedCertificate>,
    )
    .execute(tx.conn())
    .await?;
    tx.enqueue(NewJob::of(&RenderAccountCertificate { erasure_id: id })?).await?;
    audit::record_system(&mut tx, None, "erasure.certify", "user", row.user.0).await?;
    Ok(tx)
}

/// The same things of several tenants and steps as one line.
fn added_up(destroyed: Vec<Destroyed>) -> Vec<Destroyed> {
    let mut sums: Vec<Destroyed> = Vec::new();
    for gone in destroyed {
        match sums.iter_mut().find(|sum| (&sum.what, &sum.how) == (&gone.what, &gone.how)) {
            Some(sum) => sum.count += gone.count,
            None => sums.push(gone),
        }
    }
    sums
}

/// Consultations show who booked them by the patient's name: those of the account are called a deleted user. Gives what was destroyed
/// with those patients.
async fn end_patients(mut tx: SystemTx, id: ErasureId) -> Result<(SystemTx, Vec<Destroyed>)> {
    let patients = sqlx::query!(
        r#"SELECT tenant_id AS "tenant: TenantId", patient_id AS "patient: PatientId",
                  destroyed AS "destroyed: Json<Vec<Destroyed>>"
           FROM patient_erasures WHERE account_erasure_id = $1 AND status = 'completed' ORDER BY tenant_id, id"#,
        id.0,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut destroyed = Vec::new();
    for of in patients {
        let mut own = tx.narrow(of.tenant).await?;
        let (first, last) = nobody(&mut own).await?;
        sqlx::query!(
            "UPDATE patients SET first_name = $3, last_name = $4
             WHERE tenant_id = $1 AND id = $2 AND erased_at IS NOT NULL",
            of.tenant.0,
            of.patient.0,
            first,
            last,
        )
        .execute(own.conn())
        .await?;
        tx = own.widen().await?;
        destroyed.extend(of.destroyed.0);
    }
    Ok((tx, destroyed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_destroyed_in_several_tenants_is_one_line() {
        let gone =
            |what: &str, count, how: &str| Destroyed { what: what.to_owned(), count, how: how.to_owned() };
        let steps = vec![
            gone("sessions", 2, "deleted"),
            gone("memberships", 1, "deleted"),
            gone("sessions", 1, "deleted"),
            gone("sessions", 1, "emptied"),
        ];
        assert_eq!(
            added_up(steps),
            [
                gone("sessions", 3, "deleted"),
                gone("memberships", 1, "deleted"),
                gone("sessions", 1, "emptied")
            ]
        );
    }
}
