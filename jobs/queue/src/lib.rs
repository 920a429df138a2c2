//! A durable job queue in Postgres behind apalis' worker runtime: enqueue in the caller's transaction, perform
//! elsewhere, complete exactly once. It knows no area of the domain and reads no payload.
//!
//! ```text
//! scheduled ──due──▸ available ──claim──▸ running ──▸ completed │ cancelled │ discarded
//!     ▴                  ▴                  │  │
//!     └────── snooze ────┼──────────────────┘  │
//!                        └─due── retryable ◂───┘ failed, attempts left
//! ```
//!
//! A job is claimed with a [`Lease`]; whoever lost the lease can no longer complete it.

mod batch;
mod cancel;
mod claim;
pub mod clock;
mod complete;
pub mod cron;
mod dead;
mod enqueue;
mod error;
mod gauges;
mod inspect;
mod job;
mod live;
mod maintain;
#[cfg(test)]
mod model;
mod outcome;
mod processes;
mod progress;
mod promote;
mod queues;
mod reschedule;
mod rescue;
mod settle;
pub mod trace;
mod wake;
mod worker;

pub use batch::{Batch, enqueue_batch};
pub use cancel::{Cancelled, cancel};
pub use claim::{Claimed, Lease};
pub use complete::complete_in;
pub use dead::{DeadFilter, Revived, discard, retry, retry_all};
pub use enqueue::{Enqueued, NewJob, OnDuplicate, Unique, enqueue, enqueue_all};
pub use error::Error;
pub use gauges::show_gauges;
pub use inspect::{JobFilter, JobView, find_job, find_jobs};
pub use job::{Backoff, Job, JobId, Retention};
pub use live::live_jobs;
pub use maintain::{Maintained, maintain};
pub use outcome::{Failure, Outcome};
pub use progress::{Progress, progress, report_progress};
pub use queues::{Limits, QueueStats, lift_rate, pause, resume, set_limits, set_rate, stats, use_lanes};
pub use reschedule::{Rescheduled, reschedule};
pub use wake::{Listener, Waker};
pub use worker::{Handler, Worker, WorkerBuilder};

use sqlx::postgres::PgConnectOptions;

/// Connects as the login role and takes the queue's role for the connection's whole life.
#[must_use]
pub fn connect_options(options: PgConnectOptions) -> PgConnectOptions {
    options.options([("role", "permanence_queue")])
}
