//! The orderly end does not wait for ever.

use std::time::Duration;

use axum::{Router, routing::get};
use permanence_api::serve_draining;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::support::LOCAL;

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
    let (server, end, mut client) = served(Duration::from_millis(100)).await;
    // Answered once, so that the server is known to hold the connection.
    client.write_all(b"GET /quick HTTP/1.1\r\nHost: a\r\n\r\nGET /qu").await.unwrap();
    assert!(read_some(&mut client).await.starts_with("HTTP/1.1 200"));
    end.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(10), server).await.expect("it hangs").unwrap().unwrap();
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
