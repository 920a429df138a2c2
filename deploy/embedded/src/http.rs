//! Serves HTTP/1.1 for the stand-ins that speak it.
//! It never answers a request that a fault wants unanswered: it drops the connection.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::listener::Listener;

/// What hyper takes as the reason of a failure.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// How long a request under way may take once the server stops.
const PATIENCE: Duration = Duration::from_secs(5);

/// Listens and serves each connection; a service's error ends its connection without an answer.
pub(crate) async fn start<S, B>(addr: SocketAddr, service: S) -> Result<Listener, Error>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Cause>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Cause>,
{
    Listener::start(addr, move |stream, stop| serve(stream, service.clone(), stop)).await
}

async fn serve<S, B>(stream: TcpStream, service: S, stop: CancellationToken)
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<Cause>,
    B: Body + 'static,
    B::Error: Into<Cause>,
{
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(PATIENCE, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection broke");
    }
}
