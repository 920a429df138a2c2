//! The practice's areas: what the API and the workers must agree on. Rules, SQL and job payloads live here;
//! HTTP and the performing of jobs do not.

pub mod address;
pub mod audit;
pub mod billing;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod db;
pub mod error;
pub mod exports;
pub mod field;
pub mod files;
pub mod hours;
pub mod idempotency;
pub mod identity;
pub mod ids;
pub mod inventory;
pub mod migrate;
pub mod notifications;
pub mod operations;
pub mod page;
pub mod patients;
pub mod people;
pub mod picture;
mod placeholders;
pub mod platform;
pub mod records;
pub mod scheduling;
pub mod signal;
pub mod storage;
pub mod telemetry;
pub mod tenants;
pub mod vault;

pub use error::{Error, Invalid, Problem, Result};
