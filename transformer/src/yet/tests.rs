//! What holds of experiments and of their ledger.

use super::experiment::{Experiment, Recipe};
use super::ledger::{Entry, Ledger, Note, Outcome, append};
use super::run::{again, differences, run};
use super::status::Status;
use autograd::kernels::threads::set_threads;
use std::fs;
use std::path::Path;

fn experiment() -> Experiment {
    Experiment {
        name: "copy_4".to_owned(),
        question: "Can it copy?".to_owned(),
        task: "copy".to_owned(),
        size: 4,
        threshold: 0.5,
        expected_rung: Some(2),
        why: "one layer can look back".to_owned(),
        recipe: Recipe {
            rows: 8,
            updates: 12,
            learning_rate: None,
            weight_decay: None,
            stop_when_solved: false,
        },
        rungs: vec![1, 2],
        seeds: vec![1, 2, 3],
    }
}

fn outcome(rung: usize, seed: u64, value: f64) -> Outcome {
    let once = Experiment { recipe: Recipe { rows: 1, updates: 1, ..experiment().recipe }, ..experiment() };
    let made = run(&once, 1, 1, "0", |_, _| {}).unwrap();
    Outcome { rung, seed, value, works: value >= 0.5, recipe: experiment().recipe, ..made }
}

/// Each rung with three seeds that come to the same.
fn thrice(outcomes: &[(usize, f64)]) -> Vec<(usize, u64, f64)> {
    outcomes.iter().flat_map(|&(rung, value)| [1, 2, 3].map(|seed| (rung, seed, value))).collect()
}

fn ledger(outcomes: &[(usize, u64, f64)], learnt_at: Option<usize>) -> Ledger {
    let entry =
        |&(rung, seed, value): &(usize, u64, f64)| Entry::Outcome(Box::new(outcome(rung, seed, value)));
    let note = |rung| Entry::Note(Note { experiment: "copy_4".to_owned(), rung, learnt: "…".to_owned() });
    let entries = outcomes.iter().map(entry).chain(learnt_at.map(note));
    Ledger { entries: entries.enumerate().collect(), damaged: vec![] }
}

#[test]
fn a_line_of_the_ledger_gives_the_same_model_again_bit_for_bit_on_any_number_of_threads() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.jsonl");
    append(&path, &run(&experiment(), 2, 7, "abc", |_, _| {}).unwrap()).unwrap();
    let ledger = Ledger::read(&path).unwrap();
    let line = ledger.outcome_on(1).unwrap();
    for threads in [1, 2, 3] {
        set_threads(threads);
        let now = again(line, "def").unwrap();
        assert_eq!(differences(line, &now), Vec::<String>::new(), "on {threads} threads");
    }
    let other_seed = again(&Outcome { seed: 8, ..line.clone() }, "def").unwrap();
    let found = differences(line, &other_seed).join("\n");
    assert!(found.contains("weights: ") && found.contains("log_likelihood: "), "{found}");
}

#[test]
fn a_damaged_line_is_named_kept_and_skipped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.jsonl");
    append(&path, &outcome(1, 1, 0.1)).unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    let half = &whole[..whole.len() / 2];
    fs::write(&path, format!("{whole}{half}")).unwrap(); // a kill in the midst of a line
    append(&path, &outcome(1, 2, 0.2)).unwrap();
    let ledger = Ledger::read(&path).unwrap();
    assert_eq!(ledger.outcomes().map(|outcome| outcome.seed).collect::<Vec<_>>(), [1, 2]);
    let [damaged] = &ledger.damaged[..] else { panic!("one line is damaged: {:?}", ledger.damaged) };
    let message = damaged.to_string();
    assert!(message.contains("ledger.jsonl, line 2: ") && message.contains("skipped"), "{message}");
    assert!(fs::read_to_string(&path).unwrap().contains(&format!("\n{half}\n")), "the line is still there");
    assert!(ledger.outcome_on(2).unwrap_err().to_string().starts_with("line 2: "));
}

#[test]
fn adding_a_line_changes_none_that_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.jsonl");
    append(&path, &outcome(1, 1, 0.1)).unwrap();
    let before = fs::read(&path).unwrap();
    append(&path, &Note { experiment: "copy_4".to_owned(), rung: 1, learnt: "line\nbreaks".to_owned() })
        .unwrap();
    let after = fs::read(&path).unwrap();
    assert_eq!(after[..before.len()], before);
    assert_eq!(Ledger::read(&path).unwrap().notes().next().unwrap().learnt, "line\nbreaks");
}

#[test]
fn it_works_since_the_smallest_rung_at_which_most_of_the_seeds_do() {
    let experiment = experiment();
    let tried = [(1, 1, 0.9), (1, 2, 0.1), (1, 3, 0.2), (4, 1, 1.0), (4, 2, 1.0), (4, 3, 1.0)];
    let grown = [&tried[..], &[(2, 1, 0.9), (2, 2, 0.8), (2, 3, 0.1)]].concat();
    let verdict = |outcomes: &[(usize, u64, f64)]| Status::of(&experiment, &ledger(outcomes, None)).verdict();
    assert_eq!(verdict(&tried), "works since rung 4");
    assert_eq!(verdict(&grown), "works since rung 2");
    assert_eq!(verdict(&tried[..3]), "not yet, up to rung 1");
    assert_eq!(
        verdict(&[(1, 1, 0.9), (1, 2, 0.9)]),
        "not yet, up to rung 1",
        "two seeds of three are not all"
    );
    assert_eq!(verdict(&[]), "not tried");
}

#[test]
fn outcomes_of_another_recipe_are_kept_but_do_not_count() {
    let experiment = experiment();
    let mut longer = experiment.clone();
    longer.recipe.updates = 99;
    let ledger = ledger(&thrice(&[(1, 0.9)]), None);
    assert_eq!(Status::of(&experiment, &ledger).verdict(), "works since rung 1");
    assert_eq!(Status::of(&longer, &ledger).verdict(), "not tried");
}

#[test]
fn an_outcome_that_was_not_expected_asks_for_a_line_once() {
    let experiment = experiment(); // expected from rung 2 on
    let owes = |outcomes: &[(usize, f64)], learnt_at| {
        Status::of(&experiment, &ledger(&thrice(outcomes), learnt_at)).owes_a_line()
    };
    assert_eq!(owes(&[(1, 0.1), (2, 0.9)], None), None);
    assert_eq!(owes(&[(1, 0.9)], None), Some(1), "it works too early");
    assert_eq!(owes(&[(1, 0.1), (2, 0.1)], None), Some(2), "it should work by now");
    assert_eq!(owes(&[(1, 0.1), (2, 0.1)], Some(2)), None);
    assert_eq!(owes(&[(2, 0.1), (4, 0.1)], Some(2)), Some(4), "nor does it work larger");
    let half = ledger(&[(2, 1, 0.1)], None);
    assert_eq!(Status::of(&experiment, &half).owes_a_line(), None, "one seed of three surprises nobody");
}

#[test]
fn a_file_that_is_no_experiment_is_refused_at_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("strange.toml");
    let text = toml::to_string(&experiment()).unwrap();
    fs::write(&path, &text).unwrap();
    assert_eq!(Experiment::read(&path).unwrap(), Experiment { name: "strange".to_owned(), ..experiment() });
    for (from, to, parts) in [
        ("task = \"copy\"", "task = \"compose\"", &["task: ", "\"compose\"", "take one of copy"][..]),
        ("threshold = 0.5", "threshold = 1.5", &["threshold: ", "1.5"]),
        ("threshold = 0.5", "threshold = 0.0", &["threshold: "]),
        ("threshold = 0.5", "threshold = \"high\"", &["line 4, column 13", "way out"]),
        ("size = 4", "size = 1000", &["size: ", "4 to 64"]),
        ("rungs = [1, 2]", "rungs = [0, 2]", &["rungs: ", "1 to 32"]),
        ("seeds = [1, 2, 3]", "seeds = [1, 2, 2]", &["seeds: ", "at least 3"]),
        ("updates = 12", "updates = 0", &["recipe.updates: "]),
        ("updates = 12", "upgrades = 12", &["line ", "upgrades"]),
        ("updates = 12", "learning_rate = -1.0\nupdates = 12", &["recipe.learning_rate"]),
        ("question = ", "", &["line 1"]),
    ] {
        assert!(text.contains(from), "{from} in {text}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let message = Experiment::read(&path).unwrap_err().to_string();
        for part in ["strange.toml, ", "way out: "].iter().chain(parts) {
            assert!(message.contains(part), "{part:?} in {message}");
        }
    }
}

/// What the repository itself keeps.
fn shipped() -> (Vec<Experiment>, Ledger) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../experiments");
    let ledger = Ledger::read(&directory.join("ledger.jsonl")).unwrap();
    (Experiment::read_all(&directory).unwrap(), ledger)
}

#[test]
fn the_ledger_of_this_repository_is_whole_and_each_of_its_lines_agrees_with_itself() {
    let (experiments, ledger) = shipped();
    assert!(ledger.damaged.is_empty(), "{:?}", ledger.damaged);
    for outcome in ledger.outcomes() {
        let known = experiments.iter().any(|experiment| outcome.answers(experiment));
        assert!(known, "{} is no experiment of this recipe", outcome.experiment);
        assert_eq!(outcome.value, outcome.right as f64 / outcome.asked as f64);
        assert_eq!(outcome.works, outcome.value >= outcome.threshold);
        assert!(outcome.log_likelihood < 0.0 && !outcome.curve.is_empty() && outcome.flops > 0.0);
    }
}

#[test]
fn at_least_fifteen_experiments_were_tried_at_three_rungs_with_three_seeds() {
    let (experiments, ledger) = shipped();
    let statuses: Vec<Status> =
        experiments.iter().map(|experiment| Status::of(experiment, &ledger)).collect();
    let tried = |status: &&Status| {
        let full = status.cells.iter().filter(|cell| cell.outcomes.len() >= 3);
        full.count() >= 3
    };
    assert!(statuses.iter().filter(tried).count() >= 15);
    let fails = statuses.iter().filter(|status| status.works_since().is_none()).count();
    let grew =
        statuses.iter().filter(|status| status.works_since().is_some() && !status.cells[0].works()).count();
    assert!(fails >= 3 && grew >= 3, "{fails} fail everywhere, {grew} work only on a larger rung");
    for status in &statuses {
        assert_eq!(status.owes_a_line(), None, "{}: what was learnt?", status.experiment.name);
    }
}
