//! The jobs of files and pictures. What looks into a picture runs in a pool that holds no key: it reads what strangers made. What
//! clears away does not wait behind it.

use std::time::Duration;

use permanence_queue::{Backoff, Job, Retention};
use serde::{Deserialize, Serialize};

use crate::ids::{FileId, ImageId};

/// Removes the object of a file that was retracted and belongs to no patient.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ClearFile {
    /// The file.
    pub file_id: FileId,
}

impl Job for ClearFile {
    const KIND: &'static str = "files.clear_file";
    const QUEUE: &'static str = "privacy";
    const TIMEOUT: Duration = Duration::from_mins(1);
    const BACKOFF: Backoff = Backoff::exponential(Duration::from_secs(5), Duration::from_hours(1));
}

/// Looks into a picture that was sent, makes its thumbnail, and has it available or refused.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct TakeImage {
    /// The picture.
    pub image_id: ImageId,
}

impl Job for TakeImage {
    const KIND: &'static str = "files.take_image";
    const QUEUE: &'static str = "stock";
    const TIMEOUT: Duration = Duration::from_mins(2);
    const BACKOFF: Backoff = Backoff::exponential(Duration::from_secs(5), Duration::from_mins(30));
}

/// Removes the objects of a picture that nobody is led to any more.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ClearImage {
    /// The picture.
    pub image_id: ImageId,
}

impl Job for ClearImage {
    const KIND: &'static str = "files.clear_image";
    const QUEUE: &'static str = "privacy";
    const TIMEOUT: Duration = Duration::from_mins(1);
    const BACKOFF: Backoff = Backoff::exponential(Duration::from_secs(5), Duration::from_hours(1));
}

/// Gives up pictures that were never sent or never looked at, and finds objects that no job will remove.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SweepImages {}

impl Job for SweepImages {
    const KIND: &'static str = "files.sweep_images";
    const QUEUE: &'static str = "privacy";
    const TIMEOUT: Duration = Duration::from_mins(5);
    const RETENTION: Retention = Retention::Week;
}
