//! Draws what was issued as a PDF and keeps it. Drawn twice, it is the same file under the same key.

use permanence_domain::{
    Error,
    billing::{Document, PaperStart, begin_paper, end_paper, jobs::RenderInvoicePdf, paper_key},
    error::Result,
    storage::{ObjectKey, Storage},
};
use sha2::{Digest, Sha256};

use super::render;
use crate::{
    paper::PaperError,
    perform::{Outcome, Perform, Run},
    services::Services,
};

impl Perform for RenderInvoicePdf {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let storage = services.storage()?;
        let mut tx = run.begin(services).await?;
        let (start, tenant) = (begin_paper(&mut tx, self.invoice_id).await?, tx.tenant());
        tx.commit().await?;
        let PaperStart::Draw(document) = start else { return Ok(Outcome::Done(None)) };
        let pdf = draw(document, storage, render).await?;
        let (sha256, bytes): ([u8; 32], usize) = (Sha256::digest(&pdf).into(), pdf.len());
        let key = paper_key(tenant, self.invoice_id, &sha256)?;
        storage.put(&key, "application/pdf", pdf).await?;
        let mut tx = run.begin(services).await?;
        end_paper(&mut tx, self.invoice_id, &key, &sha256, bytes).await?;
        tx.commit().await?;
        Ok(Outcome::Done(None))
    }
}

/// How a document becomes a file.
pub(super) type Render = fn(&Document, Option<&[u8]>) -> std::result::Result<Vec<u8>, PaperError>;

/// Draws a document with its logo.
pub(super) async fn draw(document: Box<Document>, storage: &Storage, render: Render) -> Result<Vec<u8>> {
    let logo = match &document.logo {
        Some(key) => logo(&ObjectKey::parse(key)?, storage).await?,
        None => None,
    };
    // Milliseconds of a processor, which other jobs of this process must not wait for.
    let drawn = tokio::task::spawn_blocking(move || render(&document, logo.as_deref())).await;
    drawn.map_err(Error::internal)?.map_err(Error::internal)
}

/// The practice's logo; an invoice whose logo is gone is drawn without.
async fn logo(key: &ObjectKey, storage: &Storage) -> Result<Option<Vec<u8>>> {
    match storage.get(key).await {
        Ok(logo) => Ok(Some(logo)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
