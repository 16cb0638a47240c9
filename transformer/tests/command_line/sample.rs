//! `sample`: text as it is written, prompts one after the other, and how each token came to be drawn.

use super::{Place, printed, refused, transformer};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What the program says to these lines.
fn answers(flags: &[&str], run: &Path, lines: impl AsRef<[u8]>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
    command.args(["sample", "--interactive", "--max_new_tokens=12"]).args(flags).arg("--from").arg(run);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a program that starts");
    child.stdin.take().expect("an input").write_all(lines.as_ref()).expect("a program that reads");
    child.wait_with_output().expect("a program that ends")
}

#[test]
fn text_appears_while_it_is_written_and_in_whole_characters() {
    let place = Place::new();
    let data = place.file("korean.txt", "저녁이 되어 우리는 집으로 돌아왔어요.\n".repeat(60));
    assert!(place.train(&data, &["--tokenizer=byte", "--max_iters=20"]).status.success());
    let mut child = Command::new(env!("CARGO_BIN_EXE_transformer"))
        .args(["sample", "--max_new_tokens=1000000000", "--start=우리", "--from"])
        .arg(place.path("run"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("a program that starts");
    let mut out = child.stdout.take().expect("an output");
    let (mut text, mut within_a_line) = (String::new(), false);
    while text.len() < 4000 {
        let mut piece = [0; 65536]; // as much as a pipe holds
        let length = out.read(&mut piece).expect("a program that writes");
        assert!(length > 0, "it ended after {text}");
        let piece = str::from_utf8(&piece[..length]).expect("no half characters");
        within_a_line |= !piece.ends_with('\n');
        text += piece;
    }
    assert!(child.try_wait().expect("a child").is_none(), "it goes on writing");
    assert!(text.starts_with("우리") && within_a_line, "not line by line: {text}");
    child.kill().and_then(|()| child.wait()).expect("an end");
}

#[test]
fn each_line_of_the_input_begins_a_text_and_an_empty_one_goes_on_with_the_last() {
    let place = Place::new();
    let run = place.trained();
    let cold = ["--temperature=0"];
    let output = answers(&cold, &run, "the quick\n\nlazy dog\n");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let texts: Vec<&str> = text.split("\n---------------\n").collect();
    let [first, more, second, ""] = texts[..] else { panic!("three texts: {text}") };
    assert!(first.starts_with("the quick") && first.len() == "the quick".len() + 12, "{first:?}");
    assert!(second.starts_with("lazy dog") && more.len() == 12, "{text}");

    let at_once =
        ["sample", "--start=the quick", "--num_samples=1", "--max_new_tokens=24", "--temperature=0"];
    let whole = printed(&[&at_once[..], &["--from"]].concat(), &run, 0);
    assert_eq!(format!("{first}{more}\n---------------\n"), whole, "it went on where it had stopped");
}

#[test]
fn a_line_with_an_unknown_character_is_refused_by_name_and_the_next_one_answered() {
    let place = Place::new();
    let run = place.trained();
    let output = answers(&[], &run, b"fox \xe6\xbc\xa2\n\xff\nthe fox\n");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("the fox") && text.matches("-----").count() == 3, "{text}");
    let line = "line 1 of the standard input";
    refused(
        output,
        &["'漢'", "U+6F22", line, "line 2 of the standard input: this is no text in UTF-8", "way out:"],
    );
    let both = ["sample", "--interactive", "--start=the", "--from"];
    refused(transformer(&both, &run), &["--interactive", "cannot be used with", "--start"]);
}

#[test]
fn the_candidates_of_each_token_and_what_it_attended_to_are_shown_within_80_columns() {
    let place = Place::new();
    let run = place.trained();
    let plain = ["sample", "--start=the quick", "--num_samples=1", "--max_new_tokens=20"];
    let text = printed(&[&plain[..], &["--from"]].concat(), &run, 0);
    let shown = printed(&[&plain[..], &["--logits", "3", "--attention", "--from"]].concat(), &run, 0);
    assert!(shown.ends_with(&text), "the same tokens are drawn, and the text is at the end: {shown}");
    let steps = shown.strip_suffix(&text).expect("steps");
    assert!(!steps.contains('\u{1b}'), "no colours where there is no terminal");
    for line in steps.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let steps: Vec<&str> = steps.split_terminator("\n\n").collect();
    assert_eq!(steps.len(), 20);
    for step in steps {
        let [candidates, tokens, layer] = step.lines().collect::<Vec<_>>()[..] else {
            panic!("three lines: {step}")
        };
        assert!(candidates.matches('→').count() >= 3 && tokens.contains('←'), "{step}");
        assert_eq!(
            candidates.split(' ').next(),
            tokens.split(' ').next(),
            "the token that was drawn: {step}"
        );
        assert!(layer.starts_with("layer 0 ") && layer.contains("−"), "{step}");
    }
}

#[test]
fn what_is_wrong_with_the_file_of_a_prompt_is_told_with_its_name_and_place() {
    let place = Place::new();
    let run = place.trained();
    let begun_with = |file: &std::path::Path| {
        let start = format!("FILE:{}", file.display());
        transformer(&["sample", "--start", &start, "--from"], &run)
    };
    let latin = place.file("latin.txt", b"the\ncaf\xe9");
    refused(begun_with(&latin), &["latin.txt, line 2, character 4", "0xe9 is not UTF-8", "iconv"]);
    let unknown = place.file("unknown.txt", "fox \u{6f22}");
    refused(begun_with(&unknown), &["unknown.txt, --start: ", "U+6F22"]);
    refused(begun_with(&place.file("empty.txt", "")), &["empty.txt, --start: the file is empty", "way out:"]);
    refused(
        begun_with(std::path::Path::new("")),
        &["--start: FILE: names no file", "way out: write FILE:path"],
    );
}
