//! `trace`: the tape as lines and as JSON, whose checks turn red at a planted bug.

use super::{Place, refused, transformer};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The output of `trace` on a model that has learned nothing.
fn trace(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
    let output =
        command.args(["trace", "--preset", "tiny"]).args(arguments).output().expect("a program that starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text in UTF-8")
}

#[test]
fn a_trace_is_a_line_a_step_with_identical_blocks_folded_and_the_same_bytes_every_time() {
    let text = trace(&["--text", "Mia has", "--backward", "--checks", "2"]);
    assert_eq!(text, trace(&["--text", "Mia has", "--backward", "--checks", "2"]));
    assert!(!text.contains('\u{1b}'), "colours are for terminals");
    for part in [
        "it sees \"Mia ha\"",
        "blocks.0 … blocks.1  × 2",
        "blocks.1 … blocks.0  × 2",
        "[b n] → ",
        "[b n d] × [d 3d] → [b n 3d]",
        "attention.rs:",
        "+= wte.weight",
        "Σ b n",
        "all agree",
        "parameters",
        "FLOPs forward",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let whole = trace(&["--text", "Mia has", "--depth", "all"]);
    assert!(!whole.contains('×') || !whole.contains("× 2"), "{whole}");
    assert_eq!(whole.matches("masked_fill").count(), 2);
    let closed = trace(&["--text", "Mia has", "--depth", "0"]);
    assert!(closed.lines().count() < 20 && closed.contains("blocks.0 … blocks.1  × 2  41 steps"), "{closed}");
}

#[test]
fn a_trace_by_the_fused_ops_is_what_training_runs_and_is_checked_as_well() {
    let text = trace(&["--text", "Mia has", "--backward", "--checks", "2", "--by", "fused"]);
    for part in ["computed by the fused ops", "causal_attention", "layer_norm", "cross_entropy", "all agree"]
    {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(!text.contains("softmax") && !text.contains("permute"), "{text}");
}

#[test]
fn a_trace_says_which_tokens_made_an_entry_of_a_gradient_and_the_terms_add_up() {
    let text = trace(&["--text", "Mia has", "--why", "blocks.0.W_Q[3,17]"]);
    for part in
        ["h.0.attn.c_attn.weight[3, 17] = ", "Σₙ x[n, 3]·ȳ[n, 17]", "\"M\"", "blocks.1.attention", "softmax"]
    {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let number = |line: &str| line.split_whitespace().last().and_then(|word| word.parse::<f64>().ok());
    let terms = text.lines().filter(|line| line.contains('"')).filter_map(number);
    let (sum, whole) = (terms.sum::<f64>(), text.lines().next().and_then(number).expect("a number"));
    assert!((sum - whole).abs() < 0.02 * whole.abs(), "{sum} and {whole} in\n{text}");
}

#[test]
fn a_trace_as_json_of_the_demo_is_small_enough_for_a_page() {
    let place = Place::new();
    let path = place.path("trace.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
    command.args(["trace", "--preset", "demo", "--checks", "0", "--json"]).arg(&path);
    let output = command.output().expect("a program that starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json = fs::read(&path).expect("a file");
    assert!(json.len() < 2_500_000, "{} bytes", json.len());
    let trace: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!((&trace["schema"], &trace["run"]["parameters"]), (&1.into(), &164_864.into()));
}

#[test]
fn a_trace_of_what_is_not_there_or_does_not_fit_is_refused_with_a_way_out() {
    let place = Place::new();
    refused(
        transformer(&["trace", "--from"], &place.path("none")),
        &["none", "no such directory", "way out:"],
    );
    let tiny = ["trace", "--preset", "tiny", "--text"];
    refused(transformer(&tiny, Path::new("naïve")), &["--text", "'ï'", "way out:"]);
    refused(transformer(&tiny, Path::new("M")), &["--text", "too few", "way out:"]);
    refused(transformer(&tiny, Path::new(&"Mia ".repeat(9))), &["--text", "36 characters", "at most 33"]);
    refused(transformer(&["trace", "--preset", "tiny", "--depth"], Path::new("-1")), &["--depth", "or all"]);
    let why = ["trace", "--preset", "tiny", "--why"];
    for (entry, part) in [
        ("wte", "names no entry"),
        ("blocks.7.W_Q[0,0]", "no parameter h.7.attn"),
        ("blocks.0.W_Q[0,64]", "below 64"),
        ("wte.weight[0]", "is no entry of"),
    ] {
        refused(transformer(&why, Path::new(entry)), &["--why", part, "way out:"]);
    }
    refused(
        transformer(&["trace", "--preset", "gpt2", "--backward", "--text"], Path::new("Mia has")),
        &["--memory", "GiB", "--checks 0", "way out:"],
    );
    refused(
        transformer(&["trace", "--preset", "tiny", "--step", "--text"], Path::new("Mia")),
        &["--step", "way out:"],
    );
}

#[test]
fn a_trained_run_is_traced_with_its_own_moments_and_text() {
    let place = Place::new();
    let run = place.trained();
    let output = transformer(&["trace", "--backward", "--checks", "1", "--from"], &run);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for part in ["after 10 updates", "all agree", "it sees \""] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}

#[test]
fn a_planted_bug_turns_a_trace_red_at_its_own_op() {
    let red = trace(&["--text", "Mia has", "--backward", "--checks", "1", "--plant", "softmax-without-sum"]);
    for part in ["a wrong rule is planted: softmax-without-sum", "WRONG", "softmax in blocks.1.attention: "] {
        assert!(red.contains(part), "{part} in\n{red}");
    }
    assert!(!red.contains("all agree"), "{red}");
    for (bug, op) in [("sum-for-mean", "cross_entropy in loss: "), ("no-rescale", "dropout in embedding: ")] {
        let red = trace(&["--text", "Mia has", "--backward", "--checks", "1", "--plant", bug]);
        assert!(red.contains("computed ") && red.contains(op), "{op} in\n{red}");
    }
    let plant = ["trace", "--preset", "tiny", "--plant"];
    refused(transformer(&plant, Path::new("no-maks")), &["--plant", "no-mask", "way out:"]);
}

#[test]
fn a_trace_as_json_can_go_to_the_standard_output() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
    let output = command.args(["trace", "--preset=tiny", "--checks=0", "--json", "-"]).output();
    let output = output.expect("a program that starts");
    let trace: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON and nothing else");
    assert!(trace["steps"].as_array().is_some_and(|steps| !steps.is_empty()));
}
