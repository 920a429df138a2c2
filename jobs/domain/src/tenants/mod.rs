//! What a practice decides for itself. Owns its settings; founding it and its members belong to `identity`.

mod rules;
mod settings;

pub use rules::{Channels, LeadTimes, OpeningHours, QuietHours, SmsSender, VatRates};
pub use settings::{CurrentSettings, Settings, current_settings, settings, update_settings};
