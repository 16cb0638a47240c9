//! Bad input: a message that names the file, the place and a way out, the exit code 2, and nothing lost.

#[path = "command_line/import.rs"]
mod import;
#[path = "command_line/many_models.rs"]
mod many_models;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const SMALL: [&str; 8] = [
    "--n_layer=1",
    "--n_head=2",
    "--n_embd=16",
    "--block_size=16",
    "--batch_size=4",
    "--max_iters=10",
    "--eval_interval=5",
    "--eval_iters=2",
];

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Place { directory: tempfile::tempdir().expect("a directory") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), content).expect("a file that can be written");
        self.path(name)
    }

    fn text(&self) -> PathBuf {
        self.file("text.txt", "the quick brown fox jumps over the lazy dog\n".repeat(30))
    }

    fn train(&self, data: &Path, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
        command.arg("train").args(SMALL).arg("--data").arg(data);
        if !more.iter().any(|flag| flag.starts_with("--out_dir")) {
            command.arg("--out_dir").arg(self.path("run"));
        }
        command.args(more).output().expect("a program that starts")
    }

    /// A run that has been trained to its end.
    fn trained(&self) -> PathBuf {
        let output = self.train(&self.text(), &[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.path("run")
    }
}

fn transformer(arguments: &[&str], directory: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
    command.args(arguments).arg(directory).output().expect("a program that starts")
}

/// The program ended with the exit code 2 and a message that has all of these parts.
#[track_caller]
fn refused(output: Output, parts: &[&str]) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    for part in parts {
        assert!(message.contains(part), "{part:?} in {message}");
    }
    assert!(!message.contains("panicked"), "{message}");
}

#[test]
fn a_missing_file_is_named() {
    let place = Place::new();
    refused(place.train(&place.path("no.txt"), &[]), &["no.txt", "there is no such file", "way out:"]);
    assert!(!place.path("run").exists(), "nothing is made for a run that cannot begin");
}

#[test]
fn an_empty_a_binary_and_a_latin_1_file_are_no_texts() {
    let place = Place::new();
    refused(place.train(&place.file("empty.txt", ""), &[]), &["empty.txt", "empty", "way out:"]);
    refused(
        place.train(&place.file("photo.jpg", [0u8, 255, 216, 0, 1, 2, 3]), &[]),
        &["photo.jpg", "way out:"],
    );
    refused(
        place.train(&place.file("latin.txt", b"caf\xe9 au lait".repeat(99)), &[]),
        &["latin.txt", "UTF-8", "way out:"],
    );
}

#[test]
fn a_text_shorter_than_a_window_in_either_part_is_refused_with_the_lengths() {
    let place = Place::new();
    let parts = ["short.txt", "is too short", "block_size 16", "way out:"];
    refused(place.train(&place.file("short.txt", "abcdefghij".repeat(10)), &[]), &parts);
}

#[test]
fn sizes_that_do_not_fit_one_another_or_are_no_sizes_are_refused_by_name() {
    let place = Place::new();
    let text = place.text();
    refused(place.train(&text, &["--n_embd=17"]), &["n_embd", "n_head", "17", "way out:"]);
    for value in ["0", "-4", "many"] {
        refused(place.train(&text, &[&format!("--batch_size={value}")]), &["--batch_size", "from 1 on"]);
    }
    refused(place.train(&text, &["--seed=-1"]), &["--seed", "from 0 on"]);
    refused(place.train(&text, &["--dropout=1.5"]), &["dropout", "1.5", "way out:"]);
    refused(place.train(&text, &["--learning_rate=-1"]), &["learning_rate", "way out:"]);
}

#[cfg(target_os = "linux")] // where the system tells how much memory there is
#[test]
fn a_run_that_no_memory_holds_is_refused_before_anything_is_made() {
    let place = Place::new();
    for size in
        ["--n_embd=1000000000", "--batch_size=99999999999", "--gradient_accumulation_steps=99999999999"]
    {
        refused(place.train(&place.text(), &[size]), &["of memory, and this machine has", "way out:"]);
    }
    assert!(!place.path("run").exists());
}

#[test]
fn an_unknown_flag_preset_or_command_is_answered_with_a_suggestion() {
    let place = Place::new();
    refused(place.train(&place.text(), &["--n-layers=2"]), &["--n-layers", "--n-layer"]);
    refused(
        transformer(&["train", "--preset", "chars", "--out_dir"], &place.path("x")),
        &["'chars'", "'char'"],
    );
    refused(transformer(&["smaple", "--from"], &place.path("x")), &["'smaple'", "'sample'"]);
}

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
fn a_directory_that_cannot_be_written_is_found_before_training() {
    let place = Place::new();
    let file = place.file("file", "not a directory");
    let out_dir = format!("--out_dir={}", file.join("run").display());
    refused(place.train(&place.text(), &[&out_dir]), &["file/run", "way out:"]);
}

#[test]
fn a_truncated_checkpoint_is_refused_and_named() {
    let place = Place::new();
    let run = place.trained();
    let weights = run.join("model.safetensors");
    let whole = fs::read(&weights).expect("weights");
    fs::write(&weights, &whole[..whole.len() / 2]).expect("a file that can be written");
    refused(transformer(&["sample", "--from"], &run), &["model.safetensors", "way out:"]);
    refused(transformer(&["train", "--resume", "--out_dir"], &run), &["model.safetensors", "way out:"]);
}

#[test]
fn a_checkpoint_of_another_shape_is_refused_with_both_shapes() {
    let place = Place::new();
    let run = place.trained();
    let path = run.join("config.json");
    let config = fs::read_to_string(&path).expect("config.json");
    assert!(config.contains("\"n_embd\": 16"), "{config}");
    fs::write(&path, config.replace("\"n_embd\": 16", "\"n_embd\": 32")).expect("a file that can be written");
    refused(transformer(&["sample", "--from"], &run), &["model.safetensors", "16", "32", "way out:"]);
    refused(transformer(&["train", "--resume", "--out_dir"], &run), &["way out:"]);
}

#[test]
fn a_checkpoint_of_another_vocabulary_is_refused() {
    let place = Place::new();
    let run = place.trained();
    let other = Place::new();
    let data = other.file("other.txt", "0123456789 abcdefgh\n".repeat(60));
    assert!(other.train(&data, &[]).status.success());
    fs::copy(other.path("run/tokenizer.json"), run.join("tokenizer.json")).expect("a copy");
    refused(transformer(&["sample", "--from"], &run), &["tokenizer.json", "another vocabulary", "way out:"]);
}

#[test]
fn a_run_is_resumed_only_with_its_own_text_and_shape() {
    let place = Place::new();
    let run = place.trained();
    let other = place.file("other.txt", "the quick brown fox sleeps under the lazy dog\n".repeat(30));
    let out_dir = format!("--out_dir={}", run.display());
    let resume = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
        command.args(["train", "--resume", "--max_iters=20", &out_dir]).args(more);
        command.output().expect("a program that starts")
    };
    let data = format!("--data={}", other.display());
    refused(resume(&[&data]), &["other.txt", "not the text that the run was trained on", "way out:"]);
    refused(resume(&["--n_layer=2"]), &["another shape", "way out:"]);
    refused(resume(&["--tokenizer=byte"]), &["another tokenizer", "way out:"]);
    assert!(resume(&[]).status.success());
}

#[test]
fn an_unknown_character_in_a_prompt_is_named() {
    let place = Place::new();
    let run = place.trained();
    refused(transformer(&["sample", "--start", "fox 漢", "--from"], &run), &["'漢'", "U+6F22", "--start"]);
    let prompt = place.file("prompt.txt", "the lazy ");
    let start = format!("FILE:{}", prompt.display());
    let output = transformer(&["sample", "--num_samples=1", "--start", &start, "--from"], &run);
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("the lazy "), "{output:?}");
    refused(transformer(&["sample", "--start", "FILE:no.txt", "--from"], &run), &["no.txt", "no such file"]);
    refused(transformer(&["sample", "--temperature=-1", "--from"], &run), &["--temperature", "way out:"]);
    refused(transformer(&["sample", "--top_p=0", "--from"], &run), &["--top_p", "way out:"]);
}

#[test]
fn a_loss_that_is_no_number_stops_training_names_the_first_op_and_keeps_the_checkpoint() {
    let place = Place::new();
    let text = place.text();
    // So large a step makes the next loss infinite; a smaller one leaves it finite, but not its gradient.
    for rate in ["--learning_rate=1e38", "--learning_rate=1e30"] {
        let more =
            [rate, "--min_lr=0", "--warmup_iters=0", "--grad_clip=0", "--eval_interval=1", "--overwrite"];
        let parts =
            ["update 2", "first value that is not finite", " in ", "model/", "is intact", "--learning_rate"];
        refused(place.train(&text, &more), &parts);
    }
    let output = transformer(&["eval", "--from"], &place.path("run"));
    assert!(output.status.success(), "the last checkpoint is whole: {output:?}");
}

#[cfg(unix)]
#[test]
fn a_full_disk_stops_training_and_leaves_the_last_checkpoint_intact() {
    let place = Place::new();
    let run = place.trained();
    let before = fs::read(run.join("model.safetensors")).expect("weights");
    // A limit on the size of files (in blocks of 512 bytes) refuses what a full disk would refuse.
    let script = format!(
        "trap '' XFSZ; ulimit -f 8; exec {} train --resume --max_iters=20 --out_dir {}",
        env!("CARGO_BIN_EXE_transformer"),
        run.display()
    );
    let output = Command::new("sh").args(["-c", &script]).output().expect("a shell");
    refused(output, &["run", "way out:"]);
    assert_eq!(fs::read(run.join("model.safetensors")).expect("weights"), before);
    assert!(transformer(&["eval", "--from"], &run).status.success());
    assert!(transformer(&["train", "--resume", "--max_iters=20", "--out_dir"], &run).status.success());
}

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

#[test]
fn every_command_explains_itself_with_examples() {
    for command in [
        &["--help"][..],
        &["train", "--help"],
        &["sample", "--help"],
        &["eval", "--help"],
        &["import", "--help"],
        &["export", "--help"],
        &["bench", "--help"],
        &["check", "--help"],
        &["batch", "--help"],
        &["scale", "--help"],
        &["yet", "--help"],
    ] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_transformer")).args(command).output().expect("a program");
        let help = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && help.contains("Examples:"), "{command:?}: {help}");
    }
}

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

/// What the program printed, where it ended with that exit code.
#[track_caller]
fn printed(arguments: &[&str], directory: &Path, code: i32) -> String {
    let output = transformer(arguments, directory);
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(code), "{out}{}", String::from_utf8_lossy(&output.stderr));
    out
}

#[test]
fn a_trained_model_passes_its_check_and_a_planted_bug_is_named_with_its_op_scope_and_line() {
    let place = Place::new();
    let run = place.trained();
    let few = "--derivatives=4";
    let all = printed(&["check", few, "--from"], &run, 0);
    assert!(all.contains("all of it holds") && !all.contains('✗'), "{all}");
    assert!(all.contains("h.0.attn.c_attn.weight") && all.contains("all three agree"), "{all}");
    let bug = printed(&["check", few, "--plant=softmax-without-sum", "--text=the fox", "--from"], &run, 1);
    assert!(bug.contains("first broken: softmax in blocks.0.attention, called at "), "{bug}");
    assert!(bug.contains("attention.rs:") && bug.contains("WRONG"), "{bug}");

    let json = printed(&["check", few, "--json", "--plant=no-mask", "--from"], &run, 1);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["ok"], &json["causality"]["ok"]), (&false.into(), &false.into()));
    assert!(json["causality"]["worst"].as_f64().expect("a number") > 0.0);
    assert_eq!(json["first_broken"]["op"], "masked_fill");
    let parameter = &json["parameters"][0];
    for field in ["name", "worst_index", "reverse", "forward", "difference", "relative_error", "verdict"] {
        assert!(!parameter[field].is_null() || field == "worst_index", "{field} of {parameter}");
    }
}

#[test]
fn a_check_of_what_is_not_there_is_refused() {
    let place = Place::new();
    let run = place.trained();
    refused(transformer(&["check", "--plant=no-maks", "--from"], &run), &["--plant", "no-mask", "way out:"]);
    refused(transformer(&["check", "--text=fox 漢", "--from"], &run), &["'漢'", "--text"]);
    refused(transformer(&["check", "--text=f", "--from"], &run), &["--text", "at least three", "way out:"]);
    refused(transformer(&["check", "--from"], &place.path("no")), &["no such directory", "way out:"]);
    refused(transformer(&["check", "--preset=tiny", "--from"], &run), &["--preset", "--from"]);
}

#[test]
fn the_museum_lists_a_bug_a_line_by_its_name() {
    let place = Place::new();
    let list = printed(&["check", "--museum", "--from"], &place.path("no"), 0);
    let names: Vec<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() >= 12 && names.contains(&"overwrite"), "{list}");
    assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '-')), "{names:?}");
}

/// The samples of a chapter: the command that a marker names, and what is shown of its output.
fn shown_in(chapter: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").join("docs/src");
    let text = fs::read_to_string(book.join(chapter)).expect("a chapter");
    let samples = text.split("<!-- output of `").skip(1).map(|rest| {
        let (command, rest) = rest.split_once("`: begin -->\n```text\n").expect("a sample begins");
        let (shown, _) = rest.split_once("\n```\n<!-- output: end -->").expect("and ends");
        let quoted = command.split('"').enumerate();
        let words = quoted.flat_map(|(i, part)| match i % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        });
        (words.collect(), shown.lines().map(str::to_owned).collect())
    });
    samples.collect()
}

/// Whether a line of the book is one of the program: numbers to a percent, lines of source and rounding errors aside.
fn alike(shown: &str, printed: &str) -> bool {
    let words = |line: &str| -> Vec<String> {
        let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        for i in 0..words.len() {
            if i > 0 && words[i - 1] == "✓" {
                words[i] = "error".to_owned();
            }
            // A rounding error in brackets is another one on another machine.
            let inside = words[i].strip_prefix('(').and_then(|word| word.strip_suffix(')'));
            if inside.is_some_and(|word| word.parse::<f64>().is_ok()) {
                words[i] = "error".to_owned();
            }
            if let Some(file) = words[i].find(".rs:") {
                words[i].truncate(file + 3);
            }
        }
        words
    };
    let (shown, printed) = (words(shown), words(printed));
    let near = |(one, other): (&String, &String)| match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => (one - other).abs() <= 0.01 * other.abs() + 1e-12,
        _ => one == other,
    };
    shown.len() == printed.len() && shown.iter().zip(&printed).all(near)
}

#[test]
fn the_book_shows_what_trace_and_check_print() {
    let chapters = [("trace.md", 3), ("museum.md", 4)];
    let samples = chapters.map(|(chapter, number)| (shown_in(chapter), number));
    assert!(samples.iter().all(|(samples, number)| samples.len() == *number));
    for (words, shown) in samples.into_iter().flat_map(|(samples, _)| samples) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
        let output = command.args(&words).output().expect("a program that starts");
        let text = String::from_utf8(output.stdout).expect("text in UTF-8");
        let printed: Vec<&str> = text.lines().collect();
        let mut at = 0;
        let mut skipping = false;
        for line in &shown {
            if line == "…" {
                skipping = true;
                continue;
            }
            let found = printed[at..].iter().position(|printed| alike(line, printed));
            let found = found.filter(|&found| skipping || found == 0);
            let found =
                found.unwrap_or_else(|| panic!("{words:?} does not print {line:?} here, but:\n{text}"));
            at += found + 1;
            skipping = false;
        }
        assert!(skipping || at == printed.len(), "{words:?} prints more after {:?}", shown.last());
    }
    assert!(!alike("37 matmul 0.131 a.rs:1", "37 matmul 0.134 a.rs:1") && !alike("a b", "a"));
}

#[test]
fn a_planted_bug_turns_a_trace_red_at_its_own_op() {
    let red = trace(&["--text", "Mia has", "--backward", "--checks", "1", "--plant", "softmax-without-sum"]);
    for part in ["a wrong rule is planted: softmax-without-sum", "WRONG", "softmax in blocks.1.attention: "] {
        assert!(red.contains(part), "{part} in\n{red}");
    }
    assert!(!red.contains("all agree"), "{red}");
    let plant = ["trace", "--preset", "tiny", "--plant"];
    refused(transformer(&plant, Path::new("no-maks")), &["--plant", "no-mask", "way out:"]);
}
