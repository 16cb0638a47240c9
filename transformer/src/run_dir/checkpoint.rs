//! Several files saved as one: a kill at any moment leaves the old checkpoint or the new one, each whole.
//!
//! A checkpoint is weights, moments and `trainer.json`, which must be of the same step. They are saved in three phases:
//!
//! 1. **stage**: each file of tensors is written, whole and durable, beside the one that it will replace:
//!    `model.safetensors.step-500.next`, …
//! 2. **commit**: `trainer.json` is replaced, atomically. It says `"step": 500`: from this instant on the checkpoint
//!    of step 500 is the valid one.
//! 3. **settle**: each `….step-500.next` is renamed over its old file, and whatever else was left lying is removed.
//!
//! A kill in phase 1 leaves the old checkpoint untouched; a kill in phase 3 leaves files that `trainer.json` names by
//! its step, and resuming begins by settling them. (Databases call this a redo log with one commit record: C. Mohan
//! et al., "ARIES", 1992.)

use super::metrics::Metrics;
use super::{BEST, MODEL, OPTIMIZER, RunDir, TRAINER};
use crate::data::large;
use crate::error::{Error, Result};
use crate::files::{self, TEMPORARY};
use crate::safetensors::{self, Named};
use crate::train::state::TrainerState;
use std::fs;
use std::path::PathBuf;

/// The ending of a staged file.
const NEXT: &str = ".next";

/// The files of tensors that make a checkpoint, with `trainer.json`.
const TENSORS: [&str; 3] = [MODEL, BEST, OPTIMIZER];

/// What is saved at a checkpoint.
#[derive(Debug, Clone, Copy)]
pub struct Checkpoint<'a> {
    /// Everything that is not a tensor; its `step` is the checkpoint's name.
    pub state: &'a TrainerState,
    /// The weights.
    pub model: &'a [Named<'a>],
    /// The optimiser's moments.
    pub optimizer: &'a [Named<'a>],
    /// Whether these weights are the best so far, to be kept as such too.
    pub is_best: bool,
}

impl RunDir {
    /// Saves a checkpoint. The metrics up to it are made durable first, so that none is missing when the run resumes.
    ///
    /// # Errors
    /// If the disk is full or the directory cannot be written; the checkpoint before this one is then intact.
    pub fn save(&self, checkpoint: &Checkpoint, metrics: &mut Metrics) -> Result<()> {
        metrics.sync()?;
        if let Err(error) = self.stage(checkpoint) {
            let _ = self.clear_unfinished(); // gives its space back; the first error is the one to report
            return Err(error);
        }
        self.commit(checkpoint.state)?;
        self.settle(checkpoint.state.step)
    }

    fn staged(&self, name: &str, step: usize) -> PathBuf {
        self.file(&format!("{name}.step-{step}{NEXT}"))
    }

    /// Phase 1. A staged file is whole whenever it has its name, for it is itself written atomically.
    pub(super) fn stage(&self, checkpoint: &Checkpoint) -> Result<()> {
        let step = checkpoint.state.step;
        let vocabulary = self.vocabulary();
        let save =
            |name| safetensors::save_for(&self.staged(name, step), checkpoint.model, vocabulary.as_deref());
        save(MODEL)?;
        safetensors::save(&self.staged(OPTIMIZER, step), checkpoint.optimizer)?;
        if checkpoint.is_best {
            save(BEST)?;
        }
        Ok(())
    }

    /// Phase 2.
    pub(super) fn commit(&self, state: &TrainerState) -> Result<()> {
        files::write_json(&self.file(TRAINER), state)
    }

    /// Phase 3.
    pub(super) fn settle(&self, step: usize) -> Result<()> {
        for name in TENSORS {
            let staged = self.staged(name, step);
            if staged.exists() {
                files::rename(&staged, &self.file(name))?;
            }
        }
        files::sync_directory(&self.file(MODEL))?;
        self.clear_unfinished()
    }

    /// Removes staged and temporary files: those of a checkpoint that was never committed.
    pub(super) fn clear_unfinished(&self) -> Result<()> {
        let unreadable = |error| Error::io("read", self.path(), &error);
        for entry in fs::read_dir(self.path()).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
            let ours = super::ALL.iter().chain(&large::KEPT).any(|file| name.starts_with(file));
            if ours && (name.ends_with(NEXT) || name.ends_with(TEMPORARY)) {
                files::remove(&self.file(&name))?;
            }
        }
        Ok(())
    }
}
