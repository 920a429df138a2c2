//! Requests one after another by some clients, practice by practice.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use serde_json::Value;

use crate::shared::{figures::Figures, platform::Platform};

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
