//! The numbers by which companies and accounts are known, each with its own check. Asks no register.

use crate::{error::Problem, field::luhn, text_field};

/// La Poste's SIREN, whose SIRETs outside the head office follow a rule of their own.
const LA_POSTE: &str = "356000000";

fn compact(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

fn digits(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())
}

text_field!(
    /// A SIREN: 9 digits, of which the last is a Luhn check digit.
    Siren, "732829320", |text| {
        let number = compact(text);
        if digits(&number, 9) && luhn(&number) { Ok(number) } else {
            Err(Problem::new("", "not_a_siren", "9 digits of which the last is a Luhn check digit").read(text))
        }
    }
);
text_field!(
    /// A SIRET: a SIREN and 5 digits, of which the last is a Luhn check digit; La Poste's digits add up to a multiple
    /// of 5 instead.
    Siret, "73282932000074", |text| {
        let number = compact(text);
        let sum = || number.bytes().map(|byte| u32::from(byte - b'0')).sum::<u32>();
        let checked = |number: &str| luhn(number) || (number.starts_with(LA_POSTE) && sum().is_multiple_of(5));
        if digits(&number, 14) && luhn(&number[..9]) && checked(&number) { Ok(number) } else {
            Err(Problem::new("", "not_a_siret", "14 digits: a SIREN, and an establishment with its check digit").read(text))
        }
    }
);

impl Siret {
    /// The company's part.
    pub fn siren(&self) -> &str {
        &self.as_str()[..9]
    }
}

text_field!(
    /// A VAT identifier of the Union: two letters and 2 to 13 letters and digits; a French one ends with a SIREN and
    /// has its key before it (CGI ann. II 242 nonies).
    VatId, "FR44732829320", |text| {
        let id = compact(text).to_uppercase();
        let plain = (4..=15).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && id.bytes().take(2).all(|byte| byte.is_ascii_uppercase());
        if plain && (!id.starts_with("FR") || french(&id[2..])) { Ok(id) } else {
            let expected = "a VAT identifier such as FR44732829320, with its right key";
            Err(Problem::new("", "not_a_vat_id", expected).read(text))
        }
    }
);

impl VatId {
    /// Of a French identifier, the SIREN.
    pub fn siren(&self) -> Option<&str> {
        self.as_str().strip_prefix("FR").and_then(|rest| rest.get(2..))
    }
}

/// Whether a key and a SIREN fit; keys with letters follow no rule that is published.
fn french(rest: &str) -> bool {
    let (Some(key), Some(siren)) = (rest.get(..2), rest.get(2..)) else { return false };
    if !digits(siren, 9) || !luhn(siren) {
        return false;
    }
    match (key.parse::<u64>(), siren.parse::<u64>()) {
        (Ok(key), Ok(siren)) => (12 + 3 * (siren % 97)) % 97 == key,
        _ => true,
    }
}

text_field!(
    /// An IBAN (ISO 13616) with its checksum, without spaces.
    Iban, "FR7630006000011234567890189", |text| {
        match compact(text).to_uppercase().parse::<iban::Iban>() {
            Ok(iban) => Ok(iban.to_string().split(' ').collect()),
            // What was read is not shown: an account almost right is an account almost told.
            Err(_) => Err(Problem::new("", "not_an_iban", "an IBAN with its right checksum")),
        }
    }
);
text_field!(
    /// A BIC (ISO 9362): 8 or 11 letters and digits.
    Bic, "AGRIFRPP", |text| {
        let bic = compact(text).to_uppercase();
        let sound = matches!(bic.len(), 8 | 11)
            && bic.bytes().take(6).all(|byte| byte.is_ascii_uppercase())
            && bic.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if sound { Ok(bic) } else {
            Err(Problem::new("", "not_a_bic", "8 or 11 letters and digits, the first 6 of them letters").read(text))
        }
    }
);
text_field!(
    /// What the numbers of a series begin with: 1 to 6 capital letters, so that the year that follows is told apart.
    SeriesPrefix, "F", |text| {
        let prefix = text.trim().to_uppercase();
        if (1..=6).contains(&prefix.len()) && prefix.bytes().all(|byte| byte.is_ascii_uppercase()) { Ok(prefix) } else {
            Err(Problem::new("", "not_a_prefix", "1 to 6 letters without accents").read(text))
        }
    }
);

impl SeriesPrefix {
    /// A prefix of ours, for defaults.
    pub(super) fn of(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn companies_are_known_by_their_check_digits() {
        assert_eq!(Siren::parse("732 829 320").unwrap().as_str(), "732829320");
        assert_eq!(Siren::parse("732829321").unwrap_err().code, "not_a_siren");
        let siret = Siret::parse("732 829 320 00074").unwrap();
        assert_eq!((siret.as_str(), siret.siren()), ("73282932000074", "732829320"));
        assert_eq!(Siret::parse("73282932000075").unwrap_err().code, "not_a_siret");
        assert!(Siret::parse("7328293200007").is_err());
    }

    #[test]
    fn the_post_has_a_rule_of_its_own() {
        assert!(Siret::parse("35600000000048").is_ok(), "the head office follows Luhn");
        assert!(Siret::parse("35600000049837").is_ok(), "another: its digits add up to 45");
        assert!(Siret::parse("35600000049838").is_err());
    }

    #[test]
    fn a_french_vat_id_has_its_key() {
        assert_eq!(VatId::parse("fr 44 732829320").unwrap().siren(), Some("732829320"));
        assert_eq!(VatId::parse("FR45732829320").unwrap_err().code, "not_a_vat_id");
        assert!(VatId::parse("FRK7399859412").is_ok(), "a key with a letter follows no published rule");
        assert!(VatId::parse("FRK7399859413").is_err(), "the SIREN's check digit still counts");
        assert!(VatId::parse("DE123456789").is_ok());
        assert!(VatId::parse("é4732829320").is_err());
    }

    #[test]
    fn an_iban_has_its_checksum_and_is_not_shown_when_wrong() {
        let iban = Iban::parse("fr76 3000 6000 0112 3456 7890 189").unwrap();
        assert_eq!(iban.as_str(), "FR7630006000011234567890189");
        let wrong = Iban::parse("FR7630006000011234567890188").unwrap_err();
        assert_eq!((wrong.code, wrong.read), ("not_an_iban", None));
        assert!(Bic::parse("agrifrpp").is_ok());
        assert_eq!(Bic::parse("AGR1FRPP").unwrap_err().code, "not_a_bic");
    }
}
