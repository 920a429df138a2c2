//! What holds for every route alike, added to the document after the handlers have described themselves. It tells what
//! the extractors do and decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use utoipa::openapi::{
    Components, Content, HttpMethod, OpenApi as Document, RefOr, Response, ResponseBuilder, Schema,
    header::Header,
    path::{Operation, Parameter, PathItem},
    schema::{AdditionalProperties, ArrayItems, ObjectBuilder, Ref, Type},
};

/// Fields of requests that may be left out because the server has a default; they are never absent from answers.
const DEFAULTED: [(&str, &[&str]); 14] = [
    ("NewPatient", &["language"]),
    ("NewConsents", &["reminder_sms", "reminder_email"]),
    ("NewAppointment", &["outside_availability"]),
    ("NewTemplate", &["transliterate"]),
    ("PreviewRequest", &["transliterate"]),
    ("Rule", &["every_weeks"]),
    ("NewItem", &["threshold", "margin"]),
    (
        "BillingSettings",
        &[
            "franchise",
            "payment_days",
            "quote_days",
            "invoice_prefix",
            "credit_note_prefix",
            "quote_prefix",
            "reminder_days",
        ],
    ),
    ("PostalAddress", &["country"]),
    ("InvoiceContent", &["lines", "discounts"]),
    ("NewLine", &["quantity", "unit"]),
    ("NewService", &["automatic"]),
    ("NewPayment", &["payer"]),
    ("NewCreditNote", &["lines"]),
];

/// Routes whose key has nothing to do, so that no answer is kept.
const KEEPS_NO_ANSWER: [&str; 1] = ["/api/v1/auth/logout"];

/// Routes whose answer carries a version that is not theirs to change.
const UNVERSIONED: [&str; 1] = ["/api/v1/auth/me"];

/// Adds the errors of bodies and versions, the headers of answers, and closes the schemas of requests.
pub(crate) fn complete(document: &mut Document) {
    let Some(components) = document.components.as_mut() else { return };
    let versioned = versioned(components);
    let mut bodies = BTreeSet::new();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            if let Some(RefOr::T(body)) = &operation.request_body {
                bodies.extend(body.content.values().filter_map(of_content));
            }
            add_errors(&method, operation);
            add_headers(path, operation, &versioned);
        }
    }
    close(components, bodies);
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [
        (HttpMethod::Get, get),
        (HttpMethod::Put, put),
        (HttpMethod::Post, post),
        (HttpMethod::Delete, delete),
        (HttpMethod::Patch, patch),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
}

/// The component that a reference names.
fn name(reference: &Ref) -> String {
    reference.ref_location.rsplit('/').next().unwrap_or_default().to_owned()
}

fn of_content(content: &RefOr<Content>) -> Option<String> {
    match content {
        RefOr::T(Content { schema: Some(RefOr::Ref(reference)), .. }) => Some(name(reference)),
        _ => None,
    }
}

/// Every resource that counts its changes.
fn versioned(components: &Components) -> BTreeSet<String> {
    components.schemas.iter().filter(|(_, schema)| counts(schema)).map(|(name, _)| name.clone()).collect()
}

fn counts(schema: &RefOr<Schema>) -> bool {
    match schema {
        RefOr::T(Schema::Object(object)) => object.properties.contains_key("version"),
        RefOr::T(Schema::AllOf(parts)) => parts.items.iter().any(counts),
        _ => false,
    }
}

fn problem(description: &str) -> RefOr<Response> {
    let content = Content::new(Some(Ref::from_schema_name("ProblemBody")));
    RefOr::T(
        ResponseBuilder::new().description(description).content("application/problem+json", content).build(),
    )
}

/// Whatever has a body may have a wrong one, and whatever changes a resource needs its version. A PUT that only sets a mark
/// has neither; one that is a step has no body and wants the version all the same.
fn add_errors(method: &HttpMethod, operation: &mut Operation) {
    let versioned = takes(operation, "If-Match");
    let mark = *method == HttpMethod::Put && operation.request_body.is_none() && !versioned;
    let responses = &mut operation.responses.responses;
    if mark {
        return;
    }
    if matches!(method, HttpMethod::Post | HttpMethod::Put | HttpMethod::Patch) {
        responses.insert("413".to_owned(), problem("The body is too large."));
        responses.insert("415".to_owned(), problem("The body is not sent as JSON."));
    }
    if matches!(method, HttpMethod::Put | HttpMethod::Patch) {
        responses.insert("428".to_owned(), problem("If-Match is missing."));
    }
}

/// Whether it has a parameter of this name.
fn takes(operation: &Operation, wanted: &str) -> bool {
    let mut parameters = operation.parameters.iter().flatten();
    parameters.any(|parameter| matches!(parameter, RefOr::T(Parameter { name, .. }) if name == wanted))
}

fn header(description: &str) -> RefOr<Header> {
    let mut header = Header::new(ObjectBuilder::new().schema_type(Type::String).build());
    header.description = Some(description.to_owned());
    RefOr::T(header)
}

fn add_headers(path: &str, operation: &mut Operation, versioned: &BTreeSet<String>) {
    let replayed = takes(operation, "Idempotency-Key") && !KEEPS_NO_ANSWER.contains(&path);
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if !status.starts_with('2') {
            continue;
        }
        let mut of_version = response.content.values().filter_map(of_content);
        if !UNVERSIONED.contains(&path) && of_version.any(|body| versioned.contains(&body)) {
            let tag = header("The version, to be given back in If-Match.");
            response.headers.insert("ETag".to_owned(), tag);
        }
        if status == "201" {
            response.headers.insert("Location".to_owned(), header("The path of what was made."));
        }
        if status == "202" {
            response.headers.insert("Location".to_owned(), header("The path of the job that does it."));
            response.headers.insert("Retry-After".to_owned(), header("Seconds until it is worth a look."));
        }
        if replayed {
            let told = header("`true` when the request was answered before: nothing was done again.");
            response.headers.insert("Idempotency-Replayed".to_owned(), told);
        }
    }
}

/// Requests hold the fields they name and no other, down to the objects inside.
fn close(components: &mut Components, bodies: BTreeSet<String>) {
    let mut open: Vec<String> = bodies.into_iter().collect();
    let mut closed = BTreeSet::new();
    let defaulted: BTreeMap<&str, &[&str]> = DEFAULTED.into_iter().collect();
    while let Some(schema) = open.pop() {
        let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut(&schema) else { continue };
        if object.properties.is_empty() || !closed.insert(schema.clone()) {
            continue;
        }
        object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        let optional = defaulted.get(schema.as_str()).copied().unwrap_or_default();
        object.required.retain(|field| !optional.contains(&field.as_str()));
        open.extend(object.properties.values().flat_map(inside));
    }
}

/// The components that a property holds: itself, or what it is a list of, or what it is if it is not null.
fn inside(property: &RefOr<Schema>) -> Vec<String> {
    match property {
        RefOr::Ref(reference) => vec![name(reference)],
        RefOr::T(Schema::Array(array)) => match &array.items {
            ArrayItems::RefOrSchema(item) => inside(item),
            ArrayItems::False => Vec::new(),
        },
        RefOr::T(Schema::OneOf(either)) => either.items.iter().flat_map(inside).collect(),
        RefOr::T(_) => Vec::new(),
    }
}
