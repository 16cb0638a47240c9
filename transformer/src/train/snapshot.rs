//! What the model writes, and where its heads look, at one moment of its training: the same prompt and the same random
//! numbers every time, so that what changes is the model.

use super::trainer::Trainer;
use crate::error::Result;
use crate::model::{Gpt, Pass};
use crate::random::{Purpose, generator};
use crate::run_dir::lines::Line;
use crate::sample::{Sampling, generate};
use autograd::{Tape, Tensor};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// The tokens of the prompt: as many as can be told apart on a map.
const PROMPT: usize = 32;

/// The tokens that are written, or as many as the context holds.
const WRITTEN: usize = 160;

/// A line of `snapshots.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The number of updates that were done.
    pub step: usize,
    /// The ids that a sample begins with and those that were drawn.
    pub sample: Vec<usize>,
    /// The ids whose attention is shown: the beginning of the validation part.
    pub prompt: Vec<usize>,
    /// `[layer][head]`: 255·A, a byte for each pair of a query and a key up to it, row by row, in base64.
    pub attention: Vec<Vec<String>>,
}

impl Line for Snapshot {
    const FILE: &'static str = "snapshots.jsonl";
    const NAME: &'static str = "snapshot";

    fn step(&self) -> usize {
        self.step
    }
}

impl Snapshot {
    /// Looks at a model in training.
    ///
    /// # Errors
    /// If the ids of the validation part are in a file that can no longer be read.
    pub fn of(trainer: &Trainer) -> Result<Self> {
        let (block_size, seed) = (trainer.config.model.block_size, trainer.config.seed);
        let mut prompt = Vec::new();
        trainer.dataset.validation.copy(0, PROMPT.min(block_size), &mut prompt)?;
        let mut texts = [vec![prompt[0]]];
        let mut random = generator(seed, Purpose::Sampling);
        let new = WRITTEN.min(block_size - 1);
        generate(&trainer.model, &mut texts, new, &Sampling::default(), &mut random, |_, _| {});
        let [sample] = texts;
        let attention = attention(&trainer.model, &prompt);
        let encode = |maps: Vec<Vec<u8>>| maps.into_iter().map(|map| STANDARD.encode(map)).collect();
        Ok(Snapshot {
            step: trainer.step(),
            sample,
            prompt,
            attention: attention.into_iter().map(encode).collect(),
        })
    }

    /// The map of one head, if it is one: a byte for each pair of a query and a key up to it.
    pub fn map(&self, layer: usize, head: usize) -> Option<Vec<u8>> {
        let n = self.prompt.len();
        let map = STANDARD.decode(self.attention.get(layer)?.get(head)?).ok()?;
        (map.len() == n * (n + 1) / 2).then_some(map)
    }
}

/// A = softmax(q·kᵀ/√d_head) of every layer and head, as the textbook's pass computes it.
fn attention(model: &Gpt<Tensor<f32>>, prompt: &[usize]) -> Vec<Vec<Vec<u8>>> {
    let n = prompt.len();
    let tape = Tape::new();
    model.on(&tape).logits(prompt, [1, n], &Pass::evaluation().textbook());
    let nodes = tape.nodes();
    let in_attention = |scope| tape.scope_name(scope).ends_with("attention");
    let weights = nodes.iter().filter(|node| node.op_name() == "softmax" && in_attention(node.scope));
    weights.map(|node| node.value.data().chunks(n * n).map(|map| seen(map, n)).collect()).collect()
}

/// The lower triangle of `[n, n]`, row by row, each weight as a byte.
fn seen(map: &[f32], n: usize) -> Vec<u8> {
    let rows = map.chunks(n).enumerate();
    rows.flat_map(|(query, row)| row[..=query].iter().map(|weight| (255.0 * weight).round() as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelConfig;

    #[test]
    fn there_is_a_map_for_every_head_and_each_of_its_rows_sums_to_one() {
        let config = ModelConfig {
            n_layer: 3,
            n_head: 2,
            n_embd: 16,
            block_size: 12,
            vocab_size: 7,
            ..ModelConfig::default()
        };
        let maps = attention(&Gpt::init(&config, 3), &[1, 2, 3, 4, 5, 6, 0, 1, 2]);
        assert_eq!(maps.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 2]);
        for map in maps.iter().flatten() {
            assert_eq!(map.len(), 45);
            for query in 0..9 {
                let row = &map[query * (query + 1) / 2..][..=query];
                let sum: f64 = row.iter().map(|&weight| f64::from(weight) / 255.0).sum();
                assert!((sum - 1.0).abs() < 0.02, "row {query} sums to {sum}: {row:?}");
            }
        }
    }
}
