//! `eval`: the loss of a trained model on a whole text.

use super::out::say;
use super::screen::thousands;
use super::text::corpus_at;
use super::use_threads;
use crate::cli::{size, threads};
use crate::data::batches::in_order;
use crate::data::large::Keep;
use crate::error::{Error, Result};
use crate::run_dir::{RunDir, Weights};
use crate::train::config::TrainConfig;
use crate::train::load_model;
use crate::train::trainer::mean_loss;
use clap::Args;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  transformer eval                                     runs/demo on the validation part of its own text
  transformer eval --from runs/char --weights best
  transformer eval --from runs/large --tokens 1000000  on the first million tokens
  transformer eval --from runs/char --data other.txt   on another text: its last tenth";

/// The flags of `eval`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(rename_all = "snake_case", after_help = EXAMPLES)]
pub struct Flags {
    /// The directory of the run
    #[arg(long, alias = "out_dir", value_name = "DIR", default_value = "runs/demo")]
    pub from: PathBuf,
    /// Which checkpoint
    #[arg(long, value_enum, default_value_t)]
    pub weights: Weights,
    /// Another text, or directory of ids, than the run's own
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Only the first tokens of the validation part [default: all]
    #[arg(long, value_name = "N", value_parser = size)]
    pub tokens: Option<usize>,
    /// Windows in a batch
    #[arg(long, value_name = "N", value_parser = size)]
    pub batch_size: Option<usize>,
    /// The threads to compute with [default: one for each core that it may use]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
}

/// Prints the loss, each token of the validation part counted once.
///
/// # Errors
/// If the run or the text is missing or damaged, or the text has a character that the run does not know.
pub fn run(flags: &Flags) -> Result<()> {
    use_threads(flags.threads);
    let run = RunDir::open(&flags.from)?;
    let (config, tokenizer) = run.description()?;
    let model = load_model(&run.weights(flags.weights)?, &config)?;
    let trained = match run.is_imported() {
        false => run.trainer_state()?.config,
        true if flags.data.is_some() => TrainConfig::default(),
        true => {
            return Err(Error::new("an imported model has no text of its own to be measured on")
                .in_file(&flags.from)
                .at("--data")
                .way_out("name a text by --data FILE"));
        }
    };
    let corpus = corpus_at(flags.data.as_deref(), &trained)?;
    let mut dataset = corpus.dataset(&tokenizer, config.block_size, Keep::Of(&flags.from))?;
    if let Some(n) = flags.tokens.filter(|&n| n < dataset.validation.len()) {
        dataset.validation = dataset.validation.split_at(n.max(2)).0; // one token, and the one to guess
        dataset.validation_bytes = None;
    }
    let batch_size = flags.batch_size.unwrap_or(trained.batch_size);
    let loss = mean_loss(&model, in_order(&dataset.validation, batch_size, config.block_size))?;
    let bits_per_byte = dataset.bits_per_byte(loss, &tokenizer)?;
    say(format!(
        "validation loss {loss:.4} nats a {} ({:.3} bits, perplexity {:.3}) on {} tokens of {}",
        tokenizer.unit(),
        loss / std::f64::consts::LN_2,
        loss.exp(),
        thousands(dataset.validation.len() as f64),
        dataset.name
    ));
    say(format!(
        "{bits_per_byte:.4} bits per byte of the text, by which models with other tokenizers compare"
    ));
    if let Some(floor) = dataset.floor {
        say(format!("the floor is {floor:.4}: {:.4} above it", loss - floor));
    }
    Ok(())
}
