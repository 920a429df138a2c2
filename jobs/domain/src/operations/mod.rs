//! Running the queues: what operators and tenants see of jobs, and what they may do to them. A tenant sees and touches
//! its own jobs; the platform's operators all of them.

mod health;
mod jobs;
mod queues;

use sqlx::PgConnection;

pub(crate) use self::jobs::not_an_operator;
pub use self::{
    health::{DatabaseFigures, database_figures, hurry},
    jobs::{
        JobAction, JobNumber, JobProgress, JobQuery, JobState, JobStatus, Jobs, Retried, RetryJobs,
        cancel_job, discard_job, get_job, list_jobs, retry_job, retry_jobs,
    },
    queues::{
        QueueLimits, QueueRate, QueueState, get_queue, limit_queue, list_queues, pause_queue, resume_queue,
    },
};
use crate::{
    clock::SharedClock,
    db::{SystemTx, TenantTx},
    error::Result,
    identity::Role,
};

/// A transaction as wide as the caller's role: one tenant's jobs, or all.
#[derive(Debug)]
pub enum JobsTx {
    /// The tenant's own.
    Own(TenantTx),
    /// Every tenant's: an operator of the platform.
    All(SystemTx),
}

impl JobsTx {
    /// Widens a tenant's transaction where the role is the platform's.
    pub async fn of(tx: TenantTx, role: Role) -> Result<Self> {
        Ok(if role.is_platform() { Self::All(tx.widen().await?) } else { Self::Own(tx) })
    }

    /// The connection, for SQL in this transaction.
    pub fn conn(&mut self) -> &mut PgConnection {
        match self {
            Self::Own(tx) => tx.conn(),
            Self::All(tx) => tx.conn(),
        }
    }

    fn clock(&self) -> SharedClock {
        match self {
            Self::Own(tx) => tx.clock(),
            Self::All(tx) => tx.clock(),
        }
    }

    /// Goes on across tenants, in the same transaction: for what has been checked as the caller.
    async fn widen(self) -> Result<SystemTx> {
        match self {
            Self::Own(tx) => tx.widen().await,
            Self::All(tx) => Ok(tx),
        }
    }

    /// Keeps everything.
    pub async fn commit(self) -> Result<()> {
        match self {
            Self::Own(tx) => tx.commit().await,
            Self::All(tx) => tx.commit().await,
        }
    }
}
