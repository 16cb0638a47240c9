//! How the grammar of the stories is read: by a teller, who draws every choice, or by a listener, who hears a text
//! and finds out which choices were made.
//!
//! The grammar is written once, in [`grammar`](super::grammar), as a function that says words and makes choices
//! through a [`Reader`]. What the same function does depends on who reads it:
//!
//! - a [`Teller`] draws each choice with its probability: a new story;
//! - a [`Listener`] takes each choice as the text tells: the story's exact probability, p = Π p(choice);
//! - the walker of [`entropy`](super::entropy) takes every choice there is: the exact entropy.
//!
//! The options of a choice are prefix-free (none begins another), so the letters that follow decide it. Hence a text
//! has at most one derivation, and the product of its choices' probabilities is the probability of the text.
//!
//! Reference: C. E. Shannon, "A Mathematical Theory of Communication", 1948, §§ 2–7.

use crate::random::{Purpose, below, generator};
use rand_chacha::ChaCha8Rng;
use std::convert::Infallible;
use std::fmt::{self, Display};

/// An option of a choice: the text that it says, and its weight (its probability times the sum of all weights).
pub type Wording = (&'static str, usize);

/// Whoever reads the grammar.
pub trait Reader {
    /// Why the reading may stop before the story's end.
    type Stop;

    /// Says a text that leaves no choice.
    fn say(&mut self, text: &str) -> Result<(), Self::Stop>;

    /// Says one of several prefix-free texts, and tells which: an index into `options`.
    fn choose(&mut self, options: &[Wording]) -> Result<usize, Self::Stop>;

    /// Says one of several prefix-free texts that are equally likely, and tells which.
    fn one_of(&mut self, texts: &[&'static str]) -> Result<usize, Self::Stop> {
        let options: Vec<Wording> = texts.iter().map(|&text| (text, 1)).collect();
        self.choose(&options)
    }
}

/// The sum of the options' weights.
pub fn total_weight(options: &[Wording]) -> usize {
    options.iter().map(|(_, weight)| weight).sum()
}

/// Whether no option begins another one, so that a text that starts with an option starts with no other.
pub fn prefix_free(options: &[Wording]) -> bool {
    let begins = |a: usize, b: usize| a != b && options[b].0.starts_with(options[a].0);
    let n = options.len();
    !(0..n).any(|a| (0..n).any(|b| begins(a, b)))
}

/// Draws every choice with its probability, and writes down what is said.
#[derive(Debug, Clone)]
pub struct Teller {
    generator: ChaCha8Rng,
    /// What has been said so far.
    pub said: String,
}

impl Teller {
    /// A teller who has said nothing yet; the seed decides all that will be said.
    pub fn new(seed: u64) -> Self {
        Teller { generator: generator(seed, Purpose::Corpus), said: String::new() }
    }
}

impl Reader for Teller {
    type Stop = Infallible;

    fn say(&mut self, text: &str) -> Result<(), Infallible> {
        self.said.push_str(text);
        Ok(())
    }

    fn choose(&mut self, options: &[Wording]) -> Result<usize, Infallible> {
        let mut left = below(&mut self.generator, total_weight(options));
        let mut chosen = 0;
        while left >= options[chosen].1 {
            left -= options[chosen].1;
            chosen += 1;
        }
        self.say(options[chosen].0)?;
        Ok(chosen)
    }
}

/// Follows a text through the grammar and adds up ln p of the choices that the text tells.
#[derive(Debug, Clone)]
pub struct Listener<'a> {
    text: &'a str,
    heard: usize,
    /// ln p of all that has been heard so far, in nats.
    pub log_probability: f64,
}

impl<'a> Listener<'a> {
    /// A listener at the beginning of a text.
    pub fn new(text: &'a str) -> Self {
        Listener { text, heard: 0, log_probability: 0.0 }
    }

    /// Says that the story is over.
    ///
    /// # Errors
    /// If the text goes on.
    pub fn end(&self) -> Result<(), Mismatch> {
        if self.rest().is_empty() { Ok(()) } else { Err(self.mismatch(vec![])) }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.heard..]
    }

    fn mismatch(&self, expected: Vec<String>) -> Mismatch {
        let found: String = self.rest().chars().take(Mismatch::SHOWN).collect();
        Mismatch { offset: self.heard, expected, found }
    }
}

impl Reader for Listener<'_> {
    type Stop = Mismatch;

    fn say(&mut self, text: &str) -> Result<(), Mismatch> {
        if !self.rest().starts_with(text) {
            // The place to name is where the two texts part, not where the sentence began.
            let mut same = text.bytes().zip(self.rest().bytes()).take_while(|(a, b)| a == b).count();
            while !(text.is_char_boundary(same) && self.rest().is_char_boundary(same)) {
                same -= 1;
            }
            self.heard += same;
            return Err(self.mismatch(vec![text[same..].to_string()]));
        }
        self.heard += text.len();
        Ok(())
    }

    fn choose(&mut self, options: &[Wording]) -> Result<usize, Mismatch> {
        let Some(chosen) = options.iter().position(|(text, _)| self.rest().starts_with(text)) else {
            return Err(self.mismatch(options.iter().map(|(text, _)| text.to_string()).collect()));
        };
        let (text, weight) = options[chosen];
        self.heard += text.len();
        self.log_probability += (weight as f64 / total_weight(options) as f64).ln();
        Ok(chosen)
    }
}

/// Where a text leaves the grammar, and how it could have gone on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The byte of the text at which no story goes on like this.
    pub offset: usize,
    /// What a story could say here; nothing if it should have ended.
    pub expected: Vec<String>,
    /// How the text goes on instead (its next characters); empty if it ended.
    pub found: String,
}

impl Mismatch {
    /// How many characters of the text `found` shows.
    const SHOWN: usize = 16;
}

impl Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: expected ", self.offset)?;
        match self.expected.as_slice() {
            [] => f.write_str("the end of the story")?,
            [first, others @ ..] => {
                write!(f, "{first:?}")?;
                others.iter().try_for_each(|other| write!(f, " or {other:?}"))?;
            }
        }
        match self.found.as_str() {
            "" => f.write_str(", but the text ends"),
            found => write!(f, ", but found {found:?}"),
        }
    }
}

impl std::error::Error for Mismatch {}
