//! The platform whole: the main journey by a simulated clock, and the program as a person starts it.

#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod audit;
mod backup;
mod commands;
mod journey;
mod program;
mod run;
mod traces;
