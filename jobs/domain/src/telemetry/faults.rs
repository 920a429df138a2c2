//! Faults as they happen: events of [`trace::FAULTS`], with the ids of the request or job that they happened in. Only the facts that
//! are named here are read; a message, a header, a body or a value never is.

use std::panic;

use permanence_queue::trace;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    Layer,
    filter::{FilterFn, LevelFilter},
    layer::Context,
    registry::{LookupSpan, Scope},
};

use super::reports::{Facts, Reports};

/// What may be told of a fault, and under which name.
const FACTS: [(&str, &str); 12] = [
    ("fault", "fault"),
    ("code", "code"),
    ("location", "location"),
    ("status", "status"),
    ("method", "method"),
    ("route", "route"),
    ("request_id", "request_id"),
    ("trace_id", "trace_id"),
    ("kind", "kind"),
    ("queue", "queue"),
    ("id", "job_id"),
    ("attempt", "attempt"),
];

/// The spans of the log whose fields are facts of a fault within.
const PLACES: [&str; 2] = ["request", "job"];

/// Reports what happens.
pub(super) struct Faults(Reports);

impl Faults {
    pub(super) fn layer<S>(reports: Reports) -> impl Layer<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let ours = FilterFn::new(|metadata| {
            if metadata.is_event() {
                return metadata.target() == trace::FAULTS;
            }
            metadata.target().starts_with("permanence_") && PLACES.contains(&metadata.name())
        });
        Self(reports).with_filter(ours.with_max_level_hint(LevelFilter::INFO))
    }
}

/// Reports a panic by where it happened, after the hook that was there has told of it.
pub(super) fn report_panics() {
    let told = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        told(info);
        // The message may quote what was being handled, and so a person.
        let location = info.location().map(|at| format!("{}:{}", at.file(), at.line()));
        tracing::error!(target: trace::FAULTS, fault = "panic", location);
    }));
}

#[derive(Default)]
struct Reading(Facts);

impl Visit for Reading {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if let Some((_, name)) = FACTS.iter().find(|(known, _)| *known == field.name()) {
            self.0.insert((*name).to_owned(), format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Faults {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut reading = Reading::default();
            attributes.record(&mut reading);
            span.extensions_mut().insert(reading);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(reading) = span.extensions_mut().get_mut::<Reading>()
        {
            values.record(reading);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut facts = Reading::default();
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(place) = span.extensions().get::<Reading>() {
                facts.0.extend(place.0.clone());
            }
        }
        event.record(&mut facts);
        self.0.report(facts.0);
    }
}
