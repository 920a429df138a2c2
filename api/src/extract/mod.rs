//! From a request to what a handler needs: the caller with a scope, the tenant's transaction, the checked body. All
//! that can be refused is refused here, before the handler runs.

mod ask;
mod caller;
mod change;
mod create;
mod input;
mod public;
mod sheet;
mod source;
mod upload;

pub(crate) use ask::Ask;
pub(crate) use caller::{
    AccessRead, AccessWrite, Anybody, AppointmentsRead, AppointmentsWrite, AuditRead, AvailabilityWrite,
    BillingRead, BillingWrite, Caller, CompaniesManage, CompaniesRead, CompaniesWrite, ConsultationsBook,
    ConsultationsCancel, ConsultationsConduct, ConsultationsRead, EmployeesRead, EmployeesSelf,
    EmployeesWrite, ExportsRead, ExportsWrite, FiguresRead, FiguresWrite, FilesRead, FilesWrite,
    InventoryRead, InventoryWrite, JobsRead, JobsWrite, MigrationsRead, MigrationsWrite, PatientsRead,
    PatientsWrite, Permission, PlatformAuditRead, PlatformHealthRead, PlatformPrivacyRead, PracticeRead,
    PracticeWrite, PrivacyRead, PrivacyWrite, QueuesRead, QueuesWrite, Read, RecordsRead, RecordsWrite,
    ReportsBilling, ReportsUsage, UsersRead, UsersWrite,
};
pub(crate) use change::Change;
pub(crate) use create::{Create, render};
pub(crate) use input::{
    Empty, Idempotent, InvoiceTemplatePath, JobNumber, Path, Query, QueueName, TemplatePath, ViewName,
};
pub(crate) use public::Public;
pub(crate) use sheet::Sheet;
pub(crate) use upload::{Csv, Dump, Handed, LogoPicture, Upload, discard};

/// Largest body of a request, bytes.
pub(crate) const MAX_BODY: usize = 256 * 1024;
