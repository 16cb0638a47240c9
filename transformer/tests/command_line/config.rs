//! `--config`: flags from a file, and the file that every run leaves of its own.

use super::{Place, printed, refused, transformer};
use std::fs;
use std::path::Path;

/// Every line of metrics without its time, and the weights.
fn outcome(run: &Path) -> (Vec<String>, Vec<u8>) {
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    let timeless = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        line.as_object_mut().expect("an object").remove("tokens_per_second");
        line.to_string()
    };
    (metrics.lines().map(timeless).collect(), fs::read(run.join("model.safetensors")).expect("weights"))
}

/// What the run was told, by its `trainer.json`.
fn told(run: &Path) -> serde_json::Value {
    let state = fs::read_to_string(run.join("trainer.json")).expect("a checkpoint");
    serde_json::from_str::<serde_json::Value>(&state).expect("JSON")["config"].clone()
}

#[test]
fn a_run_is_repeated_bit_for_bit_by_the_config_toml_that_it_leaves() {
    let place = Place::new();
    let odd = [
        "--seed=18446744073709551615",
        "--dropout=0.1",
        "--design=llama",
        "--n_kv_head=1",
        "--learning_rate=3.3e-3",
        "--decay_lr=false",
        "--preset=char",
    ];
    assert!(place.train(&place.text(), &odd).status.success());
    let (first, again) = (place.path("run"), place.path("again"));
    let config = format!("--config={}", first.join("config.toml").display());
    let output = transformer(&["train", &config, "--out_dir"], &again);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(outcome(&again) == outcome(&first), "the repeated run wrote other bits");
    assert_eq!(told(&again), told(&first));
    assert_eq!(fs::read(again.join("config.toml")).ok(), fs::read(first.join("config.toml")).ok());
}

#[test]
fn a_flag_of_the_command_line_wins_over_the_file_and_the_file_over_the_preset() {
    let place = Place::new();
    let file = "preset = \"char\"\nmax_iters = 7 # few\nn-layer = 3\nlearning_rate = 1\nbias = true\n";
    let config = format!("--config={}", place.file("mine.toml", file).display());
    let output = place.train(&place.text(), &[&config, "--n_layer=2"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = told(&place.path("run"));
    assert_eq!(told["model"]["n_layer"], 2);
    assert_eq!(told["learning_rate"], 1.0);
    assert_eq!(told["model"]["bias"], true);
    assert_eq!(told["max_iters"], 10, "the test's own flags are of the command line too");
    assert_eq!(told["eval_interval"], 5);
    assert_eq!(told["log_interval"], 10, "the preset's");
}

#[test]
fn a_file_of_flags_is_refused_by_its_line_with_the_nearest_name_or_the_type() {
    let place = Place::new();
    for (content, parts) in [
        (
            "n_head = 2\nn_layers = 3\n",
            &["line 2: `n_layers`: there is no such flag", "did you mean `n_layer`?"][..],
        ),
        ("zebra = 3\n", &["line 1: `zebra`: there is no such flag", "--help"]),
        (
            "n_layer = \"3\"\n",
            &["line 1: `n_layer` takes a whole number, but this is a string", "n_layer = 6"],
        ),
        ("n_layer = 2.5\n", &["line 1: `n_layer` takes a whole number, but this is a float"]),
        ("n_layer = 0\n", &["line 1: `n_layer`: ", "a whole number from 1 on"]),
        ("bias = 1\n", &["line 1: `bias` takes true or false, but this is an integer"]),
        ("data = 7\n", &["line 1: `data` takes text, but this is an integer"]),
        ("learning_rate = inf\n", &["line 1: `learning_rate`: ", "give a number"]),
        ("\npreset = \"chars\"\n", &["line 2: `preset`: ", "'chars'", "'char'"]),
        ("[model]\nn_layer = 3\n", &["line 1: `model`: there is no such flag"]),
        ("config = \"other.toml\"\n", &["line 1: `config`: a file of flags cannot name another one"]),
        ("n_layer = 3\nn_layer = 4\n", &["line 2: this is no TOML: duplicate key"]),
        ("n_layer 3\n", &["line 1: this is no TOML"]),
    ] {
        let file = place.file("wrong.toml", content);
        let output = transformer(&["train", "--config"], &file);
        refused(output, &[&["wrong.toml, "], parts].concat());
    }
    let output = transformer(&["train", "--config"], &place.path("missing.toml"));
    refused(output, &["missing.toml: ", "there is no such file"]);
    let output = transformer(&["train", "--config"], &place.file("binary.toml", [0xff, 0xfe]));
    refused(output, &["binary.toml: ", "UTF-8"]);
}

#[test]
fn a_longer_run_by_the_config_toml_of_another_one_decays_to_its_own_end() {
    let place = Place::new();
    let config = format!("--config={}", place.trained().join("config.toml").display());
    let output = transformer(&["train", &config, "--max_iters=30", "--out_dir"], &place.path("longer"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(told(&place.path("longer"))["lr_decay_iters"], 30);
}

#[test]
fn a_resumed_run_says_where_it_goes_on_and_its_config_toml_that_it_had_other_flags_before() {
    let place = Place::new();
    let run = place.trained();
    let config = || fs::read_to_string(run.join("config.toml")).expect("a list of flags");
    let resume = |flag: &str| printed(&["train", "--resume", flag, "--out_dir"], &run, 0);
    let of_the_whole_run = config();
    let nothing_left = resume("--max_iters=5");
    assert!(
        nothing_left.contains("all 10 updates are done; train further by --max_iters 1000"),
        "{nothing_left}"
    );
    assert_eq!(config(), of_the_whole_run, "nothing was trained, so it is still how to repeat the run");
    let more = resume("--max_iters=20");
    assert!(more.contains("\ngoes on after update 10 of 20\n"), "{more}");
    assert!(
        config().starts_with("# Every flag of this run since it was resumed after update 10."),
        "{}",
        config()
    );
    let changed = told(&run);
    assert_eq!(changed["max_iters"], 20);
    assert!(config().contains("max_iters = 20\n"), "{}", config());
    resume("--log_interval=7"); // of updates that are not there
    assert!(config().contains("since it was resumed after update 10."), "{}", config());
}
