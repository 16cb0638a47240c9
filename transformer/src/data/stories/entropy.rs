//! The exact entropy of a story, its expected length and the number of stories, by walking every choice.
//!
//! There are far too many stories to list, but few memories, and after a step only its memory matters. With the sum
//! over all ways w of telling the step that follows memory m, and m' the memory after it,
//!
//! ```text
//! H(m) = Σ p(w) · (−ln p(w) + H(m'))          the entropy of the rest of the story, in nats
//! L(m) = Σ p(w) · (|w| + L(m'))               its expected length, in characters
//! N(m) = Σ N(m')                              in how many ways it can be told
//! H(told) = L(told) = 0,  N(told) = 1
//! ```
//!
//! The first line is the chain rule of entropy. Each memory is worked out once (dynamic programming).
//!
//! Reference: T. M. Cover and J. A. Thomas, *Elements of Information Theory*, 2nd edition, 2006, theorem 2.2.1.

use super::grammar::{Memory, step};
use super::reader::{Reader, Wording, prefix_free, total_weight};
use std::collections::HashMap;
use std::convert::Infallible;

/// What is known exactly about the rest of a story after some memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// The sum of the probabilities of all ways to tell it: 1, up to rounding.
    pub probability: f64,
    /// The entropy H, in nats.
    pub entropy: f64,
    /// The expected length L, in characters.
    pub length: f64,
    /// The number of ways N to tell it; each way is another text.
    pub stories: u128,
}

/// Works out the figures of all that can follow `memory`.
pub fn figures(memory: Memory) -> Figures {
    figures_after(memory, &mut HashMap::new())
}

fn figures_after(memory: Memory, known: &mut HashMap<Memory, Figures>) -> Figures {
    if memory == Memory::Told {
        return Figures { probability: 1.0, entropy: 0.0, length: 0.0, stories: 1 };
    }
    if let Some(&figures) = known.get(&memory) {
        return figures;
    }
    let mut sum = Figures { probability: 0.0, entropy: 0.0, length: 0.0, stories: 0 };
    for_every_way(memory, |way, next| {
        let (p, rest) = (way.probability, figures_after(next, known));
        sum.probability += p * rest.probability;
        sum.entropy += p * (rest.entropy - p.ln());
        sum.length += p * (rest.length + way.length as f64);
        sum.stories += rest.stories;
    });
    known.insert(memory, sum);
    sum
}

/// Tells the step that follows `memory` in every way there is; `visit` gets each way and the memory after it.
pub fn for_every_way(memory: Memory, mut visit: impl FnMut(&Walker, Memory)) {
    let mut walker = Walker { turns: vec![], taken: 0, probability: 1.0, length: 0 };
    loop {
        let Ok(next) = step(memory, &mut walker);
        visit(&walker, next);
        if !walker.turn_back() {
            return;
        }
    }
}

/// Takes every turn of a step, one way after the other, as an odometer takes every number: the last choice turns
/// first.
#[derive(Debug)]
pub struct Walker {
    /// The turns of this way: which option of how many.
    turns: Vec<(usize, usize)>,
    /// How many of the turns have been taken.
    taken: usize,
    /// The probability of the way so far.
    pub probability: f64,
    /// The length of its text so far, in characters.
    pub length: usize,
}

impl Walker {
    /// Goes back to the start, to take the next way this time; false if there is none.
    fn turn_back(&mut self) -> bool {
        (self.taken, self.probability, self.length) = (0, 1.0, 0);
        while let Some((option, options)) = self.turns.pop() {
            if option + 1 < options {
                self.turns.push((option + 1, options));
                return true;
            }
        }
        false
    }
}

impl Reader for Walker {
    type Stop = Infallible;

    fn say(&mut self, text: &str) -> Result<(), Infallible> {
        self.length += text.len();
        Ok(())
    }

    /// # Panics
    /// If one of the options begins another: then a text could have two derivations.
    fn choose(&mut self, options: &[Wording]) -> Result<usize, Infallible> {
        if self.taken == self.turns.len() {
            assert!(prefix_free(options), "one of these begins another: {options:?}");
            self.turns.push((0, options.len()));
        }
        let (chosen, _) = self.turns[self.taken];
        self.taken += 1;
        self.probability *= options[chosen].1 as f64 / total_weight(options) as f64;
        self.say(options[chosen].0)?;
        Ok(chosen)
    }
}
