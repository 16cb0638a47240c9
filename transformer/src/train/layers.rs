//! What an update did to each layer: how long the gradient was, how far the weights moved, and how long they are.
//!
//! ```text
//! ‖g‖ before clipping        ‖Δp‖/‖p‖: a rate that fits moves a layer by about a thousandth of itself in an update
//! ```
//!
//! A part of the model that gets no gradient learns nothing and says nothing: after the first update each parameter is
//! looked at, entry by entry.

use super::optimizer::norm;
use crate::run_dir::lines::Line;
use autograd::Tensor;
use serde::{Deserialize, Serialize};

/// Of the updates between evaluations, at most one in this many is looked at: it costs a few passes over the weights.
const SELDOM: usize = 20;

/// A line of `layers.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayersLine {
    /// The number of updates that were done.
    pub step: usize,
    /// The embedding, each block, and what follows.
    pub layers: Vec<Layer>,
    /// Every parameter's gradient, at the first update of a run only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first_gradients: Vec<FirstGradient>,
}

/// What the last update did to one layer; norms are √Σx² over all numbers of its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// `embedding`, `blocks.0`, …, `head`
    pub name: String,
    /// ‖g‖, before clipping.
    pub grad_norm: f32,
    /// ‖p‖, before the update.
    pub weight_norm: f32,
    /// ‖Δp‖, decay included.
    pub update_norm: f32,
}

/// The first gradient of one parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FirstGradient {
    /// The parameter.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// ‖g‖, before clipping.
    pub norm: f32,
    /// How many rows (entries, where there is one axis) are exactly zero: those of tokens that were not seen, say.
    pub zero_rows: usize,
    /// How many columns of a matrix are exactly zero: units of a layer that are off for every token, say.
    pub zero_columns: usize,
}

/// What an update did to one parameter: ‖g‖, ‖p‖ before it, ‖Δp‖.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moved {
    /// ‖g‖, before clipping.
    pub gradient: f64,
    /// ‖p‖, before the update.
    pub weight: f64,
    /// ‖Δp‖.
    pub update: f64,
}

impl Line for LayersLine {
    const FILE: &'static str = "layers.jsonl";
    const NAME: &'static str = "line of what an update did to the layers";

    fn step(&self) -> usize {
        self.step
    }
}

impl Layer {
    /// ‖Δp‖/‖p‖: which part of itself the layer has moved by; 0 where all weights are 0.
    pub fn update_ratio(&self) -> f64 {
        let (update, weight) = (f64::from(self.update_norm), f64::from(self.weight_norm));
        if weight > 0.0 { update / weight } else { 0.0 }
    }
}

/// Whether the update that leads to `step` is looked at, of those that have a line in `metrics.jsonl`.
pub fn looks_at(step: usize, log_interval: usize, evaluated: bool) -> bool {
    step == 1 || evaluated || step.is_multiple_of(log_interval * SELDOM.div_ceil(log_interval))
}

impl Moved {
    /// Compares a parameter with what it was.
    pub fn of(gradient: &Tensor<f32>, before: &Tensor<f32>, after: &Tensor<f32>) -> Self {
        let one = |tensor: &Tensor<f32>| norm(std::slice::from_ref(tensor));
        let update = after.zip(before, |after, before| after - before);
        Moved { gradient: one(gradient), weight: one(before), update: one(&update) }
    }
}

impl LayersLine {
    /// Gathers the parameters of each layer.
    pub fn of<'a>(step: usize, parameters: impl Iterator<Item = (&'a str, Moved)>) -> Self {
        let mut sums: Vec<(String, [f64; 3])> = Vec::new();
        for (parameter, moved) in parameters {
            let layer = layer_of(parameter);
            let at = sums.iter().position(|(name, _)| *name == layer).unwrap_or_else(|| {
                sums.push((layer, [0.0; 3]));
                sums.len() - 1
            });
            let norms = [moved.gradient, moved.weight, moved.update];
            sums[at].1.iter_mut().zip(norms).for_each(|(sum, norm)| *sum += norm * norm);
        }
        let layer = |(name, squares): (String, [f64; 3])| {
            let [grad_norm, weight_norm, update_norm] = squares.map(|square| in_json(square.sqrt()));
            Layer { name, grad_norm, weight_norm, update_norm }
        };
        LayersLine { step, layers: sums.into_iter().map(layer).collect(), first_gradients: Vec::new() }
    }

    /// The parameters whose first gradient is zero in every entry.
    pub fn without_gradient(&self) -> impl Iterator<Item = &FirstGradient> {
        self.first_gradients.iter().filter(|first| first.is_zero())
    }
}

/// JSON has no infinity: a norm beyond the largest number, of a run that blows up, is written as that.
fn in_json(norm: f64) -> f32 {
    (norm as f32).min(f32::MAX)
}

/// `transformer.h.3.mlp.c_fc.weight` belongs to `blocks.3`.
fn layer_of(parameter: &str) -> String {
    let parts: Vec<&str> = parameter.split('.').collect();
    match parts[..] {
        ["transformer", "h", number, ..] => format!("blocks.{number}"),
        ["transformer", "wte" | "wpe", ..] => "embedding".to_owned(),
        _ => "head".to_owned(),
    }
}

impl FirstGradient {
    /// Looks at every entry.
    pub fn of(name: &str, gradient: &Tensor<f32>) -> Self {
        let columns =
            if gradient.shape().len() < 2 { 1 } else { gradient.shape()[gradient.shape().len() - 1] };
        let mut used = vec![false; columns];
        let mut zero_rows = 0;
        for row in gradient.data().chunks(columns) {
            used.iter_mut().zip(row).for_each(|(used, &x)| *used |= x != 0.0);
            zero_rows += usize::from(row.iter().all(|&x| x == 0.0));
        }
        let zero_columns = if columns > 1 { used.iter().filter(|used| !**used).count() } else { 0 };
        let norm = in_json(norm(std::slice::from_ref(gradient)));
        FirstGradient {
            name: name.to_owned(),
            shape: gradient.shape().to_vec(),
            norm,
            zero_rows,
            zero_columns,
        }
    }

    /// The number of its rows, or entries where there is one axis.
    pub fn rows(&self) -> usize {
        let numbers: usize = self.shape.iter().product();
        if self.shape.len() < 2 { numbers } else { numbers / self.shape[self.shape.len() - 1].max(1) }
    }

    /// Whether every entry is zero: nothing trains this parameter.
    pub fn is_zero(&self) -> bool {
        self.zero_rows == self.rows()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::Dataset;
    use crate::data::text::Text;
    use crate::data::tokenizer::{Tokenizer, TokenizerKind};
    use crate::model::ModelConfig;
    use crate::train::config::TrainConfig;
    use crate::train::trainer::Trainer;

    fn trainer() -> Trainer {
        let text = Text::new("text", "the quick brown fox jumps over the lazy dog. ".repeat(20));
        let tokenizer = Tokenizer::for_text(TokenizerKind::Char, text.content());
        let model = ModelConfig {
            n_layer: 2,
            n_head: 2,
            n_embd: 16,
            block_size: 8,
            vocab_size: tokenizer.vocab_size(),
            ..ModelConfig::default()
        };
        let config =
            TrainConfig { model, batch_size: 4, gradient_accumulation_steps: 1, ..TrainConfig::default() };
        let dataset = Dataset::new(&text, &tokenizer, 8).unwrap();
        Trainer::new(config, dataset).unwrap()
    }

    #[test]
    fn a_parameter_whose_gradient_is_exactly_zero_is_named_and_no_other_one() {
        let mut trainer = trainer();
        let (_, line) = trainer.update_and_look().unwrap();
        assert_eq!(line.first_gradients.len(), trainer.model.parameters().len());
        assert_eq!(line.without_gradient().count(), 0, "{:?}", line.first_gradients);

        // Planted: what the second MLP computes is multiplied by 0, so nothing reaches its first matrix.
        let mut trainer = self::trainer();
        let dead = "transformer.h.1.mlp.c_proj.weight";
        let at = trainer.model.parameters().iter().position(|(name, _)| name == dead).unwrap();
        trainer.model.parameters_mut()[at].data_mut().fill(0.0);
        let (_, line) = trainer.update_and_look().unwrap();
        let named: Vec<&str> = line.without_gradient().map(|first| first.name.as_str()).collect();
        assert_eq!(named, ["transformer.h.1.ln_2.weight", "transformer.h.1.mlp.c_fc.weight"]);
    }

    #[test]
    fn rows_of_tokens_that_were_not_seen_are_counted_and_the_parameter_is_not_named() {
        let gradient = Tensor::new([3, 2], [0.0, 1.0, 0.0, 0.0, 0.0, -2.0]);
        let first = FirstGradient::of("wte", &gradient);
        assert_eq!((first.rows(), first.zero_rows, first.zero_columns, first.is_zero()), (3, 1, 1, false));
        let bias = FirstGradient::of("bias", &Tensor::new([4], [0.0; 4]));
        assert_eq!((bias.rows(), bias.zero_rows, bias.zero_columns, bias.is_zero()), (4, 4, 0, true));
    }

    #[test]
    fn looking_at_an_update_changes_nothing_and_its_norms_are_those_of_the_weights() {
        let (mut plain, mut watched) = (trainer(), trainer());
        for _ in 0..3 {
            let before: Vec<Tensor<f32>> =
                watched.model.parameters().into_iter().map(|(_, parameter)| parameter.clone()).collect();
            let update = plain.update().unwrap();
            let (seen, line) = watched.update_and_look().unwrap();
            assert_eq!(seen, update);
            let after = watched.model.parameters();
            for (layer, prefix) in
                line.layers.iter().zip(["transformer.w", "transformer.h.0", "transformer.h.1"])
            {
                let of_layer = after.iter().zip(&before).filter(|((name, _), _)| name.starts_with(prefix));
                let (mut weight, mut moved) = (0.0, 0.0);
                for ((_, after), before) in of_layer {
                    for (&a, &b) in after.data().iter().zip(before.data()) {
                        weight += f64::from(b).powi(2);
                        moved += f64::from(a - b).powi(2);
                    }
                }
                approx::assert_relative_eq!(f64::from(layer.weight_norm), weight.sqrt(), max_relative = 1e-5);
                approx::assert_relative_eq!(f64::from(layer.update_norm), moved.sqrt(), max_relative = 1e-5);
            }
            let whole: f32 = line.layers.iter().map(|layer| layer.grad_norm * layer.grad_norm).sum();
            approx::assert_relative_eq!(f64::from(whole.sqrt()), update.grad_norm, max_relative = 1e-5);
        }
        let weights = |trainer: &Trainer| {
            trainer.model.parameters().into_iter().map(|(_, parameter)| parameter.clone()).collect::<Vec<_>>()
        };
        assert!(weights(&plain) == weights(&watched));
    }

    #[test]
    fn updates_are_looked_at_with_a_line_of_metrics_but_not_too_often() {
        let looked = |log_interval: usize| {
            let lines = (1..=100).filter(|step| step % log_interval == 0 || *step == 1);
            lines.filter(|&step| looks_at(step, log_interval, step == 99)).collect::<Vec<_>>()
        };
        assert_eq!(looked(1), [1, 20, 40, 60, 80, 99, 100]);
        assert_eq!(looked(10), [1, 20, 40, 60, 80, 100]);
        assert_eq!(looked(50), [1, 50, 100]);
    }
}
