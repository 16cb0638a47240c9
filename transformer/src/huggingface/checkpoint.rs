//! The weights of a checkpoint: one file, or shards with an index that says which tensor is in which.

use crate::error::{Error, Result};
use crate::files;
use crate::safetensors::TensorFile;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// The files of weights, opened; a tensor is read when it is asked for.
pub struct Checkpoint {
    /// The file, or the index: what errors about a missing tensor name.
    path: PathBuf,
    files: Vec<TensorFile>,
    /// The file of each tensor.
    of: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Opens the files of a directory, and checks every header.
    ///
    /// # Errors
    /// If there are none, a shard is missing or damaged, or it has not the tensor that the index promises.
    pub fn open(directory: &Path) -> Result<Self> {
        let (single, index) = (directory.join(SINGLE), directory.join(INDEX));
        match (single.exists(), index.exists()) {
            (true, _) => {
                let file = TensorFile::open(&single)?;
                let of = file.names().into_iter().map(|name| (name, 0)).collect();
                Ok(Checkpoint { path: single, files: vec![file], of })
            }
            (false, true) => Self::open_shards(directory, index),
            (false, false) => {
                Err(Error::new(format!("there are no weights here: neither {SINGLE} nor {INDEX}"))
                    .in_file(directory)
                    .way_out("save them as safetensors: in Python, `model.save_pretrained(DIR)`"))
            }
        }
    }

    fn open_shards(directory: &Path, path: PathBuf) -> Result<Self> {
        const WAY_OUT: &str = "take the index and all its shards from one intact copy";
        let Index { weight_map } = files::read_json(&path, WAY_OUT)?;
        let mut shards: Vec<&String> = weight_map.values().collect();
        shards.sort();
        shards.dedup();
        let mut opened = Vec::new();
        for shard in &shards {
            let wrong = |what: &str| {
                let field = Error::new(format!("{what}: {shard:?}")).at("field weight_map");
                Err(field.in_file(&path).way_out(WAY_OUT))
            };
            if Path::new(shard).file_name().is_none_or(|name| name != shard.as_str()) {
                return wrong("a shard is a file beside the index, not this");
            }
            if !directory.join(shard).exists() {
                return wrong("this shard is missing");
            }
            opened.push(TensorFile::open(&directory.join(shard))?);
        }
        let place = |shard: &String| shards.binary_search(&shard).unwrap_or_default();
        let of: BTreeMap<_, _> =
            weight_map.iter().map(|(name, shard)| (name.clone(), place(shard))).collect();
        match of.iter().find(|(name, shard)| opened[**shard].shape(name).is_none()) {
            Some((name, shard)) => Err(Error::new("it is missing, though the index says that it is here")
                .in_file(directory.join(shards[*shard]))
                .at(format!("tensor {name}"))
                .way_out(WAY_OUT)),
            None => Ok(Checkpoint { path, files: opened, of }),
        }
    }

    /// The names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.of.keys().map(String::as_str)
    }

    /// Reads a tensor; 16-bit numbers are widened.
    ///
    /// # Errors
    /// If it is missing, has another shape, is of another type, or cannot be read.
    pub fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        match self.of.get(name) {
            Some(&file) => self.files[file].floats(name, shape),
            None => Err(Error::new("it is missing")
                .in_file(&self.path)
                .at(format!("tensor {name}"))
                .way_out("use the config.json and the weights of one and the same model")),
        }
    }

    /// The error for a tensor that the model has no place for.
    pub fn superfluous(&self, name: &str) -> Error {
        Error::new("the model has no tensor of this name")
            .in_file(&self.path)
            .at(format!("tensor {name}"))
            .way_out("use the config.json and the weights of one and the same model")
    }
}
