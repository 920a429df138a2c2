//! The orderly end does not wait for ever.

use std::time::Duration;

use axum::{
    Router,
    routing::{get, post},
};
use permanence_api::serve_draining;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::support::LOCAL;

/// A short patience, for the test's sake.
const DRAIN: Duration = Duration::from_millis(100);

/// A served router, how to end it, and a connection to it.
async fn served(
    drain: Duration,
) -> (tokio::task::JoinHandle<Result<(), permanence_api::ServeError>>, oneshot::Sender<()>, TcpStream) {
    let listener = TcpListener::bind(LOCAL).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (end, ended) = oneshot::channel::<()>();
    let slow = async || {
        tokio::time::sleep(Duration::from_millis(200)).await;
        "done"
    };
    let routes = Router::new().route("/quick", get(async || "done")).route("/slow", get(slow));
    let routes = routes.route("/body", post(async |body: String| body));
    let shutdown = async { drop(ended.await) };
    let server = tokio::spawn(serve_draining(listener, routes, shutdown, drain));
    (server, end, TcpStream::connect(address).await.unwrap())
}

async fn read_some(client: &mut TcpStream) -> String {
    let mut answer = [0; 1024];
    let length = client.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test]
async fn a_half_sent_request_does_not_hold_the_process() {
    for half in ["GET /qu", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"] {
        let (server, end, mut client) = served(DRAIN).await;
        client.write_all(half.as_bytes()).await.unwrap();
        // What the server has read so far shows nowhere, and a connection it has read nothing of is not held: leave it
        // time, on a busy machine too.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let ending = std::time::Instant::now();
        end.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(10), server).await.expect("it hangs").unwrap().unwrap();
        assert!(ending.elapsed() >= DRAIN, "the connection was held to the limit: {half}");
    }
}

#[tokio::test]
async fn a_running_request_is_answered_before_the_end() {
    let (server, end, mut client) = served(Duration::from_secs(20)).await;
    client.write_all(b"GET /quick HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert!(read_some(&mut client).await.ends_with("done"));
    client.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    end.send(()).unwrap();
    assert!(read_some(&mut client).await.ends_with("done"));
    tokio::time::timeout(Duration::from_secs(10), server).await.expect("it hangs").unwrap().unwrap();
}
