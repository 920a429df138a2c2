//! The stand-ins as their users see them: started, used, broken on purpose, stopped.

#![expect(clippy::unwrap_used, reason = "a helper of a test ends it as the test itself would")]

mod postgres;
mod testing;

use std::time::Duration;

/// Waits until something holds, looking again and again within a bound.
async fn eventually<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let looking = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), looking).await.is_ok(), "never happened: {what}");
}
