//! What is in the archive: everything, for people and for programs, and nothing that runs.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono_tz::Tz;
use permanence_domain::{
    billing::{self, InvoiceContent},
    exports::ExportStatus,
    field::{Day, PersonName, Whole},
    files::{
        self, FileKind, NewFile, Received,
        images::{self, ImageMediaType, NewImage},
    },
    identity::Role,
    ids::{FileId, ImageId},
    patients::{NewConsents, NewPatient},
    records::{self, Clinical},
    storage::ObjectKey,
    vault::ContentKey,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{SECRET, ask, fetch, files, json, note, noted, stored, until};
use crate::{
    billing::sells,
    support::{World, by_sms, vault as keys},
};

const NOW: &str = "2027-01-04T08:00:00Z";
const PICTURE: &[u8] = b"\xff\xd8\xff what a picture shows \xff\xd9";
const HOSTILE: &str = "<script>alert(1)</script>\"'&";

/// A patient of whom there is something in every section that a practice fills by its work.
async fn known(world: &World) {
    sells(world).await;
    let invoices = world.work_on("invoices");
    let mut tx = world.begin().await;
    let content: InvoiceContent = serde_json::from_value(json!({
        "patient_id": world.patient,
        "buyer": { "name": "Hélène Garcia" },
        "lines": [{ "name": "Séance", "unit_price": 6000, "vat": { "category": "care" } }],
    }))
    .unwrap();
    let draft = billing::draft_invoice(&mut tx, &content).await.unwrap();
    billing::issue_invoice(&mut tx, draft.id, 1).await.unwrap();
    tx.commit().await.unwrap();
    world.until_idle_on(Some("invoices")).await;
    invoices.drain().await;
    let mut patient = by_sms();
    patient.last_name = PersonName::parse(HOSTILE).unwrap();
    world.reach(&patient).await;
    world.book("2027-03-15T14:30:00").await;
    let id = noted(world, "Tension 12/8").await;
    let mut tx = world.begin().await;
    records::update(&mut tx, &keys(), id, 1, &note(SECRET)).await.unwrap();
    records::read(&mut tx, &keys(), id, None).await.unwrap();
    tx.commit().await.unwrap();
    // Records of one instant have no order among them.
    world.clock.advance(std::time::Duration::from_secs(1));
    let mistaken = noted(world, "Un autre patient").await;
    let mut tx = world.begin().await;
    records::retract(&mut tx, mistaken).await.unwrap();
    tx.commit().await.unwrap();
}

/// The bytes of a file that is sealed in several chunks, and read in several pieces.
fn long() -> Vec<u8> {
    (0..3 * 64 * 1024 + 100).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

/// Hands a file of the patient in, as the API does.
pub(super) async fn handed_in(world: &World, bytes: &[u8]) -> (FileId, ObjectKey) {
    let key = ContentKey::random().unwrap();
    let object = ObjectKey::of(files::AREA, world.tenant, &format!("{}.sealed", bytes.len())).unwrap();
    let mut sealed = Vec::new();
    key.seal(bytes, &mut sealed).unwrap();
    world.storage().put(&object, "application/octet-stream", sealed).await.unwrap();
    let new = NewFile { kind: FileKind::Report, patient_id: Some(world.patient) };
    let bytes = i64::try_from(bytes.len()).unwrap();
    let received = Received { object: &object, media_type: "application/pdf", bytes, key: &key };
    let mut tx = world.begin().await;
    let id = files::keep(&mut tx, Role::Nurse, &keys(), new, &received).await.unwrap().id;
    tx.commit().await.unwrap();
    (id, object)
}

/// Announces a picture of the patient, and has it there if `taken`.
pub(crate) async fn pictured(world: &World, taken: bool) -> ImageId {
    let new = NewImage {
        media_type: ImageMediaType::Jpeg,
        bytes: Whole::try_from(i64::try_from(PICTURE.len()).unwrap()).unwrap(),
        sha256: None,
        taken_on: Day::parse("2027-01-03").unwrap(),
        title: Clinical::parse("Radiographie", 200).unwrap(),
        body_part: Some(Clinical::parse("Épaule droite", 100).unwrap()),
    };
    let mut tx = world.begin().await;
    let id = images::invite(&mut tx, &keys(), &world.storage(), world.patient, &new).await.unwrap().id;
    if taken {
        images::complete(&mut tx, id).await.unwrap();
        let attempt = images::begin(&mut tx, id).await.unwrap().unwrap();
        world.storage().put(attempt.object.as_ref().unwrap(), "image/jpeg", PICTURE.to_vec()).await.unwrap();
        let taken = images::Taken { sha256: Sha256::digest(PICTURE).to_vec() };
        assert!(images::available(&mut tx, &attempt, &taken).await.unwrap());
    }
    tx.commit().await.unwrap();
    id
}

#[expect(clippy::too_many_lines, reason = "one archive, looked at from every side")]
#[tokio::test]
async fn files_and_pictures_are_in_it_opened_and_whole_whatever_became_of_them() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    let consents =
        |imaging| NewConsents { reminder_sms: true, reminder_email: false, imaging: Some(imaging) };
    world.reach(&NewPatient { consents: consents(true), ..by_sms() }).await;
    let (kept, _) = handed_in(&world, &long()).await;
    // Files of one instant have no order among them.
    world.clock.advance(std::time::Duration::from_secs(1));
    let (retracted, _) = handed_in(&world, b"%PDF").await;
    let picture = pictured(&world, true).await;
    world.clock.advance(std::time::Duration::from_secs(1));
    let awaited = pictured(&world, false).await;
    let mut tx = world.begin().await;
    files::retract(&mut tx, Role::Practitioner, retracted).await.unwrap();
    tx.commit().await.unwrap();
    // Nobody is shown the picture any more. It is kept, so the patient has it.
    world.reach(&NewPatient { consents: consents(false), ..by_sms() }).await;
    let pool = world.work_on("privacy");
    let request = ask(&world).await;
    until(&world, request.id, ExportStatus::Completed).await;
    let files = files(fetch(&world, request.id).await.unwrap());
    leave(&files);
    let path = |name: String| format!("files/{name}");
    let (file, gone) = (path(format!("document-{kept}.pdf")), path(format!("document-{retracted}.pdf")));
    let shown = path(format!("picture-{picture}.jpg"));
    assert!(files[&file] == long() && files[&gone] == b"%PDF" && files[&shown] == PICTURE);
    for told in json(&files, "manifest.json")["files"].as_array().unwrap() {
        let bytes = &files[told["name"].as_str().unwrap()];
        let hash = hex::encode(Sha256::digest(bytes));
        assert_eq!((&told["size_bytes"], &told["sha256"]), (&json!(bytes.len()), &json!(hash)), "{told}");
    }
    let data = json(&files, "data.json")["data"].clone();
    assert_eq!(
        data["files"],
        json!([
            { "id": kept, "kind": "report", "media_type": "application/pdf", "bytes": long().len(),
              "created_at": NOW, "retracted_at": null, "file": file },
            { "id": retracted, "kind": "report", "media_type": "application/pdf", "bytes": 4,
              "created_at": "2027-01-04T08:00:01Z", "retracted_at": "2027-01-04T08:00:02Z", "file": gone },
        ])
    );
    let pictures: Vec<Value> = data["pictures"].as_array().unwrap().clone();
    let told: Vec<[&Value; 4]> =
        pictures.iter().map(|row| ["id", "status", "title", "file"].map(|name| &row[name])).collect();
    let title = json!("Radiographie");
    assert_eq!(
        told,
        [
            [&json!(picture), &json!("available"), &title, &json!(shown)],
            [&json!(awaited), &json!("refused"), &title, &Value::Null],
        ]
    );
    let bundle = json(&files, "patient.fhir.json");
    assert_eq!(valid(&bundle), BTreeSet::from(["Consent", "DocumentReference", "Media", "Patient"]));
    let resources: Vec<(&Value, &Value)> = bundle["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["resource"])
        .filter_map(|resource| match resource["resourceType"].as_str() {
            Some("DocumentReference") => {
                Some((&resource["status"], &resource["content"][0]["attachment"]["url"]))
            }
            Some("Media") => Some((&resource["status"], &resource["content"]["url"])),
            _ => None,
        })
        .collect();
    assert_eq!(
        resources,
        [
            (&json!("current"), &json!(file)),
            (&json!("entered-in-error"), &json!(gone)),
            (&json!("completed"), &json!(shown)),
        ]
    );
    let page = String::from_utf8(files["index.html"].clone()).unwrap();
    assert_eq!(page.matches(&format!("href=\"{shown}\"")).count(), 2, "in its section and in the list");
    pool.drain().await;
}

/// Leaves the files in the folder that `ACCESS_FILES` names, to be looked at and validated by others' tools.
fn leave(files: &BTreeMap<String, Vec<u8>>) {
    let Ok(folder) = std::env::var("ACCESS_FILES") else { return };
    for (name, bytes) in files {
        let path = std::path::Path::new(&folder).join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

#[tokio::test]
async fn everything_is_in_it_and_each_file_has_the_hash_that_is_told() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    known(&world).await;
    let request = ask(&world).await;
    assert_eq!(request.due_on.to_string(), "2027-02-04", "a month");
    let pool = world.work_on("privacy");
    let request = until(&world, request.id, ExportStatus::Completed).await;
    let archive = fetch(&world, request.id).await.unwrap();
    assert_eq!(request.sha256, Some(hex::encode(Sha256::digest(&archive))));
    for sealed in stored(&world).await {
        let secret = SECRET.as_bytes();
        assert!(!sealed.starts_with(b"PK") && !sealed.windows(secret.len()).any(|part| part == secret));
    }
    let files = files(archive);
    leave(&files);
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["data.json", "files/invoice-F2027-000001.pdf", "index.html", "manifest.json", "patient.fhir.json"]
    );
    let manifest = json(&files, "manifest.json");
    let told: BTreeSet<(&str, &str)> = manifest["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (file["name"].as_str().unwrap(), file["sha256"].as_str().unwrap()))
        .collect();
    assert_eq!(told.len(), files.len() - 1, "each but the manifest itself");
    for (name, sha256) in told {
        assert_eq!(hex::encode(Sha256::digest(&files[name])), sha256, "{name}");
    }
    assert!(files["files/invoice-F2027-000001.pdf"].starts_with(b"%PDF"));

    let data = json(&files, "data.json")["data"].clone();
    assert_eq!(data["patient"][0]["last_name"], HOSTILE);
    for section in ["consents", "appointments", "messages", "invoices", "trail", "access_requests"] {
        assert_ne!(data[section].as_array().map(Vec::len), Some(0), "{section}");
    }
    let written: Vec<(&str, i64, bool, bool)> = data["medical_records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = row["content"].as_str().unwrap();
            let current = row["current"].as_bool().unwrap();
            (text, row["version"].as_i64().unwrap(), current, !row["retracted_at"].is_null())
        })
        .collect();
    assert_eq!(
        written,
        [("Tension 12/8", 1, false, false), (SECRET, 2, true, false), ("Un autre patient", 1, true, true)]
    );
    let actions: Vec<&Value> = data["trail"].as_array().unwrap().iter().map(|row| &row["action"]).collect();
    for action in ["medical_record.read", "medical_record.retract", "patient.access_request"] {
        assert!(actions.contains(&&json!(action)), "{action} is missing: {actions:?}");
    }
    pool.drain().await;
}

#[tokio::test]
async fn the_page_shows_what_people_wrote_and_runs_none_of_it() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    known(&world).await;
    let pool = world.work_on("privacy");
    let request = ask(&world).await;
    until(&world, request.id, ExportStatus::Completed).await;
    let page = files(fetch(&world, request.id).await.unwrap()).remove("index.html").unwrap();
    let page = String::from_utf8(page).unwrap();
    assert!(page.starts_with("<!DOCTYPE html><html lang=\"fr\">"));
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;"), "{page}");
    assert!(page.contains("Épaule droite gelée &lt;b&gt;depuis&lt;/b&gt;"));
    assert!(page.contains("default-src 'none'") && !page.contains("<script"));
    // Nothing is loaded from anywhere: every address is a place of the page or a file beside it.
    for address in page.split("href=\"").skip(1) {
        assert!(address.starts_with('#') || address.starts_with("files/"), "{}", &address[..40]);
    }
    assert!(!page.contains("src="));
    pool.drain().await;
}

#[tokio::test]
async fn the_bundle_is_fhir_r4_and_refers_to_nothing_that_is_not_in_it() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    known(&world).await;
    let pool = world.work_on("privacy");
    let request = ask(&world).await;
    until(&world, request.id, ExportStatus::Completed).await;
    let bundle = json(&files(fetch(&world, request.id).await.unwrap()), "patient.fhir.json");
    let wanted = ["Appointment", "Consent", "DocumentReference", "Invoice", "Patient"];
    assert_eq!(valid(&bundle), BTreeSet::from(wanted));
    let entries = bundle["entry"].as_array().unwrap();
    let texts: Vec<String> = entries
        .iter()
        .filter_map(|entry| entry["resource"]["content"][0]["attachment"]["data"].as_str())
        .map(|data| String::from_utf8(STANDARD.decode(data).unwrap()).unwrap())
        .collect();
    assert_eq!(texts, ["Tension 12/8", SECRET, "Un autre patient"]);
    let states: Vec<&Value> = entries
        .iter()
        .filter(|entry| entry["resource"]["resourceType"] == "DocumentReference")
        .map(|entry| &entry["resource"]["status"])
        .collect();
    assert_eq!(states, ["superseded", "current", "entered-in-error"]);
    pool.drain().await;
}

/// Holds a bundle to what R4 requires, and gives which kinds of resource are in it.
fn valid(bundle: &Value) -> BTreeSet<&str> {
    assert_eq!((&bundle["resourceType"], &bundle["type"]), (&json!("Bundle"), &json!("collection")));
    let entries = bundle["entry"].as_array().unwrap();
    let there: BTreeSet<&str> = entries.iter().map(|entry| entry["fullUrl"].as_str().unwrap()).collect();
    assert_eq!(there.len(), entries.len(), "each has a name of its own");
    let mut kinds = BTreeSet::new();
    for entry in entries {
        let resource = &entry["resource"];
        assert_eq!(entry["fullUrl"], format!("urn:uuid:{}", resource["id"].as_str().unwrap()));
        let kind = resource["resourceType"].as_str().unwrap();
        kinds.insert(kind);
        for required in required(kind) {
            assert!(!resource[*required].is_null(), "{kind} without {required}: {resource}");
        }
        check(resource, &there);
    }
    kinds
}

/// What R4 requires of a resource (hl7.org/fhir/R4), besides what its parts require.
fn required(kind: &str) -> &'static [&'static str] {
    match kind {
        "Appointment" => &["status", "participant"],
        "Consent" => &["status", "scope", "category", "policy", "patient"],
        "DocumentReference" | "Media" => &["status", "content", "subject"],
        "Invoice" => &["status"],
        "Patient" => &["name"],
        other => panic!("{other} is not expected"),
    }
}

/// No empty value anywhere (R4, 2.6.2), and every reference leads to an entry.
fn check(value: &Value, there: &BTreeSet<&str>) {
    match value {
        Value::Object(fields) => {
            assert!(!fields.is_empty(), "an empty object");
            if let Some(reference) = fields.get("reference") {
                assert!(there.contains(reference.as_str().unwrap()), "{reference}");
            }
            for field in fields.values() {
                check(field, there);
            }
        }
        Value::Array(items) => {
            assert!(!items.is_empty(), "an empty list");
            for item in items {
                check(item, there);
            }
        }
        value => assert!(!value.is_null() && value != "", "an empty value"),
    }
}
