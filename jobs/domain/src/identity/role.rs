//! Roles as presets of scopes (requirements ID-5).

use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident = $text:literal),* $(,)?) => {
        /// One thing that a caller may do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Scope { $($(#[$doc])* $name),* }

        impl Scope {
            /// The scope's stable name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

scopes! {
    /// Read patients.
    PatientsRead = "patients:read",
    /// Register, change and delete patients.
    PatientsWrite = "patients:write",
    /// Read practitioners and rooms.
    PracticeRead = "practice:read",
    /// Change practitioners and rooms.
    PracticeWrite = "practice:write",
    /// Read the agenda.
    AppointmentsRead = "appointments:read",
    /// Book, move and cancel.
    AppointmentsWrite = "appointments:write",
    /// Book outside a practitioner's availability, for those who ask for it.
    AppointmentsOverride = "appointments:override",
    /// Change one's own availability; everybody's takes `practice:write`.
    AvailabilityWrite = "availability:write",
    /// Read medical records.
    RecordsRead = "medical_records:read",
    /// Write medical records.
    RecordsWrite = "medical_records:write",
    /// Fetch what is known of a patient, for the patient.
    AccessRead = "access:read",
    /// Ask for it.
    AccessWrite = "access:write",
    /// See files: a patient's take `medical_records:read` as well.
    FilesRead = "files:read",
    /// Hand files in and retract one's own: a patient's take `medical_records:read` as well.
    FilesWrite = "files:write",
    /// See erasures and their certificates.
    PrivacyRead = "privacy:read",
    /// Ask for erasures and take them back, open what the law keeps.
    PrivacyWrite = "privacy:write",
    /// See every account's erasure and its certificate, as an operator of the platform.
    PlatformPrivacyRead = "platform_privacy:read",
    /// See the stock.
    InventoryRead = "inventory:read",
    /// Describe items, note what comes and goes, import.
    InventoryWrite = "inventory:write",
    /// See and fetch exports.
    ExportsRead = "exports:read",
    /// Ask for exports and remove them.
    ExportsWrite = "exports:write",
    /// See how a practice was moved in.
    MigrationsRead = "migrations:read",
    /// Move a practice in with its old data, and take that back.
    MigrationsWrite = "migrations:write",
    /// See invoices, quotes, payments and what is owed.
    BillingRead = "billing:read",
    /// Write and issue them, take them back, note payments.
    BillingWrite = "billing:write",
    /// See how fresh the figures are.
    FiguresRead = "figures:read",
    /// Have them refreshed.
    FiguresWrite = "figures:write",
    /// Found companies, validate them, and say which practices their employees may book with.
    CompaniesManage = "companies:manage",
    /// See one's company; every one, for the platform.
    CompaniesRead = "companies:read",
    /// Change it.
    CompaniesWrite = "companies:write",
    /// See the company's employees and how much each consulted.
    EmployeesRead = "employees:read",
    /// Bring employees in, describe, suspend and restore them.
    EmployeesWrite = "employees:write",
    /// See and name oneself as an employee.
    EmployeesSelf = "employees:self",
    /// Book a consultation for oneself.
    ConsultationsBook = "consultations:book",
    /// See the consultations that one takes part in.
    ConsultationsRead = "consultations:read",
    /// Cancel them.
    ConsultationsCancel = "consultations:cancel",
    /// Confirm, begin and end them, as the practitioner.
    ConsultationsConduct = "consultations:conduct",
    /// See what one's own consultations come to, as the practitioner.
    ReportsBilling = "reports:billing",
    /// See how much a company's employees consult: counts.
    ReportsUsage = "reports:usage",
    /// See who is a member.
    UsersRead = "users:read",
    /// Invite members, change roles, remove members.
    UsersWrite = "users:write",
    /// Read the tenant's own audit trail.
    AuditRead = "audit:read",
    /// Read every tenant's audit trail, as an operator of the platform.
    PlatformAuditRead = "platform_audit:read",
    /// See how the whole platform stands, as an operator.
    PlatformHealthRead = "platform_health:read",
    /// See the tenant's jobs; every tenant's, for operators.
    JobsRead = "jobs:read",
    /// Retry, cancel and discard them.
    JobsWrite = "jobs:write",
    /// See the queues of the platform.
    QueuesRead = "queues:read",
    /// Pause, resume and limit them.
    QueuesWrite = "queues:write",
}

/// A membership's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[deserr(rename_all = camelCase)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Role {
    /// Runs the practice.
    Admin,
    /// Treats patients (praticien, doctor).
    Practitioner,
    /// Assists in care.
    Nurse,
    /// Runs the front desk (assistante, secretary).
    Assistant,
    /// Runs an employer's account.
    #[deserr(rename = "hr_admin")]
    HrAdmin,
    /// An employer's employee.
    Employee,
    /// Runs the platform.
    #[deserr(rename = "super_admin")]
    SuperAdmin,
    /// Looks after the platform's tenants.
    #[deserr(rename = "platform_admin")]
    PlatformAdmin,
}

impl Role {
    /// What the role may do.
    #[expect(clippy::too_many_lines, reason = "one table of what each role may do")]
    pub fn scopes(self) -> &'static [Scope] {
        use Scope::{
            AccessRead, AccessWrite, AppointmentsOverride, AppointmentsRead, AppointmentsWrite, AuditRead,
            AvailabilityWrite, BillingRead, BillingWrite, CompaniesManage, CompaniesRead, CompaniesWrite,
            ConsultationsBook, ConsultationsCancel, ConsultationsConduct, ConsultationsRead, EmployeesRead,
            EmployeesSelf, EmployeesWrite, ExportsRead, ExportsWrite, FiguresRead, FiguresWrite, FilesRead,
            FilesWrite, InventoryRead, InventoryWrite, JobsRead, JobsWrite, MigrationsRead, MigrationsWrite,
            PatientsRead, PatientsWrite, PlatformAuditRead, PlatformHealthRead, PlatformPrivacyRead,
            PracticeRead, PracticeWrite, PrivacyRead, PrivacyWrite, QueuesRead, QueuesWrite, RecordsRead,
            RecordsWrite, ReportsBilling, ReportsUsage, UsersRead, UsersWrite,
        };
        match self {
            Self::Admin => &[
                PatientsRead,
                PatientsWrite,
                PracticeRead,
                PracticeWrite,
                AppointmentsRead,
                AppointmentsWrite,
                AppointmentsOverride,
                AvailabilityWrite,
                FilesRead,
                FilesWrite,
                InventoryRead,
                InventoryWrite,
                ExportsRead,
                ExportsWrite,
                MigrationsRead,
                MigrationsWrite,
                AccessRead,
                AccessWrite,
                PrivacyRead,
                PrivacyWrite,
                BillingRead,
                BillingWrite,
                FiguresRead,
                FiguresWrite,
                UsersRead,
                UsersWrite,
                JobsRead,
                JobsWrite,
                AuditRead,
            ],
            Self::Practitioner => &[
                PatientsRead,
                PatientsWrite,
                PracticeRead,
                AppointmentsRead,
                AppointmentsWrite,
                AppointmentsOverride,
                AvailabilityWrite,
                BillingRead,
                BillingWrite,
                RecordsRead,
                RecordsWrite,
                AccessRead,
                AccessWrite,
                FilesRead,
                FilesWrite,
                InventoryRead,
                InventoryWrite,
                UsersRead,
                ConsultationsRead,
                ConsultationsCancel,
                ConsultationsConduct,
                ReportsBilling,
            ],
            Self::Nurse => &[
                PatientsRead,
                PatientsWrite,
                PracticeRead,
                AppointmentsRead,
                RecordsRead,
                FilesRead,
                FilesWrite,
                InventoryRead,
                InventoryWrite,
            ],
            Self::Assistant => &[
                PatientsRead,
                PatientsWrite,
                PracticeRead,
                AppointmentsRead,
                AppointmentsWrite,
                BillingRead,
                BillingWrite,
                RecordsRead,
                FilesRead,
                FilesWrite,
                InventoryRead,
                InventoryWrite,
                UsersRead,
            ],
            Self::HrAdmin => &[
                CompaniesRead,
                CompaniesWrite,
                EmployeesRead,
                EmployeesWrite,
                EmployeesSelf,
                ReportsUsage,
                FiguresRead,
                FiguresWrite,
                UsersRead,
                UsersWrite,
                JobsRead,
                JobsWrite,
                AuditRead,
            ],
            Self::SuperAdmin => &[
                CompaniesManage,
                CompaniesRead,
                CompaniesWrite,
                FiguresRead,
                FiguresWrite,
                UsersRead,
                UsersWrite,
                JobsRead,
                JobsWrite,
                QueuesRead,
                QueuesWrite,
                PlatformAuditRead,
                PlatformPrivacyRead,
                PlatformHealthRead,
            ],
            Self::PlatformAdmin => &[
                CompaniesManage,
                CompaniesRead,
                CompaniesWrite,
                FiguresRead,
                UsersRead,
                JobsRead,
                QueuesRead,
                PlatformAuditRead,
                PlatformPrivacyRead,
                PlatformHealthRead,
            ],
            Self::Employee => &[EmployeesSelf, ConsultationsBook, ConsultationsRead, ConsultationsCancel],
        }
    }

    /// Whether the role includes the scope.
    pub fn may(self, scope: Scope) -> bool {
        self.scopes().contains(&scope)
    }

    /// Whether the role exists in a tenant of this kind.
    pub fn fits(self, tenant_kind: &str) -> bool {
        let home = match self {
            Self::HrAdmin | Self::Employee => "company",
            Self::SuperAdmin | Self::PlatformAdmin => "platform",
            Self::Admin | Self::Practitioner | Self::Nurse | Self::Assistant => "practice",
        };
        home == tenant_kind
    }

    /// Whether the role is the platform's own: its scopes reach across tenants.
    pub fn is_platform(self) -> bool {
        self.fits("platform")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_desk_reads_records_and_never_writes_them() {
        assert!(Role::Assistant.may(Scope::RecordsRead));
        assert!(!Role::Assistant.may(Scope::RecordsWrite));
        assert!(!Role::Assistant.may(Scope::UsersWrite));
    }

    #[test]
    fn an_employer_sees_no_patient() {
        for role in [Role::HrAdmin, Role::Employee] {
            assert!(!role.may(Scope::PatientsRead) && !role.may(Scope::AppointmentsRead));
            assert!(role.fits("company") && !role.fits("practice"));
        }
    }
}
