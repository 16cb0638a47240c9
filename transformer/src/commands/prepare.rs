//! `prepare`: a text becomes files of token ids, as nanoGPT and llm.c read them.

use super::out::say;
use super::program;
use super::screen::thousands;
use super::text::corpus_at;
use crate::data::bin::{BinFile, Format};
use crate::data::tokenizer::Choice;
use crate::error::{Error, Result};
use crate::files::shell_word;
use crate::train::config::TrainConfig;
use clap::Args;
use std::fs;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  transformer prepare --data input.txt --out data/mine                      then: transformer train --data data/mine
  transformer prepare --data input.txt --tokenizer byte --out data/mine
  transformer prepare --data input.txt --tokenizer gpt2/tokenizer.json --format gpt2 --out data/mine
                                                                            for llm.c (built with --features tokenizers)

Writes train.bin (the first nine tenths of the text), val.bin and tokenizer.json. The text is never held in memory as a
whole, however long it is.";

/// The flags of `prepare`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(rename_all = "snake_case", after_help = EXAMPLES)]
pub struct Flags {
    /// The text, in UTF-8 [default: the embedded corpus `stories`]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// char, byte, jamo (Hangul by letters), bpe:N (pairs learned from the text), or a tokenizer.json
    #[arg(long, value_name = "T", default_value_t)]
    pub tokenizer: Choice,
    /// How the ids are written
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// The directory to write
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Replace the files in --out
    #[arg(long)]
    pub overwrite: bool,
}

/// Writes both parts of the text, and the tokenizer.
///
/// # Errors
/// If the text or the tokenizer cannot be read, the ids do not fit into the format, or the files are there already.
pub fn run(flags: &Flags) -> Result<()> {
    let out = &flags.out;
    let [train, validation, description] =
        ["train.bin", "val.bin", "tokenizer.json"].map(|name| out.join(name));
    let there = [&train, &validation, &description].into_iter().find(|path| path.exists());
    if let Some(file) = there.filter(|_| !flags.overwrite) {
        return Err(Error::new("this file is already there")
            .in_file(file)
            .way_out("replace it by --overwrite, or name another --out"));
    }
    let corpus = corpus_at(flags.data.as_deref(), &TrainConfig::default())?;
    let tokenizer = corpus.tokenizer(&flags.tokenizer)?;
    let (tokens, width) = (tokenizer.vocab_size(), flags.format.width());
    if tokens > 1 << (8 * width) {
        return Err(Error::new(format!(
            "the {tokens} tokens of this tokenizer do not fit into {width} bytes"
        ))
        .at("--format")
        .way_out("write 4 bytes an id, with --format llama3"));
    }
    fs::create_dir_all(out).map_err(|error| Error::io("make", out, &error))?;
    corpus.write(&tokenizer, flags.format, [&train, &validation])?;
    tokenizer.save(&description)?;
    let unit = tokenizer.unit();
    for path in [&train, &validation] {
        let ids = BinFile::open(path)?.len();
        say(format!("{}: {} {unit}s", path.display(), thousands(ids as f64)));
    }
    say(format!("{}: {} different ones", description.display(), thousands(tokens as f64)));
    say(format!("\nnext:\n  {} train --data {}", program(), shell_word(out)));
    Ok(())
}
