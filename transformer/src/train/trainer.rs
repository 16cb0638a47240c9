//! The trainer: a model, what its optimiser remembers, and the stream of batches; one update after the other.
//!
//! All that an update depends on is the step's number, the tensors and the position in the stream of batches: a
//! trainer that is restored from a checkpoint goes on bit for bit.

use super::config::{Dtype, TrainConfig};
use super::gradient::Gradient;
use super::layers::{FirstGradient, LayersLine, Moved};
use super::memory;
use super::optimizer::{AdamW, Moments, Watch, decays};
use super::ranks::{Alone, Ranks};
use super::schedule::learning_rate;
use crate::data::batches::{Batch, Batches, in_order};
use crate::data::dataset::Dataset;
use crate::error::{Error, Result};
use crate::model::{Gpt, Pass};
use crate::random::{Position, Purpose, generator, seek};
use autograd::{Tape, Tensor};
use std::rc::Rc;

/// How many tokens the last loss of a run is measured on at most: all of a text that is held in memory.
pub const WHOLE: usize = 1 << 21;

/// Trains one model on one text.
pub struct Trainer {
    /// What the run was told.
    pub config: TrainConfig,
    /// The text.
    pub dataset: Dataset,
    /// The model as it is now.
    pub model: Gpt<Tensor<f32>>,
    pub(super) moments: Moments<f32>,
    pub(super) batches: Batches,
    pub(super) step: usize,
    pub(super) changed: Option<usize>,
    pub(super) ranks: Rc<dyn Ranks>,
}

/// What one update did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Update {
    /// The loss of its batches before it, in nats per token.
    pub loss: f64,
    /// The norm of the gradient, before clipping.
    pub grad_norm: f64,
    /// The learning rate.
    pub lr: f64,
}

impl Trainer {
    /// A fresh model, about to be trained on `dataset`.
    ///
    /// # Errors
    /// If a number of the configuration is out of its range, or the machine has too little memory.
    pub fn new(config: TrainConfig, dataset: Dataset) -> Result<Self> {
        config.validate()?;
        memory::check(&config)?;
        let model = Gpt::init(&config.model, config.seed);
        let moments = Moments::zeros(model.parameters().into_iter().map(|(_, parameter)| parameter));
        let batches = Batches::new(config.seed, Purpose::Batches, config.batch_size, config.model.block_size);
        Ok(Trainer {
            config,
            dataset,
            model,
            moments,
            batches,
            step: 0,
            changed: None,
            ranks: Rc::new(Alone),
        })
    }

    /// The same trainer as one of several, each of which takes a part of every batch.
    ///
    /// # Errors
    /// If a batch has fewer rows than there are ranks.
    pub fn among(self, ranks: Rc<dyn Ranks>) -> Result<Self> {
        let (rows, size) = (self.config.batch_size, ranks.size());
        if rows < size {
            return Err(Error::new(format!("{rows} rows cannot be shared by {size} ranks"))
                .at("batch_size")
                .way_out(format!("take --batch_size {size}, or fewer ranks: mpirun -n {rows}")));
        }
        Ok(Trainer { ranks, ..self })
    }

    /// The number of updates that are done.
    pub fn step(&self) -> usize {
        self.step
    }

    /// The number of updates after which it went on with other flags than before, if it did.
    pub fn changed(&self) -> Option<usize> {
        self.changed
    }

    /// One update: gradient, clipping, AdamW.
    ///
    /// # Errors
    /// If the loss or the gradient is not finite; the model is then as it was before.
    pub fn update(&mut self) -> Result<Update> {
        let found = self.gradient()?;
        Ok(self.apply(&found, None))
    }

    /// The same update, and what it did to each layer.
    ///
    /// # Errors
    /// As `update`.
    pub fn update_and_look(&mut self) -> Result<(Update, LayersLine)> {
        let found = self.gradient()?;
        let mut moved = Vec::new();
        let is_first = self.step == 0;
        let update =
            self.apply(&found, Some(&mut |g, before, after| moved.push(Moved::of(g, before, after))));
        let names: Vec<String> = self.model.parameters().into_iter().map(|(name, _)| name).collect();
        let mut line = LayersLine::of(self.step, names.iter().map(String::as_str).zip(moved));
        if is_first {
            let gradients = names.iter().zip(&found.of);
            line.first_gradients = gradients.map(|(name, g)| FirstGradient::of(name, g)).collect();
        }
        Ok((update, line))
    }

    /// The gradient of the next batches.
    fn gradient(&mut self) -> Result<Gradient<f32>> {
        let number = self.config.gradient_accumulation_steps;
        let drawn = (0..number).map(|_| self.batches.draw(&self.dataset.train));
        let batches: Vec<Batch> = self.ranks.agree(drawn.collect())?;
        let pass = |i: usize| self.training_pass(self.step * number + i);
        let failed = |error: Error| error.at(format!("update {}", self.step + 1));
        self.ranks.gradient(&self.model, &batches, pass).map_err(failed)
    }

    /// Clipping and AdamW.
    fn apply(&mut self, found: &Gradient<f32>, watch: Option<Watch<f32>>) -> Update {
        let lr = learning_rate(&self.config, self.step);
        let adamw = AdamW::of(&self.config);
        let parameters = self.model.parameters_mut();
        adamw.update_watched(&mut self.moments, parameters, (&found.of, found.norm), lr, decays, watch);
        self.step += 1;
        Update { loss: found.loss, grad_norm: found.norm, lr }
    }

    /// Checks that the model is worth keeping: that its weights are numbers, and its validation loss, if it is known.
    ///
    /// # Errors
    /// If they are not; the message names the parameter, or the first op whose value is none.
    pub fn check(&self, val_loss: Option<f64>) -> Result<()> {
        let failed = |what: String| Err(Error::new(what).at(format!("after update {}", self.step)));
        if let Some(loss) = val_loss.filter(|loss| !loss.is_finite()) {
            let tape = Tape::new();
            let (rows, length) = (self.config.batch_size, self.config.model.block_size);
            for batch in in_order(&self.dataset.validation, rows, length).take(1) {
                self.model.on(&tape).loss(&batch?, &Pass::evaluation());
            }
            let first = tape.first_non_finite().map_or(String::new(), |found| format!("; {found}"));
            return failed(format!("the validation loss is {loss}{first}"));
        }
        if let Some((name, _)) = self.model.parameters().into_iter().find(|(_, p)| !p.is_finite()) {
            return failed(format!("the weights {name} are no longer finite"));
        }
        Ok(())
    }

    /// The masks of batch number `index` of the run have a place of their own in the stream of random numbers.
    fn training_pass(&self, index: usize) -> Pass {
        let mut masks = generator(self.config.seed, Purpose::Dropout);
        seek(&mut masks, Position { words: (index as u64) << 16 });
        Pass::training(self.config.model.dropout, masks).bf16(self.config.dtype == Dtype::Bf16)
    }

    /// The loss on `eval_iters` batches of the validation part, the same ones every time, in nats per token.
    ///
    /// # Errors
    /// If its ids are in a file that can no longer be read.
    pub fn estimate_loss(&self) -> Result<f64> {
        let TrainConfig { seed, batch_size, eval_iters, .. } = self.config;
        let mut batches = Batches::new(seed, Purpose::Evaluation, batch_size, self.config.model.block_size);
        let drawn = (0..eval_iters).map(|_| batches.draw(&self.dataset.validation));
        self.ranks.mean_loss(&self.model, drawn)
    }

    /// The loss on the whole validation part, in nats per token; of one that is longer, on the first [`WHOLE`] tokens.
    ///
    /// # Errors
    /// If its ids are in a file that can no longer be read.
    pub fn whole_loss(&self) -> Result<f64> {
        let TrainConfig { batch_size, .. } = self.config;
        let block_size = self.config.model.block_size;
        let batches = in_order(&self.dataset.validation, batch_size, block_size);
        self.ranks.mean_loss(&self.model, batches.take(WHOLE.div_ceil(batch_size * block_size)))
    }
}

/// The mean of −ln p(next token) over all targets of some batches, without dropout.
///
/// # Errors
/// The first batch that could not be read.
pub fn mean_loss(model: &Gpt<Tensor<f32>>, batches: impl Iterator<Item = Result<Batch>>) -> Result<f64> {
    let (sum, targets) = total_loss(model, batches)?;
    Ok(sum / targets as f64)
}

/// The sum of −ln p(next token) over all targets, and their number.
pub(super) fn total_loss(
    model: &Gpt<Tensor<f32>>,
    batches: impl Iterator<Item = Result<Batch>>,
) -> Result<(f64, usize)> {
    let (mut sum, mut targets) = (0.0, 0);
    for batch in batches {
        let batch = batch?;
        let tape = Tape::new();
        let loss = tape.no_grad(|| model.on(&tape).loss(&batch, &Pass::evaluation()));
        sum += f64::from(loss.value().item()) * batch.targets() as f64;
        targets += batch.targets();
    }
    Ok((sum, targets))
}

#[cfg(test)]
mod tests;
