//! What a run has written about itself, read and checked.

use crate::data::tokenizer::Tokenizer;
use crate::error::{Error, Result};
use crate::model::ModelConfig;
use crate::run_dir::RunDir;
use crate::run_dir::lines::Line;
use crate::run_dir::metrics::Measurement;
use crate::train::layers::LayersLine;
use crate::train::snapshot::Snapshot;
use crate::train::state::TrainerState;
use std::path::{Path, PathBuf};

/// A run as the page sees it.
pub struct Seen {
    /// By which it is told from the others.
    pub name: String,
    /// The shape of its model.
    pub model: ModelConfig,
    /// What turns its ids into text.
    pub tokenizer: Tokenizer,
    /// Its configuration, its text and its lowest estimate of the validation loss.
    pub state: TrainerState,
    /// A line of figures after the other.
    pub metrics: Vec<Measurement>,
    /// The same by layer; nothing where the run has no such file.
    pub layers: Option<Vec<LayersLine>>,
    /// Samples and attention; nothing where the run has no such file.
    pub snapshots: Option<Vec<Snapshot>>,
}

/// A name for each run: the last part of its path, and as many before it as tell it from the others.
pub fn names(paths: &[PathBuf]) -> Vec<String> {
    let whole: Vec<PathBuf> =
        paths.iter().map(|path| path.canonicalize().unwrap_or_else(|_| path.clone())).collect();
    let last = |path: &Path, n: usize| -> PathBuf {
        path.components().skip(path.components().count().saturating_sub(n)).collect()
    };
    let name = |path: &PathBuf| {
        let alone = |n: &usize| whole.iter().filter(|other| last(other, *n) == last(path, *n)).count() == 1;
        let n = (1..=path.components().count()).find(alone).unwrap_or(1); // the same run twice has one name
        last(path, n).display().to_string()
    };
    whole.iter().map(name).collect()
}

impl Seen {
    /// Reads a run, which is called by that name.
    ///
    /// # Errors
    /// If it is none, or a file is missing or damaged: the message names the file and the line.
    pub fn read(path: &Path, name: String) -> Result<Seen> {
        let run = RunDir::open(path)?;
        let (model, tokenizer) = run.description()?;
        if !run.has_lines::<Measurement>() {
            return Err(Error::new("this run has no metrics.jsonl: it was not trained here")
                .in_file(path)
                .way_out("name a run that `transformer train` has made"));
        }
        let snapshots: Option<Vec<Snapshot>> = lines_of(&run)?;
        for (i, snapshot) in snapshots.iter().flatten().enumerate() {
            check(snapshot, &model).map_err(|error| {
                error
                    .in_file(path.join(Snapshot::FILE))
                    .at(format!("line {}", i + 1))
                    .way_out("remove the line, or the whole file; no checkpoint depends on it")
            })?;
        }
        Ok(Seen {
            name,
            model,
            tokenizer,
            state: run.trainer_state()?,
            metrics: run.measurements()?,
            layers: lines_of(&run)?,
            snapshots,
        })
    }

    /// The text of some ids; a model may have more than its tokenizer has tokens, which have none.
    pub fn text(&self, ids: &[usize]) -> String {
        let known = |id: &usize| *id < self.tokenizer.vocab_size();
        self.tokenizer.decode(&ids.iter().copied().filter(known).collect::<Vec<_>>())
    }

    /// The text of one id, or nothing.
    pub fn token(&self, id: usize) -> String {
        if id < self.tokenizer.vocab_size() { self.tokenizer.token(id) } else { String::new() }
    }

    /// The last figures.
    pub fn last(&self) -> Option<&Measurement> {
        self.metrics.last()
    }

    /// The last validation loss, in nats per token, and its step.
    pub fn last_validation(&self) -> Option<(usize, f64)> {
        self.metrics.iter().rev().find_map(|line| line.val_loss.map(|loss| (line.step, loss)))
    }

    /// The entropy of the text, where it is known.
    pub fn floor(&self) -> Option<f64> {
        self.metrics.iter().find_map(|line| line.floor)
    }

    /// ln V, the loss of who guesses among all tokens alike.
    pub fn guessing(&self) -> f64 {
        (self.model.vocab_size as f64).ln()
    }

    /// The middle of the speeds, in tokens per second.
    pub fn speed(&self) -> Option<f64> {
        let mut speeds: Vec<f64> = self.metrics.iter().map(|line| line.tokens_per_second).collect();
        speeds.sort_by(f64::total_cmp);
        speeds.get(speeds.len() / 2).copied()
    }
}

fn lines_of<L: Line>(run: &RunDir) -> Result<Option<Vec<L>>> {
    run.has_lines::<L>().then(|| run.lines()).transpose()
}

/// Checks what the page relies on.
fn check(snapshot: &Snapshot, model: &ModelConfig) -> Result<()> {
    for (field, ids) in [("sample", &snapshot.sample), ("prompt", &snapshot.prompt)] {
        if let Some(id) = ids.iter().find(|&&id| id >= model.vocab_size) {
            return Err(Error::new(format!(
                "`{field}` has the id {id}, but the model only {} tokens",
                model.vocab_size
            )));
        }
    }
    let whole = snapshot.attention.len() == model.n_layer
        && snapshot.attention.iter().all(|heads| heads.len() == model.n_head);
    let maps = || (0..model.n_layer).flat_map(|layer| (0..model.n_head).map(move |head| (layer, head)));
    if whole && maps().all(|(layer, head)| snapshot.map(layer, head).is_some()) {
        return Ok(());
    }
    Err(Error::new(format!(
        "`attention` is not a map of {} tokens for each of {} heads in {} layers",
        snapshot.prompt.len(),
        model.n_head,
        model.n_layer
    )))
}
