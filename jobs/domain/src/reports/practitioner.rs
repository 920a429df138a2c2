//! What a practitioner's consultations come to: by company, and one by one with day, company and minutes. Never for whom.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Period, as_of,
    sheet::{Lines, Sheet},
};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Result},
    figures::View,
    ids::PractitionerId,
    scheduling::{practice_zone, today},
};

/// What one company's consultations come to.
#[derive(Debug, Serialize, ToSchema)]
pub struct CompanyStats {
    /// The company.
    pub company: String,
    /// Consultations that took place.
    pub consultations: i64,
    /// Their minutes.
    pub minutes: i64,
    /// Minutes of one, on average, to a tenth.
    pub average_minutes: f64,
}

/// What a practitioner's consultations of a month come to.
#[derive(Debug, Serialize, ToSchema)]
pub struct PractitionerStats {
    /// The moment that the figures are of.
    pub as_of: DateTime<Utc>,
    /// The month.
    #[schema(value_type = String, example = "2027-01")]
    pub period: Period,
    /// The practitioner.
    pub practitioner_id: PractitionerId,
    /// Consultations that took place.
    pub consultations: i64,
    /// Their minutes.
    pub minutes: i64,
    /// Minutes of one, on average, to a tenth.
    pub average_minutes: f64,
    /// The same company by company, by name.
    pub companies: Vec<CompanyStats>,
}

/// A consultation that counts.
#[derive(Debug, Serialize, ToSchema)]
pub struct BilledConsultation {
    /// The day on which it ended, of the practice's calendar.
    pub date: NaiveDate,
    /// The company.
    pub company: String,
    /// Its minutes.
    pub minutes: i32,
    /// Always `COMPLETED`: what counts has taken place.
    pub status: &'static str,
}

/// A practitioner's consultations of a month that count.
#[derive(Debug, Serialize, ToSchema)]
pub struct PractitionerBilling {
    /// The moment that the figures are of.
    pub as_of: DateTime<Utc>,
    /// The month.
    #[schema(value_type = String, example = "2027-01")]
    pub period: Period,
    /// The practitioner's name.
    pub practitioner: String,
    /// The consultations, by day.
    pub consultations: Vec<BilledConsultation>,
    /// Their minutes.
    pub minutes: i64,
}

struct Own {
    id: PractitionerId,
    name: String,
}

/// The practitioner whom the caller signs in as.
async fn own(tx: &mut TenantTx) -> Result<Own> {
    let user = tx.actor().user.ok_or(Error::NotFound("practitioner"))?;
    sqlx::query_as!(
        Own,
        r#"SELECT id AS "id: PractitionerId", first_name || ' ' || last_name AS "name!"
           FROM practitioners WHERE tenant_id = $1 AND user_id = $2 AND deleted_at IS NULL"#,
        tx.tenant().0,
        user.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("practitioner"))
}

#[expect(clippy::cast_precision_loss, reason = "minutes and counts are far below what a float holds whole")]
fn average(minutes: i64, consultations: i64) -> f64 {
    if consultations == 0 { 0.0 } else { (minutes as f64 * 10.0 / consultations as f64).round() / 10.0 }
}

/// What the caller's consultations of a month come to.
pub async fn practitioner_stats(tx: &mut TenantTx, period: Period) -> Result<PractitionerStats> {
    let own = own(tx).await?;
    let zone = practice_zone(tx).await?;
    let period = period.begun(tx.now(), zone)?;
    let as_of = as_of(tx, View::PractitionerBilling).await?;
    let rows = sqlx::query!(
        r#"SELECT company_name AS "company!", consultations AS "consultations!", minutes AS "minutes!"
           FROM practitioner_billing_of($1, $2) ORDER BY fold(company_name), company_name"#,
        own.id.0,
        period.first_day(),
    )
    .fetch_all(tx.conn())
    .await?;
    let companies: Vec<CompanyStats> = rows
        .into_iter()
        .map(|row| CompanyStats {
            average_minutes: average(row.minutes, row.consultations),
            company: row.company,
            consultations: row.consultations,
            minutes: row.minutes,
        })
        .collect();
    let consultations = companies.iter().map(|company| company.consultations).sum();
    let minutes = companies.iter().map(|company| company.minutes).sum();
    Ok(PractitionerStats {
        as_of,
        period,
        practitioner_id: own.id,
        consultations,
        minutes,
        average_minutes: average(minutes, consultations),
        companies,
    })
}

/// The caller's consultations of a month that count, as they stand now.
pub async fn practitioner_billing(tx: &mut TenantTx, period: Period) -> Result<PractitionerBilling> {
    let own = own(tx).await?;
    let zone = practice_zone(tx).await?;
    let now = tx.now();
    let period = period.begun(now, zone)?;
    let (from, to) = period.bounds(zone);
    let rows = sqlx::query!(
        r#"SELECT (c.ended_at AT TIME ZONE $5)::date AS "date!", c.company_name, c.actual_minutes AS "minutes!"
           FROM consultations c
           JOIN appointments a ON a.tenant_id = c.tenant_id AND a.id = c.appointment_id
           WHERE c.tenant_id = $1 AND a.practitioner_id = $2 AND c.ended_at >= $3 AND c.ended_at < $4
             AND c.status = 'completed' AND c.billing_status = 'validated'
           ORDER BY c.ended_at, c.id"#,
        tx.tenant().0,
        own.id.0,
        from,
        to,
        zone.name(),
    )
    .fetch_all(tx.conn())
    .await?;
    let consultations: Vec<BilledConsultation> = rows
        .into_iter()
        .map(|row| BilledConsultation {
            date: row.date,
            company: row.company_name,
            minutes: row.minutes,
            status: "COMPLETED",
        })
        .collect();
    let minutes = consultations.iter().map(|consultation| i64::from(consultation.minutes)).sum();
    Ok(PractitionerBilling { as_of: now, period, practitioner: own.name, consultations, minutes })
}

/// The same as a file; that it was taken out is noted.
pub async fn export_practitioner_billing(tx: &mut TenantTx, period: Period) -> Result<Sheet> {
    let billing = practitioner_billing(tx, period).await?;
    let today = today(tx).await?;
    let comments = [
        "RAPPORT FACTURATION PRATICIEN".to_owned(),
        format!("Période: {period}"),
        format!("Praticien: {}", billing.practitioner),
        format!("Généré le: {today}"),
    ];
    let mut lines = Lines::begin(&comments, &["Date", "Entreprise", "Durée (min)", "Statut"])?;
    for line in &billing.consultations {
        let (date, minutes) = (line.date.to_string(), line.minutes.to_string());
        lines.row(&[&date, &line.company, &minutes, line.status])?;
    }
    lines.blank();
    let (count, minutes) = (billing.consultations.len(), billing.minutes);
    lines.row(&["TOTAL", &format!("{count} consultations"), &format!("{minutes} minutes")])?;
    audit::record(tx, "report.export", "practitioner_billing", period.to_string().as_str()).await?;
    Ok(lines.finish(format!("facturation-{period}.csv")))
}
