//! `plan`, and the prediction at a run's end.

use super::{Place, SMALL, refused, transformer};
use std::fs;
use std::process::{Command, Output};

fn plan(place: &Place, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
    command.arg("plan").args(SMALL).arg("--data").arg(place.text()).args(more);
    command.current_dir(place.directory.path()).output().expect("a program that starts")
}

#[test]
fn a_plan_tells_what_the_run_then_has_and_writes_nothing() {
    let place = Place::new();
    let output = plan(&place, &["--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let files: Vec<_> = fs::read_dir(place.directory.path()).expect("a directory").collect();
    assert_eq!(files.len(), 1, "only the text is there: {files:?}");

    let trained = place.train(&place.text(), &[]);
    let introduced = String::from_utf8_lossy(&trained.stdout);
    let parameters = told["parameters"].as_u64().expect("a number");
    let grouped = format!("{} {:03} parameters: ", parameters / 1000, parameters % 1000);
    assert!(introduced.contains(&grouped), "{grouped:?} in {introduced}");
    let likely = told["seconds"]["likely"].as_f64().expect("seconds");
    assert!(likely > 0.0 && told["timed"].as_u64() > Some(0), "{told}");
    assert_eq!(told["rows"], 4);

    let lines = String::from_utf8_lossy(&plan(&place, &[]).stdout).into_owned();
    for part in ["parameters", "GFLOP/s", "were timed", "of updates"] {
        assert!(lines.contains(part), "{part:?} in {lines}");
    }
    let memory = lines.lines().find(|line| line.contains("memory")).expect("the memory");
    let numbers: Vec<f64> = memory.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert!(matches!(numbers[..], [low, high] if low > 0.0 && high > low), "{memory}");
}

#[test]
fn the_help_of_plan_offers_only_what_a_plan_can_have() {
    let output = Command::new(env!("CARGO_BIN_EXE_transformer")).args(["plan", "--help"]).output();
    let help = String::from_utf8(output.expect("a program that starts").stdout).expect("text");
    for flag in ["--resume", "--overwrite", "--tensorboard"] {
        assert!(!help.lines().any(|line| line.trim().starts_with(flag)), "{flag} in {help}");
    }
    let at = |part: &str| help.find(part).unwrap_or_else(|| panic!("{part} in {help}"));
    assert!(at("--json") < at("\nModel:"), "{help}");
    assert!(at("--n_layer") > at("\nModel:"), "{help}");
}

#[test]
fn a_run_of_more_than_half_a_second_ends_with_what_was_predicted_beside_what_was_measured() {
    let place = Place::new();
    let output = place.train(&place.text(), &["--max_iters=20000", "--eval_interval=20000"]);
    let told = String::from_utf8_lossy(&output.stdout);
    let line = told.lines().find(|line| line.starts_with("predicted after ")).expect("a prediction");
    assert!(line.contains("; measured: ") && line.contains(" s ("), "{line}");
}

#[test]
fn what_cannot_be_begun_or_is_no_whole_run_has_no_plan() {
    let place = Place::new();
    refused(plan(&place, &["--n_head=3"]), &["n_embd: 16 is not divisible by n_head = 3"]);
    refused(plan(&place, &["--resume"]), &["--resume: a plan is that of a whole run", "plan --config"]);
    refused(plan(&place, &["--batch_size=100000000000"]), &["takes at least", "of memory"]);
    let file = place.file("mine.toml", "n_layers = 3\n");
    refused(transformer(&["plan", "--config"], &file), &["mine.toml, line 1: ", "`n_layer`"]);
}
