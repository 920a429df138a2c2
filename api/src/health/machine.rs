//! The machine that this process runs on: its disks, processors and memory. It measures and judges nothing.

use std::{collections::BTreeMap, thread};

use serde::Serialize;
use sysinfo::{Disks, MINIMUM_CPU_UPDATE_INTERVAL, System};
use utoipa::ToSchema;

/// A disk.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Disk {
    /// Where it is mounted.
    pub(crate) mount: String,
    /// Its size, bytes.
    pub(crate) total_bytes: u64,
    /// What is free, bytes.
    pub(crate) available_bytes: u64,
    /// What is used, percent.
    pub(crate) used_percent: f64,
}

/// The processors.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Cpu {
    /// How many there are.
    pub(crate) cores: usize,
    /// How busy all of them were while it was measured, percent.
    pub(crate) used_percent: f64,
    /// Processes that ran or waited to, on average over the last minute.
    pub(crate) load_1m: f64,
    /// The same over the last five minutes.
    pub(crate) load_5m: f64,
}

/// The memory.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Memory {
    /// Of the machine, or what the container may have, bytes.
    pub(crate) total_bytes: u64,
    /// What is used, bytes.
    pub(crate) used_bytes: u64,
    /// What is used, percent.
    pub(crate) used_percent: f64,
}

#[expect(clippy::cast_precision_loss, reason = "a share in percent; no size of ours is beyond it")]
pub(crate) fn percent(used: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { used as f64 * 100.0 / total as f64 }
}

/// The disks, each once however often it is mounted, the fullest first. It may wait for a disk that does not answer.
pub(crate) fn disks() -> Vec<Disk> {
    let mut by_device = BTreeMap::new();
    for disk in &Disks::new_with_refreshed_list() {
        let (total, available) = (disk.total_space(), disk.available_space());
        if total > 0 {
            by_device.entry((disk.name().to_owned(), total)).or_insert(Disk {
                mount: disk.mount_point().display().to_string(),
                total_bytes: total,
                available_bytes: available,
                used_percent: percent(total.saturating_sub(available), total),
            });
        }
    }
    let mut disks: Vec<Disk> = by_device.into_values().collect();
    disks.sort_by(|a, b| b.used_percent.total_cmp(&a.used_percent));
    disks
}

/// The processors, over a fifth of a second.
pub(crate) fn cpu() -> Cpu {
    let mut system = System::new();
    system.refresh_cpu_usage();
    thread::sleep(MINIMUM_CPU_UPDATE_INTERVAL);
    system.refresh_cpu_usage();
    let load = System::load_average();
    Cpu {
        cores: system.cpus().len(),
        used_percent: f64::from(system.global_cpu_usage()),
        load_1m: load.one,
        load_5m: load.five,
    }
}

/// The memory.
pub(crate) fn memory() -> Memory {
    let mut system = System::new();
    system.refresh_memory();
    let (total, used) = match system.cgroup_limits() {
        Some(limits) if limits.total_memory > 0 && limits.total_memory < system.total_memory() => {
            (limits.total_memory, limits.total_memory.saturating_sub(limits.free_memory))
        }
        _ => (system.total_memory(), system.total_memory().saturating_sub(system.available_memory())),
    };
    Memory { total_bytes: total, used_bytes: used, used_percent: percent(used, total) }
}
