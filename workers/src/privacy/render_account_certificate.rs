//! Draws the certificate of an account's erasure as a PDF and keeps it. Drawn twice, it is the same file in the same place.

use permanence_domain::{
    db::Actor,
    error::{Error, Result},
    privacy::{account_certificate_to_draw, jobs::RenderAccountCertificate, keep_account_certificate},
};

use super::paper::render;
use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

impl Perform for RenderAccountCertificate {
    async fn perform(self, _run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = services.db.system(Actor::JOB).await?;
        let (signed, language, key) = account_certificate_to_draw(&mut tx, self.erasure_id).await?;
        tx.commit().await?;
        let drawn = tokio::task::spawn_blocking(move || render(&signed, language)).await;
        let pdf = drawn.map_err(Error::internal)?.map_err(Error::internal)?;
        services.storage()?.put(&key, "application/pdf", pdf).await?;
        let mut tx = services.db.system(Actor::JOB).await?;
        keep_account_certificate(&mut tx, self.erasure_id, &key).await?;
        tx.commit().await?;
        Ok(Outcome::Done(None))
    }
}
