//! Texts that are too large for the memory: where their ids are put, and when.

use super::{Place, refused};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

const SENTENCE: &str = "the lazy dog\n";

impl Place {
    /// A text of 17 MB, with something at its end.
    fn large(&self, end: &str) -> PathBuf {
        self.file("large.txt", SENTENCE.repeat(17_000_000 / SENTENCE.len()) + end)
    }

    fn names_in(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(directory)).expect("a directory");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }
}

#[test]
fn nothing_is_written_into_a_directory_in_which_another_process_trains() {
    let place = Place::new();
    let data = place.large("");
    fs::create_dir(place.path("run")).expect("a directory");
    let lock = File::create(place.path("run/.lock")).expect("a file");
    lock.lock().expect("a lock");
    refused(place.train(&data, &[]), &["run: another process is training", "way out:"]);
    assert_eq!(place.names_in("run"), [".lock"]);
}

#[test]
fn temporary_ids_are_removed_when_a_part_of_the_text_cannot_be_read() {
    let place = Place::new();
    let run = place.trained();
    let data = place.large("é");
    fs::create_dir(place.path("temporary")).expect("a directory");
    let mut eval = Command::new(env!("CARGO_BIN_EXE_transformer"));
    eval.args(["eval", "--data"]).arg(&data).arg("--from").arg(&run).env("TMPDIR", place.path("temporary"));
    refused(eval.output().expect("a program that starts"), &["large.txt", "'é' (U+00E9)", "way out:"]);
    assert!(place.names_in("temporary").is_empty(), "{:?}", place.names_in("temporary"));
}
