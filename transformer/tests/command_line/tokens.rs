//! Tokenizers and files of ids on the command line: what fits together, and what is refused.

use super::{Place, refused, transformer};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

impl Place {
    fn prepare(&self, data: &Path, flags: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
        command.args(["prepare", "--data"]).arg(data).args(flags);
        command.arg("--out").arg(self.path("ids")).output().expect("a program that starts")
    }

    /// A directory with train.bin, val.bin and tokenizer.json.
    fn prepared(&self, flags: &[&str]) -> PathBuf {
        let output = self.prepare(&self.text(), flags);
        assert!(output.status.success(), "{output:?}");
        self.path("ids")
    }
}

fn printed(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn weights(run: &Path) -> Vec<u8> {
    fs::read(run.join("model.safetensors")).expect("a run")
}

#[test]
fn ids_in_files_train_the_model_that_their_text_trains() {
    let place = Place::new();
    let run = weights(&place.trained());
    for flags in [&[][..], &["--format=gpt2", "--overwrite"], &["--format=llama3", "--overwrite"]] {
        let ids = place.prepared(flags);
        printed(place.train(&ids, &["--overwrite"]));
        assert!(weights(&place.path("run")) == run, "{flags:?}");
        let evaluated = printed(transformer(&["eval", "--from"], &place.path("run")));
        assert!(
            evaluated.contains("nats a character") && evaluated.contains(" bits per byte"),
            "{evaluated}"
        );
    }
    printed(place.train(&place.path("ids").join("train.bin"), &["--overwrite"]));
    assert!(weights(&place.path("run")) == run, "a file instead of its directory");
}

#[test]
fn a_run_on_ids_is_resumed_checked_and_sampled_as_any_other() {
    let place = Place::new();
    let ids = place.prepared(&["--tokenizer=byte"]);
    printed(place.train(&ids, &[]));
    let run = place.path("run");
    let resumed = printed(transformer(&["train", "--resume", "--max_iters=12", "--out_dir"], &run));
    assert!(resumed.contains("train.bin"), "{resumed}");
    printed(transformer(&["check", "--derivatives=2", "--from"], &run));
    printed(transformer(&["sample", "--num_samples=1", "--max_new_tokens=20", "--start=한", "--from"], &run));
    printed(transformer(&["batch", "--examples=2", "--from"], &run));
}

#[test]
fn korean_is_trained_and_written_in_jamo() {
    let place = Place::new();
    let text = place.file("korean.txt", "나랏말싸미 듕귁에 달아 문자와로 서르 사맛디 아니할쎄\n".repeat(30));
    printed(place.train(&text, &["--tokenizer=jamo"]));
    let flags = ["sample", "--num_samples=1", "--max_new_tokens=0", "--start", "나랏말", "--from"];
    assert_eq!(printed(transformer(&flags, &place.path("run"))), "나랏말\n---------------\n");
    let evaluated = printed(transformer(&["eval", "--from"], &place.path("run")));
    assert!(evaluated.contains("nats a letter"), "{evaluated}");
}

#[test]
fn a_tokenizer_out_of_range_or_unknown_or_another_than_the_run_s_is_refused_by_its_flag() {
    let place = Place::new();
    for tokenizer in ["bpe:256", "bpe:65537", "bpe:many", "word"] {
        refused(place.train(&place.text(), &["--tokenizer", tokenizer]), &["--tokenizer", "bpe:N"]);
    }
    place.trained();
    let flags = ["train", "--resume", "--tokenizer=byte", "--out_dir"];
    refused(transformer(&flags, &place.path("run")), &["--tokenizer", "another tokenizer", "way out:"]);
}

#[cfg(not(feature = "tokenizers"))]
#[test]
fn byte_pairs_without_the_feature_are_refused_by_its_name() {
    let place = Place::new();
    let parts = ["--tokenizer: bpe:300", "feature `tokenizers`", "--features tokenizers"];
    refused(place.train(&place.text(), &["--tokenizer=bpe:300"]), &parts);
    assert!(!place.path("run").exists());
}

#[test]
fn a_broken_tokenizer_is_refused_by_its_file_and_field() {
    let place = Place::new();
    let file = place.prepared(&[]).join("tokenizer.json");
    let whole = fs::read_to_string(&file).expect("a tokenizer");
    let edits: [(&str, &str, &[&str]); 3] = [
        (&whole[..whole.len() / 2], "", &["not the JSON that was expected"]),
        (&whole, "\"type\": \"WordLevel\"", &["field model"]),
        (&whole, "\"type\": \"Split\"", &["field pre_tokenizer"]),
    ];
    for (content, broken, parts) in edits {
        let content =
            if broken.is_empty() { content.into() } else { content.replace(broken, "\"type\": \"X\"") };
        fs::write(&file, content).expect("a file that can be written");
        let output = place.train(&place.path("ids"), &[]);
        refused(output, &[&["tokenizer.json", "way out:"], parts].concat());
    }
}

#[test]
fn files_of_ids_that_are_no_such_files_are_refused_with_the_place() {
    let place = Place::new();
    let ids = place.prepared(&["--format=gpt2"]);
    let train = ids.join("train.bin");
    let whole = fs::read(&train).expect("ids");
    let with = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        bytes
    };
    let cases: [(&[u8], &str); 7] = [
        (&whole[..whole.len() - 1], "no whole number of ids"),
        (&whole[..whole.len() - 2], "the header promises"),
        (&whole[..1000], "the header of 1024 bytes is cut off"),
        (&whole[..1024], "no ids"),
        (&with(0, 9), "int32 number 0: the magic number"),
        (&with(4, 2), "int32 number 1: version 2"),
        (&with(1025, 7), "id number 0 (byte 1024): the id 18"), // 7·256 and the first id
    ];
    for (bytes, what) in cases {
        fs::write(&train, bytes).expect("a file that can be written");
        refused(place.train(&ids, &[]), &["train.bin", what, "way out:"]);
    }
    assert!(!place.path("run").exists());
    // Ids without a header are refused if the tokenizer does not have them.
    fs::write(&train, [255; 4000]).expect("a file that can be written");
    refused(place.train(&ids, &[]), &["the id 65535 is not below 28", "--tokenizer FILE.json"]);
}

#[test]
fn nothing_is_replaced_by_prepare_and_ids_are_no_text() {
    let place = Place::new();
    let ids = place.prepared(&[]);
    refused(place.prepare(&place.text(), &[]), &["train.bin", "already there", "--overwrite"]);
    refused(place.prepare(&ids, &["--overwrite"]), &["train.bin", "ids already, no text", "way out:"]);
    printed(place.train(&ids, &["--max_iters=1"])); // they are still there
}

#[test]
fn a_text_too_short_for_two_parts_is_refused_before_anything_is_written() {
    let place = Place::new();
    refused(place.prepare(&place.file("one.txt", "x"), &[]), &["one.txt", "too short", "way out:"]);
    assert!(!place.path("ids").exists());
}

#[test]
fn files_that_cannot_be_replaced_all_are_left_as_they_were() {
    let place = Place::new();
    let ids = place.prepared(&[]);
    let files = || {
        let mut names: Vec<_> =
            fs::read_dir(&ids).expect("ids").map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        names.into_iter().map(|name| (fs::read(ids.join(&name)).expect("a file"), name)).collect::<Vec<_>>()
    };
    let before = files();
    // The part to train on has ids, and the validation part has a character that has none.
    let tokenizer = format!("--tokenizer={}", ids.join("tokenizer.json").display());
    let other = place.file("other.txt", "the lazy fox\n".repeat(99) + "é");
    refused(place.prepare(&other, &[&tokenizer, "--overwrite"]), &["other.txt", "'é'", "way out:"]);
    assert!(files() == before);
    printed(place.prepare(&other, &["--overwrite"]));
    let after = files();
    assert_eq!(after.len(), 3, "{:?}", after.iter().map(|(_, name)| name).collect::<Vec<_>>());
    assert!(after.iter().zip(&before).all(|(after, before)| after.0 != before.0));
}

#[test]
fn a_text_that_begins_with_a_thousand_line_feeds_is_prepared_and_trained_on() {
    let place = Place::new();
    let sentence = "the quick brown fox jumps over the lazy dog\n";
    let text = place.file("text.txt", "\n".repeat(1000) + &sentence.repeat(30));
    printed(place.train(&text, &[]));
    let trained = weights(&place.path("run"));
    printed(place.prepare(&text, &[]));
    printed(place.train(&place.path("ids"), &["--overwrite"]));
    assert!(weights(&place.path("run")) == trained);
}

#[test]
fn ids_of_another_tokenizer_are_not_evaluated_as_if_they_were_the_run_s() {
    let place = Place::new();
    let run = place.trained();
    let ids = place.prepared(&["--tokenizer=byte"]);
    let eval = ["eval", "--from", run.to_str().expect("UTF-8"), "--data"];
    refused(
        transformer(&eval, &ids),
        &["ids/tokenizer.json", "another one is used here", "way out: leave out --tokenizer"],
    );
    fs::remove_file(ids.join("tokenizer.json")).expect("a tokenizer");
    refused(
        transformer(&eval, &ids),
        &["is not below 28", "another tokenizer", "`train --tokenizer FILE.json`"],
    );
    refused(
        place.train(&ids, &["--overwrite"]),
        &["no tokenizer `char`", "--tokenizer FILE.json", "prepare"],
    );
}

/// A text of 17 MB is read in pieces, and its ids are kept in files: they are those that it has in memory.
#[test]
fn a_text_larger_than_the_memory_for_texts_trains_as_its_ids_do() {
    let place = Place::new();
    let sentence = "🦊🐕🌳🌍🎵🎹🎻🥁 \n"; // of long characters there are fewer
    let large = place.file("large.txt", sentence.repeat(17_000_000 / sentence.len()));
    let quick = ["--batch_size=64", "--block_size=64"];
    let train = |data: &Path, flags: &[&str]| place.train(data, &[&quick[..], flags].concat());
    printed(train(&large, &["--max_iters=2"]));
    let run = place.path("run");
    assert!(run.join("tokens-train.bin").exists());
    let trained = weights(&run);
    let evaluated = fs::metadata(run.join("tokens-val.bin")).expect("ids").len();
    printed(transformer(&["train", "--resume", "--max_iters=4", "--out_dir"], &run));

    let ids = place.path("ids");
    printed(place.prepare(&large, &[]));
    assert_eq!(fs::metadata(ids.join("val.bin")).expect("ids").len(), evaluated);
    printed(train(&ids, &["--max_iters=2", "--overwrite"]));
    assert!(weights(&run) == trained);
    assert!(!run.join("tokens-train.bin").exists(), "--overwrite removes what the run had kept");
    let mut other = fs::read(&large).expect("a text");
    other[9_000_004] = 0xff; // where a character begins
    fs::write(&large, other).expect("a file that can be written");
    let parts = ["large.txt, line ", "(byte 9000004): the byte 0xff is not UTF-8", "way out:"];
    refused(place.train(&large, &["--overwrite"]), &parts);
}

/// A tokenizer of words drops white space, so that a line's end has no token.
#[cfg(feature = "tokenizers")]
#[test]
fn a_tokenizer_that_drops_white_space_leaves_no_text_without_a_beginning() {
    let place = Place::new();
    let words = ["[UNK]", "the", "quick", "brown", "fox", "jumps", "over", "lazy", "dog"];
    let ids: serde_json::Map<String, serde_json::Value> =
        words.iter().zip(0..).map(|(word, id)| ((*word).to_owned(), id.into())).collect();
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "Whitespace" }, "post_processor": null, "decoder": null,
        "model": { "type": "WordLevel", "vocab": ids, "unk_token": "[UNK]" },
    });
    let file = place.file("words.json", tokenizer.to_string());
    let flag = format!("--tokenizer={}", file.display());
    let output = place.train(&place.text(), &[&flag, "--max_iters=20"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let blank =
        transformer(&["sample", "--num_samples=1", "--max_new_tokens=5", "--from"], &place.path("run"));
    assert!(blank.status.success(), "{}", String::from_utf8_lossy(&blank.stderr));
    let parts = ["--start: a text begins with at least one token", "way out:"];
    refused(transformer(&["sample", "--start= ", "--from"], &place.path("run")), &parts);
    let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
    let lines = fs::File::open(place.file("lines.txt", "  \nthe fox\n")).expect("a file");
    command.args(["sample", "--interactive", "--max_new_tokens=5", "--from"]).arg(place.path("run"));
    let output = command.stdin(lines).output().expect("a program that starts");
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("the fox"), "{output:?}");
    refused(output, &["line 1 of the standard input: a text begins with at least one token"]);
}
