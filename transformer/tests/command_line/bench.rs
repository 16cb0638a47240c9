//! `bench`: the numbers that scripts rely on.

use super::refused;
use std::process::Command;

/// The rows of `bench --json`.
fn bench(arguments: &[&str]) -> Vec<serde_json::Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
    command.args(["bench", "--json", "--seconds=0", "--threads=1"]).args(arguments);
    let output = command.output().expect("a program that starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON on standard output");
    rows.as_array().expect("an array").clone()
}

#[test]
fn bench_prints_an_array_with_the_fields_that_scripts_rely_on() {
    let rows = bench(&["micro", "tiny"]);
    for (row, config) in rows.iter().zip(["micro", "tiny"]) {
        assert_eq!((&row["config"], &row["threads"]), (&config.into(), &1.into()), "{row:#}");
        let number = |field: &str| {
            let number = row[field].as_f64().filter(|&x| x > 0.0 && x.is_finite());
            number.unwrap_or_else(|| panic!("{field} is no number above 0: {row:#}"))
        };
        assert!(number("min_ms") <= number("median_ms"), "{row:#}");
        let share = number("gflops") / number("peak_gflops");
        assert!((number("peak_share") - share).abs() < 1e-9, "{row:#}");
        number("tokens_per_second");
        if cfg!(target_os = "linux") {
            assert!(number("peak_rss_mib") < 200.0, "{row:#}");
        }
    }
    assert_eq!(rows.len(), 2);
    assert!(rows[0]["overhead_ns_per_op"].as_f64().is_some_and(|ns| ns > 0.0), "{:#}", rows[0]);
    let parts = rows[1]["parts"].as_array().expect("the parts of a step");
    for op in ["linear", "causal_attention", "optimiser"] {
        assert!(parts.iter().any(|part| part["op"] == op), "{op} in {parts:#?}");
    }
}

#[test]
fn bench_at_bf16_says_so_and_measures_the_ops_that_round() {
    let rows = bench(&["tiny", "--dtype=bf16"]);
    assert_eq!(rows[0]["dtype"], "bf16");
    let parts = rows[0]["parts"].as_array().expect("the parts of a step");
    for op in ["linear_bf16", "linear_gelu_bf16", "causal_attention_bf16"] {
        let part = parts.iter().find(|part| part["op"] == op);
        assert!(part.is_some_and(|part| part["peak_share"].as_f64() > Some(0.0)), "{op} in {parts:#?}");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
    let output = command.args(["bench", "micro", "--dtype=bf16"]).output().expect("a program that starts");
    refused(output, &["micro", "--dtype", "way out:"]);
}

#[test]
fn sizes_that_no_machine_holds_and_a_time_below_zero_are_refused() {
    let refuses = |arguments: &[&str], parts: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
        let output = command.arg("bench").args(arguments).output().expect("a program that starts");
        refused(output, parts);
    };
    refuses(&["tiny", "--block_size=18446744073709551615"], &["block_size: ", "is too large", "way out:"]);
    refuses(&["tiny", "--block_size=8,1000000000"], &["of memory, and this machine has", "way out:"]);
    refuses(&["tiny", "char", "--batch_size=1000000000000"], &["of memory, and this machine has"]);
    refuses(&["micro", "--seconds=-1"], &["--seconds", "from 0 on"]);
}

#[test]
fn bench_takes_other_contexts_and_batches_and_says_so() {
    let rows = bench(&["tiny", "--block_size=8,16", "--batch_size=3"]);
    assert_eq!(rows.len(), 2);
    for (row, context) in rows.iter().zip([8, 16]) {
        assert_eq!((&row["block_size"], &row["batch_size"]), (&context.into(), &3.into()), "{row:#}");
        let [rate, ms] =
            ["tokens_per_second", "median_ms"].map(|field| row[field].as_f64().expect("a number"));
        assert!((rate * ms / 1e3 - f64::from(3 * context)).abs() < 1e-6, "{row:#}");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
    let output = command.args(["bench", "micro", "--block_size=8"]).output().expect("a program that starts");
    refused(output, &["micro", "--block_size", "way out:"]);
}
