//! Tells other processes that a queue has work, from a connection of its own.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{ConnectOptions, PgConnection, postgres::PgConnectOptions};
use tokio::{sync::Notify, time::sleep};
use tokio_util::task::AbortOnDropHandle;

use super::CHANNEL;

/// How long wakes of one queue gather before they are sent as one.
const GATHER: Duration = Duration::from_millis(2);
/// How long a broken connection rests; the pollers are the net meanwhile.
const REST: Duration = Duration::from_millis(250);

/// Wakes the workers of a queue; cheap to clone, one background task for all clones.
///
/// NOTIFY takes a lock of the whole database until its transaction ends, so no business transaction sends it.
#[derive(Debug, Clone)]
pub struct Waker {
    pending: Arc<Pending>,
    _task: Arc<AbortOnDropHandle<()>>,
}

#[derive(Debug, Default)]
struct Pending {
    queues: Mutex<BTreeSet<String>>,
    some: Notify,
}

impl Waker {
    /// Starts the background task; it connects when there is something to say, and again when it must.
    #[must_use]
    pub fn start(options: PgConnectOptions) -> Self {
        let pending = Arc::new(Pending::default());
        let task = tokio::spawn(send_all(options, Arc::clone(&pending)));
        Self { pending, _task: Arc::new(AbortOnDropHandle::new(task)) }
    }

    /// Wakes the workers of a queue soon; call it after the commit. Never blocks and never fails.
    pub fn wake(&self, queue: &str) {
        let mut queues = self.pending.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if !queues.contains(queue) {
            queues.insert(queue.to_owned());
            self.pending.some.notify_one();
        }
    }
}

impl Pending {
    fn take(&self) -> Vec<String> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *queues).into_iter().collect()
    }
}

async fn send_all(options: PgConnectOptions, pending: Arc<Pending>) {
    let mut connection: Option<PgConnection> = None;
    loop {
        pending.some.notified().await;
        let queues = pending.take();
        if let Err(error) = send(&mut connection, &options, &queues).await {
            // These wakes are lost, and the pollers make up for it.
            tracing::warn!(%error, "could not wake the workers");
            connection = None;
            sleep(REST).await;
        }
        sleep(GATHER).await;
    }
}

async fn send(
    connection: &mut Option<PgConnection>,
    options: &PgConnectOptions,
    queues: &[String],
) -> sqlx::Result<()> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(options.connect().await?),
    };
    sqlx::query!(r#"SELECT pg_notify($1, queue)::text FROM unnest($2::text[]) AS queue"#, CHANNEL, queues)
        .fetch_all(connection)
        .await?;
    Ok(())
}
