//! A practice's own words for its invoices, credit notes and quotes: Markdown with placeholders, kept version by version,
//! filled in once, at issue. Three lines are left for whoever draws the page: `[[items]]`, `[[totals]]`, `[[payment]]`.

use chrono::{DateTime, Utc};
use deserr::Deserr;
use minijinja::Value;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Document, DocumentKind,
    words::{day, money},
};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Invalid, Problem, Result},
    ids::UserId,
    placeholders::{self, Unfilled},
};

/// Letters of the longest text.
const BODY: usize = 20_000;
/// What is drawn, each alone on a line; the first two must be there.
const BLOCKS: [&str; 3] = ["[[items]]", "[[totals]]", "[[payment]]"];

/// What is known in every case.
const ALWAYS: [&str; 12] = [
    "number",
    "issued_on",
    "due_on",
    "supplied_on",
    "buyer_name",
    "practice_name",
    "legal_name",
    "total_net",
    "total_vat",
    "total_gross",
    "total_due",
    "payment_terms",
];
/// What is known in some cases only: it is asked for with `if` before it is printed.
const SOMETIMES: [&str; 11] = [
    "patient_name",
    "practitioner",
    "buyer_reference",
    "iban",
    "bic",
    "late_penalty",
    "patient_share",
    "insurer_share",
    "insurer_name",
    "credited_number",
    "credited_on",
];

/// Which words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Path)]
pub struct InvoiceTemplateKey {
    /// Of what kind of paper.
    pub kind: DocumentKind,
}

/// A practice's own words for a kind of paper.
#[derive(Debug, Clone, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewInvoiceTemplate {
    /// Markdown with placeholders in double braces; `[[items]]`, `[[totals]]` and, if wanted, `[[payment]]` stand alone on
    /// a line.
    #[schema(
        example = "# Facture {{ number }}\n\n[[items]]\n\n[[totals]]\n\n[[payment]]\n\nMerci de votre confiance."
    )]
    pub body: String,
}

/// The words of a kind of paper.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceTemplate {
    /// Of what kind of paper.
    pub kind: DocumentKind,
    /// Whether the practice's own words are in force.
    pub own: bool,
    /// Counts the changes, for `If-Match`; 0 before the first.
    pub version: i32,
    /// The words in force; the standard layout where there are none.
    pub body: Option<String>,
    /// The placeholders that are known in every case.
    pub placeholders: Vec<&'static str>,
    /// Those that are known in some cases: they stand within `{% if … %}`.
    pub optional_placeholders: Vec<&'static str>,
    /// The practice's versions, the newest first, at most fifty.
    pub history: Vec<InvoiceTemplateVersion>,
}

/// A version of a practice's words.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceTemplateVersion {
    /// Its number.
    pub version: i32,
    /// The words; `null` where it is the return to the standard layout.
    pub body: Option<String>,
    /// Chosen at.
    pub created_at: DateTime<Utc>,
    /// The member who chose it.
    pub created_by: Option<UserId>,
}

/// The words of every kind of paper.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceTemplateList {
    /// One for each kind.
    pub items: Vec<InvoiceTemplate>,
}

/// The words of every kind of paper.
pub async fn list_invoice_templates(tx: &mut TenantTx) -> Result<InvoiceTemplateList> {
    let mut items = Vec::new();
    for kind in [DocumentKind::Invoice, DocumentKind::CreditNote, DocumentKind::Quote] {
        items.push(get_invoice_template(tx, kind).await?);
    }
    Ok(InvoiceTemplateList { items })
}

/// The words of one kind of paper.
pub async fn get_invoice_template(tx: &mut TenantTx, kind: DocumentKind) -> Result<InvoiceTemplate> {
    let history = sqlx::query_as!(
        InvoiceTemplateVersion,
        r#"SELECT version, body, created_at, created_by AS "created_by: UserId"
           FROM invoice_templates WHERE tenant_id = $1 AND kind = $2 ORDER BY version DESC LIMIT 50"#,
        tx.tenant().0,
        kind as DocumentKind,
    )
    .fetch_all(tx.conn())
    .await?;
    let body = history.first().and_then(|newest| newest.body.clone());
    Ok(InvoiceTemplate {
        kind,
        own: body.is_some(),
        version: history.first().map_or(0, |newest| newest.version),
        body,
        placeholders: ALWAYS.to_vec(),
        optional_placeholders: SOMETIMES.to_vec(),
        history,
    })
}

/// Puts the practice's own words in force, once they have passed every check.
pub async fn put_invoice_template(
    tx: &mut TenantTx,
    kind: DocumentKind,
    version: i32,
    new: &NewInvoiceTemplate,
) -> Result<InvoiceTemplate> {
    let body = new.body.trim().replace("\r\n", "\n");
    check(&body)?;
    add(tx, kind, version, Some(&body)).await?;
    audit::record(tx, "invoice_template.update", "invoice_template", None).await?;
    get_invoice_template(tx, kind).await
}

/// Goes back to the standard layout; where it is in force, nothing changes.
pub async fn reset_invoice_template(tx: &mut TenantTx, kind: DocumentKind) -> Result<()> {
    let present = get_invoice_template(tx, kind).await?;
    if !present.own {
        return Ok(());
    }
    add(tx, kind, present.version, None).await?;
    audit::record(tx, "invoice_template.reset", "invoice_template", None).await
}

/// Adds the version after the one that was read; fails if another came between.
async fn add(tx: &mut TenantTx, kind: DocumentKind, read: i32, body: Option<&str>) -> Result<()> {
    let (tenant, now, actor) = (tx.tenant(), tx.now(), tx.actor());
    let added = sqlx::query!(
        "INSERT INTO invoice_templates (tenant_id, kind, version, body, created_at, created_by)
         SELECT $1, $2, $3::integer + 1, $4, $5, $6
         WHERE $3 = (SELECT coalesce(max(version), 0) FROM invoice_templates WHERE tenant_id = $1 AND kind = $2)
         ON CONFLICT DO NOTHING",
        tenant.0,
        kind as DocumentKind,
        read,
        body,
        now,
        actor.user.map(|user| user.0),
    )
    .execute(tx.conn())
    .await?;
    if added.rows_affected() == 0 {
        return Err(Error::Changed("invoice template"));
    }
    Ok(())
}

/// The practice's own words; `None` where the standard layout is in force.
pub(super) async fn in_force(tx: &mut TenantTx, kind: DocumentKind) -> Result<Option<String>> {
    let newest = sqlx::query_scalar!(
        "SELECT body FROM invoice_templates WHERE tenant_id = $1 AND kind = $2 ORDER BY version DESC LIMIT 1",
        tx.tenant().0,
        kind as DocumentKind,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(newest.flatten())
}

/// All that is wrong with words that are to be kept.
fn check(body: &str) -> Result<(), Invalid> {
    let known: Vec<&str> = ALWAYS.into_iter().chain(SOMETIMES).collect();
    let mut problems = placeholders::check("body", body, BODY, |name, line| {
        (!known.contains(&name)).then(|| placeholders::unknown("body", name, line, &known))
    });
    problems.extend(blocks(body));
    if problems.is_empty() {
        problems.extend(
            SOMETIMES
                .into_iter()
                .filter(|name| prints(body, name))
                .map(|name| placeholders::unguarded("body", name)),
        );
    }
    if problems.is_empty() {
        // With nothing but what is always known, something must remain.
        if let Err(unfilled) = placeholders::fill(body, sample(|name| ALWAYS.contains(&name))) {
            problems.push(Problem::new("body", "template_syntax", unfilled.reason()));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Invalid(problems)) }
}

/// Whether a placeholder is printed where it may not be known.
fn prints(body: &str, name: &str) -> bool {
    matches!(placeholders::fill(body, sample(|other| other != name)), Err(Unfilled::Template(_)))
}

fn sample(known: impl Fn(&str) -> bool) -> Value {
    let names = ALWAYS.into_iter().chain(SOMETIMES).filter(|name| known(name));
    Value::from_pairs(names.map(|name| (name, Value::from("x"))))
}

/// What is wrong with the lines that are left for whoever draws: each at most once, the first two there.
fn blocks(body: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (place, line) in body.lines().enumerate() {
        let text = line.trim();
        if text.contains("[[") && !BLOCKS.contains(&text) {
            let expected = format!("on line {}: {}, alone on its line", place + 1, BLOCKS.join(" or "));
            problems.push(Problem::new("body", "unknown_block", expected).read(text));
        }
    }
    for (place, block) in BLOCKS.iter().enumerate() {
        let count = body.lines().filter(|line| line.trim() == *block).count();
        if count > 1 || (count == 0 && place < 2) {
            let expected = format!("{block} once");
            problems.push(Problem::new("body", "missing_block", expected).read(count));
        }
    }
    problems
}

/// Fills in what a document says; the stable word for what went wrong, where it cannot.
pub(super) fn fill(body: &str, document: &Document, patient: Option<&str>) -> Result<String, &'static str> {
    let known =
        values(document, patient).into_iter().filter_map(|(name, value)| value.map(|value| (name, value)));
    let values = Value::from_pairs(known.map(|(name, value)| (name, Value::from(plain(&value)))));
    placeholders::fill(body, values).map_err(|unfilled| unfilled.reason())
}

/// Tells that own words failed, and gives the reason to be kept with the document.
pub(super) fn note(kind: DocumentKind, reason: &'static str) -> &'static str {
    let kind = match kind {
        DocumentKind::Invoice => "invoice",
        DocumentKind::CreditNote => "credit_note",
        DocumentKind::Quote => "quote",
    };
    tracing::warn!(kind, reason, "a practice's own words fail: the standard layout is used");
    metrics::counter!(
        "permanence_template_fallbacks_total", "purpose" => kind, "channel" => "paper", "reason" => reason
    )
    .increment(1);
    reason
}

fn values(document: &Document, patient: Option<&str>) -> Vec<(&'static str, Option<String>)> {
    let Document { language, seller, totals, shares, credits, terms, .. } = document;
    let language = *language;
    let (from, until) = (day(document.supplied.0, language), day(document.supplied.1, language));
    let amount = |amount| Some(money(amount, language));
    vec![
        ("number", Some(document.number.clone())),
        ("issued_on", Some(day(document.issued_on, language))),
        ("due_on", Some(day(document.due_on, language))),
        ("supplied_on", Some(if from == until { from } else { format!("{from} – {until}") })),
        ("buyer_name", Some(document.buyer.name.clone())),
        ("practice_name", seller.trading_name.clone().or_else(|| Some(seller.legal_name.clone()))),
        ("legal_name", Some(seller.legal_name.clone())),
        ("total_net", amount(totals.net)),
        ("total_vat", amount(totals.vat)),
        ("total_gross", amount(totals.gross)),
        ("total_due", amount(totals.due)),
        ("payment_terms", Some(terms.words.clone())),
        ("patient_name", patient.map(str::to_owned)),
        ("practitioner", seller.practitioner.clone()),
        ("buyer_reference", document.buyer_reference.clone()),
        ("iban", terms.iban.clone()),
        ("bic", terms.bic.clone()),
        ("late_penalty", terms.late_penalty.clone()),
        ("patient_share", shares.as_ref().and_then(|shares| amount(shares.patient))),
        ("insurer_share", shares.as_ref().and_then(|shares| amount(shares.insurer))),
        ("insurer_name", shares.as_ref().and_then(|shares| shares.insurer_name.clone())),
        ("credited_number", credits.as_ref().map(|credits| credits.number.clone())),
        ("credited_on", credits.as_ref().map(|credits| day(credits.issued_on, language))),
    ]
}

/// A value in one line that Markdown reads as nothing but letters: a name can neither open a list nor a block.
fn plain(value: &str) -> String {
    let line =
        value.split(|letter: char| letter.is_control() || letter == ' ').filter(|word| !word.is_empty());
    let line: Vec<&str> = line.collect();
    let mut plain = String::new();
    for letter in line.join(" ").chars() {
        if matches!(
            letter,
            '\\' | '`'
                | '*'
                | '_'
                | '{'
                | '}'
                | '['
                | ']'
                | '<'
                | '>'
                | '#'
                | '+'
                | '-'
                | '.'
                | '!'
                | '|'
                | '~'
                | '&'
        ) {
            plain.push('\\');
        }
        plain.push(letter);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "# Facture {{ number }}\n\n[[items]]\n\n[[totals]]\n";

    fn codes(body: &str) -> Vec<&'static str> {
        check(body)
            .err()
            .map(|Invalid(problems)| problems.iter().map(|problem| problem.code).collect())
            .unwrap_or_default()
    }

    #[test]
    fn what_will_not_do_is_told_with_its_line() {
        assert_eq!(codes(WHOLE), [""; 0]);
        assert_eq!(codes(&format!("{WHOLE}{{% if iban %}}IBAN {{{{ iban }}}}{{% endif %}}")), [""; 0]);
        assert_eq!(codes(&format!("{WHOLE}IBAN {{{{ iban }}}}")), ["unguarded_placeholder"]);
        assert_eq!(codes(&format!("{WHOLE}{{% for x in y %}}")), ["unsupported_tag", "template_syntax"]);
        assert_eq!(codes("{{ number }}"), ["missing_block", "missing_block"]);
        assert_eq!(codes(&format!("{WHOLE}[[items]]")), ["missing_block"]);
        assert_eq!(codes(&format!("{WHOLE}see [[totals]]")), ["unknown_block"]);
        let Invalid(problems) = check(&format!("{WHOLE}{{{{ total }}}}")).unwrap_err();
        assert_eq!((problems[0].code, problems[0].read.as_deref()), ("unknown_placeholder", Some("total")));
        assert!(problems[0].expected.starts_with("on line 6:"), "{}", problems[0].expected);
    }

    #[test]
    fn a_name_is_a_name_and_never_a_block() {
        assert_eq!(plain("[[items]]\n# *Zoé*"), "\\[\\[items\\]\\] \\# \\*Zoé\\*");
    }
}
