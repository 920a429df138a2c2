//! Asking for an export: what may be asked, and the one row and one job that follow.

use std::time::Duration;

use chrono::{Months, NaiveDate};
use deserr::Deserr;
use permanence_queue::{JobId, NewJob, Unique};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Export, ExportKind, ExportStatus,
    export::{by_job, find},
    jobs::WriteExport,
    snapshot::limit,
};
use crate::{
    audit,
    billing::seller_siren,
    db::TenantTx,
    error::{Invalid, Problem, Problems, Result},
    field::Day,
    ids::{ExportId, PractitionerId},
    scheduling::{AppointmentStatus, practice_zone, today},
};

/// How long the same question is answered by the same export.
const SAME: Duration = Duration::from_mins(1);

/// Rows that a sheet of a workbook holds under its headings (ECMA-376: 2^20 in all).
pub const MAX_SHEET_ROWS: i64 = 1_048_575;

/// What the file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum ExportFormat {
    /// Comma-separated values, as the profile says.
    Csv,
    /// The same inside an archive, with a manifest of rows and hashes.
    Zip,
    /// A workbook of one sheet.
    Xlsx,
    /// The text that the law prescribes for accounting entries.
    Txt,
}

/// How CSV is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Profile {
    /// For spreadsheets in French: UTF-8 with BOM, `;`, French headings, days and numbers, the practice's clocks.
    French,
    /// For programs (RFC 4180): UTF-8 without BOM, `,`, the names of fields, ISO 8601 in UTC.
    Rfc4180,
}

/// What an export is limited to. Which of them a kind takes, it says itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserr, Serialize, Deserialize, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct Filters {
    /// First day, by the practice's clocks: of a patient's registration, an appointment's begin, an invoice's issue, a
    /// payment.
    #[deserr(default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Day>,
    /// Last day, included.
    #[deserr(default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Day>,
    /// One practitioner's.
    #[deserr(default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub practitioner_id: Option<PractitionerId>,
    /// Those that stand thus.
    #[deserr(default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<AppointmentStatus>,
}

impl Filters {
    /// The names of those that are set.
    fn named(&self) -> impl Iterator<Item = &'static str> {
        [
            ("from", self.from.is_some()),
            ("to", self.to.is_some()),
            ("practitioner_id", self.practitioner_id.is_some()),
            ("status", self.status.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, set)| set.then_some(name))
    }
}

/// An export as somebody asks for it.
#[derive(Debug, Clone, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewExport {
    /// Of what.
    pub kind: ExportKind,
    /// As what.
    pub format: ExportFormat,
    /// How CSV is written; a workbook has none.
    #[deserr(default)]
    #[schema(default = "french")]
    pub profile: Option<Profile>,
    /// Limited to what; everything by default.
    #[deserr(default)]
    pub filters: Option<Filters>,
}

impl NewExport {
    /// The rules that span fields.
    fn check(&self, filters: &Filters) -> Problems {
        let mut problems = Problems::default();
        let kind = self.kind.kind();
        if !kind.formats.contains(&self.format) {
            let formats: Vec<_> = kind.formats.iter().map(|format| format.extension()).collect();
            let problem = Problem::new("format", "not_for_kind", format!("one of {}", formats.join(", ")));
            problems.push(problem.read(self.format.extension()));
        } else if kind.is_ledger() && self.profile.is_some() {
            let expected = "nothing: the law says how accounting entries are written";
            problems.push(Problem::new("profile", "not_for_kind", expected));
        } else if let (ExportFormat::Xlsx, Some(_)) = (self.format, self.profile) {
            problems.push(Problem::new("profile", "not_for_xlsx", "nothing: a workbook has no separators"));
        }
        for name in filters.named().filter(|name| !kind.filters.contains(name)) {
            let expected = match kind.filters {
                [] => format!("nothing: {} takes no filter", kind.name),
                takes => format!("one of the filters of {}: {}", kind.name, takes.join(", ")),
            };
            problems.push(Problem::new(format!("filters.{name}"), "not_for_kind", expected));
        }
        if let (Some(Day(from)), Some(Day(to))) = (filters.from, filters.to)
            && to < from
        {
            problems.push(wrong_order(from, to));
        }
        problems
    }

    fn profile(&self) -> Option<Profile> {
        let has_one = self.format != ExportFormat::Xlsx && !self.kind.kind().is_ledger();
        has_one.then(|| self.profile.unwrap_or(Profile::French))
    }
}

fn wrong_order(from: NaiveDate, to: NaiveDate) -> Problem {
    Problem::new("filters.to", "wrong_order", format!("a day that is not before {from}")).read(to)
}

/// The most months of an accounting period: a company's first may last two years (C. com. L123-12; CGI, art. 37).
const MOST_MONTHS: u32 = 24;

/// Accounting entries are those of a period that is over: of a day that goes on there may be more.
fn check_period(filters: &Filters, today: NaiveDate, problems: &mut Problems) {
    for (name, day) in [("from", filters.from), ("to", filters.to)] {
        if day.is_none() {
            let expected =
                format!("the {} day of the accounting period", if name == "from" { "first" } else { "last" });
            problems.push(Problem::new(format!("filters.{name}"), "missing", expected));
        }
    }
    let (Some(Day(from)), Some(Day(to))) = (filters.from, filters.to) else { return };
    if to >= today {
        let expected = format!("a day before {today}: the period is over");
        problems.push(Problem::new("filters.to", "period_not_over", expected).read(to));
    }
    if let Some(most) = from.checked_add_months(Months::new(MOST_MONTHS)).filter(|most| to >= *most) {
        let expected = format!("a day before {most}: a period has {MOST_MONTHS} months at the most");
        problems.push(Problem::new("filters.to", "period_too_long", expected).read(to));
    }
}

/// What the file of accounting entries is called (LPF, art. A47 A-1, X): by the company and the last day.
fn ledger_stem(siren: &str, to: NaiveDate) -> String {
    format!("{siren}FEC{}", to.format("%Y%m%d"))
}

/// Whether so many rows fit.
pub(super) fn check_rows(format: ExportFormat, rows: i64) -> Result<(), Problem> {
    if format == ExportFormat::Xlsx && rows > MAX_SHEET_ROWS {
        let expected = format!("csv or zip: a sheet holds {MAX_SHEET_ROWS} rows, and there are {rows}");
        return Err(Problem::new("format", "too_many_rows", expected).read("xlsx"));
    }
    Ok(())
}

/// Asks for an export. The same question within a minute is answered by the export of whoever asked first, unless that
/// one came to nothing.
pub async fn request(tx: &mut TenantTx, new: &NewExport) -> Result<Export> {
    let filters = new.filters.clone().unwrap_or_default();
    let mut problems = new.check(&filters);
    if let Some(practitioner) = filters.practitioner_id
        && !practitioner_exists(tx, practitioner).await?
    {
        let expected = "a practitioner of the practice";
        let problem = Problem::new("filters.practitioner_id", "unknown_practitioner", expected);
        problems.push(problem.read(practitioner));
    }
    let kind = new.kind.kind();
    if kind.is_ledger() {
        check_period(&filters, today(tx).await?, &mut problems);
    }
    problems.finish()?;
    let stem = match filters.to {
        Some(Day(to)) if kind.is_ledger() => Some(ledger_stem(&seller_siren(tx).await?, to)),
        _ => None,
    };
    if new.format == ExportFormat::Xlsx {
        let zone = practice_zone(tx).await?;
        limit(tx.conn(), &filters, zone, None).await?;
        let rows = kind.count(tx.conn()).await?;
        check_rows(new.format, rows).map_err(|problem| Invalid(vec![problem]))?;
    }
    let export = ask(tx, new, &filters, stem.as_deref()).await?;
    audit::record(tx, "export.request", "export", export.id.0).await?;
    Ok(export)
}

async fn practitioner_exists(tx: &mut TenantTx, id: PractitionerId) -> Result<bool> {
    let tenant = tx.tenant();
    // Also one who has left: the appointments are still there.
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM practitioners WHERE tenant_id = $1 AND id = $2) AS "found!""#,
        tenant.0,
        id.0
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(found)
}

/// The export of this question that is at work or there, or a new one.
async fn ask(tx: &mut TenantTx, new: &NewExport, filters: &Filters, stem: Option<&str>) -> Result<Export> {
    let id = ExportId::new(tx.now());
    let question = serde_json::json!([new.kind, new.format, new.profile(), filters]).to_string();
    let mut key = question.clone();
    loop {
        let job = NewJob::of(&WriteExport { export_id: id })?.unique(Unique::per_period(&key, SAME));
        let asked = tx.enqueue(job).await?;
        if !asked.existing {
            return insert(tx, id, asked.id, new, filters, stem).await;
        }
        let earlier = by_job(tx, asked.id).await?.filter(|earlier| {
            matches!(earlier.status, ExportStatus::Queued | ExportStatus::Running | ExportStatus::Completed)
        });
        if let Some(earlier) = earlier {
            return Ok(earlier);
        }
        // It came to nothing, but its key is taken for the rest of the minute: whoever asks after it asks as its heir.
        key = format!("{question} after {}", asked.id.0);
    }
}

async fn insert(
    tx: &mut TenantTx,
    id: ExportId,
    job: JobId,
    new: &NewExport,
    filters: &Filters,
    stem: Option<&str>,
) -> Result<Export> {
    let (tenant, now, actor) = (tx.tenant(), tx.now(), tx.actor());
    sqlx::query!(
        "INSERT INTO exports (tenant_id, id, job_id, kind, format, profile, filters, file_stem, created_by, created_at,
                              updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
        tenant.0,
        id.0,
        job.0,
        new.kind.kind().name,
        new.format as ExportFormat,
        new.profile() as Option<Profile>,
        sqlx::types::Json(filters) as _,
        stem,
        actor.user.map(|user| user.0),
        now,
    )
    .execute(tx.conn())
    .await?;
    find(tx, id).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_that_would_overflow_is_refused_beforehand() {
        assert!(check_rows(ExportFormat::Xlsx, MAX_SHEET_ROWS).is_ok());
        assert!(check_rows(ExportFormat::Zip, MAX_SHEET_ROWS + 1).is_ok());
        let problem = check_rows(ExportFormat::Xlsx, MAX_SHEET_ROWS + 1).unwrap_err();
        assert_eq!((problem.field.as_str(), problem.code), ("format", "too_many_rows"));
        assert_eq!(problem.expected, "csv or zip: a sheet holds 1048575 rows, and there are 1048576");
    }
}
