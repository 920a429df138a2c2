//! The HTTP face of Permanence: extract, one domain call, respond. It performs no job and sends no message itself.

mod appointments;
mod auth;
mod availability;
mod billing;
pub mod config;
mod docs;
mod error;
mod exports;
mod extract;
mod files;
mod health;
mod images;
mod inventory;
mod jobs;
mod messages;
mod notifications;
mod observe;
mod pages;
mod patients;
mod practitioners;
mod queues;
mod records;
mod respond;
mod rooms;
mod router;
mod serve;
mod settings;
mod state;
mod templates;
mod users;
mod webhooks;

pub use docs::openapi;
pub use router::router;
pub use serve::{ServeError, bind, serve, serve_draining};
pub use state::App;
