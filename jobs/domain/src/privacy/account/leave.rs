//! What a person leaves behind in one tenant: taken out, or sealed where the law wants it known who treated.

use serde_json::json;

use super::{
    super::{
        Destroyed,
        erase::note,
        retained::{self, Keep, keep},
    },
    kept::authored,
};
use crate::{
    audit,
    db::TenantTx,
    error::Result,
    exports,
    field::Language,
    ids::{ErasureId, ExportId, UserId},
    vault::{KeyClass, Subject, Vault},
};

/// Ends what the person is to one tenant.
pub(super) async fn leave(
    tx: &mut TenantTx,
    vault: &Vault,
    id: ErasureId,
    user: UserId,
    gone: &mut Vec<Destroyed>,
) -> Result<()> {
    seal_author(tx, vault, id, user).await?;
    withdraw_exports(tx, user, gone).await?;
    end_practitioner(tx, user, gone).await?;
    let tenant = tx.tenant().0;
    // They go with the membership.
    let with = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM employees WHERE tenant_id = $1 AND user_id = $2) AS "employees!",
                  (SELECT count(*) FROM invitations WHERE tenant_id = $1 AND user_id = $2) AS "invitations!",
                  (SELECT count(*) FROM notifications WHERE tenant_id = $1 AND user_id = $2) AS "notifications!",
                  (SELECT count(*) FROM inventory_subscriptions WHERE tenant_id = $1 AND user_id = $2) AS "subscriptions!",
                  (SELECT count(*) FROM inventory_digests WHERE tenant_id = $1 AND user_id = $2) AS "digests!""#,
        tenant,
        user.0,
    )
    .fetch_one(tx.conn())
    .await?;
    let member =
        sqlx::query!("DELETE FROM memberships WHERE tenant_id = $1 AND user_id = $2", tenant, user.0)
            .execute(tx.conn())
            .await?
            .rows_affected();
    for (what, count) in [
        ("employees", with.employees),
        ("invitations", with.invitations),
        ("notifications", with.notifications),
        ("inventory_subscriptions", with.subscriptions),
        ("inventory_digests", with.digests),
    ] {
        note(gone, what, count.unsigned_abs(), "deleted");
    }
    note(gone, "memberships", member, "deleted");
    audit::record(tx, "user.remove", "user", user.0).await
}

/// Seals who it was that treated there, for as long as the law wants it known.
async fn seal_author(tx: &mut TenantTx, vault: &Vault, id: ErasureId, user: UserId) -> Result<()> {
    let Some(until) = authored(tx, user).await?.author_until else { return Ok(()) };
    let tenant = tx.tenant();
    let known = sqlx::query!(
        r#"SELECT m.full_name, d.first_name AS "first_name?", d.last_name AS "last_name?", d.specialty,
                  d.rpps_number, d.adeli_number,
                  EXISTS (SELECT FROM retained r
                          WHERE r.tenant_id = $1 AND r.what = 'author' AND r.row_id = $2) AS "sealed!"
           FROM memberships m
           LEFT JOIN LATERAL (SELECT * FROM practitioners p WHERE p.tenant_id = m.tenant_id AND p.user_id = m.user_id
                              ORDER BY p.deleted_at DESC NULLS FIRST LIMIT 1) d ON true
           WHERE m.tenant_id = $1 AND m.user_id = $2"#,
        tenant.0,
        user.0,
    )
    .fetch_one(tx.conn())
    .await?;
    if known.sealed {
        return Ok(());
    }
    let content = json!({
        "full_name": known.full_name, "first_name": known.first_name, "last_name": known.last_name,
        "specialty": known.specialty, "rpps_number": known.rpps_number, "adeli_number": known.adeli_number,
    });
    let key = vault.writing(tx, Subject { id: user.0, class: KeyClass::Care }).await?;
    let row = Keep { erasure: id, what: "author", row: user.0, law: retained::RECORDS, until };
    keep(tx, &key, row, &content).await
}

/// Removes the files that the person asked for, and where they treated all of the practice's: any may name them.
async fn withdraw_exports(tx: &mut TenantTx, user: UserId, gone: &mut Vec<Destroyed>) -> Result<()> {
    let living = sqlx::query_scalar!(
        r#"SELECT id AS "id: ExportId" FROM exports e
           WHERE tenant_id = $1 AND status IN ('queued', 'running', 'completed')
             AND (created_by = $2
                  OR NOT personal AND EXISTS (SELECT FROM practitioners p WHERE p.tenant_id = $1 AND p.user_id = $2)
                  OR EXISTS (SELECT FROM access_requests r
                             WHERE r.tenant_id = $1 AND r.export_id = e.id AND r.user_id = $2))
           ORDER BY id"#,
        tx.tenant().0,
        user.0,
    )
    .fetch_all(tx.conn())
    .await?;
    for id in &living {
        exports::withdraw(tx, *id).await?;
    }
    note(gone, "exports", living.len() as u64, "removed");
    Ok(())
}

/// Takes the name off the practitioner, whose past appointments stay, and deletes when they worked and were away.
async fn end_practitioner(tx: &mut TenantTx, user: UserId, gone: &mut Vec<Destroyed>) -> Result<()> {
    let (tenant, now) = (tx.tenant().0, tx.now());
    let entries = sqlx::query!(
        "DELETE FROM availability_entries
         WHERE tenant_id = $1 AND practitioner_id IN (SELECT id FROM practitioners WHERE tenant_id = $1 AND user_id = $2)",
        tenant,
        user.0,
    )
    .execute(tx.conn())
    .await?;
    note(gone, "availability_entries", entries.rows_affected(), "deleted");
    let (first, last) = nobody(tx).await?;
    let practitioners = sqlx::query!(
        "UPDATE practitioners
         SET first_name = $3, last_name = $4, specialty = NULL, rpps_number = NULL, adeli_number = NULL, user_id = NULL,
             deleted_at = coalesce(deleted_at, $5), updated_at = $5, version = version + 1
         WHERE tenant_id = $1 AND user_id = $2",
        tenant,
        user.0,
        first,
        last,
        now,
    )
    .execute(tx.conn())
    .await?;
    note(gone, "practitioners", practitioners.rows_affected(), "emptied");
    Ok(())
}

/// What stands in place of a name, in the tenant's language.
pub(super) async fn nobody(tx: &mut TenantTx) -> Result<(&'static str, &'static str)> {
    let language = sqlx::query_scalar!(
        r#"SELECT language AS "language: Language" FROM tenants WHERE id = $1"#,
        tx.tenant().0
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(match language {
        Language::Fr => ("Utilisateur", "supprimé"),
        Language::En => ("Deleted", "user"),
    })
}
