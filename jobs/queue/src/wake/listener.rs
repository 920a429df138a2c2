//! Hears which queues have work: one connection per process, reconnecting, level-triggered.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use tokio::{sync::watch, time::sleep};
use tokio_util::task::AbortOnDropHandle;

use super::CHANNEL;

const REST: Duration = Duration::from_millis(250);

/// Hears wakes for all workers of a process; cheap to clone.
#[derive(Debug, Clone)]
pub struct Listener {
    queues: Arc<Queues>,
    _task: Arc<AbortOnDropHandle<()>>,
}

/// A counter per queue. A watch keeps "something changed" until it is looked at, so no wake is missed by a worker
/// that was busy.
#[derive(Debug, Default)]
struct Queues(Mutex<HashMap<String, watch::Sender<u64>>>);

impl Listener {
    /// Starts listening in the background, on a connection of its own.
    #[must_use]
    pub fn start(options: PgConnectOptions) -> Self {
        let queues = Arc::new(Queues::default());
        let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
        let task = tokio::spawn(listen(pool, Arc::clone(&queues)));
        Self { queues, _task: Arc::new(AbortOnDropHandle::new(task)) }
    }

    pub(crate) fn subscribe(&self, queue: &str) -> watch::Receiver<u64> {
        let mut queues = self.queues.0.lock().unwrap_or_else(PoisonError::into_inner);
        queues.entry(queue.to_owned()).or_default().subscribe()
    }
}

impl Queues {
    fn wake(&self, queue: &str) {
        let queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.get(queue) {
            queue.send_modify(|wakes| *wakes += 1);
        }
    }

    fn wake_all(&self) {
        let queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for queue in queues.values() {
            queue.send_modify(|wakes| *wakes += 1);
        }
    }
}

async fn listen(pool: PgPool, queues: Arc<Queues>) {
    loop {
        if let Err(error) = hear(&pool, &queues).await {
            tracing::warn!(%error, "not listening for wakes; polling meanwhile");
        }
        sleep(REST).await;
    }
}

async fn hear(pool: &PgPool, queues: &Queues) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        // Whatever was said before we listened, or while the connection was broken, is unknown.
        queues.wake_all();
        while let Some(notification) = listener.try_recv().await? {
            queues.wake(notification.payload());
        }
    }
}
