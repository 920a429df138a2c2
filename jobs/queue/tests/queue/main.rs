//! The queue against a real Postgres, as the roles that use it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cancel;
mod chaos;
mod cron;
mod enqueue;
mod faults;
mod history;
mod lanes;
mod operate;
mod outcomes;
mod own_server;
mod rescue;
mod support;
mod tenants;
mod together;
mod trace;
mod unique;
mod wake;
mod worker;
