//! The links of messages, by which a patient acts without signing in: makes them, and finds what one is for. What may be
//! done by a link is for `scheduling` and `patients` to say.

use url::Url;

use super::{Channel, Purpose};
use crate::{
    config::under,
    db::{SystemTx, TenantTx},
    error::{Error, Result},
    identity::TokenHashes,
    ids::{AppointmentId, PatientId, TenantId},
};

/// How long after the appointment's begin its dead link still says why it is dead.
const KEPT_FOR: chrono::Duration = chrono::Duration::days(30);

/// Where links lead, and what makes their tokens.
#[derive(Debug, Clone)]
pub struct Links {
    base: Url,
    hashes: TokenHashes,
}

/// What a link of an appointment is for: one move of it.
#[derive(Debug, Clone, Copy)]
pub struct AppointmentLink {
    /// The appointment.
    pub appointment: AppointmentId,
    /// The move that the message told of.
    pub sequence: i32,
    /// Who was told.
    pub patient: PatientId,
}

/// What a link that stops mails is for: one patient at one address.
#[derive(Debug, Clone)]
pub struct MailLink {
    /// Who was written to.
    pub patient: PatientId,
    hash: Vec<u8>,
}

/// The links of one message.
#[derive(Debug, Default)]
pub(super) struct MessageLinks {
    pub(super) manage: Option<String>,
    pub(super) unsubscribe: Option<String>,
}

impl Links {
    /// Links under the platform's public URL.
    pub fn new(base: Url, hashes: TokenHashes) -> Self {
        Self { base, hashes }
    }

    /// The links that a message carries, each known from now on. A cancellation leaves nothing to manage, and is no
    /// reminder that could be stopped.
    pub(super) async fn of_message(
        &self,
        tx: &mut TenantTx,
        link: AppointmentLink,
        (purpose, channel): (Purpose, Channel),
        (manage, address): (bool, &str),
    ) -> Result<MessageLinks> {
        let mut links = MessageLinks::default();
        if purpose == Purpose::Cancellation {
            return Ok(links);
        }
        if manage {
            let AppointmentLink { appointment, sequence, patient } = link;
            let parts = [appointment.0.as_bytes().as_slice(), &sequence.to_be_bytes(), patient.0.as_bytes()];
            let token = self.hashes.link_token("appointment", &parts)?;
            self.keep(tx, &token, patient, Some((appointment, sequence))).await?;
            links.manage = Some(under(&self.base, &format!("r/{token}")).into());
        }
        if channel == Channel::Email {
            let token = mail_token(&self.hashes, tx.tenant(), link.patient, address)?;
            self.keep(tx, &token, link.patient, None).await?;
            links.unsubscribe = Some(under(&self.base, &format!("u/{token}")).into());
        }
        Ok(links)
    }

    /// A message that is written again has the same links, which are known already.
    async fn keep(
        &self,
        tx: &mut TenantTx,
        token: &str,
        patient: PatientId,
        appointment: Option<(AppointmentId, i32)>,
    ) -> Result<()> {
        let (tenant, now) = (tx.tenant(), tx.now());
        sqlx::query!(
            "INSERT INTO patient_links (tenant_id, token_hash, patient_id, appointment_id, appointment_sequence, created_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            tenant.0,
            self.hashes.link(token)?,
            patient.0,
            appointment.map(|(id, _)| id.0),
            appointment.map(|(_, sequence)| sequence),
            now,
        )
        .execute(tx.conn())
        .await?;
        Ok(())
    }
}

/// The token that stops mails to an address: it holds for no other that the patient may have later.
fn mail_token(hashes: &TokenHashes, tenant: TenantId, patient: PatientId, address: &str) -> Result<String> {
    hashes.link_token("mail", &[tenant.0.as_bytes(), patient.0.as_bytes(), address.as_bytes()])
}

impl MailLink {
    /// Whether it is to this address that the link stops mails.
    pub(crate) fn is_for(&self, hashes: &TokenHashes, tenant: TenantId, address: &str) -> Result<bool> {
        let token = mail_token(hashes, tenant, self.patient, address)?;
        Ok(crate::crypto::same(&hashes.link(&token)?, &self.hash))
    }
}

struct Found {
    tenant: TenantId,
    patient: PatientId,
    appointment: Option<(AppointmentId, i32)>,
    hash: Vec<u8>,
}

/// Looks for a token by its keyed hash, so that the time which the look takes tells nothing about the tokens there are.
async fn find(tx: &mut SystemTx, hashes: &TokenHashes, token: &str) -> Result<Option<Found>> {
    let hash = hashes.link(token)?;
    let row = sqlx::query!(
        r#"SELECT tenant_id AS "tenant: TenantId", patient_id AS "patient: PatientId",
                  appointment_id AS "appointment: AppointmentId", appointment_sequence AS sequence
           FROM patient_links WHERE token_hash = $1"#,
        hash,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Found {
        tenant: row.tenant,
        patient: row.patient,
        appointment: row.appointment.zip(row.sequence),
        hash,
    }))
}

fn wrong(kind: &'static str) -> Error {
    metrics::counter!("permanence_wrong_tokens_total", "kind" => kind).increment(1);
    Error::NotFound("link")
}

/// Opens the practice of an appointment's link, where the patient acts; a wrong token is counted and not found.
pub async fn open_appointment_link(
    mut tx: SystemTx,
    hashes: &TokenHashes,
    token: &str,
) -> Result<(TenantTx, AppointmentLink)> {
    let found = find(&mut tx, hashes, token).await?;
    let Some(Found { tenant, patient, appointment: Some((appointment, sequence)), .. }) = found else {
        return Err(wrong("appointment"));
    };
    Ok((act(tx, tenant, patient).await?, AppointmentLink { appointment, sequence, patient }))
}

/// Opens the practice of a link that stops mails, where the patient acts; a wrong token is counted and not found.
pub async fn open_mail_link(
    mut tx: SystemTx,
    hashes: &TokenHashes,
    token: &str,
) -> Result<(TenantTx, MailLink)> {
    let found = find(&mut tx, hashes, token).await?;
    let Some(Found { tenant, patient, appointment: None, hash }) = found else {
        return Err(wrong("mail"));
    };
    Ok((act(tx, tenant, patient).await?, MailLink { patient, hash }))
}

async fn act(tx: SystemTx, tenant: TenantId, patient: PatientId) -> Result<TenantTx> {
    let mut tx = tx.narrow(tenant).await?;
    tx.act_as_patient(patient);
    Ok(tx)
}

/// Forgets up to `limit` links of appointments that began long ago; gives how many. Repeat it, in transactions of their
/// own, until it gives fewer. Links that stop mails stay as long as the mails may lie in a box.
pub async fn purge_links(tx: &mut SystemTx, limit: i64) -> Result<u64> {
    let before = tx.now() - KEPT_FOR;
    let gone = sqlx::query!(
        "DELETE FROM patient_links WHERE token_hash IN
             (SELECT l.token_hash FROM patient_links l
              JOIN appointments a ON a.tenant_id = l.tenant_id AND a.id = l.appointment_id
              WHERE a.starts_at < $1 LIMIT $2)",
        before,
        limit,
    )
    .execute(tx.conn())
    .await?;
    Ok(gone.rows_affected())
}
