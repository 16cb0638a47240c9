//! `stories`: an endless corpus of short English stories whose exact probability is known.
//!
//! A seed gives an endless stream of stories, each followed by an empty line. They come from a probabilistic grammar
//! with memory: two people meet and are then called by name or by the right pronoun, one of them counts, a thing
//! changes hands (or does not), and a closing question has its answer in the story.
//!
//! ```text
//! Mia met Tom by the river. Tom had two shells and found three more. Now he had five. Mia found a red kite.
//! "May I have it?" asked Tom. She gave it to him. Who has the kite now? Tom has it.
//! ```
//!
//! Since every text has exactly one derivation, its probability can be read off the text, and the loss of a model
//! has a floor that is known exactly: no model can go below [`entropy_rate`] nats per character on average.
//!
//! Read [`grammar`] first; [`reader`] tells and understands it, [`entropy`] measures it, [`probes`] judge what a model
//! has learnt of it.

pub mod entropy;
pub mod grammar;
pub mod probes;
pub mod reader;

use entropy::Figures;
use grammar::Memory;
use reader::{Listener, Mismatch, Reader, Teller};
use std::sync::LazyLock;

/// What stands after every story.
pub const SEPARATOR: &str = "\n\n";

/// The characters that the stream consists of, in ascending order.
pub const ALPHABET: &str = "\n !\",.?ABEHILMNSTWabcdefghiklmnoprstuvwxy";

/// The endless stream of stories that a seed gives, without separators.
#[derive(Debug, Clone)]
pub struct Stories {
    teller: Teller,
}

impl Stories {
    /// The stream of that seed, from its beginning: the same on every platform.
    pub fn new(seed: u64) -> Self {
        Stories { teller: Teller::new(seed) }
    }
}

impl Iterator for Stories {
    type Item = String;

    /// The next story; there always is one.
    fn next(&mut self) -> Option<String> {
        let Ok(()) = grammar::tell(&mut self.teller);
        Some(std::mem::take(&mut self.teller.said))
    }
}

/// The first whole stories of a seed's stream that are together at least that many characters long, each with its
/// separator.
pub fn text(seed: u64, at_least_characters: usize) -> String {
    let mut text = String::new();
    let mut stories = Stories::new(seed);
    while text.len() < at_least_characters {
        text.extend(stories.next());
        text.push_str(SEPARATOR);
    }
    text
}

/// ln p of a story (without separator), in nats.
///
/// # Errors
/// If the text is not a story; the error says where it stops being one and what a story could say there.
pub fn log_probability(story: &str) -> Result<f64, Mismatch> {
    let mut listener = Listener::new(story);
    grammar::tell(&mut listener)?;
    listener.end()?;
    Ok(listener.log_probability)
}

/// The loss that no model can beat on this text of whole stories, each followed by its separator: exactly −ln p of
/// the text, in nats per character (the separators' characters, which are certain, are counted too).
///
/// # Errors
/// If the text is anything else; the error says where and what was expected. An empty text has no floor.
pub fn floor_of(text: &str) -> Result<f64, Mismatch> {
    let mut listener = Listener::new(text);
    loop {
        grammar::tell(&mut listener)?;
        listener.say(SEPARATOR)?;
        if listener.end().is_ok() {
            return Ok(-listener.log_probability / text.len() as f64);
        }
    }
}

static FIGURES: LazyLock<Figures> = LazyLock::new(|| entropy::figures(Memory::Nothing));

/// The entropy of a story: the mean of −ln p over all stories, exactly, in nats.
pub fn entropy_per_story() -> f64 {
    FIGURES.entropy
}

/// The expected length of a story with its separator, exactly, in characters.
pub fn expected_length() -> f64 {
    FIGURES.length + SEPARATOR.len() as f64
}

/// The entropy of the stream, exactly, in nats per character: the floor of every model's loss on an endless text.
pub fn entropy_rate() -> f64 {
    entropy_per_story() / expected_length()
}

/// How many different stories there are.
pub fn distinct_stories() -> u128 {
    FIGURES.stories
}
