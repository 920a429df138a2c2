//! What tells who somebody is: what an erasure takes out and then searches for. It leaves memory overwritten.

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// A person's names and addresses, as they stood before the erasure.
#[derive(Clone, Serialize, Deserialize)]
pub struct Identifiers {
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) birth_date: Option<String>,
    pub(super) email: Option<String>,
    /// E.164.
    pub(super) phone: Option<String>,
    pub(super) address: Option<serde_json::Value>,
}

impl std::fmt::Debug for Identifiers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identifiers(…)")
    }
}

impl Drop for Identifiers {
    fn drop(&mut self) {
        self.first_name.zeroize();
        self.last_name.zeroize();
        for text in [&mut self.birth_date, &mut self.email, &mut self.phone].into_iter().flatten() {
            text.zeroize();
        }
    }
}

/// Letters of the shortest street that is searched for: a shorter one is found in other words.
const STREET: usize = 8;

impl Identifiers {
    /// Of somebody of whom only a name is known.
    pub(super) fn of_name(first: &str, last: &str) -> Self {
        Self {
            first_name: first.trim().to_owned(),
            last_name: last.trim().to_owned(),
            birth_date: None,
            email: None,
            phone: None,
            address: None,
        }
    }

    /// Of somebody who is known by an address and perhaps a number.
    pub(super) fn of_address(email: Option<&str>, phone: Option<&str>) -> Self {
        let mut known = Self::of_name("", "");
        known.email = email.map(str::to_owned);
        known.phone = phone.map(str::to_owned);
        known
    }

    /// Every form in which they are searched for, in lower case. A first or a last name alone is anybody's.
    pub(super) fn forms(&self) -> Vec<String> {
        let mut forms = Vec::new();
        if !self.first_name.is_empty() && !self.last_name.is_empty() {
            let (first, last) = (self.first_name.to_lowercase(), self.last_name.to_lowercase());
            // In one text, in two columns as COPY writes them, and in two fields of JSON.
            forms.extend([
                format!("{first} {last}"),
                format!("{last} {first}"),
                format!("{first}\t{last}"),
                format!("{last}\t{first}"),
                format!("{first}\", \"last_name\": \"{last}"),
                format!("{last}\", \"first_name\": \"{first}"),
            ]);
        }
        forms.extend(self.email.as_ref().map(|email| email.to_lowercase()));
        if let Some(phone) = &self.phone {
            let digits = phone.trim_start_matches('+');
            forms.push(digits.to_owned());
            if let Some(national) = digits.strip_prefix("33").filter(|rest| rest.len() == 9) {
                let pairs: Vec<&str> =
                    (1..9).step_by(2).filter_map(|place| national.get(place..place + 2)).collect();
                let head = national.get(..1).unwrap_or_default();
                forms.push(format!("0{national}"));
                forms.push(format!("0{head} {}", pairs.join(" ")));
            }
        }
        let street = self.address.as_ref().and_then(|address| address.get("line")?.as_str());
        forms.extend(street.filter(|line| line.chars().count() >= STREET).map(str::to_lowercase));
        forms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_searched_for_as_people_write_it() {
        let person = Identifiers {
            first_name: "Zoé".to_owned(),
            last_name: "NOËL".to_owned(),
            birth_date: None,
            email: Some("Zoe@Noel.example".to_owned()),
            phone: Some("+33612345678".to_owned()),
            address: Some(serde_json::json!({ "line": "12 rue des Lilas" })),
        };
        let forms = person.forms();
        for wanted in [
            "zoé noël",
            "noël zoé",
            "noël\tzoé",
            "zoe@noel.example",
            "33612345678",
            "0612345678",
            "06 12 34 56 78",
            "12 rue des lilas",
        ] {
            assert!(forms.iter().any(|form| form == wanted), "{wanted}: {forms:?}");
        }
        assert_eq!(format!("{person:?}"), "Identifiers(…)");
    }
}
