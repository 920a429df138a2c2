//! Requests one after another by some clients, practice by practice.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::platform::Platform;

/// How long the answers took.
pub(crate) struct Figures {
    pub(crate) p50: Duration,
    pub(crate) p95: Duration,
    p99: Duration,
    most: Duration,
}

impl Figures {
    /// Of at least a hundred.
    pub(crate) fn of(mut took: Vec<Duration>) -> Self {
        took.sort_unstable();
        let [p50, p95, p99] = [50, 95, 99].map(|p| took[took.len() * p / 100]);
        Self { p50, p95, p99, most: took[took.len() - 1] }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50, p95, p99, most } = self;
        write!(f, "p50 {p50:.2?}, p95 {p95:.2?}, p99 {p99:.2?}, max {most:.2?}")
    }
}

/// What each practice is told of its money.
pub(crate) async fn revenues(platform: &Platform, tokens: &[String]) -> Vec<Value> {
    let url = format!("{}/api/v1/dashboard/overview", platform.base);
    let mut revenues = Vec::new();
    for token in tokens {
        let answer = platform.http.get(&url).bearer_auth(token).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert!(answer["revenue"]["outstanding"]["amount"].as_i64() > Some(0), "{answer:#}");
        revenues.push(answer["revenue"].clone());
    }
    revenues
}

/// Asks for a page of the dashboard so many times; each answer is read whole.
pub(crate) async fn measure(
    platform: &Platform,
    tokens: &[String],
    page: &str,
    requests: usize,
    clients: usize,
) -> Figures {
    let url = format!("{}/api/v1/dashboard/{page}", platform.base);
    let next = AtomicUsize::new(0);
    let client = || async {
        let mut took = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= requests {
                return took;
            }
            let request = platform.http.get(&url).bearer_auth(&tokens[number % tokens.len()]);
            let begun = Instant::now();
            let answer = request.send().await.unwrap().error_for_status().unwrap();
            answer.bytes().await.unwrap();
            took.push(begun.elapsed());
        }
    };
    let took = futures::future::join_all((0..clients).map(|_| client())).await;
    Figures::of(took.into_iter().flatten().collect())
}
