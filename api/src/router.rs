//! Every route, grouped by who uses it.

use std::time::Duration;

use axum::{
    Router,
    http::{HeaderName, HeaderValue, Method, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use permanence_queue::trace::TRACEPARENT;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer,
        predicate::{DefaultPredicate, NotForContentType, Predicate},
    },
    cors::{AllowOrigin, CorsLayer},
    set_header::SetResponseHeaderLayer,
};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    access, appointments, audit, auth, availability,
    billing::{invoices, logos, papers, payments, quotes, runs, services, templates as invoice_templates},
    companies, conditional, consultations, docs, employees,
    error::{ApiError, unknown_method, unknown_route},
    exports, figures, files, health, images, inventory, jobs, messages, migrations, notifications, observe,
    pages, patients, practitioners, privacy, queues, records, reports, rooms, settings,
    state::App,
    templates, users, webhooks,
};

/// The routes with their description; [`docs::openapi`] and the server are made from this one list.
pub(crate) fn api() -> OpenApiRouter<App> {
    let v1 = OpenApiRouter::new()
        // Anybody.
        .routes(routes!(auth::login))
        .routes(routes!(auth::refresh))
        .routes(routes!(auth::accept_invitation))
        .routes(routes!(auth::forgot_password))
        .routes(routes!(auth::reset_password))
        // Anybody who has signed in.
        .routes(routes!(auth::logout))
        .routes(routes!(auth::me))
        .merge(inbox())
        .merge(office())
        .merge(front_desk())
        // Companies, their employees, whom these consult, and the reports upon it.
        .merge(employers().merge(consulting()).merge(reporting()))
        // Whoever cares.
        .merge(care())
        // Whoever looks after the stock.
        .merge(stock())
        // Whoever takes data out.
        .routes(routes!(exports::request_export, exports::list_exports))
        .routes(routes!(exports::get_export, exports::remove_export))
        .routes(routes!(exports::download_export))
        // Whoever moves a practice in.
        .routes(routes!(migrations::request_migration, migrations::list_migrations))
        .routes(routes!(migrations::get_migration))
        .routes(routes!(migrations::roll_back_migration))
        .routes(routes!(migrations::read_migration_dump))
        .routes(routes!(migrations::read_migration_backup))
        .routes(routes!(migrations::end_migration_files))
        // Whoever looks at the whole.
        .merge(figures())
        .merge(known())
        // Whoever waits for a job, or looks after them; operators of the platform see every tenant's.
        .merge(background())
        .routes(routes!(audit::list_audit_logs))
        .routes(routes!(audit::list_platform_audit_logs))
        .merge(leavers())
        // Whoever bills.
        .merge(bills());
    OpenApiRouter::with_openapi(docs::Doc::openapi())
        .nest("/api/v1", v1)
        // Operators.
        .routes(routes!(health::health))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
}

/// Whoever runs the practice.
fn office() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(users::invite_user, users::list_users))
        .routes(routes!(users::get_user, users::remove_user))
        .routes(routes!(users::change_user_role))
        .routes(routes!(users::resend_invitation))
        .routes(routes!(settings::get_settings, settings::update_settings))
        .routes(routes!(logos::put_logo, logos::get_logo, logos::remove_logo))
        .routes(routes!(templates::list_templates))
        .routes(routes!(templates::preview_template))
        .routes(routes!(templates::get_template, templates::replace_template, templates::reset_template))
        .routes(routes!(practitioners::add_practitioner, practitioners::list_practitioners))
        .routes(routes!(
            practitioners::get_practitioner,
            practitioners::update_practitioner,
            practitioners::delete_practitioner
        ))
        .routes(routes!(rooms::add_room, rooms::list_rooms))
        .routes(routes!(rooms::get_room, rooms::update_room, rooms::delete_room))
}

/// Patients, and when they come.
fn front_desk() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(patients::register_patient, patients::list_patients))
        .routes(routes!(patients::get_patient, patients::update_patient, patients::delete_patient))
        .routes(routes!(patients::list_patient_consents))
        .routes(routes!(appointments::book_appointment, appointments::list_appointments))
        .routes(routes!(appointments::list_conflicts))
        .routes(routes!(
            appointments::get_appointment,
            appointments::reschedule_appointment,
            appointments::cancel_appointment
        ))
        .routes(routes!(appointments::note_no_show, appointments::take_back_no_show))
        .routes(routes!(availability::list_slots))
        .routes(routes!(availability::get_availability, availability::replace_availability))
        .routes(routes!(availability::add_entry))
        .routes(routes!(availability::get_entry, availability::update_entry, availability::delete_entry))
        .routes(routes!(appointments::list_appointment_messages))
        .routes(routes!(messages::list_messages))
        .routes(routes!(messages::list_patient_messages))
        .routes(routes!(messages::resolve_message))
}

/// What the caller is told.
fn inbox() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(notifications::list_notifications))
        .routes(routes!(notifications::read_all_notifications))
        .routes(routes!(notifications::read_notification))
        .routes(routes!(notifications::delete_notification))
}

/// Companies, and who works there.
fn employers() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(companies::found_company, companies::list_companies))
        .routes(routes!(companies::get_own_company))
        .routes(routes!(companies::get_company, companies::update_company))
        .routes(routes!(companies::validate_company))
        .routes(routes!(companies::add_agreement))
        .routes(routes!(employees::add_employee, employees::list_employees))
        .routes(routes!(employees::import_employees))
        .routes(routes!(employees::get_self, employees::name_self))
        .routes(routes!(employees::get_employee, employees::update_employee))
        .routes(routes!(employees::activate_employee))
        .routes(routes!(employees::deactivate_employee))
}

/// What an employee books and a practitioner conducts.
fn consulting() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(consultations::book_consultation))
        .routes(routes!(consultations::list_offered))
        .routes(routes!(consultations::list_offered_slots))
        .routes(routes!(consultations::list_own))
        .routes(routes!(consultations::list_upcoming))
        .routes(routes!(consultations::list_history))
        .routes(routes!(consultations::get_consultation))
        .routes(routes!(consultations::list_events))
        .routes(routes!(consultations::confirm_consultation))
        .routes(routes!(consultations::cancel_consultation))
        .routes(routes!(consultations::start_consultation))
        .routes(routes!(consultations::end_consultation))
        .routes(routes!(consultations::note_no_show))
}

/// Reports upon consultations.
fn reporting() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(reports::get_practitioner_stats))
        .routes(routes!(reports::get_practitioner_billing))
        .routes(routes!(reports::export_practitioner_billing))
        .routes(routes!(reports::get_employee_usage))
        .routes(routes!(reports::get_employee_months))
        .routes(routes!(reports::get_department_usage))
        .routes(routes!(reports::export_employee_usage))
}

/// What care writes down.
fn care() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(records::write_record, records::list_records))
        .routes(routes!(records::get_record, records::update_record, records::retract_record))
        .routes(routes!(records::list_record_versions))
        .routes(routes!(records::get_record_version))
        .routes(routes!(files::hand_in_file, files::list_files))
        .routes(routes!(files::get_file, files::retract_file))
        .routes(routes!(files::read_file))
        .routes(routes!(images::announce_image, images::list_images))
        .routes(routes!(images::complete_image))
        .routes(routes!(images::get_image, images::retract_image))
        .routes(routes!(privacy::request_erasure))
        .routes(routes!(privacy::list_erasures))
        .routes(routes!(privacy::get_erasure))
        .routes(routes!(privacy::cancel_erasure))
        .routes(routes!(privacy::get_certificate))
        .routes(routes!(privacy::get_certificate_pdf))
        .routes(routes!(privacy::list_retained))
        .routes(routes!(privacy::list_authors))
        .routes(routes!(privacy::open_retained))
}

/// What is known of a person, for that person, and its end.
fn known() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(access::request_patient_access))
        .routes(routes!(access::list_access_requests))
        .routes(routes!(access::get_access_request))
        .routes(routes!(access::download_access_file))
        .routes(routes!(access::request_own_export, access::get_own_export))
        .routes(routes!(access::download_own_export))
        .routes(routes!(privacy::account::request_deletion, privacy::account::get_deletion))
        .routes(routes!(privacy::account::cancel_deletion))
}

/// Erasures of accounts, for operators of the platform.
fn leavers() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(privacy::account::list_account_erasures))
        .routes(routes!(privacy::account::get_account_erasure))
        .routes(routes!(privacy::account::get_account_certificate))
        .routes(routes!(privacy::account::get_account_certificate_pdf))
}

/// What the practice keeps in stock.
fn stock() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(inventory::get_inventory))
        .routes(routes!(inventory::add_item, inventory::list_items))
        .routes(routes!(inventory::get_item, inventory::update_item, inventory::delete_item))
        .routes(routes!(inventory::add_movement, inventory::list_movements))
        .routes(routes!(inventory::imports::request_import))
        .routes(routes!(inventory::imports::get_import))
        .routes(routes!(inventory::get_subscription, inventory::update_subscription))
}

/// Figures, and how fresh they are.
fn figures() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(figures::get_overview))
        .routes(routes!(figures::get_history))
        .routes(routes!(figures::list_views))
        .routes(routes!(figures::refresh_view))
}

/// What happens in the background.
fn background() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(jobs::list_jobs))
        .routes(routes!(jobs::retry_jobs))
        .routes(routes!(jobs::get_job))
        .routes(routes!(jobs::watch_job))
        .routes(routes!(jobs::retry_job))
        .routes(routes!(jobs::cancel_job))
        .routes(routes!(jobs::discard_job))
        .routes(routes!(health::platform::platform_health))
        .routes(routes!(queues::list_queues))
        .routes(routes!(queues::pause_queue))
        .routes(routes!(queues::resume_queue))
        .routes(routes!(queues::limit_queue))
}

/// Invoices, quotes, payments and what is charged for.
fn bills() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(invoices::draft_invoice, invoices::list_invoices))
        .routes(routes!(invoices::get_invoice, invoices::update_invoice, invoices::delete_invoice))
        .routes(routes!(invoices::issue_invoice))
        .routes(routes!(invoices::credit_invoice))
        .routes(routes!(payments::record_payment, payments::list_payments))
        .routes(routes!(payments::record_refund))
        .routes(routes!(payments::get_receivables))
        .routes(routes!(payments::list_debtors))
        .routes(routes!(papers::get_invoice_pdf))
        .routes(routes!(papers::send_invoice))
        .routes(routes!(papers::list_invoice_mails))
        .routes(routes!(runs::start_invoice_run))
        .routes(routes!(runs::get_invoice_run))
        .routes(routes!(quotes::draft_quote, quotes::list_quotes))
        .routes(routes!(quotes::get_quote, quotes::update_quote, quotes::delete_quote))
        .routes(routes!(quotes::issue_quote))
        .routes(routes!(quotes::answer_quote))
        .routes(routes!(quotes::invoice_quote))
        .routes(routes!(papers::get_quote_pdf))
        .routes(routes!(services::add_service, services::list_services))
        .routes(routes!(services::get_service, services::update_service, services::delete_service))
        .routes(routes!(invoice_templates::list_invoice_templates))
        .routes(routes!(
            invoice_templates::get_invoice_template,
            invoice_templates::replace_invoice_template,
            invoice_templates::reset_invoice_template
        ))
        .routes(routes!(invoice_templates::preview_invoice_template))
        .routes(routes!(invoice_templates::get_invoice_preview))
}

/// The whole service.
pub fn router(app: App) -> Router {
    let (routes, mut openapi) = api().split_for_parts();
    docs::complete(&mut openapi);
    let no_store = header_layer(header::CACHE_CONTROL, "no-store");
    routes
        .route("/metrics", get(health::metrics))
        // Providers of mail and SMS, which prove themselves by a signature or a token of their own.
        .route("/api/v1/webhooks/{provider}", post(webhooks::receive))
        .merge(docs::pages(openapi))
        // People who follow the link of a mail.
        .merge(pages::routes())
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(conditional::conditional))
        .layer(middleware::from_fn_with_state(app.clone(), observe::observe))
        // An archive is compressed already, and its length is to be told.
        .layer(
            CompressionLayer::new()
                .compress_when(DefaultPredicate::new().and(NotForContentType::const_new("application/zip"))),
        )
        .layer(cors(&app.cors_origins))
        .layer(no_store)
        .layer(header_layer(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header_layer(header::X_FRAME_OPTIONS, "DENY"))
        .layer(header_layer(header::REFERRER_POLICY, "no-referrer"))
        .layer(header_layer(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
             connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ))
        .with_state(app)
}

fn header_layer(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// Browsers may call from the configured frontends only.
fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static(TRACEPARENT),
            HeaderName::from_static("x-request-id"),
        ])
        .expose_headers([
            header::ETAG,
            header::LOCATION,
            header::RETRY_AFTER,
            HeaderName::from_static("idempotency-replayed"),
            HeaderName::from_static(TRACEPARENT),
            HeaderName::from_static("x-request-id"),
        ])
        .max_age(Duration::from_mins(10))
}

/// A panic is a defect of ours: logged by the panic hook, answered like any internal error.
fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    ApiError::Domain(permanence_domain::Error::internal("a handler panicked")).into_response()
}
