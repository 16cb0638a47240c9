//! `import` and `export`: the same parameters under other names, some of them transposed.

use super::checkpoint::Checkpoint;
use super::gpt2::Gpt2;
use super::layout::{Place, is_a_buffer, transposed};
use super::llama::Llama;
use super::{Family, config};
use crate::error::{Error, Result};
use crate::files;
use crate::model::{Gpt, ModelConfig};
use crate::safetensors::{self, Named};
use autograd::Tensor;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;

/// Reads the model of a checkpoint in Hugging Face's format.
///
/// # Errors
/// If a file is missing or damaged, or asks for what this architecture does not have.
pub fn import(directory: &Path) -> Result<Gpt<Tensor<f32>>> {
    let (family, config) = config::read(&directory.join("config.json"))?;
    let family = family.ok_or_else(|| {
        Error::new("this is a run of this program, not a checkpoint of transformers")
            .in_file(directory)
            .way_out("use it as it is: `transformer sample --from DIR`")
    })?;
    let checkpoint = Checkpoint::open(directory)?;
    // GPT2Model and LlamaModel are saved without the prefix that the class with a head gives its parameters.
    let prefix = if family == Family::Gpt2 { "transformer." } else { "model." };
    let bare = !checkpoint.names().any(|name| name.starts_with(prefix));
    let stored = |name: &str| match bare {
        true => name.strip_prefix(prefix).unwrap_or(name).to_owned(),
        false => name.to_owned(),
    };

    let mut used = HashSet::new();
    let mut read = |name: &str, shape: &[usize]| -> Result<Tensor<f32>> {
        let place = Place::of(family, name, shape, &config)?;
        let mut parts = Vec::new();
        for (name, columns) in &place.parts {
            let name = stored(name);
            let rows = &shape[..shape.len() - 1];
            let stored_shape = match place.transposed {
                true => [&[*columns], rows].concat(),
                false => [rows, &[*columns]].concat(),
            };
            parts.push((checkpoint.read(&name, &stored_shape)?, *columns));
            used.insert(name);
        }
        Ok(Tensor::new(shape, side_by_side(parts, place.transposed)))
    };
    let shapes = Gpt::shapes(&config, checkpoint.names().count())
        .map_err(|error| error.in_file(directory.join("config.json")))?;
    let mut failed = None;
    let model = shapes.map(&mut |name, shape: &Vec<usize>| {
        let found = if failed.is_none() { read(name, shape) } else { Ok(Tensor::scalar(0.0)) };
        found.unwrap_or_else(|error| {
            failed = Some(error);
            Tensor::scalar(0.0)
        })
    });
    match failed {
        Some(error) => Err(error),
        None => check_the_rest(&checkpoint, &used, &model).map(|()| model),
    }
}

/// Parts, each `[columns, rows]` or `[rows, columns]`, put together to `[rows, all columns]`.
fn side_by_side(mut parts: Vec<(Vec<f32>, usize)>, transposed_parts: bool) -> Vec<f32> {
    if !transposed_parts && parts.len() == 1 {
        return parts.remove(0).0;
    }
    if !transposed_parts {
        return parts.into_iter().flat_map(|(numbers, _)| numbers).collect(); // vectors
    }
    let rows = parts[0].0.len() / parts[0].1.max(1);
    let all: Vec<f32> = parts.into_iter().flat_map(|(numbers, _)| numbers).collect(); // [all columns, rows]
    transposed(&all, all.len() / rows.max(1), rows)
}

/// Every tensor has its place; a head that is stored although it is tied has to be the embedding.
fn check_the_rest(checkpoint: &Checkpoint, used: &HashSet<String>, model: &Gpt<Tensor<f32>>) -> Result<()> {
    for name in checkpoint.names().filter(|name| !used.contains(*name) && !is_a_buffer(name)) {
        if name != "lm_head.weight" || model.head.is_some() {
            return Err(checkpoint.superfluous(name));
        }
        if checkpoint.read(name, model.wte.shape())? != model.wte.data() {
            return Err(checkpoint.superfluous(name).way_out(
                "it differs from the embedding: set tie_word_embeddings to false in config.json, or remove it",
            ));
        }
    }
    Ok(())
}

/// Writes `config.json`, with these [`special_ids`](super::special_ids), and `model.safetensors` as `transformers` has
/// them.
///
/// # Errors
/// If the architectures there cannot express the model (the message names the field), or the disk refuses.
pub fn export(model: &Gpt<Tensor<f32>>, special_ids: Map<String, Value>, directory: &Path) -> Result<Family> {
    let family = Family::of(&model.config);
    // GPT-2 has a bias everywhere; where the model has none, it is 0.
    let told = ModelConfig { bias: model.config.bias || family == Family::Gpt2, ..model.config.clone() };
    let written = match family {
        Family::Gpt2 => Gpt2::of(&told).map(|config| json!(config)),
        Family::Llama => Llama::of(&told).map(|config| json!(config)),
    };
    let mut config = written.map_err(|error| {
        let class = family.class();
        error.way_out(format!("only what {class} has can be exported; the run is usable here as it is"))
    })?;
    special_ids.into_iter().for_each(|(field, id)| config[field] = id);

    let ours = model.parameters();
    let shapes = Gpt::build(&told, |_, shape| shape.to_vec());
    let mut stored: Vec<(String, Vec<usize>, Cow<[f32]>)> = Vec::new();
    for (name, shape) in shapes.parameters() {
        let numbers: Cow<[f32]> = match ours.iter().find(|(ours, _)| *ours == name) {
            Some((_, tensor)) => tensor.data().into(),
            None => vec![0.0; shape.iter().product()].into(),
        };
        let place = Place::of(family, &name, shape, &told)?;
        if place.parts.len() == 1 && !place.transposed {
            stored.push((place.parts[0].0.clone(), shape.clone(), numbers));
            continue;
        }
        let columns = shape[shape.len() - 1];
        let rows = numbers.len() / columns;
        let all = transposed(&numbers, rows, columns); // [columns, rows]
        let mut from = 0;
        for (name, part) in place.parts {
            let numbers = all[from * rows..(from + part) * rows].to_vec();
            let shape = if shape.len() == 2 { vec![part, rows] } else { vec![part] };
            stored.push((name, shape, numbers.into()));
            from += part;
        }
    }
    let named: Vec<Named> = stored.iter().map(|(name, shape, data)| Named::f32(name, shape, data)).collect();
    safetensors::save(&directory.join("model.safetensors"), &named)?;
    files::write_json(&directory.join("config.json"), &config)?;
    Ok(family)
}
