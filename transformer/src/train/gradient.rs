//! The gradient of a batch: forward to the one number, and back to every parameter.

use crate::data::batches::Batch;
use crate::error::{Error, Result};
use crate::model::{Gpt, Pass};
use autograd::{Float, Tape, Tensor};

/// The loss of a batch, and its gradient with respect to every parameter in the order of [`Gpt::parameters`].
pub struct Gradient<T: Float> {
    /// The mean of −ln p(next token), in nats.
    pub loss: f64,
    /// One tensor a parameter.
    pub of: Vec<Tensor<T>>,
}

/// Σᵢ wᵢ·(gradient of batch i), wᵢ its share of all targets: the gradient of the mean over all tokens, as if the
/// batches were one. `pass(i)` says how batch i is run.
///
/// # Errors
/// If the loss is not a finite number (the message names the first op whose value is not), or does not depend on a
/// parameter (the message names it).
pub fn gradient<T: Float>(
    model: &Gpt<Tensor<T>>,
    batches: &[Batch],
    pass: impl Fn(usize) -> Pass,
) -> Result<Gradient<T>> {
    let targets: usize = batches.iter().map(Batch::targets).sum();
    let mut sum: Option<Gradient<T>> = None;
    for (i, batch) in batches.iter().enumerate() {
        let share = batch.targets() as f64 / targets as f64;
        let part = of_batch(model, batch, share, &pass(i))?;
        match &mut sum {
            None => sum = Some(part),
            Some(sum) => {
                sum.loss += part.loss;
                sum.of.iter_mut().zip(&part.of).for_each(|(sum, part)| sum.add_assign(part));
            }
        }
    }
    sum.ok_or_else(|| Error::new("there is no batch to take a gradient of"))
}

/// share·loss and its gradient.
fn of_batch<T: Float>(model: &Gpt<Tensor<T>>, batch: &Batch, share: f64, pass: &Pass) -> Result<Gradient<T>> {
    let tape = Tape::new();
    let on_tape = model.on(&tape);
    let loss = on_tape.loss(batch, pass);
    let value = loss.value().item().to_f64();
    if !value.is_finite() {
        let first = tape.first_non_finite().map_or(String::new(), |found| format!("; {found}"));
        return Err(Error::new(format!("the loss is {value}{first}")));
    }
    let weighted = if share == 1.0 { loss } else { loss * share };
    let mut gradients = weighted.backward_and_free();
    let of = on_tape.parameters().into_iter().map(|(name, &parameter)| {
        gradients.take(parameter).ok_or_else(|| {
            Error::new(format!("the loss does not depend on the parameter {name}: it would never be trained"))
                .way_out("check where the model loses it: a detach, a no_grad, a layer that is not called")
        })
    });
    Ok(Gradient { loss: share * value, of: of.collect::<Result<_>>()? })
}
