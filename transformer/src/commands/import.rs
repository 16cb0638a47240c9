//! `import`: a checkpoint of Hugging Face's `transformers` becomes a run.

use super::out::say;
use super::program;
use super::screen::thousands;
use crate::error::{Error, Result};
use crate::files::{lies_in, shell_word};
use crate::huggingface::transfer;
use crate::run_dir::RunDir;
use crate::run_dir::imported::tokenizer_for;
use clap::Args;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  transformer import ~/gpt2 --out runs/gpt2            then: transformer sample --from runs/gpt2
  transformer import ~/llama --out runs/llama --tokenizer other/tokenizer.json

DIR holds config.json, tokenizer.json and model.safetensors (or its shards and model.safetensors.index.json) of a
GPT2LMHeadModel or LlamaForCausalLM, as `save_pretrained` writes them. Numbers of 16 bits are widened to 32.";

/// The flags of `import`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(rename_all = "snake_case", after_help = EXAMPLES)]
pub struct Flags {
    /// The checkpoint's directory
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// The directory of the run to make
    #[arg(long, alias = "out_dir", value_name = "RUN")]
    pub out: PathBuf,
    /// The tokenizer [default: DIR/tokenizer.json]
    #[arg(long, value_name = "FILE")]
    pub tokenizer: Option<PathBuf>,
    /// Replace the run in --out
    #[arg(long)]
    pub overwrite: bool,
}

/// Reads everything, and then writes the run.
///
/// # Errors
/// If a file is missing or damaged or asks for what this architecture does not have, or the run cannot be written.
pub fn run(flags: &Flags) -> Result<()> {
    let model = transfer::import(&flags.directory)?;
    let tokenizer = flags.tokenizer.clone().unwrap_or_else(|| flags.directory.join("tokenizer.json"));
    tokenizer_for(&model, &tokenizer)?;
    if [&flags.directory.join("config.json"), &tokenizer].into_iter().any(|read| lies_in(read, &flags.out)) {
        return Err(Error::new("the run would replace the files that it is made of")
            .in_file(&flags.out)
            .way_out("name another --out"));
    }
    let run = RunDir::create(&flags.out, flags.overwrite)?;
    run.write_imported(&model, &flags.directory, &tokenizer)?;
    let (config, dir, word) = (&model.config, flags.out.display(), shell_word(&flags.out));
    say(format!(
        "{} parameters: {} layers, {} heads, {} wide, context {}, vocabulary {}; kept in {dir}",
        thousands(model.numel() as f64),
        config.n_layer,
        config.n_head,
        config.n_embd,
        config.block_size,
        config.vocab_size
    ));
    say("\nnext:");
    say(format!("  {} sample --from {word} --num_samples 1", program()));
    say(format!("  {} eval --from {word} --data FILE.txt", program()));
    Ok(())
}
