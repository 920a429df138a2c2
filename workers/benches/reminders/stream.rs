//! Reminders as they come on a busy day: ten a second for a minute, by one process of the pool.

use chrono::Duration;
use permanence_embedded::bench::BenchServer;
use permanence_queue::clock::{Clock, SystemClock};

use crate::{platform::Platform, practice, quantile};

const PRACTICES: usize = 20;
const PER_SECOND: usize = 10;
const SECONDS: usize = 60;

pub(crate) async fn run(server: &BenchServer) {
    let platform = Platform::start(server).await;
    let mut worker = platform.worker();
    let begin = SystemClock.now() + Duration::seconds(10);
    let each = PER_SECOND * SECONDS / PRACTICES;
    for n in 0..PRACTICES {
        let tenant = practice::found(&platform, &format!("Cabinet {n}")).await;
        let starts = vec![begin + Duration::hours(24); each];
        let appointments = practice::fill(&platform, tenant, n * each, &starts).await;
        // Each practice's turn comes every two seconds.
        let at = |place: usize| i64::try_from((place * PRACTICES + n) * 1_000 / PER_SECOND).unwrap();
        let due: Vec<_> = appointments
            .into_iter()
            .enumerate()
            .map(|(place, id)| (id, begin + Duration::milliseconds(at(place))))
            .collect();
        practice::plan(&platform, tenant, &due).await;
    }
    platform.until_sent().await;
    worker.kill().unwrap();
    worker.wait().unwrap();
    let late = platform.lateness().await;
    println!(
        "stream of {PER_SECOND}/s for {SECONDS} s, one process: lateness p50 {:.3}, p99 {:.3}, most {:.3} s",
        quantile(&late, 0.5),
        quantile(&late, 0.99),
        quantile(&late, 1.0)
    );
    platform.stop(server).await;
}
