//! The object store's calls in their traces: which operation and how it ended, never the key of an object.

use aws_sdk_s3::config::{
    ConfigBag, Intercept, RuntimeComponents,
    interceptors::{BeforeSerializationInterceptorContextRef, FinalizerInterceptorContextRef},
};
use aws_smithy_runtime_api::{box_error::BoxError, client::orchestrator::Metadata};
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use permanence_queue::trace;
use tracing::{Span, field::Empty};

/// Opens a span for each call and closes it with the call, however many attempts it takes.
#[derive(Debug)]
pub(super) struct Traced;

#[derive(Debug)]
struct Call(Span);

impl Storable for Call {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Traced {
    fn name(&self) -> &'static str {
        "Traced"
    }

    fn read_before_execution(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = config.load::<Metadata>().map_or("unknown", Metadata::name);
        let span = tracing::info_span!(
            target: trace::SPANS,
            "object store",
            otel.name = format!("S3 {operation}"),
            otel.kind = "client",
            otel.status_code = Empty,
            rpc.system = "aws-api",
            rpc.method = operation,
        );
        config.interceptor_state().store_put(Call(span));
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let failed = context.output_or_error().is_some_and(|ended| ended.is_err());
        if let Some(Call(span)) = config.load::<Call>()
            && failed
        {
            span.record("otel.status_code", "ERROR");
        }
        config.interceptor_state().unset::<Call>();
        Ok(())
    }
}
