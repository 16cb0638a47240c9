//! Ctrl-C, and SIGTERM, by which clusters end a job: the update that runs is finished and saved.

use crate::commands::out::warn;
use crate::error::{Error, Result};
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit code of an end by Ctrl-C, as the shell numbers it.
const BY_CTRL_C: i32 = 130;

/// Whether an end has been asked for.
pub struct Stop {
    /// Set from then on.
    pub asked: Arc<AtomicBool>,
    by_ctrl_c: Arc<AtomicBool>,
}

impl Stop {
    /// Ctrl-C asks for an end after the update that runs, and a second one ends at once. SIGTERM asks as well.
    ///
    /// # Errors
    /// If the signals cannot be caught.
    pub fn when_asked() -> Result<Self> {
        let stop = Stop { asked: Arc::default(), by_ctrl_c: Arc::default() };
        let (asked, by_ctrl_c) = (Arc::clone(&stop.asked), Arc::clone(&stop.by_ctrl_c));
        ctrlc::set_handler(move || {
            by_ctrl_c.store(true, Ordering::Relaxed);
            if asked.swap(true, Ordering::Relaxed) {
                exit(BY_CTRL_C);
            }
            warn("\nfinishing this step and saving; Ctrl-C again ends at once");
        })
        .map_err(|error| Error::new(format!("Ctrl-C cannot be caught: {error}")))?;
        #[cfg(unix)]
        signal_hook::flag::register(signal_hook::consts::SIGTERM, Arc::clone(&stop.asked))
            .map_err(|error| Error::new(format!("SIGTERM cannot be caught: {error}")))?;
        Ok(stop)
    }

    /// Ends the program as a shell expects it after Ctrl-C, if that was how it was asked.
    pub fn exit_if_by_ctrl_c(&self) {
        if self.by_ctrl_c.load(Ordering::Relaxed) {
            exit(BY_CTRL_C);
        }
    }
}
