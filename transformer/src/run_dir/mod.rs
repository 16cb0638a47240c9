//! The directory of one training run, laid out so that Hugging Face's `transformers` loads it as a model.
//!
//! | file                      | holds                                                                    |
//! |---------------------------|--------------------------------------------------------------------------|
//! | `config.json`             | the model's shape                                                        |
//! | `config.toml`             | every flag of the run, for `train --config`                              |
//! | `tokenizer.json`          | the tokenizer (and `tokenizer_config.json`, which says how to load it)   |
//! | `model.safetensors`       | the weights of the last checkpoint                                       |
//! | `best.safetensors`        | the weights of the checkpoint whose validation loss was estimated lowest |
//! | `trainer.json`            | step, random streams, data, configuration: see [`TrainerState`]          |
//! | `optimizer.safetensors`   | the optimiser's moments                                                  |
//! | `metrics.jsonl`           | one line of measurements after the other                                 |
//! | `layers.jsonl`            | the same for every layer: gradients, weights, updates                    |
//! | `snapshots.jsonl`         | samples and attention at every evaluation                                |
//! | `report.html`             | all of this as a page; `tensorboard/` has it for TensorBoard             |
//! | `tokens-train.bin` …      | the ids of a text that is too large for the memory: see [`large`](crate::data::large) |
//! | `special_ids.json` …      | what an imported model brought along: see [`imported`]                   |
//! | `.lock`                   | held by the process that trains here                                     |
//!
//! How a checkpoint of several files is saved as one is told in [`checkpoint`].

pub mod checkpoint;
pub mod imported;
pub mod lines;
pub mod metrics;

use crate::data::tokenizer::Tokenizer;
use crate::error::{Error, Result};
use crate::files;
use crate::huggingface::special_ids;
use crate::lock::{LOCK, Lock};
use crate::model::ModelConfig;
use crate::safetensors::TensorFile;
use crate::tensorboard;
use crate::train::config::TrainConfig;
use crate::train::layers::LayersLine;
use crate::train::snapshot::Snapshot;
use crate::train::state::TrainerState;
use lines::Line;
use serde_json::json;
use std::path::{Path, PathBuf};

const CONFIG: &str = "config.json";
const SETTINGS: &str = "config.toml";
const TOKENIZER: &str = "tokenizer.json";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const MODEL: &str = "model.safetensors";
const BEST: &str = "best.safetensors";
const TRAINER: &str = "trainer.json";
const OPTIMIZER: &str = "optimizer.safetensors";
const METRICS: &str = "metrics.jsonl";
const REPORT: &str = "report.html";
const EVENTS: &str = "tensorboard";

/// What belongs to a run; `trainer.json` first, for without it the other files are no checkpoint.
const ALL: [&str; 16] = [
    TRAINER,
    CONFIG,
    SETTINGS,
    TOKENIZER,
    TOKENIZER_CONFIG,
    MODEL,
    BEST,
    OPTIMIZER,
    METRICS,
    LayersLine::FILE,
    Snapshot::FILE,
    REPORT,
    "special_tokens_map.json",
    "generation_config.json",
    "chat_template.jinja",
    special_ids::FILE,
];

/// Which weights of a run to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Weights {
    /// Those of the last checkpoint.
    #[default]
    Last,
    /// Those of the checkpoint with the lowest estimate of the validation loss.
    Best,
}

/// The directory of a run.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    /// Held while this process may write.
    _lock: Option<Lock>,
}

impl RunDir {
    /// Makes the directory of a new run; `overwrite` deletes the files of a run that it already holds (and no others).
    ///
    /// # Errors
    /// If it holds a run and may not be overwritten, another process trains in it, or it cannot be written.
    pub fn create(path: &Path, overwrite: bool) -> Result<Self> {
        let run = Self::take(path, overwrite)?;
        run.clear()?;
        Ok(run)
    }

    /// The first half of [`create`](Self::create): from now on the directory is this process's, with what it holds.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn take(path: &Path, overwrite: bool) -> Result<Self> {
        Self::vacant(path, overwrite)?;
        Self::locked(path)
    }

    /// The second half: deletes the files of the run that was here before.
    ///
    /// # Errors
    /// If one cannot be deleted.
    pub fn clear(&self) -> Result<()> {
        for file in ALL {
            files::remove(&self.file(file))?;
        }
        tensorboard::remove_events(&self.events())?;
        self.clear_unfinished()
    }

    /// Checks that there is no run in a directory, or that it may be overwritten.
    fn vacant(path: &Path, overwrite: bool) -> Result<()> {
        if !overwrite && let Some(file) = ALL.iter().find(|file| path.join(file).exists()) {
            let run = RunDir { path: path.to_path_buf(), _lock: None };
            let (held, way_out) = if run.file(TRAINER).exists() {
                let resume =
                    format!("go on with it by `train --resume --out_dir {}`", files::shell_word(path));
                ("a run", format!("{resume}, name another directory, or replace it by --overwrite"))
            } else if run.is_imported() {
                let begin = run.how_to_begin();
                ("a model", format!("{begin}, name another directory, or replace it by --overwrite"))
            } else {
                ("something else", "name another directory; --overwrite would delete the file".to_owned())
            };
            return Err(Error::new(format!("this directory already holds {held}: it has a {file}"))
                .in_file(path)
                .way_out(way_out));
        }
        Ok(())
    }

    /// How to train a model further that is no run of `train`.
    fn how_to_begin(&self) -> String {
        format!("begin with it by `train --init_from {} --out_dir OTHER`", files::shell_word(&self.path))
    }

    /// Opens the directory of a run to read it: to sample, to evaluate.
    ///
    /// # Errors
    /// If there is no run in it.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.join(CONFIG).exists() {
            let what = match (path.is_dir(), path.exists()) {
                (true, _) => "there is no run in this directory: it has no config.json",
                (false, true) => "this is a file, not the directory of a run",
                (false, false) => "there is no such directory",
            };
            return Err(Error::new(what)
                .in_file(path)
                .way_out("name the directory of a run, such as runs/demo; `transformer train` makes one"));
        }
        Ok(RunDir { path: path.to_path_buf(), _lock: None })
    }

    /// Opens the directory of a run to go on with it, and brings a checkpoint that was interrupted to its end.
    ///
    /// # Errors
    /// If there is no checkpoint in it, or another process trains in it.
    pub fn resume(path: &Path) -> Result<Self> {
        let found = Self::open(path)?;
        if found.is_imported() {
            let what = "this directory holds a model, not a run of train: it has no trainer.json";
            return Err(Error::new(what).in_file(path).way_out(found.how_to_begin()));
        }
        let run = Self::locked(path)?;
        if !run.file(TRAINER).exists() {
            return Err(Error::new("this run has no checkpoint to go on from: there is no trainer.json")
                .in_file(path)
                .way_out("start it anew in another --out_dir, or here by --overwrite"));
        }
        run.settle(run.trainer_state()?.step)?;
        Ok(run)
    }

    fn locked(path: &Path) -> Result<Self> {
        Ok(RunDir { path: path.to_path_buf(), _lock: Some(Lock::take(path)?) })
    }

    /// Whether a run of this program was made in a directory, by `train` or by `import`.
    pub fn is_at(path: &Path) -> bool {
        path.join(TRAINER).exists() || (path.join(CONFIG).exists() && path.join(LOCK).exists())
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tokenizer's file.
    pub fn tokenizer(&self) -> PathBuf {
        self.file(TOKENIZER)
    }

    /// The page on which the run can be seen.
    pub fn report(&self) -> PathBuf {
        self.file(REPORT)
    }

    /// Where TensorBoard finds what was measured.
    pub fn events(&self) -> PathBuf {
        self.file(EVENTS)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes what stays the same during the run: the model's shape and the tokenizer.
    ///
    /// # Errors
    /// If the directory cannot be written.
    pub fn write_description(&self, config: &ModelConfig, tokenizer: &Tokenizer) -> Result<()> {
        config.save(&self.file(CONFIG))?;
        tokenizer.save(&self.file(TOKENIZER))?;
        self.write_tokenizer_config(config)
    }

    /// Writes what the run was told, as a file that `train --config` takes; `changed` is the number of updates after which
    /// it was told something else than before.
    ///
    /// # Errors
    /// If the directory cannot be written, or the path of the data is no text.
    pub fn write_settings(&self, config: &TrainConfig, changed: Option<usize>) -> Result<()> {
        let head = match changed {
            None => "# Every flag of this run. `transformer train --config FILE --out_dir DIR` repeats it."
                .to_owned(),
            Some(step) => format!(
                "# Every flag of this run since it was resumed after update {step}. Before it had others: `train --config` \
                 repeats neither."
            ),
        };
        let text = head + "\n" + &config.to_toml().map_err(|error| error.in_file(self.file(SETTINGS)))?;
        files::write_atomically(&self.file(SETTINGS), |file| file.write_all(text.as_bytes()))
    }

    fn write_tokenizer_config(&self, config: &ModelConfig) -> Result<()> {
        let how_to_load = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": config.block_size,
            "clean_up_tokenization_spaces": false,
        });
        files::write_json(&self.file(TOKENIZER_CONFIG), &how_to_load)
    }

    /// Reads the model's shape and the tokenizer, and checks that they have the same vocabulary.
    ///
    /// # Errors
    /// If one of the files is missing or wrong, or they do not fit each other.
    pub fn description(&self) -> Result<(ModelConfig, Tokenizer)> {
        let config = ModelConfig::load(&self.file(CONFIG))?;
        let tokenizer = Tokenizer::load(&self.file(TOKENIZER))?;
        fits(&tokenizer, &self.file(TOKENIZER), &config, self.is_of_an_import())?;
        Ok((config, tokenizer))
    }

    /// Opens the weights.
    ///
    /// # Errors
    /// If there are none yet, the file is damaged, or says that it is of another vocabulary.
    pub fn weights(&self, which: Weights) -> Result<TensorFile> {
        let path = match which {
            Weights::Last => self.file(MODEL),
            Weights::Best => self.file(BEST),
        };
        if !path.exists() {
            return Err(Error::new("this run has no such checkpoint yet")
                .in_file(path)
                .way_out("train it for a while longer"));
        }
        let weights = TensorFile::open(&path)?;
        match (weights.vocabulary(), self.vocabulary()) {
            (Some(of), Some(ours)) if of != ours => {
                Err(Error::new("these weights are of another vocabulary than the tokenizer.json beside them")
                    .in_file(&path)
                    .way_out("use the weights and the tokenizer.json of one and the same run"))
            }
            _ => Ok(weights),
        }
    }

    /// The fingerprint of the tokenizer, if it can be read.
    fn vocabulary(&self) -> Option<String> {
        Tokenizer::load(&self.file(TOKENIZER)).ok().map(|tokenizer| tokenizer.fingerprint().to_string())
    }

    /// Reads the trainer's state at the last checkpoint.
    ///
    /// # Errors
    /// If `trainer.json` is missing or damaged.
    pub fn trainer_state(&self) -> Result<TrainerState> {
        files::read_json(
            &self.file(TRAINER),
            "restore it from a copy, or start the run anew with --overwrite",
        )
    }

    /// Opens the optimiser's moments at the last checkpoint.
    ///
    /// # Errors
    /// If the file is missing or damaged.
    pub fn optimizer(&self) -> Result<TensorFile> {
        TensorFile::open(&self.file(OPTIMIZER))
    }
}

/// Checks that the model has a row for each token. One that was trained elsewhere may have more: vocabularies are
/// padded there to round numbers.
fn fits(tokenizer: &Tokenizer, path: &Path, config: &ModelConfig, may_be_padded: bool) -> Result<()> {
    let (tokens, rows) = (tokenizer.vocab_size(), config.vocab_size);
    if tokens == rows || (may_be_padded && tokens < rows) {
        return Ok(());
    }
    Err(Error::new(format!(
        "this tokenizer is of another vocabulary than the model: it has {tokens} tokens, but config.json says \
         vocab_size {rows}"
    ))
    .in_file(path)
    .way_out("use the config.json and the tokenizer.json of one and the same run"))
}

#[cfg(test)]
mod tests;
