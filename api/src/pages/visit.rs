//! Somebody who follows the link of a mail: the token of the path, and what it opens.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use permanence_domain::{
    Error,
    db::{Actor, SystemTx, TenantTx},
    field::Language,
    identity::TokenHashes,
    ids::ErasureId,
    notifications::{AppointmentLink, MailLink, open_appointment_link, open_mail_link},
    privacy::account_certificate_by_link,
    storage::Storage,
};

use super::frame::PageError;
use crate::{observe::RequestId, state::App};

/// A visit by a link. No connection is taken before the link is opened, so that a slow body holds up nobody.
pub(super) struct Visit {
    pub(super) token: String,
    app: App,
    actor: Actor,
}

impl FromRequestParts<App> for Visit {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, PageError> {
        let actor = Actor::unknown(RequestId::of(parts));
        let token = Path::<String>::from_request_parts(parts, app).await;
        let Path(token) = token.map_err(|_| Error::NotFound("link"))?;
        Ok(Self { token, app: app.clone(), actor })
    }
}

impl Visit {
    /// What the tokens' hashes are made with.
    pub(super) fn hashes(&self) -> &TokenHashes {
        &self.app.tokens.hashes
    }

    /// The practice and the appointment of the link.
    pub(super) async fn appointment(&self) -> Result<(TenantTx, AppointmentLink), PageError> {
        Ok(open_appointment_link(self.begin().await?, self.hashes(), &self.token).await?)
    }

    /// The practice and the mails of the link.
    pub(super) async fn mail(&self) -> Result<(TenantTx, MailLink), PageError> {
        Ok(open_mail_link(self.begin().await?, self.hashes(), &self.token).await?)
    }

    /// The erasure that the link of a last mail is about.
    pub(super) async fn certificate(&self) -> Result<(SystemTx, ErasureId, Language), PageError> {
        let mut tx = self.begin().await?;
        let (id, language) = account_certificate_by_link(&mut tx, self.hashes(), &self.token).await?;
        Ok((tx, id, language))
    }

    /// Where papers lie.
    pub(super) fn storage(&self) -> &Storage {
        &self.app.storage
    }

    async fn begin(&self) -> Result<SystemTx, Error> {
        self.app.db.system(self.actor).await
    }
}
