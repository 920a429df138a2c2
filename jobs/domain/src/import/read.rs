//! One record of a dump: read by the same rules as what the front desk writes down. The browser's names (`firstName`) are
//! read as ours (`first_name`), numbers as identifiers, empty texts as absent.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use deserr::Deserr;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Table, medical::OldMedical};
use crate::{
    db::TenantTx,
    error::{Error, Invalid, Problem, Result},
    field::{Label, Moment, Reason},
    ids::{PatientId, PractitionerId},
    patients::NewPatient,
    scheduling::{AppointmentStatus, NewAppointment, NewEntry, adopted_times},
    tenants::{self, Settings},
};

/// A record that can be moved in, as it is staged.
#[derive(Debug)]
pub struct Record {
    /// Of which table.
    pub table: Table,
    /// Its index in the dump, from 0.
    pub place: i64,
    /// What the browser called it.
    pub old_id: String,
    /// The rest of it, in our names.
    pub content: Value,
    /// Of an appointment or a medical record: what the browser called the patient.
    pub(super) patient: Option<String>,
    /// Of an appointment.
    pub(super) visit: Option<Visit>,
}

/// An appointment as it was read.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) patient: String,
    pub(super) practitioner: PractitionerId,
    pub(super) starts_at: DateTime<Utc>,
    pub(super) ends_at: DateTime<Utc>,
    pub(super) status: AppointmentStatus,
    moments: (Moment, Moment),
    reason: Option<Reason>,
}

impl Visit {
    /// The appointment to take over, of the patient who is known by now.
    pub(super) fn of(&self, patient: PatientId) -> NewAppointment {
        NewAppointment {
            patient_id: patient,
            practitioner_id: self.practitioner,
            room_id: None,
            service_id: None,
            starts_at: self.moments.0,
            ends_at: self.moments.1,
            reason: self.reason.clone(),
            outside_availability: true,
        }
    }
}

/// An appointment as a browser keeps it.
#[derive(Debug, Deserr)]
#[deserr(error = Invalid, deny_unknown_fields)]
struct OldAppointment {
    patient_id: Label,
    practitioner_id: Label,
    starts_at: Moment,
    ends_at: Moment,
    #[deserr(default)]
    reason: Option<Reason>,
    #[deserr(default = AppointmentStatus::Scheduled)]
    status: AppointmentStatus,
}

/// What records are checked by.
#[derive(Debug)]
pub struct Checks {
    pub(super) settings: Settings,
    pub(super) now: DateTime<Utc>,
    pub(super) today: NaiveDate,
    practitioners: HashSet<Uuid>,
    named: BTreeMap<String, PractitionerId>,
}

impl Checks {
    /// Reads what the practice has.
    pub async fn load(tx: &mut TenantTx, named: BTreeMap<String, PractitionerId>) -> Result<Self> {
        let settings = tenants::settings(tx).await?;
        let practitioners = sqlx::query_scalar!(
            "SELECT id FROM practitioners WHERE tenant_id = $1 AND deleted_at IS NULL",
            tx.tenant().0
        )
        .fetch_all(tx.conn())
        .await?;
        let now = tx.now();
        let today = now.with_timezone(&settings.zone()).date_naive();
        Ok(Self { settings, now, today, practitioners: practitioners.into_iter().collect(), named })
    }

    /// The practice's clocks.
    pub fn zone(&self) -> Tz {
        self.settings.zone()
    }

    /// Reads a record as it stands in a dump.
    pub fn record(&self, table: Table, place: i64, value: Value) -> Result<Record> {
        let Value::Object(fields) = value else {
            return Err(Error::invalid("", "not_an_object", "a record as an object"));
        };
        let mut content = in_our_names(fields);
        // When the browser made or changed it is not when it came to us; of what care wrote down it is a part.
        if table != Table::MedicalRecords {
            content.remove("created_at");
            content.remove("updated_at");
        }
        let old_id = content.remove("id").map(deserr::deserialize::<Label, _, Invalid>);
        if table == Table::Patients {
            content.entry("consents").or_insert_with(|| Value::Object(Map::new()));
        }
        if table == Table::Availability && !content.contains_key("rule") && !content.contains_key("exception")
        {
            let practitioner = content.remove("practitioner_id");
            let rule = Value::Object(std::mem::take(&mut content));
            content.insert("rule".to_owned(), rule);
            content.extend(practitioner.map(|id| ("practitioner_id".to_owned(), id)));
        }
        let content = Value::Object(content);
        let mut problems = Vec::new();
        let old_id = match old_id {
            Some(Ok(id)) => Some(id),
            Some(Err(Invalid(wrong))) => {
                problems
                    .extend(wrong.into_iter().map(|problem| Problem { field: "id".to_owned(), ..problem }));
                None
            }
            None => {
                problems.push(Problem::new("id", "missing", "what the browser calls it"));
                None
            }
        };
        let read = match table {
            Table::Patients => self.patient(&content).map(|_| (None, None)),
            Table::Appointments => {
                self.visit(&content).map(|visit| (Some(visit.patient.clone()), Some(visit)))
            }
            Table::MedicalRecords => {
                self.medical(&content).map(|OldMedical { patient, .. }| (Some(patient), None))
            }
            Table::Availability => self.entry(&content).map(|_| (None, None)),
        };
        match (read, old_id) {
            (Ok((patient, visit)), Some(old_id)) => {
                Ok(Record { table, place, old_id: old_id.as_str().to_owned(), content, patient, visit })
            }
            (Ok(_), None) => Err(Invalid(problems).into()),
            (Err(Error::Invalid(Invalid(wrong))), _) => {
                problems.extend(wrong);
                Err(Invalid(problems).into())
            }
            (Err(other), _) => Err(other),
        }
    }

    /// A patient as the front desk would write them down.
    pub(super) fn patient(&self, content: &Value) -> Result<NewPatient> {
        let new: NewPatient = deserr::deserialize::<_, _, Invalid>(content.clone())?;
        new.check(self.today)?;
        Ok(new)
    }

    /// An appointment, past or cancelled ones too.
    pub(super) fn visit(&self, content: &Value) -> Result<Visit> {
        let old: OldAppointment = deserr::deserialize::<_, _, Invalid>(content.clone())?;
        let practitioner = self.practitioner(old.practitioner_id.as_str())?;
        let mut visit = Visit {
            patient: old.patient_id.as_str().to_owned(),
            practitioner,
            starts_at: self.now,
            ends_at: self.now,
            status: old.status,
            moments: (old.starts_at, old.ends_at),
            reason: old.reason,
        };
        // Who comes is of no matter to when they come.
        let new = visit.of(PatientId(Uuid::nil()));
        (visit.starts_at, visit.ends_at) = adopted_times(&new, &self.settings, self.now)?;
        Ok(visit)
    }

    /// A rule or an exception of a practitioner's availability.
    pub(super) fn entry(&self, content: &Value) -> Result<NewEntry> {
        let mut content = content.clone();
        if let Some(Value::String(id)) = content.get("practitioner_id") {
            let practitioner = self.practitioner(id)?;
            content["practitioner_id"] = Value::String(practitioner.to_string());
        }
        let entry: NewEntry = deserr::deserialize::<_, _, Invalid>(content)?;
        entry.check(self.settings.zone())?;
        Ok(entry)
    }

    /// The practitioner whom an old identifier means: the one that the options name, or its own.
    fn practitioner(&self, old: &str) -> Result<PractitionerId> {
        self.known_practitioner(old).ok_or_else(|| {
            let expected =
                "a practitioner of the practice, or an identifier that `practitioners` names one for";
            Invalid(vec![Problem::new("practitioner_id", "unknown_practitioner", expected).read(old)]).into()
        })
    }

    /// The same, where there need not be one.
    pub(super) fn known_practitioner(&self, old: &str) -> Option<PractitionerId> {
        let meant = self.named.get(old).copied().or_else(|| old.parse().ok());
        meant.filter(|id| self.practitioners.contains(&id.0))
    }
}

/// The fields by our names, at every depth; identifiers as texts; without what is empty.
fn in_our_names(fields: Map<String, Value>) -> Map<String, Value> {
    let named = fields.into_iter().map(|(name, value)| {
        let name = snake(&name);
        let value = match value {
            Value::Object(inner) => Value::Object(in_our_names(inner)),
            Value::Array(items) => Value::Array(items.into_iter().map(item_in_our_names).collect()),
            Value::Number(number) if name == "id" || name.ends_with("_id") => {
                Value::String(number.to_string())
            }
            other => other,
        };
        (name, value)
    });
    named.filter(|(_, value)| !value.is_null() && value.as_str() != Some("")).collect()
}

fn item_in_our_names(item: Value) -> Value {
    match item {
        Value::Object(inner) => Value::Object(in_our_names(inner)),
        other => other,
    }
}

fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
