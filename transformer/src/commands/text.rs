//! The text that a configuration names: a file, or the embedded corpus.

use crate::data::stories;
use crate::data::text::Text;
use crate::error::Result;
use crate::train::config::TrainConfig;
use std::path::Path;

const STORIES_TO_TRAIN_ON: usize = 3_000_000; // characters, about 15 000 stories
const STORIES_TO_VALIDATE: usize = 60_000;

/// Reads the file of `--data`, or tells stories, whose floor is known.
///
/// # Errors
/// If the file cannot be read as text.
pub fn text_of(config: &TrainConfig) -> Result<Text> {
    config.data.as_deref().map_or_else(|| Ok(embedded(config.seed)), Text::read)
}

/// The corpus `stories`; the validation part is told by another seed.
fn embedded(seed: u64) -> Text {
    let validation = stories::text(seed.wrapping_add(1), STORIES_TO_VALIDATE);
    let floor = stories::floor_of(&validation).unwrap_or_else(|_| stories::entropy_rate());
    Text::in_parts("stories", &stories::text(seed, STORIES_TO_TRAIN_ON), &validation).with_floor(floor)
}

/// The same, for a file that replaces the configuration's.
///
/// # Errors
/// As [`text_of`].
pub fn text_at(file: Option<&Path>, config: &TrainConfig) -> Result<Text> {
    file.map_or_else(|| text_of(config), Text::read)
}
