//! A postal address as it is written down and printed. Never guesses where it is.

use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    error::{Invalid, Problem},
    field::{Label, trimmed},
    text_field,
};

/// A postal address.
#[derive(Debug, Clone, PartialEq, Eq, Deserr, Serialize, Deserialize, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct PostalAddress {
    /// Street and number.
    #[schema(example = "12 rue des Lilas")]
    pub line: Label,
    /// Complement, such as a building.
    #[deserr(default)]
    #[serde(default)]
    pub complement: Option<Label>,
    /// Postcode.
    pub postcode: Postcode,
    /// Town.
    #[schema(example = "Paris")]
    pub city: Label,
    /// Country: ISO 3166-1, two letters.
    #[deserr(default)]
    #[serde(default)]
    #[schema(default = "FR")]
    pub country: Country,
}

text_field!(
    /// A postcode: 2 to 12 letters, digits, spaces and dashes.
    Postcode, "75019", |text| {
        let text = trimmed(text, 12)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-');
        if text.len() >= 2 && text.chars().all(plain) { Ok(text.to_uppercase()) } else {
            Err(Problem::new("", "not_a_postcode", "2 to 12 letters, digits, spaces and dashes").read(text))
        }
    }
);
text_field!(
    /// A country: ISO 3166-1, two capital letters.
    Country, "FR", |text| {
        let code = text.trim().to_uppercase();
        if code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()) { Ok(code) } else {
            Err(Problem::new("", "not_a_country", "two letters of ISO 3166-1, such as FR").read(text))
        }
    }
);

impl Default for Country {
    fn default() -> Self {
        Self("FR".to_owned())
    }
}
