//! A certificate that no token sees a later one: `∂logits[i]/∂embedding[j]` is exactly 0 for every j > i.
//!
//! It is asked in two ways, neither of which trusts the other. By the tape: one walk back from each row of logits, with
//! random weights; whatever arrives at a later token, or at another row of the batch, has to be 0 to the last bit. By
//! values: the embeddings of all tokens from j on are replaced by others; the logits before j have to keep every bit.

use super::subject::{Path, Recorded, Subject};
use autograd::{Tape, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// What the certificate says.
#[derive(Debug, Clone, Serialize)]
pub struct Causality {
    /// Whether no token sees a later one, by both ways, on both paths.
    pub ok: bool,
    /// The largest influence of a later token that was found: 0, if all is well.
    pub worst: f64,
    /// On which path it was found.
    pub path: Option<Path>,
    /// The position of the token that sees.
    pub query: Option<usize>,
    /// The position of the token that is seen.
    pub key: Option<usize>,
    /// How many pairs (i, j) with j > i were looked at on each path.
    pub pairs: usize,
    /// Whether tokens see themselves and the ones before: without that, the zeros would prove nothing.
    pub sees_the_past: bool,
}

/// Looks at every pair of positions in every row of the batch.
pub fn causality(subject: &Subject) -> Causality {
    let n = subject.batch.length;
    let pairs = subject.batch.rows * n * (n - 1) / 2;
    let mut found =
        Causality { ok: true, worst: 0.0, path: None, query: None, key: None, pairs, sees_the_past: true };
    for path in Path::BOTH {
        let tape = Tape::new();
        let recorded = subject.record(&tape, path);
        by_gradients(subject, &recorded, path, &mut found);
        by_values(subject, &recorded, path, &mut found);
    }
    found.ok = found.path.is_none() && found.sees_the_past;
    found
}

impl Causality {
    fn note(&mut self, influence: f64, path: Path, query: usize, key: usize) {
        // NaN is no zero either.
        if influence != 0.0 && (self.path.is_none() || influence.abs() > self.worst) {
            self.worst = influence.abs();
            (self.path, self.query, self.key) = (Some(path), Some(query), Some(key));
        }
    }
}

fn by_gradients(subject: &Subject, recorded: &Recorded<f64>, path: Path, found: &mut Causality) {
    let [b, n] = subject.batch.shape();
    let (d, v) = (subject.model.config.n_embd, subject.model.config.vocab_size);
    let mut random = ChaCha8Rng::seed_from_u64(0);
    for row in 0..b {
        for query in 0..n {
            let here = (row * n + query) * v..(row * n + query + 1) * v;
            let dy = Tensor::from_fn([b, n, v], |i| {
                if here.contains(&i) { random.random_range(-1.0..1.0) } else { 0.0 }
            });
            let gradients = recorded.logits.backward_from(dy);
            let Some(gradient) = gradients.get(recorded.embedding) else {
                found.sees_the_past = false;
                continue;
            };
            for (token, dx) in gradient.data().chunks(d).enumerate() {
                let (other_row, key) = (token / n, token % n);
                let largest = dx
                    .iter()
                    .fold(0.0, |most: f64, dx| if dx.abs() > most || dx.is_nan() { dx.abs() } else { most });
                if other_row != row || key > query {
                    found.note(largest, path, query, key);
                } else if key == query && largest == 0.0 {
                    found.sees_the_past = false;
                }
            }
        }
    }
}

fn by_values(subject: &Subject, recorded: &Recorded<f64>, path: Path, found: &mut Causality) {
    let [_, n] = subject.batch.shape();
    let (d, v) = (subject.model.config.n_embd, subject.model.config.vocab_size);
    let (tape, x, logits) = (recorded.logits.tape(), recorded.embedding, recorded.logits.value());
    for key in 1..n {
        let others = x.value();
        let others = Tensor::from_fn(others.shape(), |i| {
            if i / d % n >= key { others.data()[i] * -0.7 + 0.1 } else { others.data()[i] }
        });
        let moved = tape.replay(x.index(), others, recorded.logits.index());
        for (i, (before, after)) in logits.data().iter().zip(moved.data()).enumerate() {
            let query = i / v % n;
            if query < key && before.to_bits() != after.to_bits() {
                found.note((after - before).abs(), path, query, key);
            }
        }
    }
}
