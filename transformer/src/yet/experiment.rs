//! An experiment: a question, and everything that it takes to ask it again.

use crate::error::{Error, Result, line_and_column};
use crate::scale::ladder;
use crate::tasks::Task;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// A file `experiments/NAME.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// The name of the file, without its ending.
    #[serde(skip)]
    pub name: String,
    /// What one wants to know.
    pub question: String,
    /// The name of a task.
    pub task: String,
    /// How large its questions are.
    pub size: usize,
    /// The share of exactly right answers from which on it counts as "works".
    pub threshold: f64,
    /// The rung from which on it is expected to work; none is "at no rung tried".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_rung: Option<usize>,
    /// Why that is expected.
    pub why: String,
    /// How the models are trained.
    pub recipe: Recipe,
    /// The rungs to try.
    pub rungs: Vec<usize>,
    /// The seeds to try at each, at least three.
    #[serde(default = "three_seeds")]
    pub seeds: Vec<u64>,
}

/// What, besides the rung and the seed, decides how a model turns out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The questions in a batch.
    pub rows: usize,
    /// The batches, if nothing stops the run earlier.
    pub updates: usize,
    /// The highest learning rate; none is that of the ladder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// AdamW's decay of weights; none is 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// Whether a run ends when two looks in a row have found nothing wrong.
    #[serde(default)]
    pub stop_when_solved: bool,
}

fn three_seeds() -> Vec<u64> {
    vec![1, 2, 3]
}

impl Experiment {
    /// Reads an experiment and checks all of it.
    ///
    /// # Errors
    /// If the file is missing or no TOML, a field is unknown, missing or out of range; the message names the place.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| Error::io("read", path, &error))?;
        let name = path.file_stem().map_or(String::new(), |stem| stem.to_string_lossy().into_owned());
        let mut experiment: Experiment = toml::from_str(&text).map_err(|error| {
            let (line, column) = line_and_column(text.as_bytes(), error.span().map_or(0, |span| span.start));
            Error::new(error.message().to_owned())
                .in_file(path)
                .at(format!("line {line}, column {column}"))
                .way_out("compare with another experiment's file, or write it anew with `yet add`")
        })?;
        experiment.name = name;
        experiment.check().map_err(|error| error.in_file(path))?;
        Ok(experiment)
    }

    /// Reads all experiments of a directory, by name.
    ///
    /// # Errors
    /// If the directory cannot be listed, or one of them cannot be read.
    pub fn read_all(directory: &Path) -> Result<Vec<Self>> {
        let refused = |error| Error::io("list", directory, &error);
        let mut paths = Vec::new();
        for entry in fs::read_dir(directory).map_err(refused)? {
            paths.push(entry.map_err(refused)?.path());
        }
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
        paths.sort();
        paths.iter().map(|path| Experiment::read(path)).collect()
    }

    /// What is asked.
    ///
    /// # Errors
    /// If there is no such task, or it has no questions of that size.
    pub fn task(&self) -> Result<Task> {
        Task::named(&self.task, self.size)
    }

    /// Checks every field.
    ///
    /// # Errors
    /// If one is out of its range; the message names it.
    pub fn check(&self) -> Result<()> {
        self.task()?;
        let wrong =
            |field: &str, what: String, way_out: &str| Err(Error::new(what).at(field).way_out(way_out));
        if !(self.threshold > 0.0 && self.threshold <= 1.0) {
            let what = format!("{} is not a share of right answers", self.threshold);
            return wrong("threshold", what, "give a number above 0, at most 1, such as 0.9");
        }
        let rung_exists = |rung: &usize| (ladder::LOWEST..=ladder::HIGHEST).contains(rung);
        if self.rungs.is_empty() || !self.rungs.iter().all(rung_exists) {
            let what = format!("{:?} are not rungs of the ladder", self.rungs);
            return wrong("rungs", what, &format!("give some of {} to {}", ladder::LOWEST, ladder::HIGHEST));
        }
        if !self.expected_rung.iter().all(rung_exists) {
            let way_out = "name a rung of the ladder, or leave the field out if it is expected never to work";
            return wrong("expected_rung", "there is no such rung".to_owned(), way_out);
        }
        let mut seeds = self.seeds.clone();
        seeds.sort_unstable();
        seeds.dedup();
        if seeds.len() < 3 {
            let what = format!("{} different seeds are too few to tell luck from skill", seeds.len());
            return wrong("seeds", what, "give at least 3");
        }
        for (field, number) in [("recipe.rows", self.recipe.rows), ("recipe.updates", self.recipe.updates)] {
            if number == 0 {
                return wrong(field, "0 is too small".to_owned(), "give a whole number from 1 on");
            }
        }
        let rate = self.recipe.learning_rate.is_none_or(|rate| rate > 0.0 && rate.is_finite());
        let decay = self.recipe.weight_decay.is_none_or(|decay| decay >= 0.0 && decay.is_finite());
        match (rate, decay) {
            (false, _) => wrong("recipe.learning_rate", "the rate must be above 0".to_owned(), "try 0.003"),
            (_, false) => {
                wrong("recipe.weight_decay", "the decay must not be negative".to_owned(), "try 0.1")
            }
            _ => Ok(()),
        }
    }

    /// Whether it is expected to work at a rung.
    pub fn expected_at(&self, rung: usize) -> bool {
        self.expected_rung.is_some_and(|from| rung >= from)
    }

    /// The expectation in words.
    pub fn expectation(&self) -> String {
        self.expected_rung.map_or("at no rung".to_owned(), |rung| format!("from rung {rung} on"))
    }
}
