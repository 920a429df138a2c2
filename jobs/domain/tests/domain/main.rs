//! What the database itself must hold, as the application's login role.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod billing;
mod bills;
mod isolation;
mod migrations;
mod privacy;
mod trail;
mod two;
mod vault;
