//! Checkpoints that `transformers` wrote compute here what they compute there, and go back as they came.
//! `tests/ecosystem/write_fixtures.py` wrote them.

use autograd::{Tape, Tensor};
use backstep::{fixture, tensor};
use serde_json::Map;
use std::fs;
use transformer::huggingface::{Family, transfer};
use transformer::model::{Decoder, Gpt};
use transformer::safetensors::TensorFile;

/// Sharded with a head of its own; 16 bits without the prefix; queries that share keys; tied with biases.
const CHECKPOINTS: [&str; 4] = ["gpt2-gelu-untied", "gpt2-relu", "llama", "llama-tied-bias"];

fn import(name: &str) -> Gpt<Tensor<f32>> {
    transfer::import(&fixture("huggingface").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

struct Expected {
    tokens: Vec<usize>,
    shape: [usize; 2],
    logits: Tensor<f64>,
}

fn expected(name: &str) -> Expected {
    let file = format!("huggingface/{name}/expected.safetensors");
    let tokens = tensor(&file, "tokens");
    let [rows, length] = tokens.shape()[..] else { panic!("tokens are [rows, length]") };
    let ids = tokens.data().iter().map(|&token| token as usize).collect();
    Expected { tokens: ids, shape: [rows, length], logits: tensor(&file, "logits") }
}

#[track_caller]
fn assert_close(what: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let difference = (f64::from(found) - expected).abs();
        assert!(difference < 1e-5, "{what}: logit {i} is {found}, transformers has {expected}");
    }
}

#[test]
fn the_logits_of_imported_checkpoints_are_those_of_transformers() {
    for name in CHECKPOINTS {
        let (model, Expected { tokens, shape, logits }) = (import(name), expected(name));
        for (style, pass) in super::passes() {
            let tape = Tape::new();
            let found = model.on(&tape).logits(&tokens, shape, &pass).value();
            assert_close(&format!("{name}, {style}"), found.data(), logits.data());
        }
    }
}

#[test]
fn token_by_token_the_logits_of_imported_checkpoints_are_those_of_transformers() {
    for name in CHECKPOINTS {
        let (model, Expected { tokens, shape: [rows, length], logits }) = (import(name), expected(name));
        let (mut decoder, v) = (Decoder::new(&model, rows), model.config.vocab_size);
        for i in 0..length {
            let column: Vec<usize> = (0..rows).map(|row| tokens[row * length + i]).collect();
            for (row, found) in decoder.push(&column).chunks(v).enumerate() {
                let expected = &logits.data()[(row * length + i) * v..][..v];
                assert_close(&format!("{name}, token {i} of text {row}"), found, expected);
            }
        }
    }
}

#[test]
fn a_checkpoint_of_the_tied_gpt_2_is_imported_bit_for_bit() {
    let model = transfer::import(&fixture("gpt2-tiny")).unwrap();
    for (name, parameter) in model.parameters() {
        let stored = tensor("gpt2-tiny/model.safetensors", &name);
        assert!(parameter.data().iter().zip(stored.data()).all(|(&a, &b)| f64::from(a) == b), "{name}");
    }
}

#[test]
fn an_exported_model_is_imported_again_bit_for_bit() {
    for name in CHECKPOINTS {
        let directory = tempfile::tempdir().unwrap();
        let model = import(name);
        let family = transfer::export(&model, Map::new(), directory.path()).unwrap();
        assert_eq!(family, if name.starts_with("llama") { Family::Llama } else { Family::Gpt2 });
        let again = transfer::import(directory.path()).unwrap();
        assert_eq!(again.config, model.config);
        for ((name, before), (_, after)) in model.parameters().into_iter().zip(again.parameters()) {
            assert_eq!(before, after, "{name}");
        }
    }
}

#[test]
fn an_exported_llama_has_the_tensors_that_transformers_wrote() {
    let directory = tempfile::tempdir().unwrap();
    transfer::export(&import("llama"), Map::new(), directory.path()).unwrap();
    let theirs = TensorFile::open(&fixture("huggingface/llama/model.safetensors")).unwrap();
    let ours = TensorFile::open(&directory.path().join("model.safetensors")).unwrap();
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    assert_eq!(sorted(ours.names()), sorted(theirs.names()));
    for name in theirs.names() {
        let shape = theirs.shape(&name).unwrap();
        assert_eq!(ours.f32(&name, shape).unwrap(), theirs.f32(&name, shape).unwrap(), "{name}");
    }
}

/// The message with which a copy of a checkpoint is refused, after `damage` has been done to it.
fn refused(name: &str, damage: impl FnOnce(&std::path::Path)) -> String {
    let directory = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture("huggingface").join(name)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, directory.path().join(path.file_name().unwrap())).unwrap();
    }
    damage(directory.path());
    let message = match transfer::import(directory.path()) {
        Ok(_) => panic!("a damaged {name} was imported"),
        Err(error) => error.to_string(),
    };
    assert!(message.contains("way out: "), "{message}");
    message
}

#[test]
fn a_shard_that_is_missing_lost_a_tensor_or_lies_elsewhere_is_named() {
    let index = "model.safetensors.index.json";
    let second = "model-00002-of-00002.safetensors";
    let message = refused("gpt2-gelu-untied", |directory| fs::remove_file(directory.join(second)).unwrap());
    assert!(message.contains(index) && message.contains("field weight_map"), "{message}");
    assert!(message.contains(&format!("this shard is missing: {second:?}")), "{message}");

    let message = refused("gpt2-gelu-untied", |directory| {
        fs::copy(directory.join("model-00001-of-00002.safetensors"), directory.join(second)).unwrap();
    });
    assert!(
        message.contains(second) && message.contains("it is missing, though the index says"),
        "{message}"
    );

    let message = refused("gpt2-gelu-untied", |directory| {
        let text = fs::read_to_string(directory.join(index)).unwrap();
        fs::write(directory.join(index), text.replace(second, "../../etc/passwd")).unwrap();
    });
    assert!(message.contains("field weight_map") && message.contains("../../etc/passwd"), "{message}");
}

#[test]
fn a_head_that_is_tied_and_yet_another_matrix_is_refused() {
    let message = refused("llama", |directory| {
        let path = directory.join("config.json");
        let text = fs::read_to_string(&path).unwrap();
        let tied = text.replace("\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true");
        fs::write(path, tied).unwrap();
    });
    assert!(message.contains("tensor lm_head.weight"), "{message}");
    assert!(message.contains("set tie_word_embeddings to false"), "{message}");
}

#[test]
fn a_config_that_tells_of_more_or_wider_layers_is_refused_before_anything_is_allocated() {
    for (field, told, place) in [
        ("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 200000000", "n_layer"),
        (
            "\"num_hidden_layers\": 2",
            "\"num_hidden_layers\": 3",
            "tensor model.layers.2.input_layernorm.weight",
        ),
        ("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1", "tensor model.layers.1."),
        ("\"vocab_size\": 29", "\"vocab_size\": 200000000", "tensor model.embed_tokens.weight"),
        ("\"intermediate_size\": 24", "\"intermediate_size\": 18446744073709551615", "n_inner"),
    ] {
        let message = refused("llama", |directory| {
            let path = directory.join("config.json");
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(field));
            fs::write(path, text.replace(field, told)).unwrap();
        });
        assert!(message.contains(place), "{told}: {message}");
    }
}
