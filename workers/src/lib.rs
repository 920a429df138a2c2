//! Performs the jobs that the domain describes: one pool a process, or all in one. It answers no HTTP request.

mod access;
mod audit;
pub mod backup;
pub mod billing;
pub mod clients;
pub mod config;
mod exports;
mod figures;
mod files;
mod identity;
mod import;
mod inventory;
pub mod notifications;
pub mod paper;
pub mod perform;
mod platform;
mod privacy;
pub mod process;
pub mod registry;
pub mod schedule;
pub mod services;
mod vault;
mod xml;
