//! Specimens of a practice's words: drawn like what is issued, and removed after a day.

use permanence_domain::{
    billing::{
        PaperStart, begin_preview, end_preview, forget_preview,
        jobs::{RemoveInvoicePreview, RenderInvoicePreview},
        preview_key,
    },
    error::Result,
};

use super::{render_invoice_pdf::draw, specimen};
use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

impl Perform for RenderInvoicePreview {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let storage = services.storage()?;
        let mut tx = run.begin(services).await?;
        let (start, tenant) = (begin_preview(&mut tx, self.preview_id).await?, tx.tenant());
        tx.commit().await?;
        let PaperStart::Draw(document) = start else { return Ok(Outcome::Done(None)) };
        let pdf = draw(document, storage, specimen).await?;
        let key = preview_key(tenant, self.preview_id)?;
        storage.put(&key, "application/pdf", pdf).await?;
        let mut tx = run.begin(services).await?;
        let noted = end_preview(&mut tx, self.preview_id, &key).await?;
        tx.commit().await?;
        if !noted {
            // Its day was over before it was drawn.
            storage.remove(&key).await?;
        }
        Ok(Outcome::Done(None))
    }
}

impl Perform for RemoveInvoicePreview {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = run.begin(services).await?;
        let key = preview_key(tx.tenant(), self.preview_id)?;
        forget_preview(&mut tx, self.preview_id).await?;
        tx.commit().await?;
        // Forgotten first, so that a drawing that comes late finds nothing to be noted at and takes its file away itself.
        services.storage()?.remove(&key).await?;
        Ok(Outcome::Done(None))
    }
}
