//! How well questions were answered: exactly, and how nearly.
//!
//! An answer is right if every token of it is the likeliest one, given the question and the tokens before it. That is
//! what writing at temperature 0 gives, since a right answer so far is what the model has written so far. So one
//! forward pass over question *and* answer judges it (a test compares).
//!
//! Beside it stands the mean of ln p(answer | question), which moves long before an answer is right: whether an ability
//! comes suddenly depends on which of the two one plots. (Schaeffer et al. 2023, "Are emergent abilities of large
//! language models a mirage?")

use super::{Example, Task};
use crate::data::batches::IGNORE;
use crate::model::{Gpt, Pass};
use autograd::{Tape, Tensor};
use serde::{Deserialize, Serialize};

/// What a model has answered.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The questions.
    pub asked: usize,
    /// The answers that were right to the last token.
    pub right: usize,
    /// The mean of ln p(answer | question), in nats an answer.
    pub log_likelihood: f64,
}

/// 97.5 % of a normal distribution lie below this many standard deviations.
const Z: f64 = 1.959_963_984_540_054;

/// The questions of a forward pass.
const ROWS: usize = 64;

impl Score {
    /// Lets a model answer.
    ///
    /// # Panics
    /// If a question and its answer are longer than the model's context, or there is none.
    pub fn of(model: &Gpt<Tensor<f32>>, task: &Task, examples: &[Example]) -> Score {
        assert!(!examples.is_empty(), "a score needs a question");
        let (mut right, mut sum) = (0, 0.0);
        for examples in examples.chunks(ROWS) {
            let batch = task.batch(examples);
            let tape = Tape::new();
            let logits =
                tape.no_grad(|| model.on(&tape).logits(&batch.x, batch.shape(), &Pass::evaluation())).value(); // [b, n, v]
            let v = model.config.vocab_size;
            for (row, example) in examples.iter().enumerate() {
                let first = example.question.len() - 1;
                let mut all = true;
                for (i, &token) in example.answer.iter().enumerate() {
                    let at = row * batch.length + first + i;
                    assert!(
                        batch.y[at] == token && token != IGNORE,
                        "the answer stands where it is expected"
                    );
                    let (likeliest, log_p) = judge(&logits.data()[at * v..][..v], token);
                    all &= likeliest == token;
                    sum += log_p;
                }
                right += usize::from(all);
            }
        }
        Score { asked: examples.len(), right, log_likelihood: sum / examples.len() as f64 }
    }

    /// The share of answers that were right.
    pub fn exact_match(&self) -> f64 {
        self.right as f64 / self.asked as f64
    }

    /// The interval that covers the true share in 95 % of all cases (Wilson 1927):
    ///
    /// ```text
    /// (p + z²/2n ± z·√(p(1 − p)/n + z²/4n²)) / (1 + z²/n)
    /// ```
    pub fn interval(&self) -> [f64; 2] {
        let (p, n) = (self.exact_match(), self.asked as f64);
        let middle = p + Z * Z / (2.0 * n);
        let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        [middle - spread, middle + spread].map(|end| (end / (1.0 + Z * Z / n)).clamp(0.0, 1.0))
    }
}

/// The likeliest token (of equals the first), and ln p of `token`.
fn judge(logits: &[f32], token: usize) -> (usize, f64) {
    let mut likeliest = 0;
    for (i, &logit) in logits.iter().enumerate() {
        if logit > logits[likeliest] {
            likeliest = i;
        }
    }
    let largest = f64::from(logits[likeliest]);
    let total: f64 = logits.iter().map(|&logit| (f64::from(logit) - largest).exp()).sum();
    (likeliest, f64::from(logits[token]) - largest - total.ln())
}
