//! `batch`: the gradient of a batch is the mean of its examples' gradients; how noisy that mean is.

use super::out::say;
use super::screen::thousands;
use super::text::{corpus_of_run, no_text_of_its_own};
use super::use_threads;
use crate::cli::{size, threads};
use crate::data::batches::Batches;
use crate::data::large::Keep;
use crate::error::{Error, Result};
use crate::model::Gpt;
use crate::random::Purpose;
use crate::run_dir::{RunDir, Weights};
use crate::train::load_model;
use crate::train::noise::{BySize, Noise};
use autograd::Tensor;
use clap::Args;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  transformer batch                              runs/demo, as it is after training
  transformer batch --untrained                  the same model before its first update
  transformer batch --from runs/char --examples 256

All gradients are computed at 64 bits. The noise scale is that of McCandlish et al. 2018, appendix A.";

/// The flags of `batch`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(rename_all = "snake_case", after_help = EXAMPLES)]
pub struct Flags {
    /// The directory of the run
    #[arg(long, alias = "out_dir", value_name = "DIR", default_value = "runs/demo")]
    pub from: PathBuf,
    /// Which checkpoint
    #[arg(long, value_enum, default_value_t)]
    pub weights: Weights,
    /// The run's model as it was before its first update
    #[arg(long)]
    pub untrained: bool,
    /// The examples (windows) whose gradients are taken, a power of two
    #[arg(long, value_name = "N", value_parser = size, default_value = "64")]
    pub examples: usize,
    /// Which examples are drawn
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,
    /// The threads to compute with [default: one for each core that it may use]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
}

/// Takes the gradients and shows what they say.
///
/// # Errors
/// If the run or its text is missing or damaged, or the number of examples is no power of two.
pub fn run(flags: &Flags) -> Result<()> {
    if !flags.examples.is_power_of_two() || flags.examples < 2 {
        return Err(Error::new(format!("{} is not a power of two from 2 on", flags.examples))
            .at("--examples")
            .way_out(format!("take --examples {}", flags.examples.max(2).next_power_of_two())));
    }
    use_threads(flags.threads);
    let run = RunDir::open(&flags.from)?;
    let (config, tokenizer) = run.description()?;
    if run.is_imported() {
        return Err(
            no_text_of_its_own(&flags.from, "trained").way_out("begin a run with it: train --init_from")
        );
    }
    let trained = run.trainer_state()?.config;
    let model = match flags.untrained {
        true => Gpt::<Tensor<f64>>::init(&config, trained.seed),
        false => {
            let model = load_model(&run.weights(flags.weights)?, &config)?;
            model.map(&mut |_, parameter: &Tensor<f32>| parameter.cast())
        }
    };
    let corpus = corpus_of_run(&trained, "call this from the directory in which the run was trained")?;
    let dataset = corpus.dataset(&tokenizer, config.block_size, Keep::Of(&flags.from))?;
    let batch =
        Batches::new(flags.seed, Purpose::Batches, flags.examples, config.block_size).draw(&dataset.train)?;
    show(&Noise::of(&model, &batch)?, config.block_size, trained.batch_size);
    Ok(())
}

fn show(found: &Noise, window: usize, trained_with: usize) {
    let examples = found.examples;
    say(format!("{examples} examples of {window} tokens; G_b is the mean of the gradients of b of them"));
    say(format!(
        "the gradient of the batch and the mean of its examples' gradients: the largest difference is {:.1e},\n\
         the largest entry {:.1e}",
        found.difference, found.largest
    ));
    say(format!("\n     b    |G_b - G|²    tr Σ·(1/b - 1/{examples})"));
    let most = found.by_size.iter().map(|by| by.measured).fold(0.0, f64::max);
    for BySize { size, measured, predicted } in &found.by_size {
        let bar = "▇".repeat((40.0 * measured / most).round() as usize);
        say(format!("{size:>6}    {measured:>10.3e}    {predicted:>10.3e}    {bar}"));
    }
    say(format!("\n|G|² = {:.3e}, tr Σ = {:.3e} (both unbiased)", found.signal, found.noise));
    match found.scale() {
        Some(scale) => {
            say(format!(
                "gradient noise scale tr Σ/|G|² = {scale:.1} examples, or {} tokens",
                thousands(scale * window as f64)
            ));
            say(format!(
                "the run was trained with batches of {trained_with}: {}",
                match trained_with as f64 / scale {
                    ratio if ratio < 0.5 => "most of each step is noise, which averages out over the steps",
                    ratio if ratio < 2.0 => "about as much signal as noise in each step",
                    _ => "most of each step is signal; smaller batches would get as far with fewer tokens",
                }
            ));
        }
        None => say("the gradient is lost in the noise: give more --examples to find its length"),
    }
}
