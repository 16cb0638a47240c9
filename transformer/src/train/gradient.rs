//! The gradient of a batch: forward to the one number, and back to every parameter.

use super::optimizer::norm;
use super::tensors::for_each_tensor;
use crate::data::batches::Batch;
use crate::error::{Error, Result};
use crate::model::{Gpt, Pass};
use autograd::{Float, Gradients, Tape, Tensor};

/// The loss of a batch, and its gradient with respect to every parameter in the order of [`Gpt::parameters`].
pub struct Gradient<T: Float> {
    /// The mean of −ln p(next token), in nats.
    pub loss: f64,
    /// One tensor a parameter.
    pub of: Vec<Tensor<T>>,
    /// ‖g‖ = √Σ gᵢ², over the entries of all of them.
    pub norm: f64,
}

/// Σᵢ wᵢ·(gradient of batch i), wᵢ its share of all targets: the gradient of the mean over all tokens, as if the
/// batches were one. `pass(i)` says how batch i is run.
///
/// # Errors
/// If the loss or its gradient is not finite (the message names the first op whose value or vjp is not), or the loss
/// does not depend on a parameter (the message names it).
pub fn gradient<T: Float>(
    model: &Gpt<Tensor<T>>,
    batches: &[Batch],
    pass: impl Fn(usize) -> Pass,
) -> Result<Gradient<T>> {
    let targets: usize = batches.iter().map(Batch::targets).sum();
    let mut sum = Sum::default();
    for (i, batch) in batches.iter().enumerate() {
        let share = batch.targets() as f64 / targets as f64;
        sum.add(of_batch(&Tape::new(), model, batch, share, &pass(i))?);
    }
    sum.finished(model, batches, pass)
}

/// A sum of weighted losses and gradients.
pub(super) struct Sum<T: Float> {
    loss: f64,
    of: Vec<Tensor<T>>,
}

impl<T: Float> Default for Sum<T> {
    fn default() -> Self {
        Sum { loss: 0.0, of: Vec::new() }
    }
}

impl<T: Float> Sum<T> {
    pub(super) fn add(&mut self, part: Sum<T>) {
        self.loss += part.loss;
        match self.of.is_empty() {
            true => self.of = part.of,
            false => for_each_tensor(&mut self.of, Tensor::numel, |i, sum| sum.add_assign(&part.of[i])),
        }
    }

    /// The sum with its norm, if all of it is finite.
    pub(super) fn finished(
        self,
        model: &Gpt<Tensor<T>>,
        batches: &[Batch],
        pass: impl Fn(usize) -> Pass,
    ) -> Result<Gradient<T>> {
        let Sum { loss, of } = self;
        if of.is_empty() {
            return Err(Error::new("there is no batch to take a gradient of"));
        }
        let norm = norm(&of);
        // A norm that is a number has no other entries; one that is not may be an overflow of squares.
        match norm.is_finite() || of.iter().all(Tensor::is_finite) {
            true => Ok(Gradient { loss, of, norm }),
            false => Err(not_finite(model, batches, pass)),
        }
    }
}

/// share·loss and its gradient, by way of a fresh tape.
pub(super) fn of_batch<T: Float>(
    tape: &Tape<T>,
    model: &Gpt<Tensor<T>>,
    batch: &Batch,
    share: f64,
    pass: &Pass,
) -> Result<Sum<T>> {
    let on_tape = model.on(tape);
    let parameters = tape.nodes().len(); // the first nodes, in the model's order
    let loss = on_tape.loss(batch, pass);
    let value = loss.value().item().to_f64();
    if !value.is_finite() {
        let first = tape.first_non_finite().map_or(String::new(), |found| format!("; {found}"));
        return Err(Error::new(format!("the loss is {value}{first}")));
    }
    let weighted = if share == 1.0 { loss } else { loss * share };
    let mut gradients = weighted.backward_and_free();
    Ok(Sum { loss: share * value, of: of_each(&mut gradients, tape, parameters)? })
}

/// The gradients of the parameters, which are the first nodes of the tape.
///
/// # Errors
/// If there are some that the loss does not depend on; the message names them all.
fn of_each<T: Float>(
    gradients: &mut Gradients<T>,
    tape: &Tape<T>,
    parameters: usize,
) -> Result<Vec<Tensor<T>>> {
    let (mut of, mut without) = (Vec::with_capacity(parameters), Vec::new());
    for parameter in 0..parameters {
        match gradients.take(tape.var(parameter)) {
            Some(gradient) => of.push(gradient),
            None => without.push(tape.nodes()[parameter].name.clone()),
        }
    }
    if without.is_empty() {
        return Ok(of);
    }
    let (what, it) = match without.len() {
        1 => ("the parameter", "it"),
        _ => ("the parameters", "they"),
    };
    Err(Error::new(format!(
        "the loss does not depend on {what} {}: {it} would never be trained",
        without.join(", ")
    ))
    .way_out("check where the model loses it: a detach, a no_grad, a layer that is not called"))
}

/// Names the op whose vjp was the first to return a number that is not finite.
fn not_finite<T: Float>(model: &Gpt<Tensor<T>>, batches: &[Batch], pass: impl Fn(usize) -> Pass) -> Error {
    let mut found = batches.iter().enumerate().map(|(i, batch)| first_non_finite(model, batch, &pass(i)));
    let place = found.find_map(|place| place).unwrap_or("adding up cotangents".to_owned());
    Error::new(format!(
        "the loss is finite, but not its gradient; the first value that is not finite: {place}"
    ))
}

/// Walks a batch again, looking at every contribution of a cotangent.
fn first_non_finite<T: Float>(model: &Gpt<Tensor<T>>, batch: &Batch, pass: &Pass) -> Option<String> {
    let tape = Tape::new();
    let loss = model.on(&tape).loss(batch, pass);
    let mut first = None;
    loss.backward_watched(&mut |contribution| {
        if first.is_none() && !contribution.delta.is_finite() {
            first = Some((contribution.from, contribution.input));
        }
    });
    let (from, input) = first?;
    let nodes = tape.nodes();
    let node = &nodes[from];
    let scope = tape.scope_name(node.scope);
    Some(format!(
        "the vjp of {} in {scope}, for its input {input}; called at {}",
        node.op_name(),
        node.location
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelConfig;

    fn model() -> Gpt<Tensor<f64>> {
        let config = ModelConfig {
            n_layer: 2,
            n_head: 2,
            n_embd: 8,
            block_size: 6,
            vocab_size: 9,
            ..ModelConfig::default()
        };
        Gpt::init(&config, 4)
    }

    /// Windows of tokens that differ from one another.
    fn batch(rows: std::ops::Range<usize>) -> Batch {
        let token = |i: usize| (i * i + 3 * i) % 9;
        let (start, end) = (rows.start * 6, rows.end * 6);
        let x = (start..end).map(token).collect();
        let y = (start..end).map(|i| token(i + 1)).collect();
        Batch { x, y, rows: rows.len(), length: 6 }
    }

    fn of(model: &Gpt<Tensor<f64>>, batches: &[Batch]) -> Gradient<f64> {
        gradient(model, batches, |_| Pass::evaluation()).unwrap()
    }

    #[test]
    fn every_parameter_that_the_loss_does_not_reach_is_named() {
        let tape = Tape::<f64>::new();
        let [used, _, detached] =
            ["used", "forgotten", "detached"].map(|name| tape.parameter(name, Tensor::scalar(3.0)));
        let loss = used * used + detached.detach();
        let message = of_each(&mut loss.backward(), &tape, 3).unwrap_err().to_string();
        let names = "the parameters forgotten, detached: they would never be trained";
        assert!(message.contains(names) && message.contains("way out"), "{message}");
    }

    #[test]
    fn a_norm_that_overflows_is_no_error_as_long_as_the_gradient_is_finite() {
        let model = Gpt::<Tensor<f32>>::init(&model().config, 4);
        let batches = [batch(0..1), batch(1..2)];
        let sum = |x: f32| Sum { loss: 1.0, of: vec![Tensor::full([2], 1e30), Tensor::full([3], x)] };
        let found = sum(1e30).finished(&model, &batches, |_| Pass::evaluation()).unwrap();
        assert_eq!(found.norm, f64::INFINITY);
        for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let failed = sum(x).finished(&model, &batches, |_| Pass::evaluation()).err();
            let message = failed.unwrap_or_else(|| panic!("{x} passed for a number")).to_string();
            assert!(message.contains("the loss is finite, but not its gradient"), "{message}");
        }
    }

    #[track_caller]
    fn assert_close(found: &Gradient<f64>, expected: &Gradient<f64>) {
        approx::assert_relative_eq!(found.loss, expected.loss, max_relative = 1e-13);
        approx::assert_relative_eq!(found.norm, norm(&expected.of), max_relative = 1e-13);
        for (found, expected) in found.of.iter().zip(&expected.of) {
            for (&found, &expected) in found.data().iter().zip(expected.data()) {
                approx::assert_relative_eq!(found, expected, epsilon = 1e-14);
            }
        }
    }

    #[test]
    fn the_gradient_of_a_batch_is_the_mean_of_its_examples_gradients() {
        let model = model();
        let together = of(&model, &[batch(0..4)]);
        let each: Vec<Gradient<f64>> = (0..4).map(|row| of(&model, &[batch(row..row + 1)])).collect();
        let mean = Gradient {
            norm: together.norm,
            loss: each.iter().map(|example| example.loss).sum::<f64>() / 4.0,
            of: (0..together.of.len())
                .map(|i| {
                    let zero = Tensor::zeros(together.of[i].shape());
                    let sum = each.iter().fold(zero, |sum, example| sum.zip(&example.of[i], |a, b| a + b));
                    sum.map(|sum| sum / 4.0)
                })
                .collect(),
        };
        assert_close(&together, &mean);
    }

    #[test]
    fn accumulated_batches_weigh_as_much_as_their_tokens() {
        let model = model();
        assert_close(&of(&model, &[batch(0..1), batch(1..4)]), &of(&model, &[batch(0..4)]));
    }
}
