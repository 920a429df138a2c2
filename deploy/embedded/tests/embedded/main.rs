//! The stand-ins as their users see them: started, used, broken on purpose, stopped.

#![expect(clippy::unwrap_used, reason = "a helper of a test ends it as the test itself would")]

mod mail;
mod postgres;
mod sms;
mod storage;
mod testing;

use std::net::SocketAddr;
use std::time::Duration;

/// Any free port of this machine.
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Waits until something holds, looking again and again within a bound.
async fn eventually<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let looking = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), looking).await.is_ok(), "never happened: {what}");
}
