//! Jobs performed for real: a database of their own, a real SMTP and a real HTTP server, a simulated clock.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod account_mails;
mod audit;
mod backup;
mod billing;
mod deliveries;
mod erasure;
mod exports;
mod figures;
mod images;
mod imports;
mod invitations;
mod killed;
mod leavers;
mod looks;
mod metrics;
mod moving;
mod papers;
mod reasons;
mod reminders;
mod schedule;
mod stock;
mod support;
mod year;
