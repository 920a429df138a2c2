//! The one source of time, shared with the queue so that a simulated day is the same day for both.

pub use permanence_queue::clock::{Clock, SharedClock, SimulatedClock, SystemClock};
