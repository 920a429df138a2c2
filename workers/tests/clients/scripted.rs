//! A TCP server that follows a script, one list of steps per connection, and keeps what it was told.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// One thing that the server does.
pub(crate) enum Step {
    /// Writes these bytes.
    Say(String),
    /// Reads a line, which begins so.
    Expect(&'static str),
    /// Reads lines up to the dot that ends a mail.
    Mail,
    /// Reads an HTTP request with its body.
    Request,
    /// Says nothing more until the client gives up.
    Hang,
    /// Keeps the connection open and reads no more of it, ever.
    Stall,
}

pub(crate) fn say(line: &str) -> Step {
    Step::Say(format!("{line}\r\n"))
}

/// An HTTP answer, after which the connection closes: each request has a connection, and a list of steps, of its own.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Vec<Step> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n");
    vec![Step::Request, Step::Say(head + body)]
}

pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    task: JoinHandle<Vec<String>>,
}

impl Scripted {
    /// Listens, and plays one list of steps per connection, in order.
    pub(crate) async fn start(connections: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut heard = Vec::new();
            for steps in connections {
                let (stream, _) = listener.accept().await.unwrap();
                play(stream, steps, &mut heard).await;
            }
            heard
        });
        Self { address, task }
    }

    /// Waits for the script's end, and returns what was heard: one text per line, mail or request.
    pub(crate) async fn heard(self) -> Vec<String> {
        self.task.await.expect("the script was followed")
    }
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

async fn play(stream: TcpStream, steps: Vec<Step>, heard: &mut Vec<String>) {
    let mut stream = BufReader::new(stream);
    for step in steps {
        match step {
            Step::Say(words) => stream.write_all(words.as_bytes()).await.unwrap(),
            Step::Expect(beginning) => {
                let line = line(&mut stream).await;
                assert!(line.starts_with(beginning), "{line} instead of {beginning}");
                heard.push(line);
            }
            Step::Mail => {
                let mut mail = String::new();
                while !mail.ends_with("\r\n.\r\n") {
                    mail += &line(&mut stream).await;
                }
                heard.push(mail);
            }
            Step::Request => heard.push(request(&mut stream).await),
            Step::Stall => std::future::pending().await,
            Step::Hang => {
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
        }
    }
}

async fn line(stream: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    assert!(stream.read_line(&mut line).await.unwrap() > 0, "the client left early");
    line
}

async fn request(stream: &mut BufReader<TcpStream>) -> String {
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        request += &line(stream).await;
    }
    let length = header(&request, "content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    request + &String::from_utf8(body).unwrap()
}

/// Finds a header of a request that was heard.
pub(crate) fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let (head, _) = request.split_once("\r\n\r\n")?;
    let headers = head.lines().filter_map(|line| line.split_once(": "));
    headers.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
