//! Invoices, credit notes, quotes and what is paid of them. Draws no page and writes no XML: the workers do.

mod amount;
mod document;

pub use amount::{Cents, Quantity};
pub use document::{
    Address, Allowance, Buyer, Document, DocumentKind, Line, PaymentTerms, Referenced, Seller, Shares,
    Totals, Vat, VatCategory, VatTotal,
};
