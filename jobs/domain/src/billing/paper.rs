//! The PDF of what was issued: what it is made from, and where it lies once it is made. Draws nothing.

use std::time::Duration;

use sqlx::types::Json;

use super::{Document, DocumentKind, invoice};
use crate::{
    db::TenantTx,
    error::{Error, Result},
    ids::{InvoiceId, TenantId},
    storage::{ObjectKey, Storage},
};

/// How long a link to a PDF lives.
const LINK: Duration = Duration::from_mins(5);

/// What the drawing job finds.
#[derive(Debug)]
pub enum PaperStart {
    /// To be drawn from this.
    Draw(Box<Document>),
    /// It is drawn already.
    Made,
}

/// A PDF that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paper {
    /// Where it lies.
    pub key: ObjectKey,
    /// The file's name, for people.
    pub file_name: String,
}

/// What is to be drawn, unless it is made already.
pub async fn begin_paper(tx: &mut TenantTx, id: InvoiceId) -> Result<PaperStart> {
    if find_paper(tx, id, &ALL).await?.is_some() {
        return Ok(PaperStart::Made);
    }
    let stored = invoice::find(tx, id, &ALL).await?;
    let document = stored.document.map(|Json(document)| document);
    let document = document.ok_or_else(|| Error::internal("the paper of a draft is not drawn"))?;
    Ok(PaperStart::Draw(Box::new(document)))
}

/// Where a PDF is to lie. Its hash is part of the key: of two drawings that differ neither replaces the other, and what was
/// noted first stays what it was.
pub fn paper_key(tenant: TenantId, id: InvoiceId, sha256: &[u8; 32]) -> Result<ObjectKey> {
    let head = sha256.first_chunk().copied().unwrap_or_default();
    ObjectKey::of("invoices", tenant, &format!("{id}-{:016x}.pdf", u64::from_be_bytes(head)))
}

/// Notes where the PDF lies and what its SHA-256 is; of two drawings the first counts.
pub async fn end_paper(
    tx: &mut TenantTx,
    id: InvoiceId,
    key: &ObjectKey,
    sha256: &[u8; 32],
    bytes: usize,
) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "INSERT INTO invoice_papers (tenant_id, invoice_id, object_key, sha256, bytes, made_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        tenant.0,
        id.0,
        key.as_str(),
        &sha256[..],
        i64::try_from(bytes).map_err(Error::internal)?,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

const ALL: [DocumentKind; 3] = [DocumentKind::Invoice, DocumentKind::CreditNote, DocumentKind::Quote];

/// The PDF of an invoice or a credit note; `None` while it is being made.
pub async fn paper_of_invoice(tx: &mut TenantTx, id: InvoiceId) -> Result<Option<Paper>> {
    find_paper(tx, id, &invoice::BILLS).await
}

/// The PDF of a quote; `None` while it is being made.
pub async fn paper_of_quote(tx: &mut TenantTx, id: InvoiceId) -> Result<Option<Paper>> {
    find_paper(tx, id, &[DocumentKind::Quote]).await
}

async fn find_paper(tx: &mut TenantTx, id: InvoiceId, kinds: &[DocumentKind]) -> Result<Option<Paper>> {
    let stored = invoice::find(tx, id, kinds).await?;
    let number = stored.issued()?.number.clone();
    let sealed = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM retained WHERE tenant_id = $1 AND what = 'invoice' AND row_id = $2) AS "sealed!""#,
        tx.tenant().0,
        id.0,
    )
    .fetch_one(tx.conn())
    .await?;
    if sealed {
        return Err(Error::conflict(
            "person_erased",
            "its buyer was erased: what the law keeps of it is under seal",
        ));
    }
    let key = sqlx::query_scalar!(
        "SELECT object_key FROM invoice_papers WHERE tenant_id = $1 AND invoice_id = $2",
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    key.map(|key| Ok(Paper { key: ObjectKey::parse(&key)?, file_name: format!("{number}.pdf") })).transpose()
}

impl Paper {
    /// A link under which anybody may read it for five minutes.
    pub async fn link(&self, storage: &Storage) -> Result<String> {
        storage.link(&self.key, &self.file_name, LINK).await
    }
}
