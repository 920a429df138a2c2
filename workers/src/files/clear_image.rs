//! Removes the objects of a picture that nobody is led to any more; what the client may still send is removed once more when it may
//! no longer. The row of one whose time is over goes with the last of them.

use std::time::Duration;

use permanence_domain::{
    error::Result,
    files::{
        images::{clear, cleared, forget},
        jobs::ClearImage,
    },
};

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

/// How long after its end a link may still be in use: what began in time takes a while to arrive.
const GRACE: Duration = Duration::from_mins(2);

impl Perform for ClearImage {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = run.begin(services).await?;
        let (now, left) = (tx.now(), clear(&mut tx, self.image_id).await?);
        if left.is_none() {
            forget(&mut tx, self.image_id).await?;
        }
        tx.commit().await?;
        let Some(mut left) = left else { return Ok(Outcome::Done(None)) };
        for key in &left.keys {
            services.storage()?.remove(key).await?;
        }
        if let Some((open, _)) = &left.open {
            left.keys.retain(|key| key != open);
        }
        let mut tx = run.begin(services).await?;
        cleared(&mut tx, self.image_id, &left.keys).await?;
        forget(&mut tx, self.image_id).await?;
        tx.commit().await?;
        Ok(match left.open {
            Some((_, until)) => Outcome::Snooze((until - now).to_std().unwrap_or_default() + GRACE),
            None => Outcome::Done(None),
        })
    }
}
