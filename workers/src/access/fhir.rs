//! A patient's data as another practice's software takes them in: a FHIR R4 (4.0.1) Bundle of type collection. It says what R4 has
//! a place for; `data.json` says everything. Files lie beside it. Notifications and the trail have no place in a record that moves.

use base64::{Engine, engine::general_purpose::STANDARD};
use permanence_domain::{access::Gathered, ids::PatientId};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// The identifiers of what has none outside of the platform.
const SYSTEM: &str = "urn:ietf:rfc:3986";

/// The bundle. Entries refer to each other by `urn:uuid:`.
pub(super) fn bundle(gathered: &Gathered, patient: PatientId) -> Value {
    let subject = json!({ "reference": format!("urn:uuid:{patient}") });
    let mut entries = Vec::new();
    let mut add = |id: &str, resource: Value| {
        entries.push(json!({ "fullUrl": format!("urn:uuid:{id}"), "resource": without_nulls(resource) }));
    };
    for row in gathered.rows("patient") {
        add(text(row, "id"), person(row, &gathered.controller.name));
    }
    for (number, row) in gathered.rows("consents").iter().enumerate() {
        // Consents have numbers of their own in a practice; here a name is made of the patient's and the place.
        let id = derived(&patient.0.to_string(), &format!("consent {number}"));
        let later = gathered.rows("consents").iter().skip(number + 1);
        let stands = later.clone().all(|later| later["purpose"] != row["purpose"]);
        add(&id, consent(&id, row, stands, &subject, &gathered.controller.name));
    }
    for row in gathered.rows("appointments") {
        add(text(row, "id"), appointment(row, &subject));
    }
    for row in gathered.rows("medical_records") {
        let id = version_id(row, row["version"].as_i64().unwrap_or_default());
        add(&id, document(&id, row, &subject));
    }
    for row in gathered.rows("files") {
        add(text(row, "id"), file(row, &subject));
    }
    // What never came or was refused is no picture.
    for row in gathered.rows("pictures").iter().filter(|row| !row["file"].is_null()) {
        add(text(row, "id"), picture(row, &subject));
    }
    for row in gathered.rows("invoices").iter().filter(|row| row["kind"] != "quote") {
        add(text(row, "id"), invoice(row, &subject, &gathered.controller.name));
    }
    json!({
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": gathered.at.to_rfc3339(),
        "entry": entries,
    })
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

/// FHIR knows no null: what is not known is left out (R4, 2.6.2).
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept: Map<String, Value> = fields
                .into_iter()
                .map(|(name, value)| (name, without_nulls(value)))
                .filter(|(_, value)| !empty(value))
                .collect();
            Value::Object(kept)
        }
        Value::Array(items) => {
            Value::Array(items.into_iter().map(without_nulls).filter(|item| !empty(item)).collect())
        }
        other => other,
    }
}

fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn person(row: &Value, practice: &str) -> Value {
    let contact = |system: &str, name: &str| match &row[name] {
        Value::Null => Value::Null,
        value => json!({ "system": system, "value": value }),
    };
    let address = &row["address"];
    let place = json!({
        "line": [address["line"], address["complement"]],
        "postalCode": address["postcode"],
        "city": address["city"],
        "country": address["country"],
    });
    json!({
        "resourceType": "Patient",
        "id": row["id"],
        "identifier": [{ "system": SYSTEM, "value": format!("urn:uuid:{}", text(row, "id")) }],
        "active": row["deleted_at"].is_null(),
        "name": [{ "use": "official", "family": row["last_name"], "given": [row["first_name"]] }],
        "telecom": [contact("phone", "phone"), contact("email", "email")],
        "birthDate": row["birth_date"],
        "address": [place],
        "communication": [{
            "language": { "coding": [{ "system": "urn:ietf:bcp:47", "code": row["language"] }] }, "preferred": true,
        }],
        "managingOrganization": { "display": practice },
    })
}

fn consent(id: &str, row: &Value, stands: bool, subject: &Value, practice: &str) -> Value {
    json!({
        "resourceType": "Consent",
        "id": id,
        "status": if stands { "active" } else { "inactive" },
        "scope": coded("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
        "category": [coded("http://loinc.org", "59284-0")],
        "patient": subject,
        "dateTime": row["recorded_at"],
        "organization": [{ "display": practice }],
        "policy": [{ "uri": "https://eur-lex.europa.eu/eli/reg/2016/679/oj" }],
        "provision": {
            "type": if row["granted"] == true { "permit" } else { "deny" },
            "code": [{ "text": row["purpose"] }],
        },
    })
}

fn coded(system: &str, code: &str) -> Value {
    json!({ "coding": [{ "system": system, "code": code }] })
}

fn appointment(row: &Value, subject: &Value) -> Value {
    let cancelled = row["status"] == "cancelled";
    let confirmed = if row["confirmed_at"].is_null() { "needs-action" } else { "accepted" };
    json!({
        "resourceType": "Appointment",
        "id": row["id"],
        "status": if cancelled { "cancelled" } else { "booked" },
        "serviceType": [{ "text": row["service"] }],
        "reasonCode": [{ "text": row["reason"] }],
        "start": row["starts_at"],
        "end": row["ends_at"],
        "created": row["created_at"],
        "participant": [
            { "actor": subject, "status": if cancelled { "declined" } else { confirmed } },
            { "actor": { "display": row["practitioner"] }, "status": if cancelled { "declined" } else { "accepted" } },
        ],
    })
}

/// An identifier for a part of what has one: the same for the same part.
fn derived(of: &str, part: &str) -> String {
    let hash = Sha256::digest(format!("{of}/{part}"));
    let bytes = hash.first_chunk::<16>().copied().unwrap_or_default();
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// A name for each version, the same however often the bundle is made.
fn version_id(row: &Value, version: i64) -> String {
    derived(text(row, "id"), &format!("version {version}"))
}

fn document(id: &str, row: &Value, subject: &Value) -> Value {
    let status = match (row["retracted_at"].is_null(), row["current"] == true) {
        (false, _) => "entered-in-error",
        (true, true) => "current",
        (true, false) => "superseded",
    };
    let version = row["version"].as_i64().unwrap_or_default();
    let replaces = (version > 1).then(|| {
        let earlier = format!("urn:uuid:{}", version_id(row, version - 1));
        json!({ "code": "replaces", "target": { "reference": earlier } })
    });
    json!({
        "resourceType": "DocumentReference",
        "id": id,
        "identifier": [{ "system": SYSTEM, "value": format!("urn:uuid:{}", text(row, "id")) }],
        "status": status,
        "docStatus": if status == "entered-in-error" { "entered-in-error" } else { "final" },
        "type": { "text": row["kind"] },
        "subject": subject,
        "date": row["written_at"],
        "author": [{ "display": row["written_by"] }],
        "relatesTo": [replaces],
        "description": row["title"],
        "content": [{ "attachment": {
            "contentType": "text/plain; charset=utf-8",
            "data": STANDARD.encode(text(row, "content")),
            "title": row["title"],
            "creation": row["written_at"],
        } }],
        "context": { "period": { "start": row["occurred_on"], "end": row["occurred_on"] } },
    })
}

/// A file that was handed in: it lies beside the bundle, under the address that the attachment names.
fn file(row: &Value, subject: &Value) -> Value {
    let retracted = !row["retracted_at"].is_null();
    json!({
        "resourceType": "DocumentReference",
        "id": row["id"],
        "status": if retracted { "entered-in-error" } else { "current" },
        "type": { "text": row["kind"] },
        "subject": subject,
        "date": row["created_at"],
        "content": [{ "attachment": attachment(row) }],
    })
}

/// A picture, which lies beside the bundle as a file does.
fn picture(row: &Value, subject: &Value) -> Value {
    let retracted = !row["retracted_at"].is_null();
    json!({
        "resourceType": "Media",
        "id": row["id"],
        "status": if retracted { "entered-in-error" } else { "completed" },
        "type": coded("http://terminology.hl7.org/CodeSystem/media-type", "image"),
        "subject": subject,
        "createdDateTime": row["taken_on"],
        "issued": row["created_at"],
        "bodySite": { "text": row["body_part"] },
        "content": attachment(row),
    })
}

fn attachment(row: &Value) -> Value {
    json!({
        "contentType": row["media_type"],
        "url": row["file"],
        "size": row["bytes"],
        "title": row["title"],
        "creation": row["created_at"],
    })
}

fn invoice(row: &Value, subject: &Value, practice: &str) -> Value {
    let status = match text(row, "status") {
        "draft" => "draft",
        "paid" => "balanced",
        "cancelled" => "cancelled",
        _ => "issued",
    };
    let lines = row["lines"].as_array().map(Vec::as_slice).unwrap_or_default().iter().map(|line| {
        json!({
            "chargeItemCodeableConcept": { "text": line["name"] },
            "priceComponent": [{ "type": "base", "amount": money(&line["net"]) }],
        })
    });
    json!({
        "resourceType": "Invoice",
        "id": row["id"],
        "identifier": [{ "value": row["number"] }],
        "status": status,
        "type": { "text": row["kind"] },
        "subject": subject,
        "date": row["issued_on"],
        "issuer": { "display": practice },
        "lineItem": lines.collect::<Vec<_>>(),
        "totalNet": money(&row["totals"]["net"]),
        "totalGross": money(&row["gross"]),
    })
}

/// Euro cents as FHIR's decimal: the digits are put together, never divided.
fn money(cents: &Value) -> Value {
    let Some(cents) = cents.as_i64() else { return Value::Null };
    let sign = if cents < 0 { "-" } else { "" };
    let digits = format!("{sign}{}.{:02}", cents.unsigned_abs() / 100, cents.unsigned_abs() % 100);
    json!({ "value": digits.parse::<serde_json::Number>().ok(), "currency": "EUR" })
}
