//! Jobs performed for real: a database of their own, a real SMTP and a real HTTP server, a simulated clock.

mod invitations;
mod killed;
mod reminders;
mod schedule;
mod support;
