//! What the system says about processes: processor time, resident memory, room on disk. Linux; nothing elsewhere.

use std::fs;
use std::path::Path;

/// Clock ticks a second in `/proc`; 100 on every Linux in use.
const TICKS_PER_S: f64 = 100.0;

/// Processor seconds this process has used, in user and system mode.
pub(super) fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in parentheses, may hold anything; what follows does not.
    let (_, after) = stat.rsplit_once(')')?;
    let mut ticks = after.split_whitespace().skip(11);
    let user: f64 = ticks.next()?.parse().ok()?;
    let system: f64 = ticks.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_S)
}

/// Resident memory of process `id`, in MiB.
pub(super) fn resident_mib(id: u32) -> Option<f64> {
    let status = fs::read_to_string(Path::new("/proc").join(id.to_string()).join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}

/// Bytes of all files under a directory; zero where it is not there.
pub(super) fn bytes_under(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let mut sum = 0;
    for entry in entries.flatten() {
        let Ok(about) = entry.metadata() else { continue };
        sum += if about.is_dir() { bytes_under(&entry.path()) } else { about.len() };
    }
    sum
}
