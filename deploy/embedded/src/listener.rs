//! What every server here shares: an address, one task per connection, an end.
//! It never leaves a task behind: a drop ends them too.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::Error;

/// The pause after a failed `accept`, which otherwise fails again at once while files are short.
const BREATH: Duration = Duration::from_millis(50);

/// A listening server whose connections end with it.
#[derive(Debug)]
pub(crate) struct Listener {
    addr: SocketAddr,
    stop: DropGuard,
    tasks: TaskTracker,
}

impl Listener {
    /// Listens, and serves each connection in a task of its own that ends soon after the token says so.
    pub(crate) async fn start<F>(
        addr: SocketAddr,
        serve: impl Fn(TcpStream, CancellationToken) -> F + Send + 'static,
    ) -> Result<Self, Error>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let socket = TcpListener::bind(addr).await.map_err(Error::bind(addr))?;
        let addr = socket.local_addr().map_err(Error::bind(addr))?;
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        tasks.spawn(accept(socket, stop.clone(), tasks.clone(), serve));
        Ok(Self { addr, stop: stop.drop_guard(), tasks })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops listening, lets what is under way end, and waits for it.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn accept<F>(
    socket: TcpListener,
    stop: CancellationToken,
    tasks: TaskTracker,
    serve: impl Fn(TcpStream, CancellationToken) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                tasks.spawn(serve(stream, stop.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}
