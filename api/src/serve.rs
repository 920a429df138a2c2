//! Listening, and ending in order: no new request, those that run are answered.

use std::{
    future::{Future, IntoFuture},
    io,
    net::SocketAddr,
    time::Duration,
};

use tokio::{net::TcpListener, sync::oneshot};

/// How long running requests get to end; no request is worked on for longer.
const DRAIN: Duration = crate::observe::PATIENCE;

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

/// Serves until `shutdown` completes and the running requests are answered, 30 seconds later at the latest.
pub async fn serve(
    listener: TcpListener,
    routes: axum::Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    serve_draining(listener, routes, shutdown, DRAIN).await
}

/// [`serve`] with another limit on the end: a client that never finishes its request, or never reads its answer, does
/// not hold the process.
pub async fn serve_draining(
    listener: TcpListener,
    routes: axum::Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
    drain: Duration,
) -> Result<(), ServeError> {
    let (ending, ended) = oneshot::channel();
    // With the other end's address: `extract::source` goes by it.
    let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, routes).with_graceful_shutdown(async move {
        shutdown.await;
        // Nobody hears it when the server has stopped already.
        let _ = ending.send(());
    });
    let overdue = async {
        match ended.await {
            Ok(()) => tokio::time::sleep(drain).await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        stopped = server.into_future() => stopped.map_err(ServeError::Serve),
        () = overdue => {
            tracing::warn!(seconds = drain.as_secs_f64(), "requests still ran at the end and were given up");
            Ok(())
        }
    }
}
