//! The ids of the tokens that begin and end a text, as a checkpoint's `config.json` names them.
//!
//! A model here reads and writes text without such tokens. An imported run keeps the ids in a file of its own, so that
//! `export` gives them back: in `transformers` they say where `generate` stops.

use crate::error::Result;
use crate::files;
use serde_json::{Map, Value};
use std::path::Path;

/// The file of a run that keeps them.
pub const FILE: &str = "special_ids.json";

/// A number, a list of them, or null, each.
const FIELDS: [&str; 3] = ["bos_token_id", "eos_token_id", "pad_token_id"];

/// Those that `config.json` in a directory names.
///
/// # Errors
/// If it cannot be read.
pub fn of_checkpoint(directory: &Path) -> Result<Map<String, Value>> {
    read(&directory.join("config.json"), "use the config.json of a GPT-2 or Llama model")
}

/// Those that a run has kept; none, if it was not imported.
///
/// # Errors
/// If the file is damaged.
pub fn of_run(directory: &Path) -> Result<Map<String, Value>> {
    let path = directory.join(FILE);
    if path.exists() { read(&path, "import the checkpoint anew, or remove the file") } else { Ok(Map::new()) }
}

fn read(path: &Path, way_out: &str) -> Result<Map<String, Value>> {
    let fields: Map<String, Value> = files::read_json(path, way_out)?;
    Ok(fields.into_iter().filter(|(field, id)| FIELDS.contains(&field.as_str()) && !id.is_null()).collect())
}
