//! Performs the platform's jobs, and speaks to what lies outside of it: mail servers, SMS providers.
//! It never serves HTTP and never decides a rule of the practice: those are the domain's.

pub mod clients;
pub mod notifications;
