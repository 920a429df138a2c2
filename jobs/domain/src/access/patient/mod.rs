//! What a practice knows of a patient. A table with a patient's rows is in one of these sections or in the list of reasons why
//! not; the test over the catalogue finds one that is in neither.

mod care;
mod contact;
mod files;
mod money;
mod trail;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{gathered::Attached, section::Section};
use crate::{
    db::TenantTx,
    error::{Error, Result},
    ids::PatientId,
    vault::Vault,
};

pub(super) use care::CONSULTATION;
pub(super) use files::papers;

/// One patient's rows at one moment, and the files that the sections find.
pub(super) struct PatientReading {
    pub(super) tx: TenantTx,
    pub(super) vault: Vault,
    pub(super) patient: PatientId,
    pub(super) files: Vec<Attached>,
}

type PatientSection = Section<PatientReading>;

/// In the order in which they are told.
pub(super) static SECTIONS: [&PatientSection; 17] = [
    &contact::PATIENT,
    &contact::CONSENTS,
    &care::APPOINTMENTS,
    &care::CONSULTATIONS,
    &care::RECORDS,
    &files::FILES,
    &files::PICTURES,
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

/// A row of these fields of a thing.
fn only(thing: &impl Serialize, names: &[&str]) -> Result<Value> {
    let mut whole = serde_json::to_value(thing).map_err(Error::internal)?;
    let row: Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), whole[*name].take())).collect();
    Ok(Value::Object(row))
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
