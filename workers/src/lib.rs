//! Performs the jobs that the domain describes: one pool a process, or all in one. It answers no HTTP request.

pub mod clients;
pub mod config;
mod exports;
mod identity;
pub mod notifications;
pub mod perform;
mod platform;
pub mod process;
pub mod registry;
pub mod schedule;
pub mod services;
