//! Examples side by side as a batch: what is learnt is the answer, not the question.
//!
//! ```text
//! x   3 8 + 4 5 = 0 8        y   · · · · · 0 8 3          · does not count: IGNORE
//! ```
//!
//! Shorter rows are filled up at their end, where nothing counts and nothing earlier can look.

use super::{Example, Side, Task};
use crate::data::batches::{Batch, IGNORE};
use rand_chacha::ChaCha8Rng;

impl Task {
    /// The next `rows` questions to learn from, as a batch.
    pub fn training_batch(&self, random: &mut ChaCha8Rng, rows: usize) -> Batch {
        let examples: Vec<Example> = (0..rows).map(|_| self.draw(random, Side::Training)).collect();
        self.batch(&examples)
    }

    /// Examples as a batch. In a story every token is a target; elsewhere only those of the answer are.
    pub fn batch(&self, examples: &[Example]) -> Batch {
        let texts: Vec<Vec<usize>> = examples.iter().map(Example::text).collect();
        let length = texts.iter().map(|text| text.len() - 1).max().unwrap_or(0);
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for (example, text) in examples.iter().zip(&texts) {
            let filling = length - (text.len() - 1);
            let given = if self.kind.in_story() { 0 } else { example.question.len() - 1 };
            x.extend(&text[..text.len() - 1]);
            x.extend(vec![0; filling]);
            y.extend(vec![IGNORE; given]);
            y.extend(&text[1 + given..]);
            y.extend(vec![IGNORE; filling]);
        }
        Batch { x, y, rows: examples.len(), length }
    }

    /// The longest row that can come: the context that a model needs.
    pub fn context(&self) -> usize {
        const LONGEST_STORY: usize = 256;
        if self.kind.in_story() { LONGEST_STORY } else { self.held_out(1)[0].text().len() - 1 }
    }
}

impl Example {
    /// Question, answer, and what follows.
    pub fn text(&self) -> Vec<usize> {
        [&self.question[..], &self.answer, &self.after].concat()
    }
}
