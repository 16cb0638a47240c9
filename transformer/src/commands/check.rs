//! `check`: is this checkpoint what it claims to be, and is its gradient right?

use super::out::say;
use super::text::{corpus_of_run, no_text_of_its_own};
use super::use_threads;
use crate::check::{self, MUSEUM, Report, Subject, plant, plant_in};
use crate::cli::{size, threads};
use crate::data::batches::Batch;
use crate::data::dataset::Tokens;
use crate::data::stories;
use crate::data::tokenizer::{Tokenizer, TokenizerKind};
use crate::error::{Error, Result};
use crate::model::Gpt;
use crate::run_dir::{RunDir, Weights};
use crate::train::load_model;
use crate::train::presets::Preset;
use autograd::Tensor;
use clap::Args;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  transformer check                                    runs/demo, on a part of its own text
  transformer check --from runs/char --text \"ROMEO: what light\"
  transformer check --preset tiny                      a model that has learnt nothing yet
  transformer check --museum                           bugs that can be planted, as an exercise
  transformer check --preset tiny --plant no-mask      is it found?

Everything runs at f64. The exit code is 0 if all holds, 1 if something does not, 2 for bad input.";

/// The flags of `check`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(rename_all = "snake_case", after_help = EXAMPLES)]
pub struct Flags {
    /// The directory of the run
    #[arg(
        long,
        alias = "out_dir",
        value_name = "DIR",
        default_value = "runs/demo",
        conflicts_with = "preset"
    )]
    pub from: PathBuf,
    /// A model of this size that has learnt nothing, in place of a run
    #[arg(long, value_enum)]
    pub preset: Option<Preset>,
    /// Which checkpoint
    #[arg(long, value_enum, default_value_t)]
    pub weights: Weights,
    /// What the model reads [default: two windows of the run's own text]
    #[arg(long, value_name = "TEXT")]
    pub text: Option<String>,
    /// Plant a bug, to see whether it is found
    #[arg(long, value_name = "NAME")]
    pub plant: Option<String>,
    /// List the bugs that can be planted
    #[arg(long)]
    pub museum: bool,
    /// Derivatives of each parameter; one with fewer entries is checked in full [default: up to 64, some 10 s in all]
    #[arg(long, value_name = "N", value_parser = size)]
    pub derivatives: Option<usize>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    pub json: bool,
    /// The threads to compute with; the numbers do not depend on it [default: one for each core that it may use]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
}

/// Checks, prints, and returns whether all holds.
///
/// # Errors
/// If the run or the text is missing or damaged, the text has a character that the model does not know or is too short,
/// or the museum has no such bug, or the model no place for it.
pub fn run(flags: &Flags) -> Result<bool> {
    if flags.museum {
        MUSEUM.iter().for_each(|plant| say(format!("{:<20} {}", plant.name, plant.story)));
        return Ok(true);
    }
    let plant = flags.plant.as_deref().map(plant).transpose()?;
    let threads = use_threads(flags.threads);
    let (model, batch, source) = subject(flags)?;
    let plant = plant.map(|plant| plant_in(plant, &model, plant.path())).transpose()?;
    let derivatives = flags.derivatives.unwrap_or_else(|| fitting(&model, &batch));
    use_threads(Some(1)); // the derivatives are spread over the threads, not the kernels
    let report = check::run(&Subject { model, batch, plant }, derivatives, threads);
    if flags.json {
        let json = serde_json::to_string_pretty(&report).map_err(|error| Error::new(error.to_string()))?;
        say(json);
    } else {
        show(&report, &source);
    }
    Ok(report.ok)
}

/// The model at f64, what it reads, and where both come from.
fn subject(flags: &Flags) -> Result<(Gpt<Tensor<f64>>, Batch, String)> {
    let (model, tokenizer, config, source) = match flags.preset {
        Some(preset) => {
            let mut config = preset.config();
            let tokenizer = Tokenizer::for_text(TokenizerKind::Char, stories::ALPHABET);
            config.model.vocab_size = tokenizer.vocab_size();
            (Gpt::init(&config.model, config.seed), tokenizer, config, format!("preset {}", preset.name()))
        }
        None => {
            let run = RunDir::open(&flags.from)?;
            let (model, tokenizer) = run.description()?;
            let weights = load_model(&run.weights(flags.weights)?, &model)?;
            let wide = weights.map(&mut |_, parameter: &Tensor<f32>| parameter.cast());
            let config = match (run.is_imported(), &flags.text) {
                (false, _) => run.trainer_state()?.config,
                (true, Some(_)) => Preset::Demo.config(),
                (true, None) => {
                    return Err(no_text_of_its_own(&flags.from, "checked").way_out("give a text by --text"));
                }
            };
            (wide, tokenizer, config, flags.from.display().to_string())
        }
    };
    // Few tokens suffice: every parameter but the later positions takes part, and the larger the model the fewer.
    let longest = model.config.block_size;
    let batch = match &flags.text {
        Some(text) => {
            let ids = tokenizer.encode(text).map_err(|error| error.at("--text"))?;
            enough(&ids, 3, &tokenizer).map_err(|error| error.at("--text"))?;
            Batch::cut(&Tokens::new(&ids), [0], (ids.len() - 1).min(longest))?
        }
        None => {
            let text = match &config.data {
                Some(_) => corpus_of_run(&config, "give a text by --text")?.beginning(4000, &tokenizer)?,
                None => stories::text(config.seed.wrapping_add(1), 2000),
            };
            let ids = tokenizer.encode(&text)?;
            enough(&ids, 4, &tokenizer).map_err(|error| {
                error
                    .in_file(config.data.as_deref().unwrap_or(&flags.from))
                    .way_out("give a longer text by --text") // two windows
            })?;
            let length = if model.numel() > 1_000_000 { 6 } else { 16 }.min(longest).min(ids.len() / 2 - 1);
            Batch::cut(&Tokens::new(&ids), [0, ids.len() / 2], length)?
        }
    };
    Ok((model, batch, source))
}

/// Checks that there are so many tokens to read.
fn enough(ids: &[usize], least: usize, tokenizer: &Tokenizer) -> Result<()> {
    let (n, unit) = (ids.len(), tokenizer.unit());
    if n >= least {
        return Ok(());
    }
    Err(Error::new(format!("{n} {unit}s are too few: there is hardly a past to see"))
        .way_out(format!("give at least {least} {unit}s")))
}

/// How many derivatives of each parameter take about ten seconds on two cores: each is some 30 passes through the model.
fn fitting(model: &Gpt<Tensor<f64>>, batch: &Batch) -> usize {
    let flops_of_a_pass = 2.0 * model.numel() as f64 * batch.targets() as f64;
    ((1.5e10 / flops_of_a_pass) as usize / model.parameters().len()).clamp(4, 64)
}

fn show(report: &Report, source: &str) {
    let [b, n] = report.tokens;
    say(format!("{source} at f64, {b} × {n} tokens, loss {:.6}", report.loss));
    if let Some(name) = report.planted {
        say(format!("planted: {name}"));
    }
    say("\nthe gradient of every parameter, three ways; its worst entry (~: a random direction)\n");
    say(format!(
        "  {:<22} {:>10} {:>12} {:>12} {:>12} {:>8}",
        "parameter", "entry", "reverse", "forward", "difference", "error"
    ));
    for parameter in &report.parameters {
        let name = parameter.name.strip_prefix("transformer.").unwrap_or(&parameter.name);
        let index = parameter.worst_index.as_ref().map_or("~".to_owned(), |index| {
            format!("[{}]", index.iter().map(usize::to_string).collect::<Vec<_>>().join(","))
        });
        let check::parameters::Parameter { reverse, forward, difference, relative_error, verdict, .. } =
            parameter;
        say(format!(
            "{} {name:<22} {index:>10} {reverse:>+12.5e} {forward:>+12.5e} {difference:>+12.5e} {relative_error:>8.0e}  {verdict}",
            mark(parameter.ok)
        ));
    }
    let entries: usize = report.parameters.iter().map(|parameter| parameter.entries).sum();
    let directions: usize = report.parameters.iter().map(|parameter| parameter.directions).sum();
    say(format!(
        "\n  {entries} entries and {directions} random directions; of large parameters a sample, the largest gradients in it\n"
    ));

    for (name, claim) in report.claims() {
        say(format!("{} {name:<11} {} ({:.0e})", mark(claim.ok), claim.words, claim.worst));
    }
    for hessian in &report.second_order {
        let check::parameters::Hessian { ok, path, u_hv, v_hu, difference } = hessian;
        say(format!(
            "{} {:<11} {path}: u·Hv {u_hv:+.8e}, v·Hu {v_hu:+.8e}, by differences {difference:+.8e}",
            mark(*ok),
            "hessian"
        ));
    }
    let causality = &report.causality;
    let words = match (causality.path, causality.query, causality.key) {
        (Some(path), Some(query), Some(key)) => {
            format!("{path}: the logits at {query} depend on the token at {key}, by {:.1e}", causality.worst)
        }
        _ if !causality.sees_the_past => "tokens do not even see themselves".to_owned(),
        _ => format!(
            "∂logits[i]/∂embedding[j] is 0 to the last bit for {} pairs j > i, on both paths",
            causality.pairs
        ),
    };
    say(format!("{} {:<11} {words}", mark(causality.ok), "causality"));

    match &report.first_broken {
        Some(broken) => {
            say(format!("\nfirst broken: {} in {}, called at {}", broken.op, broken.scope, broken.line));
            say(format!("  {}", broken.what));
        }
        None if report.ok => say("\nall of it holds"),
        None => say("\nsomething does not hold, though every op is right by itself: see the lines marked ✗"),
    }
}

fn mark(ok: bool) -> char {
    if ok { '✓' } else { '✗' }
}
