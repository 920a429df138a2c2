//! What the database itself must hold, as the application's login role.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod audit;
mod billing;
mod bills;
mod figures;
mod isolation;
mod migrations;
mod trail;
mod two;
mod vault;
