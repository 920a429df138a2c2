//! The OpenAPI document tells the truth and can be read by a machine.

use chrono_tz::Tz;
use permanence_api::openapi;
use serde_json::{Value, json};

use crate::support::TestApi;

fn document() -> Value {
    serde_json::to_value(openapi()).unwrap()
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// Every operation under the base path: method, path, description.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 20, "the document is nearly empty");
    paths
        .iter()
        .filter(|(path, _)| path.starts_with("/api/v1/"))
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter();
            methods.map(move |(method, operation)| (method.as_str(), path.as_str(), operation))
        })
        .collect()
}

/// Whether the operation takes the header, and whether it must be there.
fn takes(operation: &Value, header: &str) -> Option<bool> {
    let parameters = operation["parameters"].as_array()?;
    let found =
        parameters.iter().find(|parameter| parameter["in"] == "header" && parameter["name"] == header)?;
    Some(found["required"] == json!(true))
}

#[test]
fn every_reference_resolves() {
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.iter().any(|reference| reference.ends_with("/ProblemBody")), "errors are described");
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

#[test]
fn every_creation_takes_a_key_and_every_change_a_version() {
    let document = document();
    for (method, path, operation) in operations(&document) {
        let public = path.starts_with("/api/v1/auth/");
        // A question changes nothing.
        let question = path == "/api/v1/message-templates/preview";
        // Sets a mark, and undoes nobody's change.
        let mark = path.starts_with("/api/v1/notifications/") || path.ends_with("/no-show");
        let key = takes(operation, "Idempotency-Key");
        let version = takes(operation, "If-Match");
        let responses = &operation["responses"];
        match method {
            "post" => assert_eq!(
                (key, version),
                if question { (None, None) } else { (Some(!public), None) },
                "{path}"
            ),
            "put" | "patch" if mark => assert_eq!((key, version), (None, None), "{path}"),
            "put" | "patch" => assert_eq!((key, version), (None, Some(true)), "{path}"),
            _ => assert_eq!((key, version), (None, None), "{path}"),
        }
        let changes = matches!(method, "put" | "patch") && !mark;
        assert_eq!(responses.get("428").is_some(), changes, "{method} {path}");
        assert_eq!(responses.get("413").is_some(), changes || method == "post", "{method} {path}");
        for status in ["400", "401", "403", "404", "409", "422", "500", "503", "504"] {
            let content = &responses[status]["content"]["application/problem+json"];
            assert_eq!(content["schema"]["$ref"], "#/components/schemas/ProblemBody", "{method} {path}");
        }
        if let Some(created) = responses.get("201") {
            // What is only ever added to has no version.
            let appended =
                ["/payments", "/refunds", "/files", "/images"].iter().any(|end| path.ends_with(end));
            for header in ["ETag", "Location", "Idempotency-Replayed"].into_iter().skip(usize::from(appended))
            {
                assert!(created["headers"].get(header).is_some(), "{path} {header}");
            }
        }
    }
    let me = &document["paths"]["/api/v1/auth/me"]["get"]["responses"]["200"];
    assert_eq!(me.get("headers"), None);
    let logout = &document["paths"]["/api/v1/auth/logout"]["post"]["responses"]["204"];
    assert_eq!(logout.get("headers"), None);
}

#[tokio::test]
async fn schemas_of_requests_are_closed_and_want_what_is_wanted() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    let mut bodies = 0;
    for (_, path, operation) in operations(&document) {
        let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        let Some(reference) = body.as_str() else { continue };
        let schema = document.pointer(reference.strip_prefix('#').unwrap()).unwrap();
        assert_eq!(schema["additionalProperties"], false, "{path}");
        bodies += 1;
    }
    assert!(bodies > 10, "{bodies}");
    assert_eq!(schemas["NewPatient"]["required"], json!(["first_name", "last_name", "consents"]));
    assert_eq!(schemas["Settings"]["required"], json!(["time_zone"]));
    let booking = ["patient_id", "practitioner_id", "starts_at", "ends_at"];
    assert_eq!(schemas["NewAppointment"]["required"], json!(booking));
    // Also what is inside: an object, the elements of a list, what may be null.
    for inside in ["NewConsents", "OpeningHours", "Span", "QuietHours", "Rule", "NewException"] {
        assert_eq!(schemas[inside]["additionalProperties"], false, "{inside}");
    }

    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let least = json!({ "first_name": "Zoé", "last_name": "Noël", "consents": {} });
    let patient = practice.assistant.post("/api/v1/patients", least).await.expect(201);
    assert_eq!(
        patient.body["consents"],
        json!({ "reminder_sms": false, "reminder_email": false, "imaging": false })
    );
    assert_eq!(patient.body["language"], "fr");
}
