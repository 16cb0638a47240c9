//! What is checked: a model, a batch of its text, and perhaps a bug that is planted in it.

use super::plant::Plant;
use super::reference::{Expected, reference};
use crate::data::batches::Batch;
use crate::model::{Gpt, ModelConfig, Pass};
use crate::random::{Purpose, generator};
use autograd::gradcheck::Function;
use autograd::{Float, Tape, Tensor, Var};
use serde::Serialize;

/// Which composition of ops computes the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Path {
    /// Primitives, as the textbook writes it: what is read and stepped through
    Textbook,
    /// The fused ops: what trains, here without dropout
    Fused,
    /// The textbook's, with dropout
    Dropout,
}

impl Path {
    /// The two that compute the same function.
    pub const BOTH: [Path; 2] = [Path::Textbook, Path::Fused];

    /// A pass on this path.
    pub fn pass(self, config: &ModelConfig) -> Pass {
        match self {
            Path::Textbook => Pass::evaluation().textbook(),
            Path::Fused => Pass::evaluation(),
            Path::Dropout => fused_with_dropout(config).textbook(),
        }
    }
}

/// The fused ops with dropout, of the model's probability or, if it has none, a tenth, and with the same masks every time.
fn fused_with_dropout(config: &ModelConfig) -> Pass {
    let dropout = if config.dropout > 0.0 { config.dropout } else { 0.1 };
    Pass::training(dropout, generator(0, Purpose::Dropout))
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Path::Textbook => "textbook",
            Path::Fused => "fused",
            Path::Dropout => "dropout",
        })
    }
}

/// A model at f64 with a batch, and what is planted in it.
pub struct Subject {
    /// The model.
    pub model: Gpt<Tensor<f64>>,
    /// The tokens, and the ones after them.
    pub batch: Batch,
    /// A bug, if one is planted.
    pub plant: Option<&'static Plant>,
}

impl Subject {
    /// Records the loss on a fresh tape, with the planted bug in it.
    pub fn record<'t, T: Float>(&self, tape: &'t Tape<T>, path: Path) -> Recorded<'t, T> {
        self.record_with(&self.parameters_on(tape), &path.pass(&self.model.config))
    }

    /// The same by the fused ops, with the masks of [`Path::Dropout`].
    pub fn record_fused_with_dropout<'t>(&self, tape: &'t Tape<f64>) -> Recorded<'t, f64> {
        self.record_with(&self.parameters_on(tape), &fused_with_dropout(&self.model.config))
    }

    fn parameters_on<'t, T: Float>(&self, tape: &'t Tape<T>) -> Vec<Var<'t, T>> {
        let parameters = self.model.parameters();
        parameters.iter().map(|(name, value)| tape.parameter(name, value.cast())).collect()
    }

    /// The same for parameters that are on a tape already, in the order of [`Gpt::parameters`].
    fn record_with<'t, T: Float>(&self, parameters: &[Var<'t, T>], pass: &Pass) -> Recorded<'t, T> {
        let tape = parameters[0].tape();
        if let Some(plant) = self.plant {
            plant.install(tape);
        }
        let mut next = parameters.iter();
        let model = self.model.map(&mut |_, _| *next.next().expect("a variable for each parameter"));
        let loss = model.loss(&self.batch, pass);
        let last_in = |scope: &str| {
            let nodes = tape.nodes();
            let last = nodes.iter().rposition(|node| tape.scope_name(node.scope) == scope);
            last.map_or(loss, |node| tape.var(node))
        };
        Recorded {
            parameters: parameters.to_vec(),
            embedding: last_in("embedding"),
            logits: last_in("head"),
            loss,
        }
    }

    /// What the formulas say that each step of the textbook's path returns.
    pub fn reference(&self) -> Vec<Expected> {
        let n = self.batch.length;
        let after: Vec<usize> = self.batch.y.iter().skip(n - 1).step_by(n).copied().collect();
        reference(&self.model, &self.batch.x, self.batch.shape(), &after)
    }

    /// The parameters' values.
    pub fn values(&self) -> Vec<Tensor<f64>> {
        self.model.parameters().into_iter().map(|(_, value)| value.clone()).collect()
    }
}

/// A loss on a tape, and where it came by.
pub struct Recorded<'t, T: Float> {
    /// In the order of [`Gpt::parameters`].
    pub parameters: Vec<Var<'t, T>>,
    /// What goes into the first block: `[b, n, d]`
    pub embedding: Var<'t, T>,
    /// `[b, n, v]`
    pub logits: Var<'t, T>,
    /// The one number.
    pub loss: Var<'t, T>,
}

/// The loss as a function of the parameters, for the checks of `autograd`.
pub struct Loss<'s>(
    /// What is checked.
    pub &'s Subject,
    /// By which ops.
    pub Path,
);

impl Function for Loss<'_> {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        self.0.record_with(x, &self.1.pass(&self.0.model.config)).loss
    }
}
