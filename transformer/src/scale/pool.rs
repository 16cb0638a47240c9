//! Several runs side by side, each on one thread: better use of two cores than one small run on both.

use crate::error::Result;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Calls `work(job)` for each job, in order, on up to `threads` threads; the first error ends it after the jobs that
/// run. The kernels must have been told to use one thread.
///
/// # Errors
/// The first one.
pub fn for_each<J: Sync>(jobs: &[J], threads: usize, work: impl Fn(&J) -> Result<()> + Sync) -> Result<()> {
    let (next, failed, error) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(Ok(())));
    thread::scope(|scope| {
        for _ in 0..threads.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                while !failed.load(Ordering::Relaxed) {
                    let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
                    if let Err(found) = work(job) {
                        failed.store(true, Ordering::Relaxed);
                        let mut error = error.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                        *error = std::mem::replace(&mut *error, Ok(())).and(Err(found));
                    }
                }
            });
        }
    });
    error.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner())
}
