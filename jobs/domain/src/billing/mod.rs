//! Invoices, credit notes, quotes and what is paid of them. Draws no page and writes no XML: the workers do.

mod amount;
mod appointment;
mod balance;
mod chart;
mod compose;
mod content;
mod credit;
mod credit_note;
mod debtor;
mod document;
mod draft;
mod fill;
mod identifiers;
mod identity;
mod invoice;
mod issue;
pub mod jobs;
mod list;
mod logo;
mod mail;
mod paper;
mod payment;
mod preview;
mod quote;
mod reckon;
mod run;
mod series;
mod service;
mod template;
pub mod words;

pub use amount::{Cents, Money, Paid, Part, Price, Quantity};
pub use balance::{Aged, Balance, Receivables, Side, receivables};
pub use chart::{Account, Chart};
pub use content::{
    Description, InsurerShare, InvoiceContent, NewBuyer, NewDiscount, NewLine, NewVat, Rate, Unit,
};
pub use credit_note::{CreditedLine, NewCreditNote, credit_invoice};
pub use debtor::{Debtor, list_debtors};
pub use document::{
    Address, Allowance, Buyer, Document, DocumentKind, Line, PaymentTerms, Referenced, Seller, Shares,
    Totals, Vat, VatCategory, VatTotal,
};
pub use draft::{delete_invoice, draft_invoice, update_invoice};
pub use identifiers::{Bic, Iban, SeriesPrefix, Siren, Siret, VatId};
pub use identity::{BillingSettings, LegalWords, ReminderDays};
pub use invoice::{Invoice, InvoiceStatus, get_invoice};
pub use issue::issue_invoice;
pub(crate) use issue::seller_siren;
pub use list::{InvoiceQuery, InvoiceSummary, list_invoices};
pub use logo::{Logo, LogoFile, get_logo, put_logo, remove_logo};
pub use mail::{
    InvoiceMailList, InvoiceMailLog, InvoiceMailPurpose, InvoiceMailStart, OutgoingInvoiceMail,
    begin_invoice_mail, end_invoice_mail, list_invoice_mails, plan_reminders, send_invoice,
};
pub use paper::{
    Paper, PaperStart, begin_paper, end_paper, paper_key, paper_of_invoice, paper_of_quote, papers_of_patient,
};
pub use payment::{
    NewPayment, Payer, Payment, PaymentKind, PaymentList, PaymentMethod, PaymentReceipt, list_payments,
    record_payment, record_refund,
};
pub use preview::{
    InvoicePreview, NewInvoicePreview, begin_preview, end_preview, forget_preview, paper_of_preview,
    preview_invoice_template, preview_key,
};
pub use quote::{
    Answer, NewAnswer, Quote, QuoteQuery, QuoteStatus, QuoteSummary, answer_quote, delete_quote, draft_quote,
    get_quote, invoice_quote, issue_quote, list_quotes, update_quote,
};
pub use run::{
    InvoiceRun, NewInvoiceRun, RunReason, RunStatus, end_run, get_run, invoice_item, refusal, refuse_item,
    start_run,
};
pub use service::{
    NewService, Service, add_service, delete_service, get_service, list_services, update_service,
};
pub use template::{
    InvoiceTemplate, InvoiceTemplateKey, InvoiceTemplateList, InvoiceTemplateVersion, NewInvoiceTemplate,
    get_invoice_template, list_invoice_templates, put_invoice_template, reset_invoice_template,
};
