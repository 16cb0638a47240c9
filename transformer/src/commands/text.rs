//! The text that a configuration or a flag names: a file, the embedded corpus, or what stands there.

use crate::data::corpus::Corpus;
use crate::data::stories;
use crate::data::text::Text;
use crate::error::{Error, Result};
use crate::train::config::TrainConfig;
use std::fs;
use std::path::Path;

const STORIES_TO_TRAIN_ON: usize = 3_000_000; // characters, about 15 000 stories
const STORIES_TO_VALIDATE: usize = 60_000;

/// Opens what `--data` names, or tells stories, whose floor is known.
///
/// # Errors
/// If it cannot be read.
pub fn corpus_of(config: &TrainConfig) -> Result<Corpus> {
    corpus_at(None, config)
}

/// The same, for a path that replaces the configuration's.
///
/// # Errors
/// As [`corpus_of`].
pub fn corpus_at(path: Option<&Path>, config: &TrainConfig) -> Result<Corpus> {
    match path.or(config.data.as_deref()) {
        Some(path) => Corpus::open(path),
        None => Ok(Corpus::Text(embedded(config.seed))),
    }
}

/// The text that a run was trained on, whose path nobody has typed now; `way_out` says what to do if it is not there.
///
/// # Errors
/// If it is not there, or cannot be read.
pub fn corpus_of_run(config: &TrainConfig, way_out: &str) -> Result<Corpus> {
    match config.data.as_deref() {
        Some(path) if !path.exists() => Err(Error::new(
            "the text that this run was trained on, as its trainer.json names it, is not there",
        )
        .in_file(path)
        .way_out(way_out)),
        _ => corpus_of(config),
    }
}

/// The error where a text is missing that a run of `train` would have: to be measured on, say.
pub fn no_text_of_its_own(run: &Path, to_be: &str) -> Error {
    Error::new(format!("an imported model has no text of its own to be {to_be} on")).in_file(run)
}

/// The text of a flag: itself, or the content of the file that `FILE:path` names.
///
/// # Errors
/// If the file cannot be read as text.
pub fn text_of_flag(text: &str, flag: &str) -> Result<String> {
    match file_of_flag(text) {
        None => Ok(text.to_owned()),
        Some(path) if path.as_os_str().is_empty() => Err(Error::new("FILE: names no file")
            .at(flag)
            .way_out("write FILE:path, such as FILE:prompt.txt")),
        Some(path) if fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() == 0) => {
            Err(Error::new("the file is empty").in_file(path).at(flag).way_out("name a file of text"))
        }
        Some(path) => Ok(Text::read(path)?.content().to_owned()),
    }
}

/// The file that such a flag names.
pub fn file_of_flag(text: &str) -> Option<&Path> {
    text.strip_prefix("FILE:").map(Path::new)
}

/// The corpus `stories`; the validation part is told by another seed.
fn embedded(seed: u64) -> Text {
    let validation = stories::text(seed.wrapping_add(1), STORIES_TO_VALIDATE);
    let floor = stories::floor_of(&validation).unwrap_or_else(|_| stories::entropy_rate());
    Text::in_parts("stories", &stories::text(seed, STORIES_TO_TRAIN_ON), &validation).with_floor(floor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn each(part: &str) -> impl Iterator<Item = &str> {
        part.split_terminator(stories::SEPARATOR)
    }

    #[test]
    fn the_validation_stories_are_not_the_training_stories() {
        let text = embedded(1337);
        let known: HashSet<&str> = each(text.train()).collect();
        let all = each(text.validation()).count();
        let met = each(text.validation()).filter(|story| known.contains(story)).count();
        assert!(all > 250, "{all} stories");
        assert!(100 * met < 2 * all, "{met} of {all} stories to validate on are trained on too");

        // The floor is that of these stories, not the mean of all that could be told.
        let surprise = |story| -stories::log_probability(story).expect("a story");
        let nats: f64 = each(text.validation()).map(surprise).sum();
        let (floor, expected) =
            (text.floor().expect("a floor"), nats / text.validation().chars().count() as f64);
        assert!((floor - expected).abs() < 1e-12, "{floor} nats a character, story by story {expected}");
        assert!((floor - stories::entropy_rate()).abs() > 1e-6, "the two cannot be told apart");
    }
}
