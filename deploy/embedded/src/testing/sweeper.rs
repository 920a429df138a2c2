//! Drops the databases of finished tests in the background, so that a long run does not fill the disk.
//! It never holds up a test, nor the end of the process: the server takes the rest with it.

use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, Sender, channel};

use sqlx::{AssertSqlSafe, Executor};

use crate::postgres::{Postgres, quote};

type Order = (&'static Postgres, String);

static SWEEPER: LazyLock<Sender<Order>> = LazyLock::new(|| {
    let (sender, orders) = channel();
    std::thread::spawn(move || sweep(&orders));
    sender
});

/// Queues a database for removal.
pub(super) fn discard(server: &'static Postgres, database: String) {
    // A sweeper that could not start leaves the database to the end of the server.
    let _ = SWEEPER.send((server, database));
}

fn sweep(orders: &Receiver<Order>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    while let Ok((server, database)) = orders.recv() {
        runtime.block_on(async {
            let dropped = async {
                let mut connection = server.connect("postgres").await?;
                let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote(&database));
                connection.execute(AssertSqlSafe(sql)).await?;
                Ok::<_, crate::Error>(())
            };
            if let Err(error) = dropped.await {
                tracing::debug!(%error, database, "a test's database stays until the server ends");
            }
        });
    }
}
