//! A standard output that nobody reads any more, one that is full, and commands to be pasted.

use super::{Place, refused};
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process::{Command, Stdio};

const COMMANDS: [&[&str]; 11] = [
    &["eval", "--from", "run"],
    &["report", "run"],
    &["plan", "--config", "run/config.toml"],
    &["bench", "micro", "--seconds=0", "--json"],
    &["check", "--from", "run", "--derivatives=1"],
    &["check", "--museum"],
    &["batch", "--from", "run", "--examples=2"],
    &["prepare", "--data", "text.txt", "--out", "ids", "--overwrite"],
    &["export", "--from", "run", "--out", "exported", "--overwrite"],
    &["sample", "--from", "run", "--max_new_tokens=5"],
    &["trace", "--from", "run"],
];

fn command(arguments: &[&str], directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
    command.args(arguments).current_dir(directory);
    command
}

#[test]
fn a_reader_that_has_gone_away_ends_no_command_with_an_error_and_no_training_at_all() {
    let place = Place::new();
    place.trained();
    let train = [&["train", "--data=text.txt", "--out_dir=other"][..], &super::SMALL].concat();
    for arguments in COMMANDS.into_iter().chain([&train[..]]) {
        let mut child = command(arguments, place.directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a program that starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("a program that ends");
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
    let [whole, unread] = ["run", "other"].map(|run| fs::read(place.path(run).join("model.safetensors")));
    assert!(whole.expect("weights") == unread.expect("weights"), "it was trained to its end");
}

#[cfg(target_os = "linux")] // where there is a device that is always full
#[test]
fn a_standard_output_that_is_full_is_told() {
    let place = Place::new();
    place.trained();
    for arguments in COMMANDS {
        let full = OpenOptions::new().write(true).open("/dev/full").expect("a device");
        let output = command(arguments, place.directory.path()).stdout(full).output().expect("a program");
        refused(output, &["the standard output: cannot write this: the disk is full", "way out:"]);
    }
}

#[test]
fn commands_that_are_suggested_can_be_pasted_though_the_path_has_spaces() {
    let place = Place::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
    command.arg("train").args(super::SMALL).args(["--out_dir=my run", "--data"]).arg(place.text());
    let output = command.current_dir(place.directory.path()).output().expect("a program that starts");
    let told = String::from_utf8_lossy(&output.stdout);
    for suggested in ["sample --from 'my run' ", "eval --from 'my run'\n", "--out_dir 'my run' --max_iters"] {
        assert!(told.contains(suggested), "{suggested} in {told}");
    }
    let again = command.output().expect("a program that starts");
    refused(again, &["my run: ", "`train --resume --out_dir 'my run'`"]);
}
