//! How the handing over of a mail to a person who signs in ended: what is noted of it, and what becomes of its job.

use permanence_domain::error::Result;
use permanence_queue::Failure;

use crate::{
    clients::{Receipt, SendError},
    perform::{Outcome, Run},
};

/// The end of a handing over.
pub(super) struct Ended {
    /// `sent`, `pending` (certainly not taken, to be tried again), `failed` or `uncertain`.
    pub(super) status: &'static str,
    /// Why it was not sent.
    pub(super) code: Option<String>,
    /// What becomes of the job.
    pub(super) outcome: Outcome,
}

impl Ended {
    pub(super) fn of(sent: Result<Receipt, SendError>, run: Run) -> Self {
        let refused = |code: &str| Failure::new(code.to_owned(), "the mail server did not take the mail");
        let (status, outcome) = match &sent {
            Ok(_) => ("sent", Outcome::Done(None)),
            Err(SendError::Temporary { code, .. }) if !run.last_attempt => {
                ("pending", Outcome::Retry(refused(code)))
            }
            Err(SendError::Temporary { code, .. } | SendError::Permanent { code }) => {
                ("failed", Outcome::Discard(refused(code)))
            }
            Err(SendError::Uncertain { code }) => ("uncertain", Outcome::Discard(refused(code))),
        };
        Self { status, code: sent.err().map(|error| error.code().to_owned()), outcome }
    }

    /// An earlier attempt noted its intent and never its end: it is not sent again.
    pub(super) fn in_doubt(advice: &'static str) -> Self {
        Self {
            status: "uncertain",
            code: Some("worker_lost".to_owned()),
            outcome: Outcome::Discard(Failure::new("uncertain", advice)),
        }
    }
}
