//! A run directory is whole at every moment, and refuses whatever would lose a run.

use super::checkpoint::Checkpoint;
use super::*;
use crate::data::tokenizer::TokenizerKind;
use crate::safetensors::Named;
use crate::train::config::TrainConfig;
use crate::train::state::{Best, DataIdentity};
use std::collections::BTreeMap;
use std::fs;

fn tokenizer() -> Tokenizer {
    Tokenizer::for_text(TokenizerKind::Char, "abc")
}

fn model_config() -> ModelConfig {
    ModelConfig { vocab_size: 3, ..ModelConfig::default() }
}

fn state(step: usize) -> TrainerState {
    TrainerState {
        step,
        generators: BTreeMap::new(),
        best: Some(Best { val_loss: 1.5, step }),
        data: DataIdentity {
            name: "stories".into(),
            train_tokens: 90,
            validation_tokens: 10,
            fingerprint: "fnv1a64:0".into(),
        },
        config: TrainConfig::default(),
        changed: None,
    }
}

/// Does `what` with a checkpoint whose every number is its step.
fn with_checkpoint<R>(step: usize, is_best: bool, what: impl FnOnce(&Checkpoint) -> R) -> R {
    let state = state(step);
    let number = [step as f32];
    let (weight, moment) = (Named::f32("w", &[1], &number), Named::f32("m.w", &[1], &number));
    what(&Checkpoint { state: &state, model: &[weight], optimizer: &[moment], is_best })
}

fn new_run(path: &Path) -> RunDir {
    let run = RunDir::create(path, false).unwrap();
    run.write_description(&model_config(), &tokenizer()).unwrap();
    run
}

fn save(run: &RunDir, step: usize, is_best: bool) -> Result<()> {
    let mut metrics = run.metrics_after(step)?;
    with_checkpoint(step, is_best, |checkpoint| run.save(checkpoint, &mut metrics))
}

/// The steps of the weights, the moments and the state, as a reader finds them.
fn steps(run: &RunDir) -> (f32, f32, usize) {
    let weight = run.weights(Weights::Last).unwrap().f32("w", &[1]).unwrap()[0];
    let moment = run.optimizer().unwrap().f32("m.w", &[1]).unwrap()[0];
    (weight, moment, run.trainer_state().unwrap().step)
}

fn files_in(path: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_saved_run_comes_back_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deep/run");
    let run = new_run(&path);
    save(&run, 100, true).unwrap();
    save(&run, 200, false).unwrap();
    drop(run);
    let run = RunDir::resume(&path).unwrap();
    assert_eq!(steps(&run), (200.0, 200.0, 200));
    assert_eq!(run.weights(Weights::Best).unwrap().f32("w", &[1]).unwrap(), [100.0]);
    assert_eq!(run.trainer_state().unwrap(), state(200));
    assert_eq!(run.description().unwrap(), (model_config(), tokenizer()));
    let expected = [
        ".lock",
        "best.safetensors",
        "config.json",
        "metrics.jsonl",
        "model.safetensors",
        "optimizer.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "trainer.json",
    ];
    assert_eq!(files_in(&path), expected);
}

#[test]
fn a_kill_while_staging_leaves_the_old_checkpoint_whole() {
    let directory = tempfile::tempdir().unwrap();
    let run = new_run(directory.path());
    save(&run, 100, true).unwrap();
    with_checkpoint(200, true, |checkpoint| run.stage(checkpoint)).unwrap();
    fs::write(run.file("optimizer.safetensors.step-200.next.tmp"), "half of the mom").unwrap();
    drop(run); // killed here
    let run = RunDir::resume(directory.path()).unwrap();
    assert_eq!(steps(&run), (100.0, 100.0, 100));
    assert!(
        files_in(directory.path()).iter().all(|name| !name.contains("step-200")),
        "leftovers are cleared away"
    );
}

#[test]
fn a_kill_between_any_two_renames_leaves_the_new_checkpoint_whole() {
    for renamed in [&[][..], &[MODEL], &[MODEL, BEST], &[MODEL, BEST, OPTIMIZER]] {
        let directory = tempfile::tempdir().unwrap();
        let run = new_run(directory.path());
        save(&run, 100, true).unwrap();
        with_checkpoint(200, true, |checkpoint| run.stage(checkpoint)).unwrap();
        run.commit(&state(200)).unwrap();
        for name in renamed {
            fs::rename(run.file(&format!("{name}.step-200.next")), run.file(name)).unwrap();
        }
        drop(run); // killed here
        let run = RunDir::resume(directory.path()).unwrap();
        assert_eq!(steps(&run), (200.0, 200.0, 200), "after {renamed:?} were renamed");
        assert_eq!(run.weights(Weights::Best).unwrap().f32("w", &[1]).unwrap(), [200.0]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_at_any_file_leaves_the_old_checkpoint_and_gives_its_space_back() {
    for full in [MODEL, OPTIMIZER, BEST] {
        let directory = tempfile::tempdir().unwrap();
        let run = new_run(directory.path());
        save(&run, 100, true).unwrap();
        let before = files_in(directory.path());
        let link = run.file(&format!("{full}.step-200.next.tmp"));
        std::os::unix::fs::symlink("/dev/full", link).unwrap();
        let message = save(&run, 200, true).unwrap_err().to_string();
        assert!(message.contains(full) && message.contains("the disk is full"), "{message}");
        assert_eq!(steps(&run), (100.0, 100.0, 100));
        assert_eq!(files_in(directory.path()), before);
    }
}

#[test]
fn a_directory_that_holds_a_run_is_refused_with_the_three_ways_out() {
    let directory = tempfile::tempdir().unwrap();
    save(&new_run(directory.path()), 100, true).unwrap();
    let message = RunDir::create(directory.path(), false).unwrap_err().to_string();
    assert!(message.contains("already holds a run"), "{message}");
    for way_out in ["--resume", "--overwrite", "--out_dir"] {
        assert!(message.contains(way_out), "{message}");
    }
    assert_eq!(RunDir::open(directory.path()).unwrap().trainer_state().unwrap().step, 100, "nothing is lost");
}

#[test]
fn overwriting_deletes_the_run_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("notes.txt"), "mine").unwrap();
    save(&new_run(directory.path()), 100, true).unwrap();
    drop(RunDir::create(directory.path(), true).unwrap());
    assert_eq!(files_in(directory.path()), [".lock", "notes.txt"]);
}

#[test]
fn two_processes_cannot_train_in_one_directory() {
    let directory = tempfile::tempdir().unwrap();
    let run = new_run(directory.path());
    save(&run, 100, true).unwrap();
    for second in [RunDir::resume(directory.path()), RunDir::create(directory.path(), true)] {
        let message = second.unwrap_err().to_string();
        assert!(message.contains("another process is training in this directory"), "{message}");
    }
    drop(run);
    assert!(RunDir::resume(directory.path()).is_ok());
}

#[test]
fn what_is_no_run_is_refused_by_its_path() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    for (path, what) in [
        (directory.path().join("none"), "there is no such directory"),
        (file, "this is a file"),
        (directory.path().to_path_buf(), "there is no run in this directory"),
    ] {
        for result in [RunDir::open(&path), RunDir::resume(&path)] {
            let message = result.unwrap_err().to_string();
            assert!(message.contains(what) && message.contains(&path.display().to_string()), "{message}");
            assert!(message.contains("way out: "), "{message}");
        }
    }
}

#[test]
fn a_run_without_a_checkpoint_says_so() {
    let directory = tempfile::tempdir().unwrap();
    drop(new_run(directory.path()));
    let message = RunDir::resume(directory.path()).unwrap_err().to_string();
    assert!(message.contains("no checkpoint to go on from") && message.contains("--overwrite"), "{message}");
    let message = RunDir::open(directory.path()).unwrap().weights(Weights::Last).unwrap_err().to_string();
    assert!(message.contains("model.safetensors: this run has no such checkpoint yet"), "{message}");
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.join("run"), file] {
        let message = RunDir::create(&path, false).unwrap_err().to_string();
        assert!(message.contains("file, not a directory") && message.contains("way out: "), "{message}");
    }
}

#[test]
fn a_tokenizer_of_another_vocabulary_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let run = new_run(directory.path());
    Tokenizer::Bytes.save(&run.file(TOKENIZER)).unwrap();
    let message = run.description().unwrap_err().to_string();
    assert!(message.contains("tokenizer.json: this tokenizer is of another vocabulary"), "{message}");
    assert!(message.contains("256 tokens") && message.contains("vocab_size 3"), "{message}");
}

#[test]
fn a_truncated_trainer_state_is_an_error_with_a_way_out() {
    let directory = tempfile::tempdir().unwrap();
    let run = new_run(directory.path());
    save(&run, 100, true).unwrap();
    let whole = fs::read(run.file(TRAINER)).unwrap();
    drop(run);
    for length in 0..whole.len() - 2 {
        fs::write(directory.path().join(TRAINER), &whole[..length]).unwrap();
        let message = RunDir::resume(directory.path()).unwrap_err().to_string();
        assert!(message.contains("trainer.json") && message.contains("way out: "), "{length}: {message}");
    }
}
