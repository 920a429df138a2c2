//! What can go wrong, free of HTTP. The API maps it to problem+json in one place; internals are logged, never shown.

use std::{error::Error as StdError, fmt, ops::ControlFlow, time::Duration};

use deserr::{DeserializeError, ErrorKind, IntoValue, MergeWithError, ValueKind, ValuePointerRef};
use serde::Serialize;
use utoipa::ToSchema;

/// The result of a domain call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a domain call did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The resource does not exist, or belongs to another tenant: the two are never told apart.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// The caller is known and lacks this scope.
    #[error("missing scope {0}")]
    Forbidden(&'static str),
    /// The caller could not be identified; the code says how.
    #[error("not authenticated: {0}")]
    Unauthenticated(&'static str),
    /// It was tried too often: it may be tried again after a while.
    #[error("too many attempts")]
    TooMany {
        /// After how long.
        retry_after: Duration,
    },
    /// The request clashes with the present state.
    #[error("conflict: {code}")]
    Conflict {
        /// Stable code.
        code: &'static str,
        /// What clashes, in words for the caller.
        detail: String,
    },
    /// The idempotency key was used before, for another request.
    #[error("idempotency key reused")]
    KeyReused,
    /// The resource changed since the caller read it.
    #[error("{0} has changed")]
    Changed(&'static str),
    /// The input breaks a rule; all problems at once.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Something outside is away for the moment.
    #[error("{what} is unavailable")]
    Unavailable {
        /// What is away, such as `database`.
        what: &'static str,
        /// The cause, for the log.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A defect or a broken assumption, for the log only.
    #[error("internal: {0}")]
    Internal(#[source] Box<dyn StdError + Send + Sync>),
}

impl Error {
    /// A defect, with its cause for the log.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }

    /// A clash with the present state.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Conflict { code, detail: detail.into() }
    }

    /// One broken rule of one field.
    pub fn invalid(field: &str, code: &'static str, expected: impl Into<String>) -> Self {
        Self::Invalid(Invalid(vec![Problem::new(field, code, expected)]))
    }

    /// The name of the constraint that Postgres refused the statement for, if any.
    pub fn violated(error: &sqlx::Error) -> Option<&str> {
        error.as_database_error().and_then(sqlx::error::DatabaseError::constraint)
    }
}

/// Beginnings of the SQLSTATE codes of troubles that pass.
const TRANSIENT: [&str; 6] = ["57P", "08", "53300", "55P03", "57014", "40P01"];

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Tls(_) => Self::Unavailable { what: "database", source: error.into() },
            // 57P0x: the server is shutting down or starting; 08xxx: the connection broke; 53300: too many clients;
            // 55P03, 57014: a lock or the statement took too long; 40P01: a deadlock. All may go well a moment later.
            sqlx::Error::Database(cause)
                if cause
                    .code()
                    .is_some_and(|code| TRANSIENT.iter().any(|transient| code.starts_with(transient))) =>
            {
                Self::Unavailable { what: "database", source: error.into() }
            }
            _ => Self::Internal(error.into()),
        }
    }
}

impl From<permanence_queue::Error> for Error {
    fn from(error: permanence_queue::Error) -> Self {
        match error {
            permanence_queue::Error::Database(cause) => cause.into(),
            other => Self::Internal(other.into()),
        }
    }
}

/// Input that breaks rules: every problem found, in the order of the fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid(pub Vec<Problem>);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Fields and codes only: what was read may be personal and this text reaches the log.
        let list: Vec<_> = self.0.iter().map(|p| format!("{} {}", p.field, p.code)).collect();
        write!(f, "invalid input: {}", list.join(", "))
    }
}

impl StdError for Invalid {}

/// One field that breaks one rule.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Path of the field, such as `consents.sms`; `body` for the whole.
    pub field: String,
    /// Stable code, such as `missing`, `unknown_field`, `not_a_phone`.
    pub code: &'static str,
    /// What is expected, in words.
    pub expected: String,
    /// What was read, shortened; absent where it is missing or secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<String>,
}

/// Not what was read: the caller is told it, a log is not.
impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problem")
            .field("field", &self.field)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

impl Problem {
    /// A problem that does not show what was read.
    pub fn new(field: impl Into<String>, code: &'static str, expected: impl Into<String>) -> Self {
        Self { field: field.into(), code, expected: expected.into(), read: None }
    }

    /// Shows what was read, cut after 100 characters.
    #[must_use]
    pub fn read(mut self, read: impl fmt::Display) -> Self {
        let text = read.to_string();
        let cut: String = text.chars().take(100).collect();
        self.read = Some(if cut.len() < text.len() { cut + "…" } else { cut });
        self
    }
}

/// Collects the problems of rules that span fields.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Notes a problem.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Fails if any problem was noted.
    pub fn finish(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Invalid(self.0).into()) }
    }
}

fn path(location: ValuePointerRef<'_>) -> String {
    match location {
        ValuePointerRef::Origin => String::new(),
        ValuePointerRef::Key { key, prev } => match path(*prev) {
            parent if parent.is_empty() => key.to_owned(),
            parent => format!("{parent}.{key}"),
        },
        ValuePointerRef::Index { index, prev } => format!("{}[{index}]", path(*prev)),
    }
}

/// The path of the value at this place; `body` for the whole.
pub(crate) fn field_at(location: ValuePointerRef<'_>) -> String {
    match path(location) {
        whole if whole.is_empty() => "body".to_owned(),
        field => field,
    }
}

/// The path of a field of the object at this place.
pub(crate) fn child(location: ValuePointerRef<'_>, key: &str) -> String {
    match path(location) {
        parent if parent.is_empty() => key.to_owned(),
        parent => format!("{parent}.{key}"),
    }
}

fn kinds(accepted: &[ValueKind]) -> String {
    let mut words: Vec<&str> = accepted
        .iter()
        .map(|kind| match kind {
            ValueKind::Null => "null",
            ValueKind::Boolean => "a boolean",
            ValueKind::Integer | ValueKind::NegativeInteger => "an integer",
            ValueKind::Float => "a number",
            ValueKind::String => "a string",
            ValueKind::Sequence => "an array",
            ValueKind::Map => "an object",
        })
        .collect();
    words.dedup();
    words.join(" or ")
}

impl MergeWithError<Self> for Invalid {
    fn merge(own: Option<Self>, other: Self, _: ValuePointerRef<'_>) -> ControlFlow<Self, Self> {
        let mut all = own.map_or_else(Vec::new, |Invalid(problems)| problems);
        all.extend(other.0);
        ControlFlow::Continue(Self(all))
    }
}

/// A value that is well formed and breaks a rule: the location is known only where the value is merged.
impl MergeWithError<Problem> for Invalid {
    fn merge(
        own: Option<Self>,
        mut other: Problem,
        location: ValuePointerRef<'_>,
    ) -> ControlFlow<Self, Self> {
        other.field = field_at(location);
        Self::merge(own, Self(vec![other]), location)
    }
}

impl DeserializeError for Invalid {
    fn error<V: IntoValue>(
        own: Option<Self>,
        error: ErrorKind<'_, V>,
        location: ValuePointerRef<'_>,
    ) -> ControlFlow<Self, Self> {
        let problem = match error {
            ErrorKind::IncorrectValueKind { actual, accepted } => {
                Problem::new(field_at(location), "wrong_type", kinds(accepted)).read(kinds(&[actual.kind()]))
            }
            ErrorKind::MissingField { field } => Problem::new(child(location, field), "missing", "a value"),
            ErrorKind::UnknownKey { key, accepted } => Problem::new(
                child(location, key),
                "unknown_field",
                format!("one of the fields {}", accepted.join(", ")),
            ),
            ErrorKind::UnknownValue { value, accepted } => {
                Problem::new(field_at(location), "unknown_value", format!("one of {}", accepted.join(", ")))
                    .read(value)
            }
            ErrorKind::BadSequenceLen { expected, .. } => {
                Problem::new(field_at(location), "wrong_length", format!("{expected} elements"))
            }
            ErrorKind::Unexpected { msg } => Problem::new(field_at(location), "malformed", msg),
        };
        Self::merge(own, Self(vec![problem]), location)
    }
}
