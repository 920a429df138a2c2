//! One process per data folder, by a file lock that the system releases however the holder ends.
//! It never waits for a process that is alive: that one is named in the error.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Error;

/// How long the watchdog of a dead process may take to stop its server.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// Takes the lock of `data`. The watchdog shares it, so it is free only once the server of a dead process is gone.
pub(super) fn acquire(path: &Path, data: &Path) -> Result<File, Error> {
    let doing = || format!("lock {}", path.display());
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(Error::io(doing()))?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::Error(error)) => return Err(Error::io(doing())(error)),
            Err(TryLockError::WouldBlock) => {
                let holder = read_holder(&mut file).map_err(Error::io(doing()))?;
                // Our own number means a handle dropped without `stop`, whose watchdog is at work.
                let ending = holder == std::process::id() || !is_alive(holder);
                if !ending || Instant::now() > deadline {
                    return Err(Error::InUse { path: data.to_owned(), pid: holder });
                }
                std::thread::sleep(PAUSE);
            }
        }
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(Error::io(doing()))?;
    Ok(file)
}

fn read_holder(file: &mut File) -> std::io::Result<u32> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    // Empty between the lock and the write of a process that is just starting: 0 is never alive, so we ask again.
    Ok(text.trim().parse().unwrap_or(0))
}

fn is_alive(pid: u32) -> bool {
    pid != 0
        && Command::new("/bin/sh")
            .args(["-c", "kill -0 \"$1\"", "sh", &pid.to_string()])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
}
