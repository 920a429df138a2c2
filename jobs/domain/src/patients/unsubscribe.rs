//! Stopping mails by the link that each of them holds (RFC 8058): the patient's own withdrawal of a consent.

use super::{Consents, consent};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Result},
    field::Language,
    identity::TokenHashes,
    notifications::{self, MailLink},
};

/// What the reader of a mail is told about stopping such mails.
#[derive(Debug)]
pub struct MailView {
    /// The practice that writes, as patients know it.
    pub practice_name: String,
    /// The number to call.
    pub practice_phone: Option<String>,
    /// The patient's language.
    pub language: Language,
    /// Whether mails go to the address that the link was sent to.
    pub written_to: bool,
    consents: Consents,
}

/// Whether mails still go to the address of the link; changes nothing.
pub async fn view_mail_link(tx: &mut TenantTx, hashes: &TokenHashes, link: &MailLink) -> Result<MailView> {
    let row = sqlx::query!(
        r#"SELECT t.name, t.phone, p.language AS "language: Language", p.email, p.sms_consent, p.email_consent,
                  p.imaging_consent
           FROM patients p JOIN tenants t ON t.id = p.tenant_id WHERE p.tenant_id = $1 AND p.id = $2"#,
        tx.tenant().0,
        link.patient.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("patient"))?;
    let same = match &row.email {
        Some(address) => link.is_for(hashes, tx.tenant(), address)?,
        None => false,
    };
    Ok(MailView {
        practice_name: row.name,
        practice_phone: row.phone,
        language: row.language,
        written_to: row.email_consent && same,
        consents: Consents {
            reminder_sms: row.sms_consent,
            reminder_email: row.email_consent,
            imaging: row.imaging_consent,
        },
    })
}

/// Withdraws the patient's consent to mail and plans what is to come anew; twice is the same as once.
pub async fn stop_mail(tx: &mut TenantTx, hashes: &TokenHashes, link: &MailLink) -> Result<MailView> {
    // The lock that a booking takes, before any appointment's.
    sqlx::query!(
        "SELECT id FROM patients WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE",
        tx.tenant().0,
        link.patient.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    let view = view_mail_link(tx, hashes, link).await?;
    if !view.written_to {
        return Ok(view);
    }
    let now = tx.now();
    sqlx::query!(
        "UPDATE patients SET email_consent = false, updated_at = $3, version = version + 1
         WHERE tenant_id = $1 AND id = $2",
        tx.tenant().0,
        link.patient.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    let after = Consents { reminder_email: false, ..view.consents };
    consent::record(tx, link.patient, Some(view.consents), after).await?;
    notifications::replan_patient(tx, link.patient).await?;
    audit::record(tx, "patient.stop_mail", "patient", link.patient.0).await?;
    Ok(MailView { written_to: false, consents: after, ..view })
}
