//! From a trainer to the files of a checkpoint, and back.

use super::config::TrainConfig;
use super::optimizer::Moments;
use super::state::{Best, DataIdentity, TrainerState};
use super::stream::StreamTrainer;
use super::trainer::Trainer;
use crate::data::dataset::Dataset;
use crate::error::{Error, Result};
use crate::model::{Gpt, ModelConfig};
use crate::random::Purpose;
use crate::run_dir::checkpoint::Checkpoint;
use crate::run_dir::metrics::Metrics;
use crate::run_dir::{RunDir, Weights};
use crate::safetensors::{self, Named, TensorFile};
use autograd::Tensor;
use std::collections::BTreeMap;
use std::path::Path;

impl Trainer {
    /// Saves everything that is needed to go on; the weights also as the best ones, if they are.
    ///
    /// # Errors
    /// If the disk is full or the directory cannot be written; the checkpoint before is then intact.
    pub fn save(&self, run: &RunDir, best: Option<Best>, is_best: bool, metrics: &mut Metrics) -> Result<()> {
        let generators = BTreeMap::from([(Purpose::Batches, self.batches.position())]);
        let state = TrainerState {
            step: self.step,
            generators,
            best,
            data: DataIdentity::of(&self.dataset),
            config: self.config.clone(),
            changed: self.changed,
        };
        let parameters = self.model.parameters();
        let model: Vec<Named> = parameters.iter().map(|(name, tensor)| named(name, tensor)).collect();
        let names: Vec<[String; 2]> = parameters.iter().map(|(name, _)| moment_names(name)).collect();
        let moments = self.moments.mean.iter().zip(&self.moments.square).zip(&names);
        let optimizer: Vec<Named> =
            moments.flat_map(|((m, v), [m_name, v_name])| [named(m_name, m), named(v_name, v)]).collect();
        run.save(&Checkpoint { state: &state, model: &model, optimizer: &optimizer, is_best }, metrics)
    }

    /// The trainer as it was at the run's last checkpoint, under a configuration that may have changed meanwhile.
    ///
    /// # Errors
    /// If the text is another one, or a file is damaged or of another shape.
    pub fn restore(run: &RunDir, config: TrainConfig, dataset: Dataset) -> Result<(Self, TrainerState)> {
        let state = run.trainer_state()?;
        state.data.check(&dataset)?;
        let mut trainer = Trainer::new(config, dataset)?;
        trainer.model = load_model(&run.weights(Weights::Last)?, &trainer.config.model)?;
        trainer.moments = load_moments(&run.optimizer()?, &trainer.model, state.step)?;
        let position = state.generators.get(&Purpose::Batches).ok_or_else(|| {
            Error::new("the position in the stream of batches is missing")
                .in_file(run.path().join("trainer.json"))
                .at("generators")
                .way_out("restore the file from a copy, or start the run anew with --overwrite")
        })?;
        trainer.batches.seek(*position);
        trainer.step = state.step;
        trainer.changed = match trainer.config.trains_like(&state.config) {
            true => state.changed,
            false => Some(state.step).filter(|&step| step > 0),
        };
        Ok((trainer, state))
    }
}

/// The name under which the file of a [`StreamTrainer`] keeps the number of its updates.
const STEP: &str = "step";

impl StreamTrainer {
    /// Saves everything that is needed to go on, in one file.
    ///
    /// # Errors
    /// If the disk is full or the directory cannot be written; the file before is then intact.
    pub fn save(&self, path: &Path) -> Result<()> {
        let parameters = self.model.parameters();
        let names: Vec<[String; 2]> = parameters.iter().map(|(name, _)| moment_names(name)).collect();
        let step = [self.step as f64];
        let mut tensors: Vec<Named> = vec![Named::f64(STEP, &[1], &step)];
        tensors.extend(parameters.iter().map(|(name, tensor)| named(name, tensor)));
        let moments = self.moments.mean.iter().zip(&self.moments.square).zip(&names);
        tensors.extend(moments.flat_map(|((m, v), [m_name, v_name])| [named(m_name, m), named(v_name, v)]));
        safetensors::save(path, &tensors)
    }

    /// The trainer as it was when it was saved.
    ///
    /// # Errors
    /// If the file is missing, damaged, or of another shape.
    pub fn restore(path: &Path, config: TrainConfig) -> Result<Self> {
        let mut trainer = StreamTrainer::new(config)?;
        let file = TensorFile::open(path)?;
        trainer.step = file.f64(STEP, &[1])?[0] as usize;
        trainer.model = read_model(&file, &trainer.config.model)?;
        trainer.moments = read_moments(&file, &trainer.model, trainer.step)?;
        Ok(trainer)
    }
}

/// Reads a model of the given shape.
///
/// # Errors
/// If a tensor is missing, of another shape, or not expected.
pub fn load_model(file: &TensorFile, config: &ModelConfig) -> Result<Gpt<Tensor<f32>>> {
    let shapes = Gpt::shapes(config, file.names().len()).map_err(|error| error.in_file(file.path()))?;
    let parameters = shapes.parameters();
    file.check(parameters.iter().map(|(name, shape)| (name.as_str(), &shape[..])))?;
    read_model(file, config)
}

/// The same, from a file that may have other tensors too.
fn read_model(file: &TensorFile, config: &ModelConfig) -> Result<Gpt<Tensor<f32>>> {
    let shapes = Gpt::shapes(config, file.names().len()).map_err(|error| error.in_file(file.path()))?;
    let mut failed = Ok(());
    let model = shapes.map(&mut |name, shape: &Vec<usize>| match file.f32(name, shape) {
        Ok(numbers) => {
            if let Some(i) = numbers.iter().position(|x| !x.is_finite()) {
                failed = Err(Error::new(format!("number {i} of it is {}", numbers[i]))
                    .in_file(file.path())
                    .at(format!("tensor {name}"))
                    .way_out("use the weights of an earlier checkpoint, such as --weights best"));
            }
            Tensor::new(&shape[..], numbers)
        }
        Err(error) => {
            failed = Err(error);
            Tensor::scalar(0.0)
        }
    });
    failed.map(|()| model)
}

/// Reads what the optimiser of such a model remembered after `step` updates.
///
/// # Errors
/// If a tensor is missing, of another shape, or not expected.
pub fn load_moments(file: &TensorFile, model: &Gpt<Tensor<f32>>, step: usize) -> Result<Moments<f32>> {
    let parameters = model.parameters();
    let names: Vec<[String; 2]> = parameters.iter().map(|(name, _)| moment_names(name)).collect();
    let expected = parameters.iter().zip(&names);
    file.check(expected.flat_map(|((_, tensor), [m, v])| {
        [(m.as_str(), &tensor.shape()[..]), (v.as_str(), &tensor.shape()[..])]
    }))?;
    read_moments(file, model, step)
}

fn read_moments(file: &TensorFile, model: &Gpt<Tensor<f32>>, step: usize) -> Result<Moments<f32>> {
    let mut moments = Moments { updates: step as u64, mean: Vec::new(), square: Vec::new() };
    for (name, tensor) in model.parameters() {
        let [m, v] = moment_names(&name);
        let read = |name: &str| Ok(Tensor::new(tensor.shape(), file.f32(name, tensor.shape())?));
        moments.mean.push(read(&m)?);
        moments.square.push(read(&v)?);
    }
    Ok(moments)
}

/// A parameter, to be written.
pub(crate) fn named<'a>(name: &'a str, tensor: &'a Tensor<f32>) -> Named<'a> {
    Named::f32(name, tensor.shape(), tensor.data())
}

/// The names of m and v of a parameter, as PyTorch's optimiser calls them.
fn moment_names(parameter: &str) -> [String; 2] {
    [format!("{parameter}.exp_avg"), format!("{parameter}.exp_avg_sq")]
}
