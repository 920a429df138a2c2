//! `permanence jobs …`.

use clap::{Args, Subcommand};
use deserr::Deserr;
use permanence_domain::{
    Invalid,
    db::Db,
    operations::{self, JobQuery, JobState, JobsTx, RetryJobs},
};
use serde_json::{Map, Value};

use super::{
    Refusal, begin,
    print::{self, instant, or_dash},
};

/// What may be wanted of jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// Jobs, live and ended, the newest first
    List {
        #[command(flatten)]
        filter: Filter,
        /// scheduled, available, running, retryable, completed, cancelled or discarded
        #[arg(long)]
        state: Option<String>,
        /// Only those before this one: the last number of the page before
        #[arg(long, value_name = "ID")]
        before: Option<String>,
        /// Rows, 1 to 100; 50 unless said otherwise
        #[arg(long, value_name = "N")]
        limit: Option<String>,
    },
    /// One job, with its failed attempts
    Show {
        /// The job's number
        id: i64,
    },
    /// Bring a discarded or cancelled job back to life, with all its attempts
    Retry {
        /// The job's number
        id: i64,
    },
    /// Bring discarded jobs back to life, the oldest first, at most 1,000; the times are those of their end
    RetryAll {
        #[command(flatten)]
        filter: Filter,
        /// Jobs whose last attempt failed with this code
        #[arg(long)]
        code: Option<String>,
    },
    /// Take a waiting job back, or ask a running one to stop; what has ended stays as it is
    Cancel {
        /// The job's number
        id: i64,
    },
    /// End a waiting job for good
    Discard {
        /// The job's number
        id: i64,
    },
}

/// Which jobs; the domain reads the values, by the rules of the API.
#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// Jobs of one queue
    #[arg(long)]
    queue: Option<String>,
    /// Jobs of one kind, such as `notifications.send_message`
    #[arg(long)]
    kind: Option<String>,
    /// Jobs of one tenant
    #[arg(long, value_name = "UUID")]
    tenant: Option<String>,
    /// Enqueued then or later, such as 2027-03-15T13:30:00Z
    #[arg(long, value_name = "INSTANT")]
    since: Option<String>,
    /// Enqueued before
    #[arg(long, value_name = "INSTANT")]
    until: Option<String>,
}

impl Filter {
    fn read<T: Deserr<Invalid>>(self, more: [(&str, Option<String>); 3]) -> Result<T, Refusal> {
        let own = [
            ("queue", self.queue),
            ("kind", self.kind),
            ("tenant_id", self.tenant),
            ("since", self.since),
            ("until", self.until),
        ];
        let given: Map<String, Value> = own
            .into_iter()
            .chain(more)
            .filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))))
            .collect();
        deserr::deserialize(Value::Object(given)).map_err(Refusal::Usage)
    }
}

pub(super) async fn run(db: &Db, command: JobsCommand, json: bool) -> Result<(), Refusal> {
    let mut tx = JobsTx::All(begin(db).await?);
    let id = match command {
        JobsCommand::List { filter, state, before, limit } => {
            let query: JobQuery = filter.read([("state", state), ("before", before), ("limit", limit)])?;
            let jobs = operations::list_jobs(&mut tx, &query).await?;
            tx.commit().await?;
            return print::answer(json, &jobs, || table(&jobs.items));
        }
        JobsCommand::RetryAll { filter, code } => {
            let request: RetryJobs = filter.read([("code", code), ("", None), ("", None)])?;
            let (tx, retried) = operations::retry_jobs(tx, &request).await?;
            tx.commit().await?;
            return print::answer(json, &retried, || print::numbers("retried", &retried.ids));
        }
        JobsCommand::Retry { id } => {
            tx = JobsTx::All(operations::retry_job(tx, id).await?);
            id
        }
        JobsCommand::Cancel { id } => {
            operations::cancel_job(&mut tx, id).await?;
            id
        }
        JobsCommand::Discard { id } => {
            operations::discard_job(&mut tx, id).await?;
            id
        }
        JobsCommand::Show { id } => id,
    };
    let job = operations::get_job(&mut tx, id).await?;
    tx.commit().await?;
    print::answer(json, &job, || sheet(&job))
}

fn table(jobs: &[JobState]) -> String {
    let head = ["ID", "STATE", "ATTEMPT", "ENQUEUED", "DUE", "QUEUE", "KIND", "TENANT"];
    let rows = jobs.iter().map(|job| {
        vec![
            job.id.to_string(),
            job.state.clone(),
            format!("{}/{}", job.attempt, job.max_attempts),
            instant(Some(job.enqueued_at)),
            instant(Some(job.run_at)),
            job.queue.clone(),
            job.kind.clone(),
            or_dash(job.tenant_id),
        ]
    });
    print::table(&head, rows)
}

fn sheet(job: &JobState) -> String {
    let progress = job.progress.map(|progress| match progress.total {
        Some(total) => format!("{} of {total}", progress.done),
        None => progress.done.to_string(),
    });
    let mut rows = vec![
        ("id", job.id.to_string()),
        ("state", job.state.clone()),
        ("queue", job.queue.clone()),
        ("kind", job.kind.clone()),
        ("tenant", or_dash(job.tenant_id)),
        ("attempt", format!("{}/{}", job.attempt, job.max_attempts)),
        ("enqueued", instant(Some(job.enqueued_at))),
        ("due", instant(Some(job.run_at))),
        ("started", instant(job.started_at)),
        ("finished", instant(job.finished_at)),
        ("progress", or_dash(progress)),
        ("output", or_dash(job.output.as_ref())),
    ];
    for error in job.errors.as_array().into_iter().flatten() {
        let text = |name: &str| error[name].as_str().unwrap_or_default();
        rows.push(("error", format!("{} {}: {}", text("at"), text("code"), text("message"))));
    }
    print::sheet(rows)
}
