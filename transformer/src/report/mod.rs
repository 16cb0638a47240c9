//! `report.html`: a training run as a page, or several runs side by side. One file, offline, made from what the runs have
//! written.
//!
//! | from              | the page shows                                                     |
//! |-------------------|--------------------------------------------------------------------|
//! | `metrics.jsonl`   | loss, learning rate, gradient norm, tokens per second              |
//! | `layers.jsonl`    | gradients and updates layer by layer; the first gradients          |
//! | `snapshots.jsonl` | samples, and where each head looks, over the course of training    |
//! | `trainer.json`    | the configuration                                                  |
//!
//! Runs of older versions lack some of these files: the page says so and shows the rest.

mod attention;
mod curves;
mod page;
mod plot;
mod samples;
mod seen;
mod tables;

use crate::error::Result;
use crate::files::write_atomically;
use seen::{Seen, names};
use std::path::{Path, PathBuf};

/// Writes the page of one run, or of several to compare.
///
/// # Errors
/// If a directory holds no run, a file in it is damaged (the message names the line), or the page cannot be written.
pub fn write(runs: &[PathBuf], out: &Path) -> Result<()> {
    let page = html(runs)?;
    write_atomically(out, |file| file.write_all(page.as_bytes()))
}

/// The page as HTML.
///
/// # Errors
/// As [`write()`], except for the last.
pub fn html(runs: &[PathBuf]) -> Result<String> {
    let named = runs.iter().zip(names(runs));
    let seen: Vec<Seen> = named.map(|(path, name)| Seen::read(path, name)).collect::<Result<_>>()?;
    page::page(&seen)
}
