//! A worker process killed for real while it writes.

use std::sync::Arc;

use chrono_tz::Tz;
use permanence_domain::{
    clock::{Clock, SimulatedClock, SystemClock},
    exports::{ExportFormat, ExportKind, ExportStatus},
};
use permanence_embedded::storage::StorageFault;

use super::{ask, count, noted, objects, of, until, uploads};
use crate::support::World;

const POOL: &str = env!("CARGO_BIN_EXE_exports");

#[tokio::test]
async fn a_killed_workers_export_is_written_anew_and_nothing_of_the_first_is_left() {
    let clock = Arc::new(SystemClock);
    let world = World::with_clock(Arc::new(SimulatedClock::at(clock.now())), clock.clone(), Tz::UTC).await;
    world.objects.faults().always(StorageFault::HoldAt("upload_part"));
    let export = ask(&world, &of(ExportKind::Patients, ExportFormat::Zip, None)).await;
    let mut worker = world.start(POOL);
    count("noted uploads", 1, async || noted(&world).await).await;
    until(&world, export.id, ExportStatus::Running).await;
    worker.kill().expect("killed");
    worker.wait().expect("gone");
    assert_eq!(uploads(&world).await, 1, "the dead one's");

    world.objects.faults().clear();
    let mut rescuer = world.start(POOL);
    let export = until(&world, export.id, ExportStatus::Completed).await;
    rescuer.kill().expect("killed");
    rescuer.wait().expect("gone");
    assert_eq!(export.rows, Some(1));
    assert_eq!((objects(&world), uploads(&world).await), (1, 0));
}
