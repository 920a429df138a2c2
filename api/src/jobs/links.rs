//! Where a caller goes on from a job: itself, its changes, and what this caller may do to it as it stands.

use permanence_domain::{
    identity::{Role, Scope},
    operations::{JobAction, JobState, Jobs},
};
use serde::Serialize;
use utoipa::ToSchema;

/// A place to go on to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Link {
    /// The path, from the root of this host.
    href: String,
    /// The method to call it with.
    #[schema(example = "POST")]
    method: &'static str,
}

impl Link {
    /// A place to read.
    pub(crate) fn get(href: String) -> Self {
        Self { href, method: "GET" }
    }
}

/// Where to go on from a job. An action is absent where the job's state or the caller's scopes do not allow it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Links {
    /// The job.
    #[serde(rename = "self")]
    this: Link,
    /// Its changes, as server-sent events.
    events: Link,
    /// Takes it back, or asks it to stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel: Option<Link>,
    /// Brings it back to life.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<Link>,
    /// Ends it for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    discard: Option<Link>,
}

/// A job, and where to go on from it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LinkedJob {
    #[serde(flatten)]
    job: JobState,
    /// Where to go on.
    links: Links,
}

/// A page of jobs, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LinkedJobs {
    /// The jobs.
    items: Vec<LinkedJob>,
    /// Give it as `before` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
}

impl LinkedJob {
    /// The job as this role may go on from it.
    pub(crate) fn of(job: JobState, role: Role) -> Self {
        let path = format!("/api/v1/jobs/{}", job.id);
        let actions = if role.may(Scope::JobsWrite) { job.actions() } else { &[] };
        let action = |action: JobAction, name: &str| {
            actions.contains(&action).then(|| Link { href: format!("{path}/{name}"), method: "POST" })
        };
        let links = Links {
            cancel: action(JobAction::Cancel, "cancel"),
            retry: action(JobAction::Retry, "retry"),
            discard: action(JobAction::Discard, "discard"),
            events: Link::get(format!("{path}/events")),
            this: Link::get(path),
        };
        Self { job, links }
    }

    /// Whether nothing more will happen to it by itself.
    pub(crate) fn is_over(&self) -> bool {
        self.job.is_over()
    }
}

impl LinkedJobs {
    /// The page as this role may go on from it.
    pub(crate) fn of(jobs: Jobs, role: Role) -> Self {
        let items = jobs.items.into_iter().map(|job| LinkedJob::of(job, role)).collect();
        Self { items, next: jobs.next }
    }
}
