//! What can go wrong in a call to the queue.

use crate::JobId;

/// Why a call to the queue failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database refused or could not be reached.
    #[error("the queue's database failed: {0}")]
    Database(#[source] sqlx::Error),
    /// The job could not be written as JSON.
    #[error("the job could not be written as JSON")]
    Encode(#[from] serde_json::Error),
    /// No migration made a queue of this name; the caller's transaction is aborted.
    #[error("no such queue: a migration must call queue.create_queue first")]
    UnknownQueue(#[source] sqlx::Error),
    /// No queue of this name exists; nothing was changed.
    #[error("there is no queue {0}")]
    NoSuchQueue(String),
    /// The queue has no lanes, so it cannot honour a rate key; the caller's transaction is aborted.
    #[error("the queue has no lanes: a migration must call queue.use_lanes first")]
    NoLanes(#[source] sqlx::Error),
    /// The job is no longer the caller's: its transaction must be rolled back.
    #[error("the lease on the job is no longer current")]
    StaleLease,
    /// A job with this key was enqueued before with another payload; nothing was written.
    #[error("job {} was enqueued under the same key with another payload", existing.0)]
    Conflict {
        /// The job that holds the key.
        existing: JobId,
    },
    /// Other transactions kept taking the key; nothing was written for it.
    #[error("the unique key was contended for too long")]
    Contended,
    /// A cron entry's pattern is wrong, or never matches.
    #[error("the schedule of {entry} is wrong")]
    Schedule {
        /// The entry's name.
        entry: &'static str,
        /// What is wrong with it.
        #[source]
        source: croner::errors::CronError,
    },
    /// The runtime's own machinery failed.
    #[error("the worker could not run: {0}")]
    Worker(String),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let constraint = error.as_database_error().and_then(|e| e.constraint());
        if constraint == Some("rate_needs_lanes") {
            return Self::NoLanes(error);
        }
        // Postgres reports a missing partition as a check violation without the name of a constraint.
        let unknown_queue = error.as_database_error().is_some_and(|e| {
            e.code().as_deref() == Some("23514") && e.constraint().is_none() && e.table() == Some("jobs")
        });
        if unknown_queue { Self::UnknownQueue(error) } else { Self::Database(error) }
    }
}
