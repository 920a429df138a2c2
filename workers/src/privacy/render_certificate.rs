//! Draws the certificate of an erasure as a PDF and keeps it. Drawn twice, it is the same file in the same place.

use permanence_domain::{
    error::{Error, Result},
    privacy::{certificate_key, certificate_to_draw, jobs::RenderCertificate, keep_certificate},
};

use super::paper::render;
use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

impl Perform for RenderCertificate {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = run.begin(services).await?;
        let (signed, language) = certificate_to_draw(&mut tx, self.erasure_id).await?;
        let key = certificate_key(tx.tenant(), self.erasure_id)?;
        tx.commit().await?;
        let drawn = tokio::task::spawn_blocking(move || render(&signed, language)).await;
        let pdf = drawn.map_err(Error::internal)?.map_err(Error::internal)?;
        services.storage()?.put(&key, "application/pdf", pdf).await?;
        let mut tx = run.begin(services).await?;
        keep_certificate(&mut tx, self.erasure_id, &key).await?;
        tx.commit().await?;
        Ok(Outcome::Done(None))
    }
}
