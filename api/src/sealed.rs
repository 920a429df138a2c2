//! What lies sealed in the object store, opened chunk by chunk while it is answered; never whole in memory.

use axum::body::Body;
use futures::{StreamExt, stream};
use permanence_domain::{Error, storage::ObjectKey, vault::ContentKey};

use crate::{error::Result, state::App};

/// A body of what an object holds. Its first chunk is opened before anything is answered: what does not open at all is an error and
/// not an empty file.
pub(crate) async fn opened(app: &App, object: &ObjectKey, key: &ContentKey) -> Result<Body> {
    let mut opening = key.open(app.storage.read(object).await?).await?;
    let first = opening.next().await?;
    let rest = stream::try_unfold(opening, async |mut opening| {
        Ok::<_, Error>(opening.next().await?.map(|chunk| (chunk, opening)))
    });
    let first = stream::iter(first.map(Ok::<_, Error>));
    Ok(Body::from_stream(first.chain(rest)))
}
