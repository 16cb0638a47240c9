//! A trainer for batches that come from outside, one after the other and each only once: an endless generator instead
//! of a text. It walks them whole, not in [`shards`](super::shards): many such runs go on side by side, a thread each.

use super::config::TrainConfig;
use super::gradient::gradient;
use super::optimizer::{AdamW, Moments, decays};
use super::schedule::learning_rate;
use super::trainer::Update;
use crate::data::batches::Batch;
use crate::error::{Error, Result};
use crate::model::{Gpt, Pass};
use autograd::Tensor;

/// A model in training. What it has become depends on the configuration and the batches alone.
pub struct StreamTrainer {
    /// What the run was told; of it the model, the rates and the seed of the initial weights matter here.
    pub config: TrainConfig,
    /// The model as it is now.
    pub model: Gpt<Tensor<f32>>,
    pub(super) moments: Moments<f32>,
    pub(super) step: usize,
}

impl StreamTrainer {
    /// A model that has learned nothing yet.
    ///
    /// # Errors
    /// If a number of the configuration is out of its range.
    pub fn new(config: TrainConfig) -> Result<Self> {
        config.validate()?;
        let model = Gpt::init(&config.model, config.seed);
        let moments = Moments::zeros(model.parameters().into_iter().map(|(_, parameter)| parameter));
        Ok(StreamTrainer { config, model, moments, step: 0 })
    }

    /// The number of updates that are done.
    pub fn step(&self) -> usize {
        self.step
    }

    /// One update on a batch.
    ///
    /// # Errors
    /// If the loss or the gradient is not finite; the model is then as it was before.
    pub fn update(&mut self, batch: Batch) -> Result<Update> {
        let TrainConfig { beta1, beta2, weight_decay, grad_clip, .. } = self.config;
        let failed = |error: Error| error.at(format!("update {}", self.step + 1));
        let found = gradient(&self.model, &[batch], |_| Pass::evaluation()).map_err(failed)?;
        let lr = learning_rate(&self.config, self.step);
        let adamw = AdamW { beta1, beta2, eps: 1e-8, weight_decay, grad_clip };
        let parameters = self.model.parameters_mut();
        adamw.update_watched(&mut self.moments, parameters, (&found.of, found.norm), lr, decays, None);
        self.step += 1;
        Ok(Update { loss: found.loss, grad_norm: found.norm, lr })
    }

    /// A hash of every bit of every weight: two runs with the same one have ended in the same model.
    pub fn fingerprint(&self) -> String {
        format!("{:016x}", fingerprint(&self.model))
    }
}

/// FNV-1a over the bits of all weights.
pub(crate) fn fingerprint(model: &Gpt<Tensor<f32>>) -> u64 {
    let parameters = model.parameters();
    let bits = parameters.iter().flat_map(|(_, tensor)| tensor.data().iter().map(|x| x.to_bits()));
    bits.fold(0xcbf2_9ce4_8422_2325_u64, |hash, bits| {
        (hash ^ u64::from(bits)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
