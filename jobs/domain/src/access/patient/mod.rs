//! What a practice knows of a patient. A table with a patient's rows is in one of these sections or in the list of reasons why
//! not; the test over the catalogue finds one that is in neither.

mod care;
mod contact;
mod money;
mod trail;

use super::{gathered::Attached, section::Section};
use crate::{billing::papers_of_patient, db::TenantTx, error::Result, ids::PatientId, vault::Vault};

/// One patient's rows at one moment.
pub(super) struct PatientReading {
    pub(super) tx: TenantTx,
    pub(super) vault: Vault,
    pub(super) patient: PatientId,
}

type PatientSection = Section<PatientReading>;

/// In the order in which they are told.
pub(super) static SECTIONS: [&PatientSection; 14] = [
    &contact::PATIENT,
    &contact::CONSENTS,
    &care::APPOINTMENTS,
    &care::RECORDS,
    &care::MATERIALS,
    &contact::MESSAGES,
    &contact::UNREACHABLE,
    &contact::LINKS,
    &money::INVOICES,
    &money::PAYMENTS,
    &money::MAILS,
    &trail::REQUESTS,
    &trail::ERASURES,
    &trail::TRAIL,
];

/// The files that belong to a patient: for now the papers of invoices. Another area adds its own here, each under a name that no
/// other has.
pub(super) async fn files(reading: &mut PatientReading) -> Result<Vec<Attached>> {
    let papers = papers_of_patient(&mut reading.tx, reading.patient).await?;
    Ok(papers.into_iter().map(|paper| Attached { name: plain(&paper.file_name), key: paper.key }).collect())
}

/// A name that leads to no folder and means nothing to a shell.
fn plain(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    name.chars().map(plain).collect()
}

/// Reads a section's rows: a query whose first two parameters are the tenant and the patient, and that gives one JSON object a
/// row.
macro_rules! rows {
    ($sql:literal) => {
        |reading| {
            Box::pin(async move {
                let (tenant, patient) = (reading.tx.tenant(), reading.patient);
                Ok(sqlx::query_scalar!($sql, tenant.0, patient.0).fetch_all(reading.tx.conn()).await?)
            })
        }
    };
}
use rows;
