//! `check`: a trained model passes, a planted bug is named at its place.

use super::{Place, printed, refused, transformer};

#[test]
fn a_trained_model_passes_its_check_and_a_planted_bug_is_named_with_its_op_scope_and_line() {
    let place = Place::new();
    let run = place.trained();
    let few = "--derivatives=4";
    let all = printed(&["check", few, "--from"], &run, 0);
    assert!(all.contains("all of it holds") && !all.contains('✗'), "{all}");
    assert!(all.contains("h.0.attn.c_attn.weight") && all.contains("all three agree"), "{all}");
    let bug = printed(&["check", few, "--plant=softmax-without-sum", "--text=the fox", "--from"], &run, 1);
    assert!(bug.contains("first broken: softmax in blocks.0.attention, called at "), "{bug}");
    assert!(bug.contains("attention.rs:") && bug.contains("WRONG"), "{bug}");

    let json = printed(&["check", few, "--json", "--plant=no-mask", "--from"], &run, 1);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["ok"], &json["causality"]["ok"]), (&false.into(), &false.into()));
    assert!(json["causality"]["worst"].as_f64().expect("a number") > 0.0);
    assert_eq!(json["first_broken"]["op"], "masked_fill");
    let parameter = &json["parameters"][0];
    for field in ["name", "worst_index", "reverse", "forward", "difference", "relative_error", "verdict"] {
        assert!(!parameter[field].is_null() || field == "worst_index", "{field} of {parameter}");
    }
}

#[test]
fn a_run_whose_own_text_is_too_short_for_a_check_is_refused() {
    let place = Place::new();
    let output = place.train(&place.file("short.txt", "abcd ".repeat(6)), &["--block_size=2"]);
    assert!(output.status.success(), "{output:?}");
    let parts = ["3 characters are too few", "way out: give a longer text by --text"];
    refused(transformer(&["check", "--from"], &place.path("run")), &parts);
    printed(&["check", "--text=abc", "--from"], &place.path("run"), 0);
}

#[test]
fn a_check_of_what_is_not_there_is_refused() {
    let place = Place::new();
    let run = place.trained();
    refused(transformer(&["check", "--plant=no-maks", "--from"], &run), &["--plant", "no-mask", "way out:"]);
    refused(transformer(&["check", "--text=fox 漢", "--from"], &run), &["'漢'", "--text"]);
    refused(transformer(&["check", "--text=f", "--from"], &run), &["--text", "at least 3", "way out:"]);
    refused(transformer(&["check", "--from"], &place.path("no")), &["no such directory", "way out:"]);
    refused(transformer(&["check", "--preset=tiny", "--from"], &run), &["--preset", "--from"]);
}

#[test]
fn the_museum_lists_a_bug_a_line_by_its_name() {
    let place = Place::new();
    let list = printed(&["check", "--museum", "--from"], &place.path("no"), 0);
    let names: Vec<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() >= 12 && names.contains(&"overwrite"), "{list}");
    assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '-')), "{names:?}");
}
