//! What a new run must not replace, and what it replaces only when it has become certain that it can begin.

use super::{Place, refused, transformer};
use std::fs;

#[test]
fn a_directory_that_holds_a_run_is_not_overwritten_by_accident() {
    let place = Place::new();
    let run = place.trained();
    let before = fs::read(run.join("model.safetensors")).expect("weights");
    refused(place.train(&place.text(), &[]), &["already holds a run", "--resume", "--overwrite"]);
    assert_eq!(fs::read(run.join("model.safetensors")).expect("weights"), before);
    assert!(place.train(&place.text(), &["--overwrite"]).status.success());
}

#[test]
fn a_directory_of_ids_is_no_run_to_go_on_with() {
    let place = Place::new();
    let ids = place.path("ids");
    let prepare = ["prepare", "--out", ids.to_str().expect("UTF-8"), "--data"];
    assert!(transformer(&prepare, &place.text()).status.success());
    let out_dir = format!("--out_dir={}", ids.display());
    let output = place.train(&place.text(), &[&out_dir]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("--resume"), "{output:?}");
    refused(output, &["already holds something else", "tokenizer.json", "way out: name another directory"]);
    for data in [ids.clone(), ids.join("train.bin")] {
        let output = place.train(&data, &[&out_dir, "--overwrite"]);
        refused(output, &["--data: the new run would replace the tokenizer.json of the ids"]);
    }
    assert!(ids.join("tokenizer.json").exists());
}

#[test]
fn a_run_that_cannot_be_written_down_does_not_replace_another_one() {
    let place = Place::new();
    let weights = place.trained().join("model.safetensors");
    let before = fs::read(&weights).expect("weights");
    let fields =
        ["max_iters", "eval_interval", "eval_iters", "log_interval", "warmup_iters", "lr_decay_iters"];
    for field in fields {
        let flag = format!("--{field}=9223372036854775808");
        let output = place.train(&place.text(), &["--overwrite", &flag]);
        refused(output, &[&format!("{field}: 9223372036854775808 is too large"), "way out: give at most"]);
    }
    assert_eq!(fs::read(&weights).expect("weights"), before);
}

#[cfg(target_os = "linux")] // where a path may be any bytes
#[test]
fn a_text_whose_path_config_toml_cannot_hold_does_not_replace_a_run() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let weights = place.trained().join("model.safetensors");
    let odd = place.directory.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9.txt"));
    fs::copy(place.text(), &odd).expect("a copy");
    refused(place.train(&odd, &["--overwrite"]), &["--data: this path is not UTF-8", "way out: rename it"]);
    assert!(weights.exists());
}
