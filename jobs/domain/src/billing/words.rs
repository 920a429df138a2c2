//! The fixed words of invoices, in the buyer's language. Draws nothing.

use chrono::NaiveDate;

use super::{Cents, Document, DocumentKind};
use crate::{db::TenantTx, error::Result, field::Language, ids::PatientId};

/// An amount as it is printed: `1 234,50 €` or `€1,234.50`.
pub fn money(amount: Cents, language: Language) -> String {
    let (sign, cents) = (if amount.0 < 0 { "-" } else { "" }, amount.0.unsigned_abs());
    let digits = (cents / 100).to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    match language {
        Language::Fr => format!("{sign}{},{:02}\u{a0}€", groups.join("\u{a0}"), cents % 100),
        Language::En => format!("{sign}€{}.{:02}", groups.join(","), cents % 100),
    }
}

/// A day as it is printed.
pub fn day(day: NaiveDate, language: Language) -> String {
    match language {
        Language::Fr => day.format("%d/%m/%Y").to_string(),
        Language::En => day.format("%-d %b %Y").to_string(),
    }
}

/// Until when it is to be paid, or accepted.
pub(super) fn terms(kind: DocumentKind, language: Language, days: u32, due_on: NaiveDate) -> String {
    let until = day(due_on, language);
    match (kind, language, days) {
        (DocumentKind::Quote, Language::Fr, _) => format!("Devis valable jusqu’au {until}."),
        (DocumentKind::Quote, Language::En, _) => format!("This quote holds until {until}."),
        (_, Language::Fr, 0) => "Paiement à réception.".to_owned(),
        (_, Language::En, 0) => "Payment on receipt.".to_owned(),
        (_, Language::Fr, _) => format!("Paiement à {days} jours, au plus tard le {until}."),
        (_, Language::En, _) => format!("Payment within {days} days, by {until}."),
    }
}

/// Which invoice a credit note takes back, and why.
pub(super) fn credit_terms(invoice: &Document, reason: &str) -> String {
    let (number, on) = (&invoice.number, day(invoice.issued_on, invoice.language));
    match invoice.language {
        Language::Fr => format!("Avoir sur la facture {number} du {on}. Motif : {reason}"),
        Language::En => format!("Credit note for invoice {number} of {on}. Reason: {reason}"),
    }
}

/// The line of a credit note that takes back an amount.
pub(super) fn credited(invoice: &Document, reason: &str) -> String {
    match invoice.language {
        Language::Fr => format!("Avoir sur la facture {} : {reason}", invoice.number),
        Language::En => format!("Credit on invoice {}: {reason}", invoice.number),
    }
}

/// Interest and indemnity between companies, where the practice says nothing of its own (C. com. L441-10, D441-5).
pub(super) fn late_penalty(language: Language) -> &'static str {
    match language {
        Language::Fr => {
            "En cas de retard de paiement : pénalités au taux de trois fois l’intérêt légal et indemnité forfaitaire \
             de 40 € pour frais de recouvrement. Pas d’escompte pour paiement anticipé."
        }
        Language::En => {
            "Late payment: interest at three times the French legal rate and a fixed recovery charge of €40. \
             No discount for early payment."
        }
    }
}

/// The patient's name, for the words of a template.
pub(super) async fn patient(tx: &mut TenantTx, id: Option<PatientId>) -> Result<Option<String>> {
    let Some(id) = id else { return Ok(None) };
    Ok(sqlx::query_scalar!(
        r#"SELECT first_name || ' ' || last_name AS "name!" FROM patients WHERE tenant_id = $1 AND id = $2"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_as_each_language_writes_them() {
        for (cents, fr, en) in [
            (0, "0,00 €", "€0.00"),
            (-5, "-0,05 €", "-€0.05"),
            (6000, "60,00 €", "€60.00"),
            (123_456_789, "1 234 567,89 €", "€1,234,567.89"),
        ] {
            assert_eq!(money(Cents(cents), Language::Fr).replace('\u{a0}', " "), fr);
            assert_eq!(money(Cents(cents), Language::En), en);
        }
    }
}
