//! The whole platform in one process: `cargo run` starts it, `cargo run -- reset` clears what it kept.

mod banner;
mod demo;
mod outbox;
mod parts;
mod platform;
mod secrets;

use std::{env, path::PathBuf, process::ExitCode};

use permanence_domain::{
    config::Env,
    signal,
    telemetry::{self, LogFormat},
};

const USAGE: &str = "usage: permanence          start the platform (Ctrl-C ends it)
       permanence reset    clear what it kept in .permanence/";

/// What goes wrong is told in one sentence.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    telemetry::init(LogFormat::Text);
    let arguments: Vec<String> = env::args().skip(1).collect();
    let ended = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => run().await,
        ["reset"] => parts::reset(&folder()).await,
        _ => Err(USAGE.into()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            banner::say(&format!("permanence: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Where the embedded parts keep their data.
fn folder() -> PathBuf {
    env::var_os("PERMANENCE_DATA").map_or_else(|| PathBuf::from(".permanence"), PathBuf::from)
}

async fn run() -> Result<(), Failure> {
    let mut platform = platform::Platform::start(&folder(), Env::of_process()).await?;
    banner::say(&platform.welcome());
    let broken = tokio::select! {
        () = signal::terminated() => None,
        error = platform.broken() => Some(error),
    };
    banner::say("\nEnding: what runs may finish, then every part stops.");
    let stopped = platform.stop().await;
    broken.map_or(stopped, Err)
}
