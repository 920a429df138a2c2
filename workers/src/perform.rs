//! What it takes to perform a job.

use std::{future::Future, time::Duration};

use permanence_domain::{
    Error,
    db::{Actor, TenantTx},
    error::Result,
    ids::TenantId,
};
use permanence_queue::{Claimed, Failure, Job, Lease};
use tokio_util::sync::CancellationToken;

pub use permanence_queue::Outcome;

use crate::{
    clients::{Receipt, SendError},
    services::Services,
};

/// One run of a job: what a `perform` may know of it besides its arguments.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// The tenant it belongs to.
    pub tenant: Option<TenantId>,
    /// Whether no attempt follows this one.
    pub last_attempt: bool,
}

impl Run {
    pub(crate) fn of(job: &Claimed) -> Self {
        Self { tenant: job.tenant.map(TenantId), last_attempt: job.attempt >= job.max_attempts }
    }

    /// The tenant of a tenant's job.
    pub fn tenant(&self) -> Result<TenantId> {
        self.tenant.ok_or_else(|| Error::internal("a tenant's job came without its tenant"))
    }

    /// Opens a transaction of the job's tenant.
    pub async fn begin(&self, services: &Services) -> Result<TenantTx> {
        services.db.tenant(self.tenant()?, Actor::JOB).await
    }
}

/// What a run that takes long must watch, and may tell.
#[derive(Debug, Clone)]
pub struct Watch {
    /// The right to tell the job's progress and to end it.
    pub lease: Lease,
    /// Asks it to stop: somebody cancelled the job, or the lease is lost.
    pub cancelled: CancellationToken,
}

/// Performs a kind of job. Run twice it must have one effect: it checks the state first, commits its intent before
/// an outside call, and holds no transaction open over one.
pub trait Perform: Job {
    /// Does the work once. An error is a failed attempt; another follows after the backoff.
    fn perform(self, run: Run, services: &Services) -> impl Future<Output = Result<Outcome>> + Send;
}

/// Performs a kind of job that takes long: as [`Perform`], and stops when it is asked to.
pub trait PerformLong: Job {
    /// Does the work once. An error is a failed attempt; another follows after the backoff.
    fn perform(
        self,
        run: Run,
        watch: &Watch,
        services: &Services,
    ) -> impl Future<Output = Result<Outcome>> + Send;
}

/// How long a fact is held in hand while the database is away, before it is given up.
const PATIENCE: Duration = Duration::from_mins(1);

/// Writes down a fact that would be lost otherwise, such as a provider's answer: a database that is away for a moment
/// is waited for.
pub(crate) async fn insist<T, F, Fut>(write: F) -> Result<T>
where
    F: Fn() -> Fut + Send,
    Fut: Future<Output = Result<T>> + Send,
{
    let mut waited = Duration::ZERO;
    let mut pause = Duration::from_millis(100);
    loop {
        match write().await {
            Err(Error::Unavailable { what, .. }) if waited < PATIENCE => {
                tracing::warn!(what, "a fact waits to be written");
                tokio::time::sleep(pause).await;
                waited += pause;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
            written => return written,
        }
    }
}

/// How the sending of a mail that leaves once ended: what is noted of it, and what becomes of its job.
pub(crate) struct MailEnd {
    /// `sent`, `pending` (certainly not taken, to be tried again), `failed` or `uncertain`.
    pub(crate) status: &'static str,
    /// Why it was not sent.
    pub(crate) code: Option<String>,
    /// Who took it, where somebody did.
    pub(crate) receipt: Option<Receipt>,
    /// What was certainly not taken is tried again, what perhaps was is not.
    pub(crate) outcome: Outcome,
}

impl MailEnd {
    pub(crate) fn of(sent: std::result::Result<Receipt, SendError>, run: Run) -> Self {
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
        let code = sent.as_ref().err().map(|error| error.code().to_owned());
        Self { status, code, receipt: sent.ok(), outcome }
    }

    /// An earlier attempt noted its intent and never its end: it is not sent again.
    pub(crate) fn in_doubt(advice: &'static str) -> Self {
        Self {
            status: "uncertain",
            code: Some("worker_lost".to_owned()),
            receipt: None,
            outcome: Outcome::Discard(Failure::new("uncertain", advice)),
        }
    }
}

/// The failure that an error is told as: its kind, never its text, which may quote data.
pub(crate) fn failure(error: &Error) -> Failure {
    let (code, message) = match error {
        Error::NotFound(what) => ("not_found", format!("the {what} does not exist")),
        Error::Unavailable { what, .. } => ("unavailable", format!("the {what} was away")),
        Error::Conflict { code, .. } => (*code, "it clashes with the present state".to_owned()),
        _ => ("internal", "see the log at the time of the attempt".to_owned()),
    };
    Failure::new(code, message)
}
