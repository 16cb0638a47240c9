//! How much memory the process has held at most, as Linux tells it.

use std::fs;

/// Starts the measurement of the peak anew, where the system can.
pub fn reset_peak_rss() {
    // Where it cannot be reset the peak is that of the whole process, which is larger, never smaller.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The largest resident memory of the process since the last reset, in MiB; `None` where the system does not tell.
pub fn peak_rss_mib() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}
