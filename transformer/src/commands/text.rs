//! The text that a configuration names: a file, or the embedded corpus.

use crate::data::corpus::Corpus;
use crate::data::stories;
use crate::data::text::Text;
use crate::error::Result;
use crate::train::config::TrainConfig;
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

/// The corpus `stories`; the validation part is told by another seed.
fn embedded(seed: u64) -> Text {
    let validation = stories::text(seed.wrapping_add(1), STORIES_TO_VALIDATE);
    let floor = stories::floor_of(&validation).unwrap_or_else(|_| stories::entropy_rate());
    Text::in_parts("stories", &stories::text(seed, STORIES_TO_TRAIN_ON), &validation).with_floor(floor)
}
