//! The clients against servers that answer, refuse, drop and hang at named points, over real sockets.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test says what failed by panicking")]

mod brevo;
mod failover;
mod ovh;
mod scripted;
mod smtp;
mod twilio;
