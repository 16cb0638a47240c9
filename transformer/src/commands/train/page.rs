//! `report.html`, written again as training goes on, but never for more than a hundredth of the time.

use crate::report;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The page of the run that is being trained.
pub struct Page {
    run: PathBuf,
    written: Option<(Instant, Duration)>,
}

impl Page {
    /// Of the run in this directory.
    pub fn of(run: &Path) -> Self {
        Page { run: run.to_path_buf(), written: None }
    }

    /// Writes it, if its cost is a hundredth of the time since it was written, or if it is `the_last`. Training does not
    /// depend on it: what went wrong is returned as a warning.
    pub fn refresh(&mut self, the_last: bool) -> Option<String> {
        let due = self.written.is_none_or(|(when, cost)| when.elapsed() > 100 * cost);
        if !due && !the_last {
            return None;
        }
        let begun = Instant::now();
        let written = report::write(std::slice::from_ref(&self.run), &self.run.join("report.html"));
        self.written = Some((Instant::now(), begun.elapsed()));
        written.err().map(|error| format!("warning: the report could not be written: {error}"))
    }
}
