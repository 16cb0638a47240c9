//! `train --init_from`: a run that begins with the weights of another one.

use super::{Place, SMALL, refused};
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
    let resumed = resume.output().expect("a program that starts");
    assert!(
        resumed.status.success(),
        "the new run stands alone: {}",
        String::from_utf8_lossy(&resumed.stderr)
    );
}

#[test]
fn flags_that_contradict_the_weights_are_refused() {
    let place = Place::new();
    place.trained();
    refused(place.further(&["--n_layer=7"]), &["config.json", "another shape", "way out:"]);
    refused(place.further(&["--tokenizer=byte"]), &["--tokenizer", "way out:"]);
    refused(place.further(&["--resume"]), &["--init_from", "--resume"]);
    assert!(!place.path("further").exists(), "nothing was begun");
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
