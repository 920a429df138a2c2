//! Writes the ends of runs to the database: whatever arrived while the last batch was written, at once when idle.
//! While the database is away nothing is lost: the ends wait here.

use std::{sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio::{sync::mpsc, time::sleep};

use super::{Config, hold::Hold};
use crate::{
    Error, Failure,
    settle::{Fate, Settled, Wait, settle},
};

const BATCH: usize = 1000;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Flusher {
    pub(super) pool: PgPool,
    pub(super) config: Arc<Config>,
    pub(super) hold: Arc<Hold>,
}

impl Flusher {
    /// Flushes until the worker stops it.
    pub(super) async fn run(self, mut endings: mpsc::UnboundedReceiver<Settled>) {
        let mut batch = Vec::with_capacity(BATCH);
        while endings.recv_many(&mut batch, BATCH).await > 0 {
            self.flush(&mut batch).await;
            self.hold.settled(batch.len());
            batch.clear();
        }
    }

    async fn flush(&self, batch: &mut [Settled]) {
        let mut pause = FIRST_PAUSE;
        let mut first = true;
        loop {
            match self.write(batch).await {
                Ok(current) => {
                    // A repeated batch meets what it has written itself, so only a first answer tells.
                    let stale = if first { batch.len().saturating_sub(current) } else { 0 };
                    metrics::counter!("permanence_queue_stale_leases_total", "queue" => self.config.queue)
                        .increment(stale as u64);
                    return;
                }
                Err(error) if refused(&error) => {
                    tracing::warn!(%error, queue = self.config.queue, "an outcome cannot be stored");
                    self.flush_singly(batch).await;
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
    async fn flush_singly(&self, batch: &mut [Settled]) {
        for settled in batch {
            let mut pause = FIRST_PAUSE;
            while let Err(error) = self.write(std::slice::from_ref(settled)).await {
                if refused(&error) {
                    settled.fate = Fate::Waits {
                        state: "retryable",
                        wait: Wait::Backoff,
                        refund: false,
                        failure: Some(Failure::new("unstorable_outcome", "the outcome cannot be stored")),
                    };
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
}

/// Whether Postgres refused the data itself (class 22), as it does a NUL character, rather than failed.
fn refused(error: &Error) -> bool {
    let Error::Database(sqlx::Error::Database(error)) = error else { return false };
    error.code().is_some_and(|code| code.starts_with("22"))
}
