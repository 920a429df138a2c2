//! The jobs of billing.

mod find_overdue;
mod invoice_appointment;
mod remind_debtor;
