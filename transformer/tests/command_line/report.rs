//! `report`: the page that a run leaves, several runs on one page, and what is refused.

use super::{Place, refused, transformer};
use std::fs;
use std::path::Path;
use std::process::Command;

fn page(path: &Path) -> String {
    fs::read_to_string(path).expect("a page")
}

/// Whether the page has a section or a chart of this title.
fn has(page: &str, title: &str) -> bool {
    page.contains(&format!("<h2>{title}</h2>")) || page.contains(&format!("<h3>{title} <output>"))
}

#[test]
fn training_leaves_a_page_with_every_chart_samples_and_attention() {
    let place = Place::new();
    let run = place.trained();
    let page = page(&run.join("report.html"));
    for title in [
        "Loss",
        "Learning rate",
        "Gradient norm",
        "Gradient norm by layer",
        "Update to weight, by layer",
        "Speed",
        "What it writes",
        "Where each head looks",
        "The first gradients",
    ] {
        assert!(has(&page, title), "no {title}");
    }
    assert!(page.contains("every one of the 9 parameters had a gradient"), "the verdict on the first update");
    assert_eq!(
        page.matches("<figure class=frame").count(),
        3,
        "samples before training, after 5 and 10 updates"
    );
    assert_eq!(page.matches("<button type=button class=head").count(), 2, "a map a head");
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        let elsewhere = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!elsewhere.contains(outside), "the page refers to something outside: {outside}");
    }
}

#[test]
fn a_run_of_an_older_version_gets_a_page_that_says_what_is_missing() {
    let place = Place::new();
    let run = place.trained();
    for file in ["layers.jsonl", "snapshots.jsonl", "report.html"] {
        fs::remove_file(run.join(file)).expect("a file to remove");
    }
    let output = transformer(&["report"], &run);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = page(&run.join("report.html"));
    for file in ["layers.jsonl", "snapshots.jsonl"] {
        assert!(
            page.contains(&format!("This run has no <code>{file}</code>")),
            "{file} is not named as missing"
        );
    }
    assert!(has(&page, "Loss") && !page.contains("by layer <"));

    let output = transformer(&["train", "--resume", "--max_iters=20", "--out_dir"], &run);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = self::page(&run.join("report.html"));
    assert!(has(&page, "Gradient norm by layer") && has(&page, "Where each head looks"));
}

#[test]
fn several_runs_are_compared_by_how_they_ended_and_in_what_they_differ() {
    let place = Place::new();
    let (a, b) = (place.trained(), place.path("b"));
    let out_dir = format!("--out_dir={}", b.display());
    assert!(
        place.train(&place.text(), &[&out_dir, "--learning_rate=0.01", "--batch_size=8"]).status.success()
    );
    let out = place.path("compared.html");
    let output = transformer(&["report", &a.display().to_string(), &b.display().to_string(), "--out"], &out);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = page(&out);
    let rows = ["batch_size<td class=n>4<td class=n>8", "learning_rate<td class=n>0.008<td class=n>0.01"];
    for row in rows {
        assert!(page.contains(row), "no row {row}");
    }
    assert!(!page.contains("<th scope=row>n_layer"), "what is the same is not listed");
    assert!(has(&page, "Validation loss by tokens"), "batches differ, so tokens are not updates");
    assert!(!page.contains("do not share text"));
}

#[test]
fn a_directory_without_a_run_and_damaged_lines_are_refused_with_file_and_line() {
    let place = Place::new();
    refused(transformer(&["report"], place.directory.path()), &["no run in this directory"]);
    refused(transformer(&["report"], &place.path("missing")), &["missing", "no such directory"]);
    let run = place.trained();
    let file = |name: &str| fs::read_to_string(run.join(name)).expect("a file of lines");
    let with_line = |name: &str, number: usize, change: &dyn Fn(&str) -> String| {
        let whole = file(name);
        let changed = whole.lines().enumerate().map(|(i, line)| match i + 1 == number {
            true => change(line) + "\n",
            false => line.to_owned() + "\n",
        });
        fs::write(run.join(name), changed.collect::<String>()).expect("a file that can be written");
        let output = transformer(&["report"], &run);
        fs::write(run.join(name), whole).expect("a file that can be written");
        output
    };
    refused(
        with_line("metrics.jsonl", 2, &|_| "rubbish".into()),
        &["metrics.jsonl, line 2", "no measurement"],
    );
    refused(
        with_line("layers.jsonl", 1, &|line| line.replace("grad_norm", "x")),
        &["layers.jsonl, line 1", "grad_norm"],
    );
    let other_id = |line: &str| line.replacen("\"prompt\":[", "\"prompt\":[999,", 1);
    refused(
        with_line("snapshots.jsonl", 3, &other_id),
        &["snapshots.jsonl, line 3", "the id 999", "way out"],
    );
    let fewer = |line: &str| line.replacen("\"prompt\":[", "\"prompt\":[1,", 1);
    refused(
        with_line("snapshots.jsonl", 2, &fewer),
        &["snapshots.jsonl, line 2", "is not a map of 17 tokens"],
    );
    refused(transformer(&["report", "--out=."], &run), &["--out", "a directory"]);
}

#[test]
fn overwriting_a_run_removes_its_event_files_and_nothing_else_beside_them() {
    let place = Place::new();
    let text = place.text();
    assert!(place.train(&text, &["--tensorboard"]).status.success());
    let events = place.path("run").join("tensorboard");
    fs::write(events.join("notes.txt"), "mine").expect("a file of one's own");
    let names = || {
        let entries = fs::read_dir(&events).expect("a directory");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        names
    };
    let first = names();
    assert_eq!(first.len(), 2);
    assert!(place.train(&text, &["--tensorboard", "--overwrite"]).status.success());
    let second = names();
    assert_eq!(second.len(), 2);
    assert!(second[0] != first[0] && second[1] == "notes.txt", "{first:?} {second:?}");
}

#[test]
fn runs_of_one_name_are_told_apart_by_the_directories_that_they_are_in() {
    let place = Place::new();
    for parent in ["a", "b"] {
        let out_dir = format!("--out_dir={}", place.path(parent).join("run").display());
        assert!(place.train(&place.text(), &[&out_dir]).status.success());
    }
    let mut report = Command::new(env!("CARGO_BIN_EXE_transformer"));
    let report = report.args(["report", "a/run", "b/run"]).current_dir(place.directory.path());
    assert!(report.output().expect("a program that starts").status.success());
    let page = fs::read_to_string(place.path("report.html")).expect("a page");
    assert!(page.contains("a/run") && page.contains("b/run"), "{page:.2000}");
}
