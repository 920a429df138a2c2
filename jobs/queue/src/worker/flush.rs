//! Writes the ends of runs to the database: whatever arrived while the last batch was written, at once when idle.
//! While the database is away nothing is lost: the ends wait here.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream::FuturesUnordered};
use sqlx::{Connection, PgPool};
use tokio::{sync::mpsc, time::sleep};

use super::{
    Config,
    hold::{Ending, Hold},
};
use crate::{
    Error, Failure, JobId, Lease, NewJob, batch, enqueue_all,
    settle::{Fate, Settled, Wait, settle},
};

const BATCH: usize = 1000;
/// A full batch does not wait for the one before it.
const AT_ONCE: usize = 2;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Flusher {
    pub(super) pool: PgPool,
    pub(super) config: Arc<Config>,
    pub(super) hold: Arc<Hold>,
}

impl Flusher {
    /// Flushes until the worker stops it.
    pub(super) async fn run(self, mut endings: mpsc::UnboundedReceiver<Ending>) {
        let mut arrived = Vec::with_capacity(BATCH);
        let mut writing = FuturesUnordered::new();
        loop {
            let room = BATCH - arrived.len();
            tokio::select! {
                count = endings.recv_many(&mut arrived, room), if room > 0 => if count == 0 { return },
                Some(count) = writing.next() => self.hold.settled(count),
            }
            let full = arrived.len() == BATCH;
            if !arrived.is_empty() && (writing.is_empty() || full && writing.len() < AT_ONCE) {
                writing.push(self.flush(std::mem::replace(&mut arrived, Vec::with_capacity(BATCH))));
            }
        }
    }

    /// Writes the ends of runs, and answers how many.
    async fn flush(&self, endings: Vec<Ending>) -> usize {
        let count = endings.len();
        let mut plain = Vec::with_capacity(count);
        let mut leaving = Vec::new();
        for Ending { lease, fate, follow_ups, batch } in endings {
            leaving.extend(batch.map(|batch| (batch, lease.job)));
            match fate {
                None => {}
                Some(fate) if follow_ups.is_empty() => plain.push(Settled { lease, fate }),
                Some(fate) => self.settle_followed(Settled { lease, fate }, follow_ups).await,
            }
        }
        if !plain.is_empty() {
            self.settle(&mut plain).await;
        }
        if !leaving.is_empty()
            && let Err(error) = self.leave_batches(&leaving).await
        {
            tracing::warn!(%error, queue = self.config.queue, "finished batches wait for the next round");
        }
        count
    }

    async fn settle(&self, batch: &mut [Settled]) {
        let mut pause = FIRST_PAUSE;
        let mut first = true;
        loop {
            match self.write(batch).await {
                Ok(current) => {
                    // A repeated batch meets what it has written itself, so only a first answer tells.
                    self.count_stale(if first { batch.len().saturating_sub(current) } else { 0 });
                    return;
                }
                Err(error) if refused(&error) => {
                    tracing::warn!(%error, queue = self.config.queue, "an outcome cannot be stored");
                    self.settle_singly(batch).await;
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, queue = self.config.queue, "outcomes wait for the database");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    first = false;
                }
            }
        }
    }

    /// One outcome that Postgres cannot store must not hold up the others: it becomes a failed attempt.
    async fn settle_singly(&self, batch: &mut [Settled]) {
        for settled in batch {
            let mut pause = FIRST_PAUSE;
            while let Err(error) = self.write(std::slice::from_ref(settled)).await {
                if refused(&error) {
                    settled.fate = unstorable();
                }
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    async fn write(&self, batch: &[Settled]) -> Result<usize, Error> {
        let mut connection = self.pool.acquire().await?;
        settle(&mut connection, &*self.config.clock, self.config.queue, batch).await
    }

    /// Completes a job and enqueues what follows it, or neither. Follow-ups that cannot be enqueued fail the attempt.
    async fn settle_followed(&self, settled: Settled, follow_ups: Vec<NewJob>) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.write_followed(&settled, &follow_ups).await {
                Ok(()) => return self.wake(follow_ups.iter().map(NewJob::queue)),
                Err(Error::StaleLease) => return self.count_stale(1),
                Err(Error::Database(error)) if !refused_by(&error) => {
                    tracing::warn!(%error, queue = self.config.queue, "a follow-up waits for the database");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => {
                    tracing::warn!(%error, queue = self.config.queue, "a follow-up cannot be enqueued");
                    let mut failed = [Settled { lease: settled.lease, fate: unstorable() }];
                    return self.settle(&mut failed).await;
                }
            }
        }
    }

    async fn write_followed(&self, settled: &Settled, follow_ups: &[NewJob]) -> Result<(), Error> {
        let (clock, Lease { queue, .. }) = (&*self.config.clock, settled.lease);
        let mut connection = self.pool.acquire().await?;
        let mut tx = connection.begin().await?;
        if settle(&mut tx, clock, queue, std::slice::from_ref(settled)).await? == 0 {
            return Err(Error::StaleLease);
        }
        enqueue_all(&mut tx, clock, follow_ups.to_vec()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The members' ends are committed: whichever batch has no live member left gets its last job.
    async fn leave_batches(&self, members: &[(JobId, JobId)]) -> Result<(), Error> {
        let mut connection = self.pool.acquire().await?;
        batch::leave(&mut connection, members).await?;
        let mut batches: Vec<JobId> = members.iter().map(|(batch, _)| *batch).collect();
        batches.sort_unstable();
        batches.dedup();
        let queues = batch::finish(&mut connection, &*self.config.clock, Some(&batches)).await?;
        self.wake(queues.iter().map(String::as_str));
        Ok(())
    }

    fn wake<'a>(&self, queues: impl Iterator<Item = &'a str>) {
        if let Some(waker) = &self.config.waker {
            queues.for_each(|queue| waker.wake(queue));
        }
    }

    fn count_stale(&self, leases: usize) {
        metrics::counter!("permanence_queue_stale_leases_total", "queue" => self.config.queue)
            .increment(leases as u64);
    }
}

fn unstorable() -> Fate {
    Fate::Waits {
        state: "retryable",
        wait: Wait::Backoff,
        refund: false,
        failure: Some(Failure::new("unstorable_outcome", "the outcome cannot be stored")),
    }
}

fn refused(error: &Error) -> bool {
    matches!(error, Error::Database(error) if refused_by(error))
}

/// Whether Postgres refused the data itself (class 22), as it does a NUL character, rather than failed.
fn refused_by(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    error.code().is_some_and(|code| code.starts_with("22"))
}
