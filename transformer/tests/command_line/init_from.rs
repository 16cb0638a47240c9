//! `train --init_from`: a run that begins with the weights of another one.

use super::import::edit;
use super::{Place, SMALL, refused, transformer};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

impl Place {
    /// Trains further from `run/`, into `further/`.
    fn further(&self, flags: &[&str]) -> Output {
        let (from, out) = (self.path("run"), self.path("further"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
        command.arg("train").arg("--init_from").arg(from).arg("--out_dir").arg(out);
        command.arg("--data").arg(self.text()).args(flags).output().expect("a program that starts")
    }
}

/// Sets a tensor in a file of weights to 0.
fn clear(weights: &Path, ending: &str) {
    let mut bytes = fs::read(weights).expect("weights");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).expect("a header");
    let tensors = header.as_object().expect("names");
    let (_, tensor) = tensors.iter().find(|(name, _)| name.ends_with(ending)).expect("the tensor");
    let at = |i: usize| 8 + length + tensor["data_offsets"][i].as_u64().expect("an offset") as usize;
    bytes[at(0)..at(1)].fill(0);
    fs::write(weights, bytes).expect("a file that can be written");
}

#[test]
fn a_run_begins_with_the_weights_the_shape_and_the_tokenizer_of_another() {
    let place = Place::new();
    let run = place.trained();
    let output = place.further(&["--preset=tiny", "--max_iters=0"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for file in ["model.safetensors", "config.json", "tokenizer.json"] {
        let [old, new] = [&run, &place.path("further")].map(|run| fs::read(run.join(file)).expect(file));
        assert!(old == new, "{file}");
    }
    let output = place.further(&["--preset=tiny", "--max_iters=3", "--overwrite"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let [old, new] = [&run, &place.path("further")].map(|run| fs::read(run.join("model.safetensors")).ok());
    assert!(old != new, "three updates move the weights");

    let mut resume = Command::new(env!("CARGO_BIN_EXE_transformer"));
    let resumed = resume.args(["train", "--resume", "--max_iters=5", "--out_dir"]).arg(place.path("further"));
    assert!(resumed.output().expect("a program that starts").status.success());
    fs::remove_dir_all(place.path("run")).expect("a directory");
    let resumed = resume.arg("--max_iters=7").output().expect("a program that starts");
    assert!(
        resumed.status.success(),
        "the new run stands alone: {}",
        String::from_utf8_lossy(&resumed.stderr)
    );
}

#[test]
fn an_imported_model_is_trained_further_with_a_padded_vocabulary_and_all_that_it_brought_along() {
    let place = Place::new();
    let checkpoint = place.checkpoint(&["--bias"]);
    edit(&checkpoint.join("config.json"), r#""eos_token_id": null"#, r#""eos_token_id": 1"#);
    let tokenizer = fs::read_to_string(checkpoint.join("tokenizer.json")).expect("a tokenizer");
    let mut tokenizer: Value = serde_json::from_str(&tokenizer).expect("JSON");
    let letters = tokenizer["model"]["vocab"].as_object_mut().expect("a vocabulary");
    // So the model has two rows more than there are letters.
    ["y", "z"].iter().for_each(|last| drop(letters.remove(*last).expect("one of the last letters")));
    fs::write(checkpoint.join("tokenizer.json"), tokenizer.to_string()).expect("a file that can be written");
    fs::write(checkpoint.join("generation_config.json"), "{}").expect("a file that can be written");
    assert!(place.import(&checkpoint).status.success());

    let data = place.file("other.txt", "the brown dog jumps over the quick fox\n".repeat(30));
    let (imported, tuned) = (place.path("imported"), place.path("tuned"));
    let train = |flags: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
        let command = command.arg("train").arg("--out_dir").arg(&tuned).args(flags);
        let output = command.output().expect("a program that starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let [from, data] = [&imported, &data].map(|path| path.to_str().expect("a path in UTF-8"));
    train(&["--init_from", from, "--data", data, "--max_iters=2", "--learning_rate=3e-5", "--min_lr=3e-6"]);
    train(&["--resume", "--max_iters=4"]);
    // Long enough to write samples on the way, which have no token of those rows.
    train(&["--init_from", from, "--data", data, "--max_iters=20", "--overwrite"]);
    let output = transformer(&["sample", "--num_samples=1", "--start", "the ", "--from"], &tuned);
    assert!(output.status.success(), "{output:?}");

    let out = place.path("out");
    let output = transformer(&["export", "--out", out.to_str().expect("a path in UTF-8"), "--from"], &tuned);
    assert!(output.status.success(), "{output:?}");
    assert!(out.join("generation_config.json").exists());
    let config = fs::read_to_string(out.join("config.json")).expect("a config");
    assert!(config.contains(r#""eos_token_id": 1"#), "{config}");
}

#[test]
fn a_recipe_is_repeated_from_the_weights_that_it_led_to() {
    let place = Place::new();
    let recipe = place.trained().join("config.toml");
    let recipe = recipe.to_str().expect("a path in UTF-8");
    let output = place.further(&["--config", recipe, "--max_iters=3"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let recipe = place.path("further").join("config.toml");
    let recipe = recipe.to_str().expect("a path in UTF-8");
    let output = transformer(&["plan", "--config", recipe, "--data"], &place.text());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let resume = ["train", "--resume", "--max_iters=4", "--config", recipe, "--out_dir"];
    let output = transformer(&resume, &place.path("further"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn ids_of_another_tokenizer_are_refused() {
    let place = Place::new();
    let output = place.train(&place.text(), &["--tokenizer=byte"]);
    assert!(output.status.success(), "{output:?}");
    let ids = place.path("ids");
    let prepare = ["prepare", "--out", ids.to_str().expect("a path in UTF-8"), "--data"];
    let output = transformer(&prepare, &place.text());
    assert!(output.status.success(), "{output:?}");
    let (from, out) = (place.path("run"), place.path("further"));
    let [from, out] = [&from, &out].map(|path| path.to_str().expect("a path in UTF-8"));
    let output = transformer(&["train", "--init_from", from, "--out_dir", out, "--data"], &ids);
    refused(output, &["ids/tokenizer.json", "another one is used here", "way out:"]);
}

#[test]
fn flags_that_contradict_the_weights_are_refused() {
    let place = Place::new();
    place.trained();
    refused(place.further(&["--n_layer=7"]), &["config.json", "another shape", "way out:"]);
    refused(place.further(&["--tokenizer=byte"]), &["--tokenizer", "way out:"]);
    assert!(!place.path("further").exists(), "nothing was begun");
    let output = place.further(&["--preset=tiny", "--max_iters=1"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let resume = ["train", "--resume", "--init_from", "elsewhere", "--out_dir"];
    refused(transformer(&resume, &place.path("further")), &["--init_from", "begun already", "way out:"]);
    let mut itself = Command::new(env!("CARGO_BIN_EXE_transformer"));
    let itself = itself.arg("train").args(SMALL).arg("--overwrite").arg("--data").arg(place.text());
    let itself = itself.arg("--init_from").arg(place.path("run")).arg("--out_dir").arg(place.path("run"));
    refused(itself.output().expect("a program that starts"), &["--init_from", "--out_dir", "way out:"]);
    assert!(place.path("run").join("model.safetensors").exists());
}

#[test]
fn a_parameter_without_a_gradient_is_named_at_the_first_update_and_on_the_page() {
    let place = Place::new();
    let run = place.trained();
    clear(&run.join("model.safetensors"), "mlp.c_proj.weight"); // nothing flows back through a matrix of zeros
    let output = place.further(&["--preset=tiny", "--max_iters=2"]);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let warning =
        printed.lines().find(|line| line.starts_with("warning: no gradient for ")).expect("a warning");
    assert!(warning.contains("mlp.c_fc.weight") && !warning.contains("attn"), "{warning}");
    let page = fs::read_to_string(place.path("further").join("report.html")).expect("a page");
    let told = page.split("Without a gradient at the first update:").nth(1).expect("it is told");
    assert!(told.split("</p>").next().expect("a paragraph").contains("mlp.c_fc.weight"), "{told:.200}");
}

#[test]
fn the_words_of_nano_gpt_are_answered_with_what_they_are_called_here() {
    let place = Place::new();
    for (word, way_out) in
        [("resume", "--resume"), ("scratch", "leave the flag out"), ("gpt2-xl", "transformer import")]
    {
        let output = place.train(&place.text(), &["--init_from", word]);
        refused(output, &[&format!("{word}, --init_from: "), "way out: ", way_out]);
    }
}

#[test]
fn a_seed_of_the_embedded_text_is_no_other_one_when_its_run_is_resumed() {
    let place = Place::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
    command.arg("train").args(SMALL).arg("--out_dir").arg(place.path("run"));
    assert!(command.output().expect("a program that starts").status.success());
    let output = transformer(&["train", "--resume", "--seed=7", "--out_dir"], &place.path("run"));
    refused(output, &["--seed: the embedded text is told by the seed", "way out: leave the flag out"]);
}
