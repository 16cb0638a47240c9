//! The checkpoint of a run that goes on: its tensors, and what is noted beside them. Both go when the run is done.

use super::record::Job;
use super::sound::{LOSSES, SECONDS, TOKENS, within};
use crate::error::{Error, Result};
use crate::files::{TEMPORARY, read_json};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

const ENDINGS: [&str; 2] = [".safetensors", ".json"];

/// What a checkpoint keeps beside the tensors.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Notes {
    /// The tokens seen at each checkpoint, by its step.
    pub tokens: Vec<(usize, u64)>,
    /// Looks on the way: step, tokens, loss.
    pub curve: Vec<(usize, u64, f64)>,
    /// How long the run has taken so far.
    pub seconds: f64,
}

/// The two files of a run that goes on: its tensors and its notes.
pub fn files_of(directory: &Path, job: &Job) -> [PathBuf; 2] {
    ENDINGS.map(|ending| directory.join(format!("{}{ending}", name_of(job))))
}

/// All such files in a directory, with those that a kill has left half written.
///
/// # Errors
/// If the directory cannot be listed.
pub fn all_in(directory: &Path) -> Result<Vec<PathBuf>> {
    let refused = |error| Error::io("list", directory, &error);
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(refused)? {
        let entry = entry.map_err(refused)?;
        if is_one(&entry.file_name().to_string_lossy()) && entry.path().is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn name_of(job: &Job) -> String {
    format!("rung-{}-updates-{}-seed-{}", job.rung, job.updates, job.seed)
}

/// Whether a file of this name belongs to a checkpoint: that of the job whose numbers it has.
fn is_one(name: &str) -> bool {
    let name = name.strip_suffix(TEMPORARY).unwrap_or(name);
    let Some(stem) = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)) else { return false };
    let job = || {
        let (rung, rest) = stem.strip_prefix("rung-")?.split_once("-updates-")?;
        let (updates, seed) = rest.split_once("-seed-")?;
        Some(Job { rung: rung.parse().ok()?, updates: updates.parse().ok()?, seed: seed.parse().ok()? })
    };
    job().is_some_and(|job| name_of(&job) == stem)
}

impl Notes {
    /// Reads notes, and checks that their numbers can be.
    ///
    /// # Errors
    /// If they cannot be read, or a number cannot be.
    pub fn read(path: &Path) -> Result<Self> {
        let notes: Notes = read_json(path, "")?;
        let check = || {
            within("seconds", notes.seconds, &SECONDS)?;
            notes.tokens.iter().try_for_each(|&(_, tokens)| within("tokens", tokens as f64, &TOKENS))?;
            notes.curve.iter().try_for_each(|&(_, tokens, loss)| {
                within("curve", tokens as f64, &TOKENS)?;
                within("curve", loss, &LOSSES)
            })
        };
        check().map_err(|error: Error| error.in_file(path))?;
        Ok(notes)
    }

    /// The tokens after `step` updates; what the notes know beyond it is forgotten.
    pub fn tokens_at(&mut self, step: usize) -> Option<u64> {
        self.curve.retain(|&(at, _, _)| at <= step);
        self.tokens.retain(|&(at, _)| at <= step);
        if step == 0 {
            return Some(0);
        }
        self.tokens.last().filter(|&&(at, _)| at == step).map(|&(_, tokens)| tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_checkpoint_are_told_by_their_whole_name() {
        let [tensors, notes] = files_of(Path::new("d"), &Job { rung: 12, updates: 400, seed: 7 })
            .map(|path| path.display().to_string());
        assert_eq!(notes, "d/rung-12-updates-400-seed-7.json");
        for name in [&notes, &tensors, &format!("{notes}.tmp"), &format!("{tensors}.tmp")] {
            assert!(is_one(&name[2..]), "{name}");
        }
        for name in [
            "rung-notes.txt",
            "rung-1.json",
            "rung-1-updates-4-seed-1",
            "rung-1-updates-4-seed-1.json.bak",
            "rung-1-updates-4-seed-1-old.json",
            "rung-01-updates-4-seed-1.json",
            "rung-+1-updates-4-seed-1.json",
            "my-rung-1-updates-4-seed-1.json",
            "scaling.json",
        ] {
            assert!(!is_one(name), "{name}");
        }
    }
}
