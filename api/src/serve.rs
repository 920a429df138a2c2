//! Listening, and ending in order: no new request, those that run are answered.

use std::{future::Future, io, net::SocketAddr};

use tokio::net::TcpListener;

/// Why the API does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another program listens there.
    #[error(
        "{0} is in use by another program: stop it, or set LISTEN to another address such as 127.0.0.1:8081"
    )]
    PortInUse(SocketAddr),
    /// Anything else of the system.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The server broke.
    #[error("the server stopped: {0}")]
    Serve(#[source] io::Error),
}

/// Takes the address.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => ServeError::PortInUse(address),
        _ => ServeError::Listen(address, error),
    })
}

/// Serves until `shutdown` completes and the running requests are answered.
pub async fn serve(
    listener: TcpListener,
    routes: axum::Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    axum::serve(listener, routes).with_graceful_shutdown(shutdown).await.map_err(ServeError::Serve)
}
