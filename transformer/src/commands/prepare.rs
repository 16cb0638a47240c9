//! `prepare`: a text becomes files of token ids, as nanoGPT and llm.c read them.

use super::out::say;
use super::program;
use super::screen::thousands;
use super::text::corpus_at;
use crate::data::bin::Format;
use crate::data::corpus::Corpus;
use crate::data::tokenizer::{Choice, Tokenizer};
use crate::error::{Error, Result};
use crate::files::{self, shell_word};
use crate::run_dir::RunDir;
use crate::train::config::TrainConfig;
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};

/// What is written. The last one says what the others mean: it goes first when they are replaced, and comes last.
const FILES: [&str; 3] = ["train.bin", "val.bin", "tokenizer.json"];

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
    if RunDir::is_at(out) {
        return Err(Error::new("this directory holds a run, whose tokenizer.json would be replaced")
            .in_file(out)
            .way_out("name another --out"));
    }
    let paths = FILES.map(|name| out.join(name));
    let there = paths.iter().find(|path| path.exists());
    if let Some(file) = there.filter(|_| !flags.overwrite) {
        return Err(Error::new("this file is already there")
            .in_file(file)
            .way_out("replace it by --overwrite, or name another --out"));
    }
    let corpus = corpus_at(flags.data.as_deref(), &TrainConfig::default())?;
    corpus.can_be_written()?;
    let tokenizer = corpus.tokenizer(&flags.tokenizer)?;
    let (tokens, width) = (tokenizer.vocab_size(), flags.format.width());
    if tokens > 1 << (8 * width) {
        return Err(Error::new(format!(
            "the {tokens} tokens of this tokenizer do not fit into {width} bytes"
        ))
        .at("--format")
        .way_out("write 4 bytes an id, with --format llama3"));
    }
    let ids = write(&corpus, &tokenizer, flags.format, out)?;
    let (unit, [train, validation, description]) = (tokenizer.unit(), paths);
    for (path, ids) in [train, validation].into_iter().zip(ids) {
        say(format!("{}: {} {unit}s", path.display(), thousands(ids as f64)));
    }
    say(format!("{}: {} different ones", description.display(), thousands(tokens as f64)));
    say(format!("\nnext:\n  {} train --data {}", program(), shell_word(out)));
    Ok(())
}

/// Writes the three files beside those that they replace, which an error so leaves as they were. When all are written they
/// come into their places, and a kill never leaves some of both. Returns how many ids there are in each part.
fn write(corpus: &Corpus, tokenizer: &Tokenizer, format: Format, out: &Path) -> Result<[usize; 2]> {
    fs::create_dir_all(out).map_err(|error| Error::io("make", out, &error))?;
    let refused = |error| Error::io("write into", out, &error);
    let beside = tempfile::Builder::new().prefix(".prepare-").tempdir_in(out).map_err(refused)?;
    let [train, validation, description] = FILES.map(|name| beside.path().join(name));
    let ids = corpus.write(tokenizer, format, [&train, &validation])?;
    tokenizer.save(&description)?;
    let beside = beside.keep(); // from here on the new files are complete, and are not thrown away
    replace(&beside, out)
        .map_err(|error| error.way_out(format!("the new files are in {}", beside.display())))?;
    Ok(ids)
}

fn replace(beside: &Path, out: &Path) -> Result<()> {
    for name in FILES.iter().rev() {
        files::remove(&out.join(name))?;
    }
    for name in FILES {
        files::rename(&beside.join(name), &out.join(name))?;
    }
    files::sync_directory(&out.join(FILES[0]))?;
    fs::remove_dir(beside).map_err(|error| Error::io("remove", beside, &error))
}
