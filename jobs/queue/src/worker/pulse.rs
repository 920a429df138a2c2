//! The worker's heartbeat, on a thread and a connection of its own: a handler that blocks the runtime, or a pool
//! that is drained, must not make a living process look dead. It also hears cancellations and rescues the dead's jobs.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use sqlx::{ConnectOptions, PgConnection, postgres::PgConnectOptions};
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Config, hold::Hold, pace::Samples};
use crate::{Error, batch, processes, rescue::rescue};

/// How soon a running job hears that it was cancelled.
const LISTEN: Duration = Duration::from_secs(1);

/// Beats until it is dropped.
pub(super) struct Pulse {
    _stop: DropGuard,
}

struct Heart {
    options: PgConnectOptions,
    config: Arc<Config>,
    hold: Arc<Hold>,
    connection: Option<PgConnection>,
    next_beat: Instant,
    next_net: Instant,
    samples: Samples,
}

impl Pulse {
    pub(super) fn start(
        options: PgConnectOptions,
        config: Arc<Config>,
        hold: Arc<Hold>,
    ) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::Worker(error.to_string()))?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let heart = Heart {
            options,
            config,
            hold,
            connection: None,
            next_beat: Instant::now(),
            next_net: Instant::now(),
            samples: Samples::since(Instant::now()),
        };
        thread::Builder::new()
            .name("queue-pulse".to_owned())
            .spawn(move || runtime.block_on(heart.run(stopped)))
            .map_err(|error| Error::Worker(error.to_string()))?;
        Ok(Self { _stop: stop.drop_guard() })
    }
}

impl Heart {
    async fn run(mut self, stopped: CancellationToken) {
        let work = async {
            loop {
                let round = timeout(self.config.dead_after, self.round()).await;
                let failed =
                    round.map_or_else(|_| Some("timed out".to_owned()), |r| r.err().map(|e| e.to_string()));
                if let Some(error) = failed {
                    tracing::warn!(error, queue = self.config.queue, "no heartbeat");
                    self.connection = None;
                }
                sleep(self.config.heartbeat.min(LISTEN)).await;
            }
        };
        tokio::select! {
            () = stopped.cancelled() => {}
            () = work => {}
        }
    }

    async fn round(&mut self) -> Result<(), Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(self.options.connect().await?),
        };
        let queue = self.config.queue;
        if self.next_beat <= Instant::now() {
            let rates = self.samples.rates(&self.hold.pace, Instant::now());
            if !processes::beat(connection, self.hold.process(), rates).await? {
                let process = processes::register(&mut *connection, queue, &self.config.host).await?;
                tracing::warn!(queue, "declared dead while alive; starting anew");
                self.hold.reborn(process);
            }
            self.next_beat = Instant::now() + self.config.heartbeat;
            let rescued = rescue(connection, &*self.config.clock, queue, self.config.dead_after).await?;
            if rescued > 0 {
                tracing::warn!(queue, rescued, "took jobs back from dead processes");
                metrics::counter!("permanence_queue_rescued_total", "queue" => queue)
                    .increment(rescued as u64);
            }
        }
        if self.next_net <= Instant::now() {
            // Whose last member's worker died between its commit and its look, or was cancelled.
            batch::finish(connection, &*self.config.clock, None).await?;
            self.next_net = Instant::now() + self.config.heartbeat * 5;
        }
        let running = self.hold.running();
        if !running.is_empty() {
            let requests =
                processes::cancel_requests(connection, queue, self.hold.process(), &running).await?;
            self.hold.cancel(&requests);
        }
        Ok(())
    }
}
