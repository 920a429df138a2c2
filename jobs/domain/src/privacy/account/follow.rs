//! Looking at erasures of accounts and their certificates: as an operator, and by the link of the last mail, which is all that is left
//! to a person without an account.

use chrono::{DateTime, Duration, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::{
    super::{Destroyed, ErasureStatus, Finding, Kept, SignedCertificate},
    AccountErasure, Held,
    request::select_account_erasures,
};
use crate::{
    billing::Paper,
    crypto,
    db::SystemTx,
    error::{Error, Result},
    field::Language,
    identity::TokenHashes,
    ids::{ErasureId, TenantId, UserId},
    page::{Page, PageQuery},
    storage::ObjectKey,
};

/// How long the link of the last mail leads to the certificate.
const LINK: Duration = Duration::days(90);

/// One erasure of an account.
pub async fn get_account_erasure(tx: &mut SystemTx, id: ErasureId) -> Result<AccountErasure> {
    let row = select_account_erasures!("e.id = $1", id.0).fetch_optional(tx.conn()).await?;
    row.map(AccountErasure::from).ok_or(Error::NotFound("erasure"))
}

/// A page of erasures of accounts, the newest first.
pub async fn list_account_erasures(tx: &mut SystemTx, page: PageQuery) -> Result<Page<AccountErasure>> {
    let total =
        sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM account_erasures"#).fetch_one(tx.conn()).await?;
    let rows =
        select_account_erasures!("true ORDER BY e.id DESC LIMIT $1 OFFSET $2", page.limit(), page.offset())
            .fetch_all(tx.conn())
            .await?;
    Ok(Page::new(rows.into_iter().map(AccountErasure::from).collect(), page, total))
}

/// The certificate of an account's erasure that is completed.
pub async fn account_certificate_of(tx: &mut SystemTx, id: ErasureId) -> Result<SignedCertificate> {
    let certificate = sqlx::query_scalar!(
        r#"SELECT certificate AS "certificate: Json<SignedCertificate>" FROM account_erasures WHERE id = $1"#,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("erasure"))?;
    let Json(certificate) = certificate.ok_or_else(|| {
        let detail = "there is a certificate once nothing is left: follow the erasure";
        Error::conflict("erasure_not_completed", detail)
    })?;
    Ok(certificate)
}

/// A certificate, and the language to draw it in: that of the tenant where it was asked for.
pub async fn account_certificate_to_draw(
    tx: &mut SystemTx,
    id: ErasureId,
) -> Result<(SignedCertificate, Language, ObjectKey)> {
    let signed = account_certificate_of(tx, id).await?;
    let language = sqlx::query_scalar!(
        r#"SELECT t.language AS "language: Language" FROM account_erasures e JOIN tenants t ON t.id = e.home_id
           WHERE e.id = $1"#,
        id.0
    )
    .fetch_one(tx.conn())
    .await?;
    // Under no tenant: none is to tell that somebody was its own.
    let key = ObjectKey::of("certificates", TenantId(Uuid::nil()), &format!("{id}.pdf"))?;
    Ok((signed, language, key))
}

/// Notes that the PDF of a certificate lies there.
pub async fn keep_account_certificate(tx: &mut SystemTx, id: ErasureId, key: &ObjectKey) -> Result<()> {
    sqlx::query!("UPDATE account_erasures SET certificate_paper = $2 WHERE id = $1", id.0, key.as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The PDF of a certificate; `None` while it is being drawn.
pub async fn account_paper_of(tx: &mut SystemTx, id: ErasureId) -> Result<Option<Paper>> {
    account_certificate_of(tx, id).await?;
    let key = sqlx::query_scalar!("SELECT certificate_paper FROM account_erasures WHERE id = $1", id.0)
        .fetch_one(tx.conn())
        .await?;
    key.map(|key| Ok(Paper { key: ObjectKey::parse(&key)?, file_name: format!("erasure-{id}.pdf") }))
        .transpose()
}

/// Makes the token of the last mail's link; its hash alone is kept, so the link of an earlier attempt ends.
pub(crate) async fn certificate_link(
    tx: &mut SystemTx,
    hashes: &TokenHashes,
    user: UserId,
) -> Result<String> {
    let (token, ends_at) = (crypto::random_token()?, tx.now() + LINK);
    sqlx::query!(
        "UPDATE account_erasures SET link_hash = $2, link_ends_at = $3 WHERE user_id = $1 AND status = 'running'",
        user.0,
        hashes.certificate(&token)?,
        ends_at,
    )
    .execute(tx.conn())
    .await?;
    Ok(token)
}

/// The erasure that the link of a last mail is about, and the language to tell of it in.
pub async fn account_certificate_by_link(
    tx: &mut SystemTx,
    hashes: &TokenHashes,
    token: &str,
) -> Result<(ErasureId, Language)> {
    let now = tx.now();
    let row = sqlx::query!(
        r#"SELECT e.id AS "id: ErasureId", t.language AS "language: Language"
           FROM account_erasures e JOIN tenants t ON t.id = e.home_id WHERE e.link_hash = $1 AND e.link_ends_at > $2"#,
        hashes.certificate(token)?,
        now,
    )
    .fetch_optional(tx.conn())
    .await?;
    let row = row.ok_or_else(|| {
        metrics::counter!("permanence_wrong_tokens_total", "kind" => "certificate").increment(1);
        Error::NotFound("certificate")
    })?;
    Ok((row.id, row.language))
}

/// When the account of somebody who signs in will be erased, if they have asked for that.
pub(crate) async fn deletion_due(tx: &mut SystemTx, user: UserId) -> Result<Option<DateTime<Utc>>> {
    Ok(sqlx::query_scalar!(
        "SELECT due_at FROM account_erasures WHERE user_id = $1 AND status IN ('pending', 'running')",
        user.0,
    )
    .fetch_optional(tx.conn())
    .await?)
}
