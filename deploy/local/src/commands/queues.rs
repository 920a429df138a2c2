//! `permanence queues …`.

use clap::Subcommand;
use permanence_domain::{
    db::Db,
    operations::{self, QueueLimits, QueueState},
};
use permanence_workers::process::QUEUES;

use super::{
    JobsCommand, Refusal, begin,
    print::{self, or_dash, seconds},
};

/// What may be wanted of the queues.
#[derive(Debug, Subcommand)]
pub(crate) enum QueuesCommand {
    /// Every queue: its jobs by state, its workers and what they do
    List,
    /// One queue
    Show {
        /// The queue
        name: String,
    },
    /// Let no worker claim from a queue until it is resumed; jobs that run go on
    Pause {
        /// The queue
        name: String,
    },
    /// Let the workers claim again
    Resume {
        /// The queue
        name: String,
    },
    /// Limit how many jobs of a queue run at once, over all its workers; what is left out is unlimited
    Limit {
        /// The queue
        name: String,
        /// Of the whole queue
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
        running: Option<i32>,
        /// Of each tenant
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
        running_per_tenant: Option<i32>,
    },
    /// The jobs in them, as `permanence jobs`
    #[command(subcommand)]
    Jobs(JobsCommand),
}

pub(super) async fn run(db: &Db, command: QueuesCommand, json: bool) -> Result<(), Refusal> {
    let mut tx = begin(db).await?;
    let name = match command {
        QueuesCommand::List | QueuesCommand::Jobs(_) => {
            let queues = operations::list_queues(&mut tx).await?;
            tx.commit().await?;
            return print::answer(json, &queues, || table(&queues));
        }
        QueuesCommand::Show { name } => name,
        QueuesCommand::Pause { name } => {
            operations::pause_queue(&mut tx, &name).await?;
            name
        }
        QueuesCommand::Resume { name } => {
            operations::resume_queue(&mut tx, &name).await?;
            name
        }
        QueuesCommand::Limit { name, running, running_per_tenant } => {
            let limits = QueueLimits { max_running: running, max_running_per_tenant: running_per_tenant };
            operations::limit_queue(&mut tx, &name, limits).await?;
            name
        }
    };
    let queue = operations::get_queue(&mut tx, &name).await?;
    tx.commit().await?;
    print::answer(json, &queue, || table(std::slice::from_ref(&queue)))
}

const HEAD: [&str; 13] = [
    "QUEUE",
    "STATE",
    "AVAILABLE",
    "RUNNING",
    "SCHEDULED",
    "RETRYABLE",
    "OLDEST",
    "WORKERS",
    "STARTED/S",
    "FINISHED/S",
    "DISCARDED/24H",
    "LIMIT",
    "TENANT-LIMIT",
];

fn table(queues: &[QueueState]) -> String {
    let rows = queues.iter().map(|queue| {
        let served = QUEUES.iter().any(|served| served.name == queue.name);
        vec![
            queue.name.clone(),
            if queue.paused_at.is_some() { "paused" } else { "active" }.to_owned(),
            queue.available.to_string(),
            queue.running.to_string(),
            queue.scheduled.to_string(),
            queue.retryable.to_string(),
            seconds(queue.oldest_seconds),
            // A queue that no process of this release serves has none, and never will.
            if served || queue.workers > 0 { queue.workers.to_string() } else { "no pool".to_owned() },
            format!("{:.1}", queue.rate.started),
            format!("{:.1}", queue.rate.finished),
            queue.discarded_last_day.to_string(),
            or_dash(queue.max_running),
            or_dash(queue.max_running_per_tenant),
        ]
    });
    print::table(&HEAD, rows)
}
