//! The ledger: what came out, a line a run, and what was learnt from it. Lines are added, never changed.
//!
//! A line holds all that it takes to run it again: task, size, recipe, rung and seed. It is then the same model, bit for
//! bit, on whatever number of threads; another processor or another version of the kernels may round differently.

use super::experiment::{Experiment, Recipe};
use crate::error::{Error, Result};
use crate::tasks::Task;
use crate::tasks::score::Score;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// What came out of a run.
    Outcome(Box<Outcome>),
    /// What was learnt from an outcome that had not been expected.
    Note(Note),
}

/// What came out of one run: one experiment, one rung, one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The name of the experiment.
    pub experiment: String,
    /// The rung of the ladder.
    pub rung: usize,
    /// The seed of weights and questions.
    pub seed: u64,
    /// The version of the program; a `+` says that it had been changed since.
    pub commit: String,
    /// All parameters of the model.
    pub parameters: usize,
    /// The tokens that it was trained on, questions included.
    pub tokens: u64,
    /// What `value` is: `exact_match`.
    pub metric: String,
    /// The share of held-out questions that were answered exactly.
    pub value: f64,
    /// Whether that reaches the threshold.
    pub works: bool,
    /// The threshold.
    pub threshold: f64,
    /// The held-out questions that were answered exactly.
    pub right: usize,
    /// The held-out questions.
    pub asked: usize,
    /// The mean of ln p(right answer), in nats an answer.
    pub log_likelihood: f64,
    /// The updates that were made.
    pub updates: usize,
    /// The floating-point operations of training.
    pub flops: f64,
    /// How long it took, on one thread.
    pub seconds: f64,
    /// The task.
    pub task: String,
    /// The size of its questions.
    pub size: usize,
    /// The recipe.
    pub recipe: Recipe,
    /// A hash of every bit of the trained weights.
    pub weights: String,
    /// Looks on the way: updates, share of exact answers, ln p of the right answer.
    pub curve: Vec<(usize, f64, f64)>,
}

impl Outcome {
    /// The interval that covers the true share of exact answers in 95 % of all cases.
    pub fn interval(&self) -> [f64; 2] {
        Score { asked: self.asked, right: self.right, log_likelihood: self.log_likelihood }.interval()
    }

    /// `99 % (98 to 100), ln p −0.02`
    pub fn in_short(&self) -> String {
        let [low, high] = self.interval().map(|share| 100.0 * share);
        let (right, ln_p) = (100.0 * self.value, self.log_likelihood);
        format!("{right:.0} % ({low:.0} to {high:.0}), ln p {ln_p:.2}")
    }
}

/// A line on what was learnt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// The name of the experiment.
    pub experiment: String,
    /// The rung whose outcome had not been expected.
    pub rung: usize,
    /// What was learnt.
    pub learnt: String,
}

/// A ledger as it was read.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The entries, each with the number of its line.
    pub entries: Vec<(usize, Entry)>,
    /// The lines that could not be read: they stay in the file, and are skipped.
    pub damaged: Vec<Error>,
}

impl Outcome {
    /// The task that was asked.
    ///
    /// # Errors
    /// If there is none of that name and size.
    pub fn task(&self) -> Result<Task> {
        Task::named(&self.task, self.size)
    }

    /// Whether it answers the experiment as it is asked now: the same task, size and recipe.
    pub fn answers(&self, experiment: &Experiment) -> bool {
        self.experiment == experiment.name
            && (&self.task, self.size, &self.recipe)
                == (&experiment.task, experiment.size, &experiment.recipe)
    }
}

impl Ledger {
    /// Reads a ledger; there need not be one yet.
    ///
    /// # Errors
    /// If the file cannot be read. A line that is damaged is no error, but noted.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Ledger::default()),
            Err(error) => return Err(Error::io("read", path, &error)),
        };
        let mut ledger = Ledger::default();
        for (i, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match parse(line) {
                Ok(entry) => ledger.entries.push((i + 1, entry)),
                Err(error) => ledger.damaged.push(
                    Error::new(format!("this line is damaged, and is skipped: {error}"))
                        .in_file(path)
                        .at(format!("line {}", i + 1))
                        .way_out(
                            "nothing is lost by it but this line; restore it from the history of the file",
                        ),
                ),
            }
        }
        Ok(ledger)
    }

    /// All outcomes.
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.entries.iter().filter_map(|(_, entry)| match entry {
            Entry::Outcome(outcome) => Some(&**outcome),
            Entry::Note(_) => None,
        })
    }

    /// All notes.
    pub fn notes(&self) -> impl Iterator<Item = &Note> {
        self.entries.iter().filter_map(|(_, entry)| match entry {
            Entry::Note(note) => Some(note),
            Entry::Outcome(_) => None,
        })
    }

    /// The outcome on a line, counted from 1.
    ///
    /// # Errors
    /// If there is none.
    pub fn outcome_on(&self, line: usize) -> Result<&Outcome> {
        match self.entries.iter().find(|(number, _)| *number == line) {
            Some((_, Entry::Outcome(outcome))) => Ok(outcome),
            _ => Err(Error::new("there is no outcome on this line of the ledger")
                .at(format!("line {line}"))
                .way_out("`grep -n '\"value\"' experiments/ledger.jsonl` shows the lines that have one")),
        }
    }
}

fn parse(line: &[u8]) -> Result<Entry, serde_json::Error> {
    let value: serde_json::Value = serde_json::from_slice(line)?;
    if value.get("learnt").is_some() {
        return serde_json::from_value(value).map(Entry::Note);
    }
    serde_json::from_value(value).map(|outcome| Entry::Outcome(Box::new(outcome)))
}

/// Adds a line to a ledger, in one write; a line that a kill had cut off is ended first.
///
/// # Errors
/// If the file cannot be written.
pub fn append(path: &Path, entry: &impl Serialize) -> Result<()> {
    let refused = |error| Error::io("write", path, &error);
    let mut line = serde_json::to_vec(entry).map_err(|error| Error::new(error.to_string()))?;
    line.push(b'\n');
    let cut_off = fs::read(path).is_ok_and(|bytes| bytes.last().is_some_and(|&last| last != b'\n'));
    if cut_off {
        line.insert(0, b'\n');
    }
    let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(refused)?;
    file.write_all(&line).and_then(|()| file.sync_all()).map_err(refused)
}
