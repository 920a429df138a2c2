//! What a practice decides for itself, and what a company is. Owns settings and companies; founding a practice and all
//! members belong to `identity`.

mod company;
mod rules;
mod settings;

pub use company::{
    Company, CompanyDomain, NewAgreement, NewCompany, NewHrAdmin, UpdateCompany, add_agreement,
    found_company, get_company, list_companies, reach_company, require_active, update_company,
    validate_company,
};
pub use rules::{Channels, LeadTimes, OpeningHours, QuietHours, SmsSender, VatRates};
pub use settings::{CurrentSettings, Settings, current_settings, settings, update_settings};
