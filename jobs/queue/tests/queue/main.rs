//! The queue against a real Postgres, as the roles that use it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cancel;
mod cron;
mod enqueue;
mod history;
mod lanes;
mod operate;
mod outcomes;
mod rescue;
mod support;
mod tenants;
mod together;
mod unique;
mod wake;
mod worker;
