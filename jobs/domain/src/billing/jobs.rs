//! The jobs of billing.

use std::time::Duration;

use permanence_queue::{Backoff, Job};
use serde::{Deserialize, Serialize};

use crate::ids::{AppointmentId, InvoiceId, InvoiceMailId, InvoicePreviewId, InvoiceRunId};

/// Draws what was issued as a PDF and keeps it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RenderInvoicePdf {
    /// The invoice, credit note or quote.
    pub invoice_id: InvoiceId,
}

impl Job for RenderInvoicePdf {
    const KIND: &'static str = "billing.render_invoice_pdf";
    const QUEUE: &'static str = "invoices";
    const TIMEOUT: Duration = Duration::from_mins(2);
}

/// Mails an invoice, credit note or quote to its buyer, with its PDF.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SendInvoice {
    /// The mail.
    pub mail_id: InvoiceMailId,
}

impl Job for SendInvoice {
    const KIND: &'static str = "billing.send_invoice";
    const QUEUE: &'static str = "reminders";
    // Longer than the longest talk with a mail server, step by step: a run cut short would leave its fate unknown.
    const TIMEOUT: Duration = Duration::from_mins(6);
    const MAX_ATTEMPTS: i16 = 100;
    const BACKOFF: Backoff = Backoff::exponential(Duration::from_secs(10), Duration::from_mins(20));
}

/// Mails a reminder of what is overdue.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RemindDebtor {
    /// The mail.
    pub mail_id: InvoiceMailId,
}

impl Job for RemindDebtor {
    const KIND: &'static str = "billing.remind_debtor";
    const QUEUE: &'static str = "reminders";
    const TIMEOUT: Duration = Duration::from_mins(6);
    const MAX_ATTEMPTS: i16 = 100;
    const BACKOFF: Backoff = Backoff::exponential(Duration::from_secs(10), Duration::from_mins(20));
}

/// Finds what is overdue, in every practice, and plans the reminders of it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct FindOverdue {}

impl Job for FindOverdue {
    const KIND: &'static str = "billing.find_overdue";
    const QUEUE: &'static str = "reminders";
    const TIMEOUT: Duration = Duration::from_hours(1);
}

/// Invoices an appointment, as one of a run.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct InvoiceAppointment {
    /// The run.
    pub run_id: InvoiceRunId,
    /// The appointment.
    pub appointment_id: AppointmentId,
}

impl Job for InvoiceAppointment {
    const KIND: &'static str = "billing.invoice_appointment";
    const QUEUE: &'static str = "invoices";
    const TIMEOUT: Duration = Duration::from_mins(1);
}

/// Ends a run once all its appointments are dealt with.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct EndInvoiceRun {
    /// The run.
    pub run_id: InvoiceRunId,
}

impl Job for EndInvoiceRun {
    const KIND: &'static str = "billing.end_invoice_run";
    const QUEUE: &'static str = "invoices";
    const TIMEOUT: Duration = Duration::from_mins(1);
}

/// Draws a specimen.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RenderInvoicePreview {
    /// The specimen.
    pub preview_id: InvoicePreviewId,
}

impl Job for RenderInvoicePreview {
    const KIND: &'static str = "billing.render_invoice_preview";
    const QUEUE: &'static str = "invoices";
    const TIMEOUT: Duration = Duration::from_mins(2);
    // Somebody waits before a screen; after a day it is gone anyway.
    const MAX_ATTEMPTS: i16 = 8;
}

/// Takes a specimen out of the object store and forgets it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RemoveInvoicePreview {
    /// The specimen.
    pub preview_id: InvoicePreviewId,
}

impl Job for RemoveInvoicePreview {
    const KIND: &'static str = "billing.remove_invoice_preview";
    const QUEUE: &'static str = "invoices";
    const TIMEOUT: Duration = Duration::from_mins(1);
    const BACKOFF: Backoff = Backoff::exponential(Duration::from_secs(10), Duration::from_hours(1));
}
