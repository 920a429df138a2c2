//! The OpenAPI document, made from the handlers, and the page that shows it without any outside server.

use axum::Router;
use permanence_domain::Problem;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{error::ProblemBody, router, state::App};

mod contract;

pub(crate) use contract::complete;

/// The document's frame; the paths come from the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Permanence",
        description = "The back office of a health practice. Every POST that changes a tenant's data takes an \
                       `Idempotency-Key`: sent again with the same body it gives the same answer. A change takes \
                       `If-Match` with the version that was read. Errors are `application/problem+json`.",
        license(name = "MIT OR Apache-2.0")
    ),
    modifiers(&Bearer),
    components(schemas(ProblemBody, Problem)),
    tags(
        (name = "auth", description = "Signing in and out"),
        (name = "users", description = "Members of the tenant"),
        (name = "settings", description = "What a practice decides for itself"),
        (name = "templates", description = "The words of messages"),
        (name = "practitioners", description = "Who treats"),
        (name = "rooms", description = "Where"),
        (name = "patients", description = "Who comes"),
        (name = "availability", description = "When practitioners see patients"),
        (name = "appointments", description = "The agenda"),
        (name = "messages", description = "What patients are told"),
        (name = "migrations", description = "Moving in with what a browser kept"),
        (name = "inventory", description = "What the practice keeps in stock"),
        (name = "notifications", description = "What members are told within the application"),
        (name = "exports", description = "Data as files, for a day"),
        (name = "invoices", description = "Invoices and credit notes"),
        (name = "payments", description = "What was paid and what is owed"),
        (name = "quotes", description = "What is proposed"),
        (name = "services", description = "What the practice charges for"),
        (name = "audit", description = "Who did what"),
        (name = "jobs", description = "What happens in the background"),
        (name = "queues", description = "For operators of the platform"),
        (name = "operations", description = "For operators"),
    )
)]
pub(crate) struct Doc;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// The OpenAPI document of the service.
pub fn openapi() -> Document {
    let mut document = router::api().split_for_parts().1;
    complete(&mut document);
    document
}

/// `/docs` and `/openapi.json`.
pub(crate) fn pages(document: Document) -> Router<App> {
    let config = Config::from("/openapi.json").try_it_out_enabled(true).persist_authorization(false);
    SwaggerUi::new("/docs").url("/openapi.json", document).config(config).into()
}
