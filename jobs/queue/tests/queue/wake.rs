//! Wakes reach workers at once; polling is only the net.

use std::time::Duration;

use permanence_queue::{Claimed, Listener, Outcome, Waker};
use tokio_util::sync::CancellationToken;

use crate::support::{Running, database};

#[tokio::test]
async fn a_woken_worker_does_not_wait_for_its_poll() {
    let db = database().await;
    let waker = Waker::start(db.login.clone());
    let listener = Listener::start(db.login.clone());
    let never = Duration::from_hours(1);
    let worker = Running::start(
        db.worker().listener(listener).poll(never, never),
        async |_: Claimed, _: CancellationToken| Outcome::Done(None),
    );
    // The first is found at the start; by the second the worker sleeps, and only the wake tells it.
    for n in 0..3 {
        let id = db.enqueue(n).await;
        crate::support::eventually("performed", async || {
            waker.wake("default");
            db.state(id).await == "completed"
        })
        .await;
    }
    worker.stop().await;
}
