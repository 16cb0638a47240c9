//! `eval`: which part of which text is measured, and whether it is the one that the run knows.

use super::{Place, printed, refused, transformer};
use std::fs;

/// The loss at the beginning of what was printed.
fn loss(printed: &str) -> f64 {
    let (_, after) = printed.split_once("loss ").expect("a loss");
    after.split(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn each_part_of_a_text_is_named_and_the_whole_is_their_mean() {
    let place = Place::new();
    let run = place.trained(); // on 1320 characters
    let split = |name: &str| printed(&["eval", "--split", name, "--from"], &run, 0);
    let (validation, training, all) = (split("val"), split("train"), split("all"));
    assert!(validation.starts_with("validation loss "), "{validation}");
    assert!(validation.contains(" on 132 tokens of the last tenth of "), "{validation}");
    assert!(training.starts_with("training loss "), "{training}");
    assert!(training.contains(" on 1 188 tokens of the first nine tenths of "), "{training}");
    assert!(all.starts_with("loss ") && all.contains(" on 1 320 tokens of /"), "{all}");
    let mean = (131.0 * loss(&validation) + 1187.0 * loss(&training)) / 1318.0;
    assert!((loss(&all) - mean).abs() < 2e-4, "{mean}: {all}");
    assert_eq!(printed(&["eval", "--from"], &run, 0), validation, "the validation part is the default");
    let few = printed(&["eval", "--split=all", "--tokens=1200", "--from"], &run, 0);
    assert!(few.contains(" on 1 200 tokens of "), "{few}");
}

#[test]
fn a_text_that_has_changed_since_the_training_is_told() {
    let place = Place::new();
    let run = place.trained();
    assert!(transformer(&["eval", "--from"], &run).stderr.is_empty());
    place.file("text.txt", "the lazy dog jumps over the quick brown fox\n".repeat(30));
    let output = transformer(&["eval", "--from"], &run);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && told.starts_with("warning: ") && told.contains("has changed since"),
        "{told}"
    );
    let other = place.file("other.txt", "the fox\n".repeat(90));
    let output = transformer(&["eval", "--data", other.to_str().expect("UTF-8"), "--from"], &run);
    assert!(output.stderr.is_empty(), "another text is meant to be another one: {output:?}");
}

#[test]
fn a_text_that_is_no_longer_where_it_was_is_said_to_be_the_run_s() {
    let place = Place::new();
    let run = place.trained();
    fs::remove_file(place.path("text.txt")).expect("a text");
    for (command, way_out) in [
        (&["eval", "--from"][..], "give it by --data"),
        (&["train", "--resume", "--max_iters=20", "--out_dir"], "give it by --data"),
        (&["check", "--from"], "give a text by --text"),
        (&["trace", "--from"], "give a text with --text"),
        (&["batch", "--from"], "from the directory in which the run was trained"),
    ] {
        let parts = ["text.txt: the text that this run was trained on", "trainer.json", way_out];
        refused(transformer(command, &run), &parts);
    }
}
