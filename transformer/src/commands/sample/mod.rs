//! `sample`: lets a trained model write, and shows how it comes to each token.

mod interactive;
mod pen;
mod shown;

use super::out::{read_enough, write};
use super::text::{file_of_flag, text_of_flag};
use super::use_threads;
use crate::cli::{count, number, seed, size, threads};
use crate::error::{Error, Result};
use crate::random::{Purpose, generator};
use crate::run_dir::{RunDir, Weights};
use crate::sample::Sampling;
use crate::train::load_model;
use clap::Args;
use pen::Pen;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

const EXAMPLES: &str = "\
Examples:
  transformer sample                                        from runs/demo
  transformer sample --from runs/char --start \"ROMEO:\" --num_samples 1
  transformer sample --from runs/char --start FILE:prompt.txt --temperature 0.5
  transformer sample --from runs/char --temperature 0       always the likeliest token
  transformer sample --from runs/char --interactive         asks for beginnings, one after the other
  transformer sample --logits --max_new_tokens 20           the likeliest tokens at each step
  transformer sample --attention --max_new_tokens 20        which tokens each one came from

--interactive: Enter alone goes on with the last text, Ctrl-C stops it, Ctrl-D ends. The lines typed can be had
back by the arrow keys; they are not saved. Where the input is no terminal, each of its lines is a beginning.
--logits: the model's probability of each candidate, and after the arrow the one with which it could be drawn.
--attention: how much the last token attended to those before it when the next one was drawn, for each layer,
averaged over its heads, as bars under the tokens and as figures for the three most attended to, with how far back.";

/// The flags of `sample`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(rename_all = "snake_case", after_help = EXAMPLES)]
pub struct Flags {
    /// The directory of the run
    #[arg(long, alias = "out_dir", value_name = "DIR", default_value = "runs/demo")]
    pub from: PathBuf,
    /// Which checkpoint
    #[arg(long, value_enum, default_value_t)]
    pub weights: Weights,
    /// What the text begins with, or FILE:path for the content of a file [default: a line's end]
    #[arg(long, value_name = "TEXT")]
    pub start: Option<String>,
    /// Texts to write, one after the other
    #[arg(long, value_name = "N", value_parser = count, default_value = "10")]
    pub num_samples: usize,
    /// Tokens to add to each
    #[arg(long, value_name = "N", value_parser = count, default_value = "500")]
    pub max_new_tokens: usize,
    /// Above 1 more surprising, below 1 less; 0 takes the likeliest token
    #[arg(long, value_name = "X", value_parser = number, default_value = "0.8")]
    pub temperature: f64,
    /// Draw from the k likeliest tokens
    #[arg(long, value_name = "K", value_parser = size, default_value = "200")]
    pub top_k: usize,
    /// Draw from the likeliest tokens that hold this probability together
    #[arg(long, value_name = "P", value_parser = number, default_value = "1.0")]
    pub top_p: f64,
    /// Tokens to forget at once when the context is full: 1 as in training, more is faster
    #[arg(long, value_name = "N", value_parser = size, default_value = "1")]
    pub stride: usize,
    /// Ask for the beginning of a text, write on, and ask again
    #[arg(long, conflicts_with_all = ["start", "num_samples"])]
    pub interactive: bool,
    /// Show for each token which ones before it were attended to
    #[arg(long)]
    pub attention: bool,
    /// Show for each token the K likeliest, and how likely temperature, top_k and top_p make them
    #[arg(long, value_name = "K", value_parser = size, num_args = 0..=1, default_missing_value = "5")]
    pub logits: Option<usize>,
    /// Governs what is drawn
    #[arg(long, value_name = "N", value_parser = seed, default_value = "1337")]
    pub seed: u64,
    /// The threads to compute with [default: one for each core that it may use]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
}

/// Writes to the standard output, token by token.
///
/// # Errors
/// If the run is missing or damaged, the prompt has an unknown character, or a number is out of its range.
pub fn run(flags: &Flags) -> Result<()> {
    check(flags)?;
    use_threads(flags.threads);
    let run = RunDir::open(&flags.from)?;
    let (config, tokenizer) = run.description()?;
    if flags.stride > config.block_size {
        let problem = format!("{} is more than the context of {} tokens", flags.stride, config.block_size);
        return Err(Error::new(problem).at("--stride").way_out("give a number from 1 to the context"));
    }
    let model = load_model(&run.weights(flags.weights)?, &config)?;
    let mut pen = Pen {
        model: &model,
        tokenizer: &tokenizer,
        sampling: Sampling {
            temperature: flags.temperature,
            top_k: Some(flags.top_k),
            top_p: flags.top_p,
            known: Some(tokenizer.vocab_size()),
        },
        random: generator(flags.seed, Purpose::Sampling),
        tokens: flags.max_new_tokens,
        stride: flags.stride,
        attention: flags.attention,
        logits: flags.logits,
    };
    if flags.interactive {
        return interactive::run(&mut pen);
    }
    let prompt = match &flags.start {
        Some(start) => {
            let ids = pen.beginning(&text_of_flag(start, "--start")?).map_err(|error| error.at("--start"));
            ids.map_err(|error| match file_of_flag(start) {
                Some(file) => error.in_file(file),
                None => error,
            })?
        }
        None => pen.blank(),
    };
    for _ in 0..flags.num_samples {
        let wrote = pen.write(&mut prompt.clone(), 0, &AtomicBool::new(false));
        if read_enough(wrote.and_then(|()| write("\n---------------\n")))? {
            break;
        }
    }
    Ok(())
}

fn check(flags: &Flags) -> Result<()> {
    let fits = |flag: &str, fits: bool, range: &str| match fits {
        true => Ok(()),
        false => Err(Error::new(format!("it has to be {range}"))
            .at(flag)
            .way_out(format!("give a number {range}"))),
    };
    fits("--temperature", flags.temperature >= 0.0, "from 0 on")?;
    fits("--top_p", flags.top_p > 0.0 && flags.top_p <= 1.0, "above 0 and at most 1")
}
