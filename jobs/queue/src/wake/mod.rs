//! Wakes workers after a commit. A wake is a hint: losing one costs a poll's delay and never a job.

mod listener;
mod waker;

pub use listener::Listener;
pub use waker::Waker;

/// The one channel; the payload is the name of the queue.
const CHANNEL: &str = "permanence_queue";
