//! The operating system's wish that the process ends.

use tokio::signal::unix::{SignalKind, signal};

/// Completes on SIGTERM (an orchestrator) or SIGINT (Ctrl-C).
pub async fn terminated() {
    let wait = async |kind| match signal(kind) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(error) => {
            tracing::error!(%error, "cannot listen for signals");
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = wait(SignalKind::terminate()) => {}
        () = wait(SignalKind::interrupt()) => {}
    }
}
