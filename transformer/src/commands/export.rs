//! `export`: a run becomes a checkpoint that Hugging Face's `transformers` loads.

use super::out::say;
use crate::error::{Error, Result};
use crate::files::lies_in;
use crate::huggingface::{special_ids, transfer};
use crate::run_dir::{RunDir, Weights};
use crate::train::load_model;
use clap::Args;
use std::fs;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  transformer export --from runs/char --out hf/char
  transformer export --from runs/char --weights best --out hf/char --overwrite

In Python, with `transformers`:
  model = AutoModelForCausalLM.from_pretrained(\"hf/char\")
  tokenizer = AutoTokenizer.from_pretrained(\"hf/char\")";

/// The flags of `export`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(rename_all = "snake_case", after_help = EXAMPLES)]
pub struct Flags {
    /// The directory of the run
    #[arg(long, value_name = "RUN", default_value = "runs/demo")]
    pub from: PathBuf,
    /// Which checkpoint
    #[arg(long, value_enum, default_value_t)]
    pub weights: Weights,
    /// The directory to write
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Replace the model in --out
    #[arg(long)]
    pub overwrite: bool,
}

/// Writes config.json, model.safetensors, tokenizer.json and tokenizer_config.json.
///
/// # Errors
/// If the run is missing or damaged, `transformers` has no such model, or the directory holds one already.
pub fn run(flags: &Flags) -> Result<()> {
    let run = RunDir::open(&flags.from)?;
    let (config, _) = run.description()?;
    let model = load_model(&run.weights(flags.weights)?, &config)?;
    let out = &flags.out;
    if lies_in(&flags.from.join("config.json"), out) {
        return Err(Error::new("the checkpoint would replace the run that it is made of")
            .in_file(out)
            .way_out("name another --out"));
    }
    if RunDir::is_at(out) || (!flags.overwrite && out.join("config.json").exists()) {
        return Err(Error::new("this directory already holds a model")
            .in_file(out)
            .way_out("replace it by --overwrite (a run is never replaced), or name another --out"));
    }
    fs::create_dir_all(out).map_err(|error| Error::io("make", out, &error))?;
    let special_ids = special_ids::of_run(&flags.from)?;
    let family = transfer::export(&model, special_ids, out).map_err(|error| error.in_file(&flags.from))?;
    run.export_tokenizer(out)?;
    say(format!("{} is now a {} in {}", flags.from.display(), family.class(), out.display()));
    if config.dropout > 0.0 && family == crate::huggingface::Family::Llama {
        say(format!("without its dropout of {}, which a Llama does not have", config.dropout));
    }
    say("\nnext, in Python:");
    say("  from transformers import AutoModelForCausalLM, AutoTokenizer");
    say(format!("  model = AutoModelForCausalLM.from_pretrained({:?})", out.display().to_string()));
    say(format!("  tokenizer = AutoTokenizer.from_pretrained({:?})", out.display().to_string()));
    Ok(())
}
