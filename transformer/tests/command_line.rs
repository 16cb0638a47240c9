//! The program as a user meets it: what each command prints, what it writes, and what it refuses.

#[path = "command_line/bad_input.rs"]
mod bad_input;
#[path = "command_line/bench.rs"]
mod bench;
#[path = "command_line/book.rs"]
mod book;
#[path = "command_line/check.rs"]
mod check;
#[path = "command_line/config.rs"]
mod config;
#[path = "command_line/eval.rs"]
mod eval;
#[path = "command_line/import.rs"]
mod import;
#[path = "command_line/init_from.rs"]
mod init_from;
#[path = "command_line/large.rs"]
mod large;
#[path = "command_line/many_models.rs"]
mod many_models;
#[path = "command_line/overwrite.rs"]
mod overwrite;
#[path = "command_line/plan.rs"]
mod plan;
#[path = "command_line/printing.rs"]
mod printing;
#[path = "command_line/report.rs"]
mod report;
#[path = "command_line/sample.rs"]
mod sample;
#[path = "command_line/tokens.rs"]
mod tokens;
#[path = "command_line/trace.rs"]
mod trace;

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

/// What the program printed, where it ended with that exit code.
#[track_caller]
fn printed(arguments: &[&str], directory: &Path, code: i32) -> String {
    let output = transformer(arguments, directory);
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(code), "{out}{}", String::from_utf8_lossy(&output.stderr));
    out
}

#[test]
fn every_command_explains_itself_with_examples() {
    for command in [
        &["--help"][..],
        &["train", "--help"],
        &["plan", "--help"],
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
