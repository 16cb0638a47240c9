//! Whole runs through the built program: the same bits on any number of threads, after a kill, and in any language.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A tiny model that trains in seconds.
const SMALL: [&str; 14] = [
    "--n_layer=2",
    "--n_head=2",
    "--n_embd=32",
    "--block_size=32",
    "--batch_size=12",
    "--max_iters=60",
    "--eval_interval=20",
    "--eval_iters=4",
    "--log_interval=5",
    "--warmup_iters=5",
    "--learning_rate=3e-3",
    "--min_lr=3e-4",
    "--dropout=0.1",
    "--gradient_accumulation_steps=2",
];

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_transformer"))
}

/// A text of whole sentences that differ from one another.
fn corpus(directory: &Path) -> PathBuf {
    let path = directory.join("corpus.txt");
    let sentence =
        |i: usize| format!("line {i} says that {} and {} make {}.\n", i % 7, i % 11, i % 7 + i % 11);
    fs::write(&path, (0..400).map(sentence).collect::<String>()).expect("a text that can be written");
    path
}

fn train(data: &Path, out_dir: &Path, more: &[&str]) -> Command {
    let mut command = program();
    command.arg("train").args(SMALL).arg("--data").arg(data).arg("--out_dir").arg(out_dir).args(more);
    command
}

#[track_caller]
fn succeed(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().expect("a program that starts");
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("text in UTF-8")
}

/// What has to be the same to the last bit: the losses of every line, what was seen on the way, and the weights.
fn trace(run: &Path) -> (Vec<String>, Vec<u8>) {
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    let timeless = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        line.as_object_mut().expect("an object").remove("tokens_per_second");
        line.to_string()
    };
    let mut lines: Vec<String> = metrics.lines().map(timeless).collect();
    for file in ["layers.jsonl", "snapshots.jsonl"] {
        let seen = fs::read_to_string(run.join(file)).expect("what was seen on the way");
        lines.extend(seen.lines().map(str::to_owned));
    }
    (lines, fs::read(run.join("model.safetensors")).expect("weights"))
}

fn run_in(directory: &TempDir, name: &str, more: &[&str]) -> (Vec<String>, Vec<u8>) {
    let out_dir = directory.path().join(name);
    succeed(&mut train(&corpus(directory.path()), &out_dir, more));
    trace(&out_dir)
}

#[test]
fn one_two_and_four_threads_write_the_same_losses_and_the_same_weights() {
    let directory = tempfile::tempdir().expect("a directory");
    let one = run_in(&directory, "one", &["--threads=1"]);
    assert_eq!(one.0.len(), 13 + 4 + 4, "steps 1, 5, 10, … 60; 1, 20, 40, 60; 0, 20, 40, 60: {:?}", one.0);
    for threads in ["--threads=2", "--threads=4"] {
        assert!(run_in(&directory, threads, &[threads]) == one, "{threads} wrote other bits than one thread");
    }
}

#[test]
fn at_bf16_a_run_learns_as_well_in_bits_that_neither_threads_nor_a_pause_change_and_is_evaluated_at_f32() {
    let directory = tempfile::tempdir().expect("a directory");
    let bf16 = "--dtype=bf16";
    let at_f32 = run_in(&directory, "f32", &[]);
    let one = run_in(&directory, "one", &[bf16, "--threads=1"]);
    let loss = |run: &(Vec<String>, Vec<u8>)| {
        let last: serde_json::Value = serde_json::from_str(&run.0[12]).expect("the line of step 60");
        last["val_loss"].as_f64().expect("the last step's validation loss")
    };
    assert!(one.1 != at_f32.1, "at bf16 the weights are not those of f32");
    assert!((loss(&one) - loss(&at_f32)).abs() < 0.05, "{} at bf16, {} at f32", loss(&one), loss(&at_f32));
    assert!(
        run_in(&directory, "two", &[bf16, "--threads=2"]) == one,
        "two threads trained otherwise than one"
    );

    run_in(&directory, "paused", &[bf16, "--max_iters=20", "--lr_decay_iters=60"]);
    let paused = directory.path().join("paused");
    succeed(program().args(["train", "--resume", "--max_iters=60", "--out_dir"]).arg(&paused));
    assert!(
        trace(&paused).1 == one.1,
        "the run that went on, with no flag that says bf16, trained otherwise"
    );

    let told = succeed(program().args(["eval", "--from"]).arg(&paused));
    assert!(told.contains(&format!("{:.4}", loss(&one))), "eval computes at f32, as the run did: {told}");
}

/// Waits until the run has written a line of at least this step.
fn wait_for_step(child: &mut Child, run: &Path, step: usize) {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(60) {
        let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default();
        let lines = metrics.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        if lines.filter_map(|line| line["step"].as_u64()).any(|found| found as usize >= step) {
            return;
        }
        assert!(child.try_wait().expect("a child").is_none(), "the run ended before step {step}");
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("no line of step {step} within a minute");
}

#[test]
fn a_run_that_is_killed_midway_and_resumed_writes_what_an_uninterrupted_one_writes() {
    let directory = tempfile::tempdir().expect("a directory");
    let whole = run_in(&directory, "whole", &[]);
    let out_dir = directory.path().join("killed");
    let mut child = train(&corpus(directory.path()), &out_dir, &[])
        .stdout(Stdio::null())
        .spawn()
        .expect("a program that starts");
    wait_for_step(&mut child, &out_dir, 25);
    child.kill().expect("SIGKILL");
    child.wait().expect("the end of the child");
    assert_ne!(trace(&out_dir), whole, "the kill came too late to test anything");
    succeed(program().args(["train", "--resume", "--out_dir"]).arg(&out_dir));
    assert!(trace(&out_dir) == whole, "the resumed run wrote other bits");
}

#[cfg(unix)]
#[test]
fn ctrl_c_and_a_termination_finish_the_step_save_and_say_how_to_go_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let whole = run_in(&directory, "whole", &[]);
    for signal in ["INT", "TERM"] {
        let out_dir = directory.path().join(signal);
        let mut child = train(&corpus(directory.path()), &out_dir, &[])
            .stdout(Stdio::piped())
            .spawn()
            .expect("a program that starts");
        wait_for_step(&mut child, &out_dir, 10);
        let interrupt = format!("kill -{signal} {}", child.id());
        assert!(Command::new("sh").args(["-c", &interrupt]).status().expect("a shell").success());
        let Output { status, stdout, .. } = child.wait_with_output().expect("the end of the child");
        let told = String::from_utf8_lossy(&stdout);
        assert_eq!(status.code(), Some(if signal == "INT" { 130 } else { 0 }), "{signal}: {told}");
        assert!(told.contains("and saved. Go on with:"), "{told}");
        assert!(told.contains(&format!("train --resume --out_dir {}", out_dir.display())), "{told}");
        succeed(program().args(["train", "--resume", "--out_dir"]).arg(&out_dir));
        assert!(trace(&out_dir) == whole, "{signal}: the resumed run wrote other bits");
    }
}

#[test]
fn a_finished_run_goes_on_when_it_is_given_more_iterations_as_if_it_had_had_them_from_the_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let rate = "--lr_decay_iters=80"; // by itself the rate would have fallen to its lowest at 60
    let whole = run_in(&directory, "whole", &["--max_iters=80", rate]);
    run_in(&directory, "run", &[rate]);
    let out_dir = directory.path().join("run");
    succeed(program().args(["train", "--resume", "--max_iters=80", "--out_dir"]).arg(&out_dir));
    let gone_on = trace(&out_dir);
    // At 60 one run has measured the whole validation part, the other has estimated it on its way.
    let other = |line: &&String| !(line.contains("\"step\":60,") && line.contains("\"val_loss\""));
    let lines = |run: &(Vec<String>, Vec<u8>)| run.0.iter().filter(other).cloned().collect::<Vec<_>>();
    assert_eq!(lines(&whole).len(), whole.0.len() - 1);
    assert_eq!(lines(&gone_on), lines(&whole));
    assert!(gone_on.1 == whole.1, "the run that went on has other weights");
}

/// `val_loss` of every line, with its step.
fn validation_losses(run: &Path) -> Vec<(u64, f64)> {
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    let lines =
        metrics.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a line of JSON"));
    lines.filter_map(|line| Some((line["step"].as_u64()?, line["val_loss"].as_f64()?))).collect()
}

/// The lowest estimate that the run remembers, and its step.
fn best_of(run: &Path) -> (u64, f64) {
    let state = fs::read_to_string(run.join("trainer.json")).expect("a checkpoint");
    let best = serde_json::from_str::<serde_json::Value>(&state).expect("JSON")["best"].clone();
    (best["step"].as_u64().expect("a step"), best["val_loss"].as_f64().expect("a loss"))
}

/// Four updates at a rate at which the loss falls; then four at one at which it only gets worse, with a pause in between.
#[test]
fn the_best_weights_are_those_of_the_lowest_validation_loss_also_after_a_resume() {
    let directory = tempfile::tempdir().expect("a directory");
    let few = ["--max_iters=4", "--eval_interval=1", "--decay_lr=false"];
    let (_, weights) = run_in(&directory, "run", &few);
    let run = directory.path().join("run");
    let losses = validation_losses(&run);
    assert!(losses.len() == 4 && losses.windows(2).all(|pair| pair[1].1 < pair[0].1), "it falls: {losses:?}");
    let (step, lowest) = best_of(&run);
    assert!(
        step == 4 && lowest < losses[2].1,
        "an estimate of the last step's weights: {lowest}, of {losses:?}"
    );
    let best = || fs::read(run.join("best.safetensors")).expect("the best weights");
    assert!(best() == weights, "the weights of the last update are the best");

    for until in [6, 8] {
        let until = format!("--max_iters={until}");
        let mut on = program();
        succeed(on.args(["train", "--resume", "--learning_rate=1", &until, "--out_dir"]).arg(&run));
        let now = validation_losses(&run);
        assert!(now[4..].iter().all(|later| later.1 > lowest), "it gets worse: {now:?}");
        assert_eq!(best_of(&run), (4, lowest), "of {now:?}");
        assert!(best() == weights, "worse weights have been kept as the best: {now:?}");
    }
}

#[test]
fn eval_finds_the_validation_loss_that_the_end_of_training_has_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = corpus(directory.path());
    let out_dir = directory.path().join("run");
    let told = succeed(&mut train(&data, &out_dir, &[]));
    let loss = |text: &str| -> String {
        let (_, after) = text.rsplit_once("validation loss ").unwrap_or_else(|| panic!("a loss in {text}"));
        after.split(' ').next().unwrap_or_default().to_owned()
    };
    let at_the_end = told.lines().find(|line| line.contains("on all")).expect("the whole loss");
    let evaluated = succeed(program().args(["eval", "--from"]).arg(&out_dir));
    assert_eq!(loss(&evaluated), loss(at_the_end));
    assert!(evaluated.contains("nats a character"), "{evaluated}");
    succeed(program().args(["eval", "--weights=best", "--from"]).arg(&out_dir));
}

/// The number that stands right before a word, or right after it.
#[track_caller]
fn number(text: &str, before: bool, word: &str) -> f64 {
    let (left, right) = text.split_once(word).unwrap_or_else(|| panic!("no `{word}` in {text}"));
    let digit = |c: char| c.is_ascii_digit() || c == '.';
    let number = match before {
        true => left.trim_end().rsplit(|c| !digit(c)).next(),
        false => right.trim_start().split(|c| !digit(c)).next(),
    };
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("no number beside `{word}` in {text}"))
}

/// One loss as `eval` tells it: nats and bits a token, perplexity, bits a byte.
fn in_four_units(run: &Path, more: &[&str]) -> [f64; 4] {
    let told = succeed(program().args(["eval", "--from"]).arg(run).args(more));
    let before = |word| number(&told, true, word);
    [before(" nats"), before(" bits,"), number(&told, false, "perplexity"), before(" bits per byte")]
}

/// Of Korean text, where a character takes several bytes.
#[test]
fn the_numbers_of_eval_are_one_loss_in_four_units() {
    let directory = tempfile::tempdir().expect("a directory");
    let (data, run) = (directory.path().join("korean.txt"), directory.path().join("run"));
    let text = korean();
    fs::write(&data, &text).expect("a text that can be written");
    succeed(&mut train(&data, &run, &["--max_iters=20"]));
    let characters: Vec<char> = text.chars().collect();
    let (known, validation) = characters.split_at(characters.len() * 9 / 10);
    let assert_one_loss = |[nats, bits, perplexity, per_byte]: [f64; 4], of: &[char]| {
        let bytes: usize = of.iter().map(|c| c.len_utf8()).sum();
        for (name, found, expected, rounding) in [
            ("bits", bits, nats / std::f64::consts::LN_2, 1e-3),
            ("perplexity", perplexity, nats.exp(), 1e-4 * nats.exp() + 1e-3),
            ("bits per byte", per_byte, nats / std::f64::consts::LN_2 * of.len() as f64 / bytes as f64, 2e-4),
        ] {
            assert!(
                (found - expected).abs() < rounding,
                "{name}: {found}, of {nats} nats a character {expected}"
            );
        }
    };
    let whole = in_four_units(&run, &[]);
    let (_, last) = *validation_losses(&run).last().expect("an evaluation");
    assert!((whole[0] - last).abs() < 1e-4, "{} nats, and {last} at the end of the training", whole[0]);
    assert_one_loss(whole, validation);

    // Its first 50 tokens are the validation part of a text that has nothing else there.
    let few = in_four_units(&run, &["--tokens=50"]);
    assert_one_loss(few, &validation[..50]);
    assert!((few[0] - whole[0]).abs() > 1e-3, "50 tokens have a loss of their own: {few:?}, {whole:?}");
    let short = directory.path().join("short.txt");
    fs::write(&short, known[..450].iter().chain(&validation[..50]).collect::<String>()).expect("a text");
    assert_eq!(in_four_units(&run, &["--data", &short.display().to_string()]), few);
}

#[test]
fn above_the_floor_is_the_loss_less_the_floor() {
    let directory = tempfile::tempdir().expect("a directory");
    let run = directory.path().join("run");
    succeed(program().arg("train").args(SMALL).arg("--max_iters=2").arg("--out_dir").arg(&run));
    let told = succeed(program().args(["eval", "--from"]).arg(&run));
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    let line: serde_json::Value =
        serde_json::from_str(metrics.lines().last().expect("a line")).expect("JSON");
    let of = |field: &str| line[field].as_f64().expect("a number of metrics.jsonl");
    for (what, found, expected) in [
        ("the loss", number(&told, true, " nats"), of("val_loss")),
        ("the floor", number(&told, false, "the floor is"), of("floor")),
        ("above it", number(&told, true, " above"), of("val_loss") - of("floor")),
    ] {
        assert!((found - expected).abs() < 1e-4, "{what}: {found} instead of {expected}: {told}");
    }
    let few = succeed(program().args(["eval", "--tokens=60", "--from"]).arg(&run));
    assert!(!few.contains("floor"), "that of the whole part is not that of 60 tokens: {few}");
}

#[test]
fn the_same_seed_samples_the_same_text_and_another_seed_another() {
    let directory = tempfile::tempdir().expect("a directory");
    run_in(&directory, "run", &[]);
    let sample = |seed: &str| {
        let run = directory.path().join("run");
        let mut command = program();
        command.args(["sample", "--start=line", "--num_samples=2", "--max_new_tokens=80", seed, "--from"]);
        succeed(command.arg(run))
    };
    let text = sample("--seed=1");
    assert_eq!(text, sample("--seed=1"));
    assert_ne!(text, sample("--seed=2"));
    let samples: Vec<&str> = text.split_terminator("\n---------------\n").collect();
    assert_eq!(samples.len(), 2, "{text}");
    for sample in &samples {
        assert!(sample.starts_with("line"), "every sample begins with the prompt: {sample}");
        assert_eq!(
            sample.chars().count(),
            4 + 80,
            "the prompt and as many new tokens as were asked for: {sample}"
        );
    }
    assert_ne!(samples[0], samples[1], "one seed, and each sample is drawn further on");
}

fn korean() -> String {
    let sentences = [
        "아침에 비가 조금 내렸습니다.",
        "우리는 작은 찻집에서 따뜻한 차를 마셨어요.",
        "강가에는 하얀 새 두 마리가 앉아 있었지요.",
        "동생이 물었습니다. 저 새들은 어디로 가나요?",
        "바람이 불자 새들은 남쪽으로 날아갔습니다.",
        "저녁이 되어 우리는 집으로 돌아왔어요.",
    ];
    (0..60).map(|i| format!("{} {}\n", sentences[i % 6], sentences[i * i % 5])).collect()
}

#[test]
fn korean_text_is_trained_on_by_characters_and_by_bytes_and_samples_are_valid_text() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("korean.txt");
    let text = korean();
    fs::write(&data, &text).expect("a text that can be written");
    for tokenizer in ["--tokenizer=char", "--tokenizer=byte"] {
        let out_dir = directory.path().join(tokenizer);
        succeed(&mut train(&data, &out_dir, &[tokenizer, "--max_iters=20"]));
        let mut command = program();
        command.args(["sample", "--num_samples=1", "--max_new_tokens=60", "--start", "우리", "--from"]);
        let sample = succeed(command.arg(&out_dir));
        assert!(sample.starts_with("우리"), "{sample}");
        if tokenizer == "--tokenizer=char" {
            let known = |c: char| text.contains(c) || "-\n".contains(c);
            assert!(sample.chars().all(known), "only characters of the text: {sample}");
        }
    }
}
