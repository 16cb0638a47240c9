//! A run whose model was trained elsewhere: what `import` puts into it, and `export` takes out.

use super::{MODEL, RunDir, TOKENIZER, TOKENIZER_CONFIG, TRAINER, fits};
use crate::data::tokenizer::Tokenizer;
use crate::error::{Error, Result};
use crate::files;
use crate::huggingface::special_ids;
use crate::model::Gpt;
use crate::safetensors::{self, Named};
use crate::train::named;
use autograd::Tensor;
use serde_json::{Map, Value};
use std::fs;
use std::path::Path;

/// Files that `transformers` has beside the tokenizer: they mean nothing here, and are handed on as they are.
const COMPANIONS: [&str; 4] =
    [TOKENIZER_CONFIG, "special_tokens_map.json", "generation_config.json", "chat_template.jinja"];

/// Reads the tokenizer at `path`, and checks that the model has a row for each of its tokens.
///
/// # Errors
/// If it is missing, cannot be read here, or has more ids than the model has rows.
pub fn tokenizer_for(model: &Gpt<Tensor<f32>>, path: &Path) -> Result<Tokenizer> {
    if !path.exists() {
        return Err(Error::new("there is no tokenizer.json, which says what the tokens are")
            .in_file(path)
            .way_out(
                "let Python write it, `AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)`, or name one by \
                 --tokenizer FILE",
            ));
    }
    let tokenizer = Tokenizer::load(path)?;
    fits(&tokenizer, path, &model.config, true)?;
    Ok(tokenizer)
}

impl RunDir {
    /// Whether the model was trained elsewhere: there are weights, and nothing to go on from.
    pub fn is_imported(&self) -> bool {
        self.file(MODEL).exists() && !self.file(TRAINER).exists()
    }

    /// Whether its weights have come from elsewhere, or may have: from the run that it began with.
    pub(super) fn is_of_an_import(&self) -> bool {
        self.is_imported() || self.trainer_state().is_ok_and(|state| state.config.init_from.is_some())
    }

    /// Copies what another run or checkpoint has beside its tokenizer.
    ///
    /// # Errors
    /// If a file cannot be copied.
    pub fn take_companions(&self, from: &Path) -> Result<()> {
        copy_companions(from, self.path())
    }

    /// Keeps the ids of the tokens that begin and end a text elsewhere, if there are any.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn keep_special_ids(&self, ids: Map<String, Value>) -> Result<()> {
        if ids.is_empty() { Ok(()) } else { files::write_json(&self.file(special_ids::FILE), &ids) }
    }

    /// Writes a model that was trained elsewhere, with the tokenizer at `tokenizer` and its companions in `from`.
    ///
    /// # Errors
    /// If a file cannot be copied or written.
    pub fn write_imported(&self, model: &Gpt<Tensor<f32>>, from: &Path, tokenizer: &Path) -> Result<()> {
        copy(tokenizer, &self.file(TOKENIZER))?;
        self.take_companions(from)?;
        self.keep_special_ids(special_ids::of_checkpoint(from)?)?;
        if !self.file(TOKENIZER_CONFIG).exists() {
            self.write_tokenizer_config(&model.config)?;
        }
        let parameters = model.parameters();
        let tensors: Vec<Named> = parameters.iter().map(|(name, tensor)| named(name, tensor)).collect();
        safetensors::save_for(&self.file(MODEL), &tensors, self.vocabulary().as_deref())?;
        model.config.save(&self.file(super::CONFIG))
    }

    /// Copies the tokenizer and its companions to `directory`.
    ///
    /// # Errors
    /// If a file cannot be copied.
    pub fn export_tokenizer(&self, directory: &Path) -> Result<()> {
        copy(&self.file(TOKENIZER), &directory.join(TOKENIZER))?;
        copy_companions(self.path(), directory)
    }
}

fn copy_companions(from: &Path, to: &Path) -> Result<()> {
    let there = COMPANIONS.iter().filter(|name| from.join(name).exists());
    there.into_iter().try_for_each(|name| copy(&from.join(name), &to.join(name)))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).map_err(|error| Error::io("read", from, &error))?;
    files::write_atomically(to, |file| file.write_all(&bytes))
}
