//! The API over real HTTP against a real Postgres, as the application's login role. The modules mirror the routes.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod appointments;
mod audit;
mod auth;
mod availability;
mod billing;
mod companies;
mod conditional;
mod consultations;
mod contract;
mod dashboard;
mod deletions;
mod erasures;
mod errors;
mod exports;
mod figures;
mod files;
mod health;
mod idempotency;
mod images;
mod imports;
mod inventory;
mod isolation;
mod jobs;
mod links;
mod migrations;
mod no_shows;
mod notifications;
mod password;
mod patients;
mod practice;
mod process;
mod records;
mod reports;
mod serve;
mod settings;
mod sign_ins;
mod support;
mod templates;
mod users;
mod webhooks;
