//! The commands that measure many models: `scale`, `yet` and `batch`.

use super::{Place, refused, transformer};
use std::fs;
use std::process::{Command, Output};

const TINY_EXPERIMENT: &str = "\
question = \"Can it copy?\"
task = \"copy\"
size = 4
threshold = 0.9
expected_rung = 1
why = \"it only has to look back\"
rungs = [1]
recipe = { rows = 4, updates = 3 }
";

fn yet(place: &Place, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
    command.args(["yet", "--experiments"]).arg(place.path("")).args(arguments);
    command.output().expect("a program that starts")
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn an_experiment_is_run_listed_repeated_bit_for_bit_and_learnt_from() {
    let place = Place::new();
    place.file("copy_4.toml", TINY_EXPERIMENT);
    assert!(said(&yet(&place, &[])).contains("NOT TRIED\ncopy_4"));
    let run = said(&yet(&place, &["run", "copy_4"]));
    assert!(run.contains("does not work, which was not expected (from rung 1 on)"), "{run}");
    assert!(run.contains("yet learnt copy_4"), "nobody sits at the terminal, so the way is told: {run}");
    let ledger = fs::read_to_string(place.path("ledger.jsonl")).expect("a ledger");
    assert_eq!(ledger.lines().count(), 3, "a line a seed: {ledger}");
    for field in ["experiment", "rung", "seed", "commit", "parameters", "tokens", "metric", "value", "works"]
    {
        assert!(ledger.lines().all(|line| line.contains(&format!("\"{field}\":"))), "{field} in {ledger}");
    }
    let again = said(&yet(&place, &["rerun", "--line", "2", "--threads", "2"]));
    assert!(again.contains("the same, bit for bit"), "{again}");
    place.file("ledger.jsonl", ledger.replacen("\"weights\":\"", "\"weights\":\"0", 1));
    refused(yet(&place, &["rerun", "--line", "1"]), &["ledger.jsonl, line 1: ", "weights: ", "way out:"]);
    said(&yet(&place, &["learnt", "copy_4", "three updates are not enough"]));
    let list = said(&yet(&place, &[]));
    assert!(
        list.contains("0 % (0 to ") && list.contains("), ln p -"),
        "both measures, and how sure they are: {list}"
    );
    assert!(list.contains("learnt at rung 1: three updates are not enough"), "{list}");
    let page = place.path("yet.html");
    said(&yet(&place, &["page", "--out", page.to_str().expect("UTF-8")]));
    assert!(fs::read_to_string(page).expect("a page").contains("three updates are not enough"));
}

#[test]
fn what_does_not_work_yet_is_run_again_and_larger_as_far_as_the_budget_goes() {
    let place = Place::new();
    place.file("copy_4.toml", TINY_EXPERIMENT);
    place.file(
        "copy_4_easy.toml",
        TINY_EXPERIMENT.replace("0.9", "1e-9").replace("updates = 3", "updates = 150"),
    );
    said(&yet(&place, &["run", "copy_4"]));
    said(&yet(&place, &["run", "copy_4_easy"]));
    let lines = || fs::read_to_string(place.path("ledger.jsonl")).expect("a ledger").lines().count();
    assert_eq!(lines(), 6);
    refused(yet(&place, &["rerun", "--budget", "1e-9"]), &["--budget", "too few", "way out: give "]);
    assert_eq!(lines(), 6);
    let told = said(&yet(&place, &["rerun", "--budget", "0.01"]));
    assert!(told.contains("1 of 2 experiments do not work yet"), "{told}");
    let ledger = fs::read_to_string(place.path("ledger.jsonl")).expect("a ledger");
    let new: Vec<_> = ledger.lines().skip(6).collect();
    let larger = |line: &&str| line.contains("\"copy_4\"") && !line.contains("\"rung\":1,");
    assert!(new.len() == 3 && new.iter().all(larger), "{new:?}");
}

#[test]
fn a_damaged_line_of_the_ledger_is_named_and_skipped() {
    let place = Place::new();
    place.file("copy_4.toml", TINY_EXPERIMENT);
    place.file("ledger.jsonl", "{\"experiment\": \"copy_4\", \"ru\n");
    let output = yet(&place, &[]);
    assert!(output.status.success());
    let warning = String::from_utf8_lossy(&output.stderr);
    assert!(warning.contains("ledger.jsonl, line 1: this line is damaged"), "{warning}");
    said(&yet(&place, &["run", "copy_4"]));
    let ledger = fs::read_to_string(place.path("ledger.jsonl")).expect("a ledger");
    assert_eq!(ledger.lines().count(), 4, "the damaged line is still there: {ledger}");
}

#[test]
fn an_experiment_that_cannot_be_is_refused_with_what_can() {
    let place = Place::new();
    place.file("copy_4.toml", TINY_EXPERIMENT);
    refused(yet(&place, &["run", "copy_5"]), &["\"copy_5\"", "copy_4", "yet add"]);
    refused(yet(&place, &["run", "copy_4", "--rung", "99"]), &["--rung", "1 to 32"]);
    place.file("copy_4.toml", TINY_EXPERIMENT.replace("\"copy\"", "\"compose\""));
    refused(yet(&place, &[]), &["copy_4.toml, task: ", "\"compose\"", "induction"]);
    place.file("copy_4.toml", TINY_EXPERIMENT.replace("0.9", "90"));
    refused(yet(&place, &[]), &["copy_4.toml, threshold: ", "90", "way out:"]);
}

#[test]
fn an_experiment_is_written_down_by_answering() {
    use std::io::Write;
    use std::process::Stdio;
    let place = Place::new();
    let add = |answers: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
        command.args(["yet", "--experiments"]).arg(place.path("")).arg("add");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a program that starts");
        child.stdin.take().expect("a pipe").write_all(answers.as_bytes()).expect("a reader");
        child.wait_with_output().expect("an end")
    };
    let answers = "sort_9\nCan it sort?\nsort\n9\n\n2\nit must compare\n\n";
    assert!(said(&add(answers)).contains("yet run sort_9"));
    assert!(said(&yet(&place, &[])).contains("sort_9\n  Can it sort?"));
    refused(add(answers), &["sort_9.toml is there already"]);
    refused(add("sort_8\nCan it sort?\nsort\n2\n"), &["how large", "\"2\" will not do"]);
    refused(add("sort_8\nCan it sort?\nsort\n8\n\n99\n"), &["which rung", "\"99\" will not do", "1 to 32"]);
}

fn scale(place: &Place, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
    command.args(["scale", "--out_dir"]).arg(place.path("scale")).args(arguments);
    command.output().expect("a program that starts")
}

const TINY_LADDER: [&str; 3] = ["--rungs=1,2", "--held_out=3", "--updates=4,6,8"];

#[test]
fn a_ladder_predicts_before_it_runs_the_last_rung_and_keeps_both() {
    let place = Place::new();
    let told = said(&scale(&place, &TINY_LADDER));
    let at = |part: &str| told.find(part).unwrap_or_else(|| panic!("{part:?} in {told}"));
    assert!(
        at("the true floor") < at("predicted: rung 3") && at("predicted: rung 3") < at("measured:  rung 3")
    );
    let json = fs::read_to_string(place.path("scale/scaling.json")).expect("scaling.json");
    let scaling: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(scaling["runs"].as_array().map(Vec::len), Some(7));
    assert!(scaling["prediction"][0]["predicted"].is_f64() && scaling["prediction"][0]["measured"].is_f64());
    let page = fs::read_to_string(place.path("scale/scaling.html")).expect("a page");
    assert!(page.contains("true floor") && !page.contains("http://") && !page.contains("https://"));

    // The same command again has nothing left to do, and another one does not mix two ladders.
    said(&scale(&place, &TINY_LADDER));
    assert_eq!(fs::read_to_string(place.path("scale/scaling.json")).expect("scaling.json"), json);
    refused(scale(&place, &["--budget=77"]), &["scaling.json", "another ladder", "--overwrite"]);
}

#[test]
fn a_ladder_that_was_interrupted_goes_on_where_it_was() {
    let (whole, cut) = (Place::new(), Place::new());
    said(&scale(&whole, &TINY_LADDER));
    let read = |place: &Place| -> serde_json::Value {
        let json = fs::read_to_string(place.path("scale/scaling.json")).expect("scaling.json");
        serde_json::from_str(&json).expect("JSON")
    };
    let mut scaling = read(&whole);
    // As after a kill: three runs are done, and nothing has been said yet.
    scaling["runs"].as_array_mut().expect("runs").truncate(3);
    scaling["fit"] = serde_json::Value::Null;
    scaling["prediction"] = serde_json::json!([]);
    fs::create_dir_all(cut.path("scale")).expect("a directory");
    cut.file("scale/scaling.json", scaling.to_string());
    assert!(said(&scale(&cut, &TINY_LADDER)).contains("3 of them done"));
    let losses = |scaling: &serde_json::Value| {
        let runs = scaling["runs"].as_array().expect("runs");
        let mut losses: Vec<String> =
            runs.iter().map(|run| format!("{} {} {}", run["rung"], run["updates"], run["loss"])).collect();
        losses.sort();
        losses
    };
    assert_eq!(losses(&read(&cut)), losses(&read(&whole)));
}

#[test]
fn files_that_scale_has_not_made_stay_and_those_that_it_has_go_only_with_overwrite() {
    let place = Place::new();
    fs::create_dir_all(place.path("scale/rung-old")).expect("a directory");
    let [mine, its] = ["scale/rung-notes.txt", "scale/rung-1-updates-4-seed-1.json"];
    place.file(mine, "of mine");
    place.file(its, "{}");
    refused(scale(&place, &TINY_LADDER), &["seed-1.json: this was left by a ladder", "--overwrite"]);
    assert!(place.path(its).exists());
    said(&scale(&place, &[&TINY_LADDER[..], &["--overwrite"]].concat()));
    assert!(!place.path(its).exists());
    assert!(place.path(mine).exists() && place.path("scale/rung-old").exists());
}

#[test]
fn two_processes_do_not_climb_in_one_directory() {
    let place = Place::new();
    fs::create_dir(place.path("scale")).expect("a directory");
    let lock = fs::File::create(place.path("scale/.lock")).expect("a file");
    lock.lock().expect("a lock");
    refused(scale(&place, &TINY_LADDER), &["scale: another process", "way out:"]);
    assert!(!place.path("scale/scaling.json").exists());
}

#[test]
fn a_ladder_that_was_damaged_or_edited_is_refused_by_its_field() {
    let place = Place::new();
    said(&scale(&place, &TINY_LADDER));
    let json = fs::read_to_string(place.path("scale/scaling.json")).expect("scaling.json");
    let whole: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    for (field, value, told) in [
        ("/plan/seeds", "[]", "plan.seeds: "),
        ("/plan/rungs", "[1]", "plan.rungs: 3 runs cannot tell"),
        ("/plan/rungs", "[0, 1]", "plan.rungs: 0 is not from 1 to"),
        ("/plan/rungs", "[1, 1]", "plan.rungs: rung 1 is named twice"),
        ("/plan/updates", "[4, 6, 18446744073709551615]", "plan.updates: "),
        ("/plan/held_out", "33", "plan.held_out: rung 33"),
        ("/plan/vocab_size", "3", "another ladder"),
        ("/plan/rows", "0", "another ladder"),
        ("/floor", "0", "floor: 0 is not from"),
        ("/runs/0/rung", "0", "runs[0].rung: 0 is not from 1 to 32"),
        ("/runs/1/weights", "0", "runs[1].weights: "),
        ("/runs/1/tokens", "0", "runs[1].tokens: "),
        ("/runs/2/flops", "0", "runs[2].flops: "),
        ("/runs/2/loss", "-0.5", "runs[2].loss: -0.5 is not from"),
        ("/runs/2/seconds", "-1", "runs[2].seconds: -1 is not from 0"),
        ("/runs/2/curve/0", "[0, 1]", "runs[2].curve: 0 is not from"),
        ("/prediction/0/rung", "0", "prediction[0].rung: 0 is not from 3 to 3"),
    ] {
        let mut scaling = whole.clone();
        *scaling.pointer_mut(field).expect("a field") = value.parse().expect("JSON");
        place.file("scale/scaling.json", scaling.to_string());
        refused(scale(&place, &TINY_LADDER), &["scaling.json", told, "way out:"]);
    }
    place.file("scale/scaling.json", json);
    said(&scale(&place, &TINY_LADDER));
}

#[test]
fn a_text_in_which_there_is_nothing_to_guess_has_no_law() {
    let place = Place::new();
    let text = place.file("text.txt", "a".repeat(3000));
    let output = scale(&place, &[&TINY_LADDER[..], &["--data", text.to_str().expect("UTF-8")]].concat());
    refused(output, &["loss of 0", "no law", "way out:"]);
}

#[test]
fn a_budget_too_small_for_one_ladder_says_how_much_is_needed() {
    let place = Place::new();
    refused(scale(&place, &["--budget=0.001"]), &["--budget", "too few", "needs", "way out: give --budget"]);
    refused(scale(&place, &["--rungs=1,2", "--held_out=2", "--updates=4,6,8"]), &["--held_out", "from 3 to"]);
    refused(scale(&place, &["--rungs=1", "--held_out=2", "--updates=4"]), &["--rungs", "at least 6 runs"]);
    refused(scale(&place, &["--rungs=1,1", "--held_out=2", "--updates=4,6,8"]), &["--rungs", "twice"]);
    refused(scale(&place, &["--rungs=1,32", "--held_out=33", "--updates=4,6,8"]), &["--rungs", "1 to 31"]);
    refused(scale(&place, &["--data=no.txt"]), &["no.txt", "no such file"]);
}

#[test]
fn a_text_that_has_changed_is_not_mixed_into_a_ladder_that_was_begun_on_it() {
    let place = Place::new();
    let climb = |content: &str| {
        let path = place.file("text.txt", content.repeat(100));
        scale(&place, &[&TINY_LADDER[..], &["--data", path.to_str().expect("UTF-8")]].concat())
    };
    said(&climb("the quick brown fox jumps over the lazy dog\n"));
    refused(
        climb("the lazy dog jumps over the quick brown fox\n"),
        &["scaling.json", "has changed", "way out:"],
    );
    said(&climb("the quick brown fox jumps over the lazy dog\n"));
}

#[test]
fn the_gradient_of_a_batch_is_shown_to_be_the_mean_of_its_examples_gradients() {
    let place = Place::new();
    let run = place.trained();
    let told = said(&transformer(&["batch", "--examples=8", "--from"], &run));
    assert!(told.contains("8 examples of 16 tokens") && told.contains("|G|² = "), "{told}");
    let after = |part: &str| told.split(part).nth(1).unwrap_or_else(|| panic!("{part:?} in {told}"));
    let number = |text: &str| -> f64 {
        let text = text.trim_start().split([',', '\n', ' ']).next().expect("a word");
        text.parse().unwrap_or_else(|_| panic!("{text:?} in {told}"))
    };
    let (difference, largest) = (number(after("largest difference is")), number(after("largest entry")));
    assert!(difference < 1e-12 * largest, "{told}");
    refused(transformer(&["batch", "--examples=6", "--from"], &run), &["--examples", "--examples 8"]);
}
