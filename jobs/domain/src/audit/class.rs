//! How long what kind of entry is kept. Owns which action has which class; the database holds the times again
//! (`audit_kept`), because nobody may tell it a wrong one.

use chrono::{DateTime, Months, Utc};

/// How long an entry of the trail is kept, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Who came in, who may do what, what left, what operators did: a log for security, 12 months (CNIL on logging,
    /// délibération 2021-122: six months to a year).
    Security,
    /// What was done to a patient's data and appointments: with the medical record (CSP R1112-7: 20 years after the last
    /// care), so no date of its own ends it.
    Record,
    /// What the books rest on, and how the practice was set up then: 10 years (C. com. L123-22).
    Business,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Security, Self::Record, Self::Business];

    /// The class of an action such as `auth.login`, by its first word. What nobody has classed is kept the longest:
    /// to have forgotten too early is the one mistake that cannot be mended.
    pub fn of(action: &str) -> Self {
        match action.split('.').next().unwrap_or_default() {
            "auth" | "user" | "tenant" | "company" | "employee" | "export" | "report" | "job" | "queue"
            | "figures" | "audit" | "backup" => Self::Security,
            "invoice" | "invoice_run" | "invoice_template" | "quote" | "payment" | "service" | "logo"
            | "inventory" | "settings" | "practitioner" | "room" | "availability" | "message_template" => {
                Self::Business
            }
            _ => Self::Record,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Security => "security",
            Self::Record => "record",
            Self::Business => "business",
        }
    }

    /// The class of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == word)
    }

    /// When an entry of this moment has served its time; none where no date says so.
    pub fn kept_until(self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let months = match self {
            Self::Security => 12,
            Self::Business => 120,
            Self::Record => return None,
        };
        at.checked_add_months(Months::new(months))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_has_classed_is_kept_with_the_record() {
        assert_eq!(Class::of("auth.login"), Class::Security);
        assert_eq!(Class::of("invoice.issue"), Class::Business);
        assert_eq!(Class::of("patient.update"), Class::Record);
        assert_eq!(Class::of("something.new"), Class::Record);
        assert_eq!(Class::parse("record").and_then(|class| class.kept_until(DateTime::UNIX_EPOCH)), None);
    }
}
