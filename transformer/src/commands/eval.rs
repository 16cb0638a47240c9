//! `eval`: the loss of a trained model on a text.

use super::out::{say, warn};
use super::screen::thousands;
use super::text::{corpus_of_run, no_text_of_its_own};
use super::use_threads;
use crate::cli::{size, threads};
use crate::data::batches::in_order;
use crate::data::corpus::Corpus;
use crate::data::dataset::{Dataset, Tokens};
use crate::data::large::Keep;
use crate::data::tokenizer::Tokenizer;
use crate::error::Result;
use crate::run_dir::{RunDir, Weights};
use crate::train::config::TrainConfig;
use crate::train::load_model;
use crate::train::trainer::mean_loss;
use clap::{Args, ValueEnum};
use std::f64::consts::LN_2;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  transformer eval                                     runs/demo on the validation part of its own text
  transformer eval --from runs/char --weights best
  transformer eval --from runs/large --tokens 1000000  on the first million tokens
  transformer eval --from runs/char --data other.txt   on another text: its last tenth
  transformer eval --from runs/char --data other.txt --split all
                                                       on all of it";

/// The part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Split {
    /// The validation part, which is never trained on: the last tenth of a text
    #[default]
    Val,
    /// The part that is trained on
    Train,
    /// Both, a single loss
    All,
}

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
    /// On which part of the text
    #[arg(long, value_enum, default_value_t)]
    pub split: Split,
    /// Only the first tokens of it [default: all]
    #[arg(long, value_name = "N", value_parser = size)]
    pub tokens: Option<usize>,
    /// Windows in a batch
    #[arg(long, value_name = "N", value_parser = size)]
    pub batch_size: Option<usize>,
    /// The threads to compute with [default: one for each core that it may use]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
}

/// Prints the loss, each token counted once.
///
/// # Errors
/// If the run or the text is missing or damaged, or the text has a character that the run does not know.
pub fn run(flags: &Flags) -> Result<()> {
    use_threads(flags.threads);
    let run = RunDir::open(&flags.from)?;
    let (config, tokenizer) = run.description()?;
    let model = load_model(&run.weights(flags.weights)?, &config)?;
    let state = if run.is_imported() { None } else { Some(run.trainer_state()?) };
    let corpus = match (&flags.data, &state) {
        (Some(data), _) => Corpus::open(data)?,
        (None, Some(state)) => corpus_of_run(&state.config, "give it by --data FILE")?,
        (None, None) => {
            return Err(no_text_of_its_own(&flags.from, "measured")
                .at("--data")
                .way_out("name a text by --data FILE"));
        }
    };
    let dataset = corpus.dataset(&tokenizer, config.block_size, Keep::Of(&flags.from))?;
    if let (Some(state), None) = (&state, &flags.data)
        && state.data.fingerprint != dataset.fingerprint
    {
        warn(format!("warning: {} has changed since the run was trained on it", dataset.name));
    }
    let trained = state.map_or_else(TrainConfig::default, |state| state.config);
    let mut found = Measured::default();
    for part in parts(flags, &dataset) {
        let batches = in_order(&part, flags.batch_size.unwrap_or(trained.batch_size), config.block_size);
        let loss = mean_loss(&model, batches)?;
        let validation_bytes = dataset.validation_bytes.filter(|_| part == dataset.validation);
        let of_part = Dataset { validation: part, validation_bytes, ..dataset.clone() };
        found.add(of_part.validation.len(), loss, of_part.bits_per_byte(LN_2, &tokenizer)?);
    }
    let is_file = flags.data.is_some() || trained.data.is_some();
    show(&found, flags.split, &tokenizer, &name(flags.split, &corpus, &dataset.name, is_file));
    let whole = flags.tokens.is_none_or(|tokens| tokens >= dataset.validation.len()); // the floor is that of the whole part
    if let (Some(floor), Split::Val, true) = (dataset.floor, flags.split, whole) {
        say(format!("the floor is {floor:.4}: {:.4} above it", found.loss() - floor));
    }
    Ok(())
}

/// The tokens to measure, at most as many as asked for.
fn parts(flags: &Flags, dataset: &Dataset) -> Vec<Tokens> {
    let parts = match flags.split {
        Split::Val => vec![&dataset.validation],
        Split::Train => vec![&dataset.train],
        Split::All => vec![&dataset.train, &dataset.validation],
    };
    let mut left = flags.tokens.unwrap_or(usize::MAX).max(2); // one token, and the one to guess
    let mut cut = Vec::new();
    for part in parts.into_iter().filter(|part| part.len() > 1) {
        if left > 1 {
            let n = part.len().min(left);
            left -= n;
            cut.push(part.split_at(n).0);
        }
    }
    cut
}

/// What the part of the text is called.
fn name(split: Split, corpus: &Corpus, text: &str, is_file: bool) -> String {
    let in_tenths = is_file && !matches!(corpus, Corpus::Ids(_));
    match (split, in_tenths) {
        (Split::All, _) => text.to_owned(),
        (Split::Val, true) => format!("the last tenth of {text}"),
        (Split::Val, false) => format!("the validation part of {text}"),
        (Split::Train, true) => format!("the first nine tenths of {text}"),
        (Split::Train, false) => format!("the training part of {text}"),
    }
}

/// Sums over the parts of a text.
#[derive(Default)]
struct Measured {
    tokens: usize,
    targets: f64,
    nats: f64,
    bytes: f64,
}

impl Measured {
    /// Adds a part, of which a loss of one bit a token would be so many bits a byte.
    fn add(&mut self, tokens: usize, loss: f64, tokens_per_byte: f64) {
        let targets = tokens.saturating_sub(1) as f64; // all but the first
        self.tokens += tokens;
        self.targets += targets;
        self.nats += loss * targets;
        self.bytes += tokens as f64 / tokens_per_byte;
    }

    /// The mean, in nats per token.
    fn loss(&self) -> f64 {
        self.nats / self.targets
    }
}

fn show(found: &Measured, split: Split, tokenizer: &Tokenizer, of: &str) {
    let loss = found.loss();
    let which = match split {
        Split::Val => "validation loss",
        Split::Train => "training loss",
        Split::All => "loss",
    };
    say(format!(
        "{which} {loss:.4} nats a {} ({:.3} bits, perplexity {:.3}) on {} tokens of {of}",
        tokenizer.unit(),
        loss / LN_2,
        loss.exp(),
        thousands(found.tokens as f64)
    ));
    let bits_per_byte = loss / LN_2 * found.tokens as f64 / found.bytes;
    say(format!(
        "{bits_per_byte:.4} bits per byte of the text, by which models with other tokenizers compare"
    ));
}
