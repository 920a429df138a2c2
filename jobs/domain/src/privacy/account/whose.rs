//! What tells who a person is, in all tenants: gathered before it is taken out, and then searched for.

use super::super::{Identifiers, Wanted};
use crate::{
    db::SystemTx,
    error::Result,
    ids::{ErasureId, PatientId, TenantId, UserId},
    vault::{KeyClass, Place, Subject},
};

/// The key under which it is kept until the search is over.
pub(super) fn subject(user: UserId) -> Subject {
    Subject { id: user.0, class: KeyClass::Personal }
}

pub(super) fn place(home: TenantId, id: ErasureId) -> Place {
    Place { tenant: home, table: "account_erasures", row: id.0, version: 1 }
}

/// Everything by which the person is known: as a user, a colleague, an employee, a practitioner, and a patient of those practices.
pub(super) async fn identifiers(
    tx: &mut SystemTx,
    user: UserId,
    patients: &[(TenantId, PatientId)],
) -> Result<Vec<Identifiers>> {
    let email =
        sqlx::query_scalar!("SELECT email FROM users WHERE id = $1", user.0).fetch_one(tx.conn()).await?;
    let mut all = vec![Identifiers::of_address(Some(&email), None)];
    let full_names =
        sqlx::query_scalar!("SELECT DISTINCT full_name FROM memberships WHERE user_id = $1", user.0)
            .fetch_all(tx.conn())
            .await?;
    // A name of one word is anybody's.
    let split = full_names.iter().filter_map(|name| name.split_once(' '));
    all.extend(split.map(|(first, last)| Identifiers::of_name(first, last)));
    let names = sqlx::query!(
        r#"SELECT e.first_name AS "first_name!", e.last_name AS "last_name!"
           FROM employees e JOIN memberships m ON m.tenant_id = e.tenant_id AND m.user_id = e.user_id
           WHERE m.user_id = $1
           UNION
           SELECT p.first_name, p.last_name
           FROM practitioners p JOIN memberships m ON m.tenant_id = p.tenant_id AND m.user_id = p.user_id
           WHERE m.user_id = $1"#,
        user.0,
    )
    .fetch_all(tx.conn())
    .await?;
    all.extend(names.iter().map(|name| Identifiers::of_name(&name.first_name, &name.last_name)));
    for (practice, patient) in patients {
        let known = sqlx::query_as!(
            Identifiers,
            r#"SELECT first_name, last_name, birth_date::text AS birth_date, email, phone, address AS "address: serde_json::Value"
               FROM patients WHERE tenant_id = $1 AND id = $2 AND erased_at IS NULL"#,
            practice.0,
            patient.0,
        )
        .fetch_optional(tx.conn())
        .await?;
        all.extend(known);
    }
    Ok(all)
}

/// What to search for, and where: addresses and numbers everywhere, names where the person belonged. Elsewhere others have them.
pub(super) fn wanted(
    erasure: ErasureId,
    user: UserId,
    all: &[Identifiers],
    tenants: &[TenantId],
) -> Vec<Wanted> {
    let within: Vec<_> = tenants.iter().map(|tenant| tenant.0).collect();
    let of = |identifiers, within| Wanted { erasure, subject: user.0, within, identifiers };
    all.iter()
        .flat_map(|known| {
            let reached = Identifiers::of_address(known.email.as_deref(), known.phone.as_deref());
            let mut named = Identifiers::of_name(&known.first_name, &known.last_name);
            named.address.clone_from(&known.address);
            [of(reached, None), of(named, Some(within.clone()))]
        })
        .collect()
}
