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
