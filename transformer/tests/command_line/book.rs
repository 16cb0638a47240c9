//! The book shows what the program prints.

use std::fs;
use std::path::Path;
use std::process::Command;

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

/// Whether a line of the book is one of the program: numbers to a percent, rounding errors aside. A place in the source,
/// `gpt.rs:68`, has to be the same.
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
    let chapters = [("trace.md", 3), ("museum.md", 5), ("order.md", 1)];
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
    assert!(alike("1.000 ✓ 9e-16 (2e-9) a.rs:1", "1.005 ✓ 0 (3e-9) a.rs:1") && !alike("a.rs:1", "a.rs:2"));
}
