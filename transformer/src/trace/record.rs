//! Runs one step of training at f64, by the textbook's ops unless told otherwise, and keeps everything: the tape, every contribution of the walk
//! back, and what AdamW makes of the gradient.

use super::schema;
use crate::check::{Path, Plant};
use crate::data::batches::Batch;
use crate::data::tokenizer::Tokenizer;
use crate::error::{Error, Result};
use crate::model::Gpt;
use crate::train::config::TrainConfig;
use crate::train::optimizer::{AdamW, Moments, decays};
use crate::train::schedule::learning_rate;
use autograd::{Dual, Float, Gradients, Tape, Tensor};

/// A model in the midst of its training, and a text.
pub struct Subject {
    /// Where it comes from, in words: a directory, or `preset demo`.
    pub source: String,
    /// The model.
    pub model: Gpt<Tensor<f64>>,
    /// What the optimiser remembers.
    pub moments: Moments<f64>,
    /// How it is trained.
    pub config: TrainConfig,
    /// What turns text into tokens.
    pub tokenizer: Tokenizer,
    /// What the model sees, and what it should say.
    pub text: String,
    /// By which ops the model is computed.
    pub path: Path,
    /// A bug that is planted in the ops, if one is.
    pub plant: Option<&'static Plant>,
}

/// One `+=` of the walk back.
pub struct Contribution {
    /// The node whose vjp ran.
    pub from: usize,
    /// Which of its inputs it was for.
    pub slot: usize,
    /// The node that this input is.
    pub to: usize,
    /// What was added.
    pub delta: Tensor<f64>,
    /// Whether something had arrived there before.
    pub accumulate: bool,
}

/// One step of training, kept.
pub struct Recording {
    /// The tokens and their targets.
    pub batch: Batch,
    /// Everything that was computed.
    pub tape: Tape<f64>,
    /// The node of the loss.
    pub loss: usize,
    /// The nodes of the parameters, in the order of [`Gpt::parameters`].
    pub parameters: Vec<usize>,
    /// The cotangents of all nodes.
    pub gradients: Gradients<f64>,
    /// How they came about, in order.
    pub contributions: Vec<Contribution>,
    /// The parameters after the update.
    pub after: Vec<Tensor<f64>>,
    /// The optimiser's memory after the update.
    pub moments: Moments<f64>,
    /// The constants of the update.
    pub adamw: schema::AdamW,
    /// The norm of the gradient over all parameters, before clipping.
    pub gradient_norm: f64,
}

impl Subject {
    /// The text as one row of tokens, and the targets.
    ///
    /// # Errors
    /// If the tokenizer does not know a character, or there are fewer than two tokens or more than the context holds.
    pub fn batch(&self) -> Result<Batch> {
        let ids = self.tokenizer.encode(&self.text).map_err(|error| error.at("--text"))?;
        let (unit, longest) = (self.tokenizer.unit(), self.model.config.block_size + 1);
        if ids.len() < 2 {
            return Err(Error::new(format!(
                "{} {unit}s are too few: the first is seen, the next is the target",
                ids.len()
            ))
            .at("--text")
            .way_out(format!("give at least 2 {unit}s")));
        }
        if ids.len() > longest {
            return Err(Error::new(format!(
                "{} {unit}s are too many: the model sees at most {} and the last one is a target",
                ids.len(),
                longest - 1
            ))
            .at("--text")
            .way_out(format!("give at most {longest} {unit}s")));
        }
        let n = ids.len() - 1;
        Ok(Batch { x: ids[..n].to_vec(), y: ids[1..].to_vec(), rows: 1, length: n })
    }

    /// Forward, backward and update.
    ///
    /// # Errors
    /// As [`batch`](Subject::batch), and if the loss is not finite.
    pub fn record(&self) -> Result<Recording> {
        let batch = self.batch()?;
        let tape = Tape::new();
        let loss = self.loss_on(&tape, &self.model, &batch);
        let value = tape.var(loss).value().item();
        if !value.is_finite() {
            let first = tape.first_non_finite().map_or(String::new(), |found| format!("; {found}"));
            return Err(Error::new(format!("the loss is {value}{first}")));
        }
        let mut contributions = Vec::new();
        let gradients = tape.var(loss).backward_watched(&mut |step| {
            contributions.push(Contribution {
                from: step.from,
                slot: step.input,
                to: step.to,
                delta: step.delta.clone(),
                accumulate: step.before.is_some(),
            });
        });
        let parameters: Vec<usize> = (0..self.model.parameters().len()).collect(); // they are put on the tape first
        let of = |node: &usize| {
            let var = tape.var(*node);
            gradients.get(var).cloned().unwrap_or_else(|| Tensor::zeros(var.shape()))
        };
        let found: Vec<Tensor<f64>> = parameters.iter().map(of).collect();

        let mut after = self.model.map(&mut |_, parameter: &Tensor<f64>| parameter.clone());
        let mut moments = self.moments.clone();
        let (adamw, lr) =
            (AdamW::of(&self.config), learning_rate(&self.config, self.moments.updates as usize));
        let gradient_norm = adamw.update(&mut moments, after.parameters_mut(), &found, lr, decays);
        let after = after.parameters().into_iter().map(|(_, parameter)| parameter.clone()).collect();
        let t = moments.updates as f64;
        let adamw = schema::AdamW {
            learning_rate: lr,
            beta1: adamw.beta1,
            beta2: adamw.beta2,
            eps: adamw.eps,
            weight_decay: adamw.weight_decay,
            clip: adamw.clip(gradient_norm),
            correction1: 1.0 - adamw.beta1.powf(t),
            correction2: 1.0 - adamw.beta2.powf(t),
        };
        Ok(Recording {
            batch,
            tape,
            loss,
            parameters,
            gradients,
            contributions,
            after,
            moments,
            adamw,
            gradient_norm,
        })
    }

    /// The same forward pass on a tape of dual numbers, node for node.
    pub fn on_duals(&self, batch: &Batch) -> Tape<Dual<f64>> {
        let tape = Tape::new();
        let model = self.model.map(&mut |_, parameter: &Tensor<f64>| parameter.cast::<Dual<f64>>());
        self.loss_on(&tape, &model, batch);
        tape
    }

    /// The same forward pass on another tape.
    pub fn on_numbers(&self, batch: &Batch) -> Tape<f64> {
        let tape = Tape::new();
        self.loss_on(&tape, &self.model, batch);
        tape
    }

    /// The forward pass; the node of the loss.
    fn loss_on<T: Float>(&self, tape: &Tape<T>, model: &Gpt<Tensor<T>>, batch: &Batch) -> usize {
        if let Some(plant) = self.plant {
            plant.install(tape);
        }
        model.on(tape).loss(batch, &self.path.pass(&self.model.config)).index()
    }
}
