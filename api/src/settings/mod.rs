//! What a practice decides for itself.

use permanence_domain::tenants::{self, CurrentSettings, Settings};

use crate::{
    error::{CommonErrors, Result},
    extract::{Change, PracticeRead, PracticeWrite, Read},
    respond::{Versioned, versioned},
};

/// The practice's settings: hours, zone, messages, slots.
#[utoipa::path(get, path = "/settings", tag = "settings", security(("bearer" = [])),
    responses((status = 200, body = CurrentSettings), CommonErrors))]
pub(crate) async fn get_settings(mut read: Read<PracticeRead>) -> Result<Versioned<CurrentSettings>> {
    let settings = tenants::current_settings(&mut read.tx).await?;
    read.tx.commit().await?;
    Ok(versioned(settings.version, settings))
}

/// Replace the practice's settings; what is left out gets its default. The next request goes by them.
#[utoipa::path(put, path = "/settings", tag = "settings", security(("bearer" = [])), request_body = Settings,
    params(("If-Match" = String, Header)), responses((status = 200, body = CurrentSettings), CommonErrors))]
pub(crate) async fn update_settings(
    mut change: Change<PracticeWrite, Settings>,
) -> Result<Versioned<CurrentSettings>> {
    let settings = tenants::update_settings(&mut change.tx, change.version, &change.body).await?;
    change.tx.commit().await?;
    Ok(versioned(settings.version, settings))
}
