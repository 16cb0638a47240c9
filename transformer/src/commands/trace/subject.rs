//! Which model and which text are traced.

use super::super::text::{corpus_of, corpus_of_run, no_text_of_its_own};
use crate::check;
use crate::data::tokenizer::Tokenizer;
use crate::error::Result;
use crate::model::{Gpt, ModelConfig};
use crate::run_dir::{RunDir, Weights};
use crate::trace::record::Subject;
use crate::train::optimizer::Moments;
use crate::train::presets::Preset;
use crate::train::{load_model, load_moments};
use autograd::Tensor;
use std::path::Path;

/// How many characters of the validation text are traced if no text is given: 16 tokens and the last one's target.
const CHARACTERS: usize = 17;
/// The run that is traced if none is named and it is there.
const USUAL: &str = "runs/demo";

/// What is said of an imported model, in place of the number of its updates.
pub const TRAINED_ELSEWHERE: &str = "trained elsewhere: the update is a first one, at the demo's rate";

/// Whether there is room for a trace of a model and of so many tokens.
pub type Fits<'a> = dyn Fn(&ModelConfig, usize) -> Result<()> + 'a;

/// The model of a run, or one that has learned nothing; with the text, or the beginning of its validation text.
///
/// # Errors
/// If the run is missing or damaged, there is no text to take, or no room for the trace.
pub fn subject(
    from: Option<&Path>,
    preset: Option<Preset>,
    text: Option<String>,
    fits: &Fits,
) -> Result<Subject> {
    match (from, preset) {
        (Some(from), _) => of_run(from, text, fits),
        (None, Some(preset)) => of_preset(preset, text, fits),
        (None, None) if Path::new(USUAL).join("config.json").exists() => of_run(Path::new(USUAL), text, fits),
        (None, None) => of_preset(Preset::Demo, text, fits),
    }
}

fn of_run(path: &Path, text: Option<String>, fits: &Fits) -> Result<Subject> {
    let run = RunDir::open(path)?;
    if run.is_imported() && text.is_none() {
        return Err(no_text_of_its_own(path, "traced").way_out("give a text with --text"));
    }
    let (model_config, tokenizer) = run.description()?;
    fits(&model_config, places(&tokenizer, text.as_deref(), &model_config))?;
    let model = load_model(&run.weights(Weights::Last)?, &model_config)?;
    let (mut config, moments, source) = match run.is_imported() {
        true => {
            let moments = Moments::zeros(model.parameters().into_iter().map(|(_, parameter)| parameter));
            let source = format!("{}, {TRAINED_ELSEWHERE}", path.display());
            (Preset::Demo.config(), moments, source)
        }
        false => {
            let state = run.trainer_state()?;
            let moments = load_moments(&run.optimizer()?, &model, state.step)?;
            (state.config, moments, path.display().to_string())
        }
    };
    config.model = model_config;
    let text = match text {
        Some(text) => text,
        None => {
            let own = corpus_of_run(&config, "give a text with --text")?;
            own.beginning(CHARACTERS, &tokenizer)?
        }
    };
    Ok(Subject {
        source,
        model: model.map(&mut |_, parameter: &Tensor<f32>| parameter.cast()),
        moments: Moments {
            updates: moments.updates,
            mean: moments.mean.iter().map(Tensor::cast).collect(),
            square: moments.square.iter().map(Tensor::cast).collect(),
        },
        config,
        tokenizer,
        text,
        path: check::Path::Textbook,
        plant: None,
    })
}

fn of_preset(preset: Preset, text: Option<String>, fits: &Fits) -> Result<Subject> {
    let mut config = preset.config();
    let corpus = corpus_of(&config)?;
    let tokenizer = corpus.tokenizer(&config.tokenizer)?;
    config.model.vocab_size = tokenizer.vocab_size();
    fits(&config.model, places(&tokenizer, text.as_deref(), &config.model))?;
    let model: Gpt<Tensor<f64>> = Gpt::init(&config.model, config.seed).map(&mut rounded);
    let moments = Moments::zeros(model.parameters().into_iter().map(|(_, parameter)| parameter));
    let text = text.map_or_else(|| corpus.beginning(CHARACTERS, &tokenizer), Ok)?;
    let source = format!("preset {}", preset.name());
    Ok(Subject { source, model, moments, config, tokenizer, text, path: check::Path::Textbook, plant: None })
}

/// How many tokens the model will see: at most as many as its context holds. (A text that does not fit is refused later.)
fn places(tokenizer: &Tokenizer, text: Option<&str>, config: &ModelConfig) -> usize {
    let tokens = text.map_or(CHARACTERS, |text| tokenizer.encode(text).map_or(1, |ids| ids.len()));
    tokens.saturating_sub(1).min(config.block_size)
}

/// Training begins at f32, so a trace does.
fn rounded(_: &str, parameter: &Tensor<f32>) -> Tensor<f64> {
    parameter.cast()
}
