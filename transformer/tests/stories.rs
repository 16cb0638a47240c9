//! The corpus `stories`: its probabilities are exact, its figures are true, and its probes count rightly.

#[path = "stories/probes.rs"]
mod probes;

use proptest::prelude::*;
use std::collections::{BTreeSet, HashSet};
use transformer::data::stories::entropy::{Walker, figures, for_every_way};
use transformer::data::stories::grammar::{Memory, tell};
use transformer::data::stories::probes::Probes;
use transformer::data::stories::reader::{Listener, Mismatch, Reader, Wording, prefix_free};
use transformer::data::stories::{self, SEPARATOR, Stories};

const STORY: &str = "Mia met Tom by the river. Tom had two shells and found three more. Now he had five. \
    Mia found a red kite. \"May I have it?\" asked Tom. She gave it to him. Who has the kite now? Tom has it.";

/// STORY with one thing changed.
fn with(from: &str, to: &str) -> String {
    assert_eq!(STORY.matches(from).count(), 1, "{from:?} must name one place in the story");
    STORY.replace(from, to)
}

/// Asserts that a text stops being a story right where `wrong` begins, where `right` was expected.
fn assert_parts(story: &str, wrong: &str, right: &str) {
    let mismatch = stories::log_probability(story).expect_err(story);
    assert_eq!(mismatch.offset, story.find(wrong).unwrap(), "{mismatch}\n{story}");
    assert!(mismatch.expected.iter().any(|text| text.starts_with(right)), "{mismatch}\n{story}");
}

/// The mean and its standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

// The stream.

#[test]
fn the_first_stories_are_pinned_so_that_no_release_changes_the_corpus() {
    let first: Vec<String> = Stories::new(1337).take(2).collect();
    assert_eq!(
        first,
        [
            "Mia met Sam in the garden. Sam had three nuts and found one more. \"I have four now!\" he said. \
             Mia found a yellow map. \"I like it!\" said Sam. She lent it to him, and he gave it back. \
             What did Mia find? A yellow map.",
            "Hugo met Lily in the garden. Lily had two shells and found one more. Now she had three. \
             Hugo found a yellow lamp. \"I like it!\" said Lily. He gave it to her. \
             Who has the lamp now? Lily has it.",
        ]
    );
}

#[test]
fn the_same_seed_tells_the_same_stories_and_another_seed_others() {
    assert_eq!(stories::text(7, 5_000), stories::text(7, 5_000));
    assert_ne!(stories::text(7, 5_000), stories::text(8, 5_000));
}

#[test]
fn a_text_is_whole_stories_each_with_its_separator_and_no_longer_than_it_must_be() {
    let told: Vec<String> = Stories::new(3).take(2).map(|story| story + SEPARATOR).collect();
    let one = told[0].len();
    assert_eq!(stories::text(3, 0), "");
    assert_eq!(stories::text(3, 1), told[0]);
    assert_eq!(stories::text(3, one), told[0]);
    assert_eq!(stories::text(3, one + 1), told.concat());
}

#[test]
fn the_alphabet_is_exactly_what_the_stream_is_made_of() {
    let met: BTreeSet<char> = stories::text(0, 200_000).chars().collect();
    assert_eq!(stories::ALPHABET, met.iter().collect::<String>());
}

#[test]
fn a_story_fits_into_a_context_of_256_characters() {
    let longest = Stories::new(0).take(20_000).map(|story| story.len() + SEPARATOR.len()).max();
    assert!(longest < Some(256), "{longest:?}");
}

// Probabilities.

#[test]
fn the_probability_of_a_story_is_the_product_of_its_choices() {
    // Mia, Tom, the river; two, shells, three, "Now"; red, kite; "May I", gave; "Who has".
    let p = (1.0 / 8.0 / 7.0 / 4.0)
        * (1.0 / 3.0 / 4.0 / 3.0 / 2.0)
        * (1.0 / 4.0 / 6.0)
        * (1.0 / 3.0 * 2.0 / 4.0 * 3.0 / 4.0);
    assert!((stories::log_probability(STORY).unwrap() - f64::ln(p)).abs() < 1e-12);
}

#[test]
fn generator_and_parser_agree_on_every_one_of_2000_stories() {
    for story in Stories::new(11).take(2_000) {
        let (said, nats) = retold(&story);
        assert_eq!(said, story);
        let parsed = stories::log_probability(&story).unwrap();
        assert!((parsed + nats).abs() < 1e-9, "{parsed} is not −{nats}\n{story}");
    }
}

/// What the grammar says where it makes the choices of `story`, and −ln p of them.
#[track_caller]
fn retold(story: &str) -> (String, f64) {
    let mut retelling = Retelling { listener: Listener::new(story), said: String::new(), nats: 0.0 };
    tell(&mut retelling).unwrap_or_else(|mismatch| panic!("{mismatch}\n{story}"));
    (retelling.said, retelling.nats)
}

/// Writes down what a listener hears, checks every choice it meets, and adds up −ln p on its own account.
struct Retelling<'a> {
    listener: Listener<'a>,
    said: String,
    nats: f64,
}

impl Reader for Retelling<'_> {
    type Stop = Mismatch;

    fn say(&mut self, text: &str) -> Result<(), Mismatch> {
        self.said.push_str(text);
        self.listener.say(text)
    }

    fn choose(&mut self, options: &[Wording]) -> Result<usize, Mismatch> {
        assert!(prefix_free(options), "{options:?}");
        let chosen = self.listener.choose(options)?;
        let weights: usize = options.iter().map(|(_, weight)| weight).sum();
        self.said.push_str(options[chosen].0);
        self.nats += (weights as f64).ln() - (options[chosen].1 as f64).ln();
        Ok(chosen)
    }
}

#[test]
fn the_floor_of_a_text_is_its_mean_surprise_per_character() {
    let told: Vec<String> = Stories::new(5).take(3).collect();
    let nats: f64 = told.iter().map(|story| -stories::log_probability(story).unwrap()).sum();
    let text: String = told.iter().map(|story| format!("{story}{SEPARATOR}")).collect();
    assert!((stories::floor_of(&text).unwrap() - nats / text.len() as f64).abs() < 1e-12);
}

#[test]
fn the_floor_of_a_broken_text_is_an_error_at_the_place_where_it_breaks() {
    let text = format!("{STORY}{SEPARATOR}{}{SEPARATOR}", with("Now he", "Now she"));
    let mismatch = stories::floor_of(&text).unwrap_err();
    assert_eq!(mismatch.offset, text.find("she had").unwrap(), "{mismatch}");
    assert_eq!(stories::floor_of(STORY).unwrap_err().offset, STORY.len(), "the separator is missing");
    assert_eq!(stories::floor_of("").unwrap_err().offset, 0);
}

// The exact figures.

#[test]
fn the_mean_surprise_of_many_stories_meets_the_stated_entropy() {
    let surprises: Vec<f64> =
        Stories::new(2).take(20_000).map(|story| -stories::log_probability(&story).unwrap()).collect();
    let ((mean, error), stated) = (mean(&surprises), stories::entropy_per_story());
    assert!((mean - stated).abs() < 4.0 * error, "mean {mean} ± {error} nats, stated {stated}");
}

#[test]
fn the_mean_length_of_many_stories_meets_the_stated_length() {
    let lengths: Vec<f64> =
        Stories::new(2).take(20_000).map(|story| (story.chars().count() + SEPARATOR.len()) as f64).collect();
    let ((mean, error), stated) = (mean(&lengths), stories::expected_length());
    assert!((mean - stated).abs() < 4.0 * error, "mean {mean} ± {error} characters, stated {stated}");
}

#[test]
fn the_floor_of_a_long_text_meets_the_entropy_rate() {
    let floor = stories::floor_of(&stories::text(4, 1_000_000)).unwrap();
    let stated = stories::entropy_rate();
    assert!((floor / stated - 1.0).abs() < 0.003, "{floor} and {stated} nats per character");
}

#[test]
fn the_probabilities_of_all_stories_sum_to_one() {
    let all = figures(Memory::Nothing);
    assert!((all.probability - 1.0).abs() < 1e-9, "{}", all.probability);
}

#[test]
fn there_are_more_than_a_million_stories() {
    assert_eq!(stories::distinct_stories(), 6_967_296);
    let told: HashSet<String> = Stories::new(1).take(2_000).collect();
    assert_eq!(told.len(), 2_000, "so many that 2000 of them are all different");
}

#[test]
fn after_every_memory_the_ways_to_go_on_have_probabilities_that_sum_to_one() {
    let mut seen = HashSet::from([Memory::Nothing]);
    let mut to_visit = vec![Memory::Nothing];
    while let Some(memory) = to_visit.pop() {
        let mut probability = 0.0;
        for_every_way(memory, |way: &Walker, next| {
            probability += way.probability;
            if seen.insert(next) {
                to_visit.push(next);
            }
        });
        assert!((probability - 1.0).abs() < 1e-12, "after {memory:?} they sum to {probability}");
    }
    assert!(seen.contains(&Memory::Told));
}

#[test]
fn a_choice_of_which_one_option_begins_another_is_not_prefix_free() {
    assert!(prefix_free(&[("six", 1), ("seven", 1), ("four", 1)]));
    assert!(!prefix_free(&[("six", 1), ("sixteen", 1)]));
    assert!(!prefix_free(&[("six", 1), ("six", 1)]), "the same text twice has two derivations");
    assert!(!prefix_free(&[("six", 1), ("", 1)]));
}

// What is not a story.

#[test]
fn a_wrong_pronoun_is_not_a_story() {
    assert_parts(&with("Now he had", "Now she had"), "she had", "he");
    assert_parts(&with("She gave", "He gave"), "He gave", "She");
    assert_parts(&with("to him", "to her"), "er. Who", "im");
}

#[test]
fn a_wrong_owner_is_not_a_story() {
    assert_parts(&with("Tom has it", "Mia has it"), "Mia has it", "Tom");
    assert_parts(&with("She gave it to him.", "She kept it."), "Tom has it", "Mia");
    let lent = with("She gave it to him.", "She lent it to him, and he gave it back.");
    assert_parts(&lent, "Tom has it", "Mia");
}

#[test]
fn a_wrong_sum_is_not_a_story() {
    assert_parts(&with("five", "six"), "six", "five");
    assert_parts(&with("three more", "one more"), "five", "three");
}

#[test]
fn a_wrong_thing_or_a_stranger_is_not_a_story() {
    assert_parts(&with("the kite", "the drum"), "drum", "kite");
    assert_parts(&with("asked Tom", "asked Ben"), "Ben", "Tom");
    assert_parts(&with("Mia found", "Ben found"), "Ben", "Mia");
    assert_parts(&with("met Tom", "met Mia"), "Mia by", "Tom");
}

#[test]
fn the_error_says_where_the_story_ends_too_early_or_too_late() {
    let mismatch = stories::log_probability(&STORY[..20]).unwrap_err();
    assert_eq!(mismatch.offset, 12, "the choice of the place is not decided yet");
    assert!(mismatch.expected.contains(&"by the river".to_string()), "{mismatch}");
    let mismatch = stories::log_probability(&format!("{STORY} And then?")).unwrap_err();
    assert_eq!(mismatch.offset, STORY.len());
    assert_eq!(
        mismatch.to_string(),
        format!("byte {}: expected the end of the story, but found \" And then?\"", STORY.len())
    );
    let mismatch = stories::log_probability("Mia met").unwrap_err();
    assert_eq!(mismatch.to_string(), "byte 7: expected \" \", but the text ends");
}

proptest! {
    #[test]
    fn parser_and_probes_take_any_text_without_a_panic(text in any::<String>()) {
        let _ = stories::log_probability(&text);
        let _ = stories::floor_of(&text);
        let _ = Probes::of(&text);
    }

    #[test]
    fn a_story_with_a_piece_replaced_parses_only_if_it_is_another_story(
        seed in any::<u64>(), start in 0.0..1.0f64, length in 0usize..12, piece in "[a-zA-Zé .\"\n]{0,12}",
    ) {
        let story = Stories::new(seed).next().unwrap();
        let start = (start * story.len() as f64) as usize;
        let end = (start + length).min(story.len());
        let broken = [&story[..start], &piece, &story[end..]].concat();
        match stories::log_probability(&broken) {
            Ok(log_probability) => {
                let (said, nats) = retold(&broken);
                prop_assert_eq!(said, broken.as_str(), "another story, told as the grammar tells it");
                prop_assert!((log_probability + nats).abs() < 1e-9 && log_probability < 0.0);
            }
            Err(mismatch) => {
                prop_assert!(mismatch.offset <= broken.len());
                // Up to the mistake the text is the beginning of a story, so the mistake is not before the piece,
                // except that the choice it spoils may have begun earlier.
                prop_assert!(mismatch.offset + 24 >= start, "{mismatch}\n{broken}");
            }
        }
        let _ = Probes::of(&format!("{SEPARATOR}{broken}{SEPARATOR}"));
    }
}
