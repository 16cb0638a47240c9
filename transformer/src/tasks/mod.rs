//! Tasks with exact answers: endless, seeded, and with questions that are held out.
//!
//! ```text
//! question   3 8 + 4 5 =          what the model is given
//! answer     0 8 3                what it has to write, token by token
//! ```
//!
//! **Held out, provably.** Each question has a key (where the order of two summands does not matter, a sorted one), and
//! a hash of the key alone says on which [`Side`] it is. Training draws from one side, evaluation from the other; no
//! question can be on both, however long one draws.
//!
//! Read [`questions`] for what is asked, [`rows`] for how it becomes a batch, [`score`] for how it is judged.

pub mod questions;
pub mod rows;
pub mod score;

use crate::error::{Error, Result};
use crate::random::{Purpose, generator};
use rand_chacha::ChaCha8Rng;
use std::ops::RangeInclusive;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `abca>` → `abca`
    Copy,
    /// `abca>` → `acba`
    Reverse,
    /// `abca>` → `aabc`
    Sort,
    /// `38+45=` → `083`
    Addition,
    /// `38+45=` → `380`: the digits in the order in which one carries
    AdditionReversed,
    /// `5 + 3 =` → `1` modulo 7; each number is one token
    ModularAddition,
    /// `0110>` → `0`: is the number of ones odd?
    Parity,
    /// `0110>` → `00111100`: the same, with every step written down: a bit, and whether it is odd so far
    ParitySteps,
    /// `([])(]>` → `n`: does every bracket close?
    Brackets,
    /// `kqzdf?z` → `dfkq`: what came after it before
    Induction,
    /// `bcadca?a>` with two hops → `c`: a leads to d, d to …
    MultiHop,
    /// `She gave it to ` → `him`, in a story
    Pronoun,
    /// `Tom had two shells and found three more. Now he had ` → `five`, in a story
    Sum,
    /// `Who has the kite now? ` → `Tom`, in a story
    Owner,
}

/// A kind of question, and how large the questions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    kind: Kind,
    size: usize,
}

/// A question with its answer, as tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// What the model is given.
    pub question: Vec<usize>,
    /// What it has to write.
    pub answer: Vec<usize>,
    /// What follows the answer, where it stands in a longer text.
    pub after: Vec<usize>,
}

/// Where a question may be drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// To learn from.
    Training,
    /// To be asked: never learnt from.
    HeldOut,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 14] = [
        Kind::Copy,
        Kind::Reverse,
        Kind::Sort,
        Kind::Addition,
        Kind::AdditionReversed,
        Kind::ModularAddition,
        Kind::Parity,
        Kind::ParitySteps,
        Kind::Brackets,
        Kind::Induction,
        Kind::MultiHop,
        Kind::Pronoun,
        Kind::Sum,
        Kind::Owner,
    ];

    /// The name, as files and ledgers have it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Copy => "copy",
            Kind::Reverse => "reverse",
            Kind::Sort => "sort",
            Kind::Addition => "addition",
            Kind::AdditionReversed => "addition_reversed",
            Kind::ModularAddition => "modular_addition",
            Kind::Parity => "parity",
            Kind::ParitySteps => "parity_steps",
            Kind::Brackets => "brackets",
            Kind::Induction => "induction",
            Kind::MultiHop => "multi_hop",
            Kind::Pronoun => "story_pronoun",
            Kind::Sum => "story_sum",
            Kind::Owner => "story_owner",
        }
    }

    /// What the size counts, and which sizes there are.
    pub fn sizes(self) -> (&'static str, RangeInclusive<usize>) {
        match self {
            Kind::Copy | Kind::Reverse | Kind::Sort => ("letters", 4..=64),
            Kind::Addition | Kind::AdditionReversed => ("digits of a summand", 2..=18),
            Kind::ModularAddition => ("the modulus", 11..=997),
            Kind::Parity | Kind::ParitySteps => ("bits", 6..=128),
            Kind::Brackets => ("brackets, an even number", 6..=128),
            Kind::Induction => ("letters in the circle", 3..=26),
            Kind::MultiHop => ("hops", 1..=7),
            Kind::Pronoun | Kind::Sum | Kind::Owner => ("always 1", 1..=1),
        }
    }

    /// Whether the question is one inside a story, and the whole story is learnt.
    pub fn in_story(self) -> bool {
        matches!(self, Kind::Pronoun | Kind::Sum | Kind::Owner)
    }

    /// How many eighths of all questions are held out.
    fn held_out(self) -> u64 {
        if self == Kind::ModularAddition { 3 } else { 1 }
    }
}

impl Task {
    /// A task of a size.
    ///
    /// # Errors
    /// If the kind has no questions of that size; the message says which sizes there are.
    pub fn new(kind: Kind, size: usize) -> Result<Self> {
        let (unit, sizes) = kind.sizes();
        let odd = kind == Kind::Brackets && !size.is_multiple_of(2);
        if sizes.contains(&size) && !odd {
            return Ok(Task { kind, size });
        }
        Err(Error::new(format!("{} has no questions of size {size}", kind.name()))
            .at("size")
            .way_out(format!("give a size from {} to {} ({unit})", sizes.start(), sizes.end())))
    }

    /// The task of a name, such as `addition`.
    ///
    /// # Errors
    /// If there is no such task, or it has no questions of that size.
    pub fn named(name: &str, size: usize) -> Result<Self> {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
            Error::new(format!("there is no task named {name:?}"))
                .at("task")
                .way_out(format!("take one of {}", names.join(", ")))
        })?;
        Task::new(kind, size)
    }

    /// What is asked.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How large the questions are.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The next question of a stream of random numbers that is on that side.
    pub fn draw(&self, random: &mut ChaCha8Rng, side: Side) -> Example {
        loop {
            let (example, key) = questions::draw(*self, random);
            if self.side(&key) == side {
                return example;
            }
        }
    }

    /// The first `number` held-out questions: the same ones for every model and every seed of training.
    pub fn held_out(&self, number: usize) -> Vec<Example> {
        let mut random = generator(0, Purpose::Evaluation);
        (0..number).map(|_| self.draw(&mut random, Side::HeldOut)).collect()
    }

    /// On which side a question is: a matter of its key alone.
    pub fn side(&self, key: &[usize]) -> Side {
        if hash(key) >> 61 < self.kind.held_out() { Side::HeldOut } else { Side::Training }
    }

    /// Tokens as a person reads them.
    pub fn show(&self, tokens: &[usize]) -> String {
        let symbols = questions::symbols(*self);
        let space = if self.kind == Kind::ModularAddition { " " } else { "" };
        tokens.iter().map(|&token| symbols[token].as_str()).collect::<Vec<_>>().join(space)
    }

    /// How many different tokens there are, v.
    pub fn vocab_size(&self) -> usize {
        questions::symbols(*self).len()
    }
}

/// FNV-1a, then a multiplication that carries into the upper bits, which decide. (The lowest bit of FNV-1a alone is the
/// parity of its input: half of all parities would never have been seen.)
fn hash(key: &[usize]) -> u64 {
    let fnv = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &token| {
        (hash ^ token as u64).wrapping_mul(0x0000_0100_0000_01b3)
    });
    (fnv ^ (fnv >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests;
