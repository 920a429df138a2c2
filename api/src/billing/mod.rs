//! Invoices, credit notes, quotes, payments and what is charged for.

pub(crate) mod invoices;
pub(crate) mod logos;
pub(crate) mod papers;
pub(crate) mod payments;
pub(crate) mod quotes;
pub(crate) mod runs;
pub(crate) mod services;
pub(crate) mod templates;
