//! Several processes under `mpirun` train what one process trains. Needs `--features mpi`, and Open MPI.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_transformer");

/// Batches of five rows, which two ranks cannot share equally, with dropout.
const SMALL: [&str; 13] = [
    "--n_layer=2",
    "--n_head=2",
    "--n_embd=32",
    "--block_size=32",
    "--batch_size=5",
    "--gradient_accumulation_steps=2",
    "--dropout=0.1",
    "--max_iters=60",
    "--eval_interval=20",
    "--eval_iters=4",
    "--log_interval=1",
    "--warmup_iters=5",
    "--learning_rate=3e-3",
];

fn corpus(directory: &Path) -> PathBuf {
    let path = directory.join("corpus.txt");
    let sentence =
        |i: usize| format!("line {i} says that {} and {} make {}.\n", i % 7, i % 11, i % 7 + i % 11);
    fs::write(&path, (0..400).map(sentence).collect::<String>()).expect("a text that can be written");
    path
}

fn train(mut command: Command, directory: &Path, out_dir: &Path, more: &[&str]) -> Command {
    command.arg("train").args(SMALL).arg("--data").arg(corpus(directory)).arg("--out_dir").arg(out_dir);
    command.args(more);
    command
}

/// `mpirun -n RANKS transformer`, on this machine alone and without any network but the loopback.
fn mpirun(ranks: usize) -> Command {
    let mut command = Command::new("mpirun");
    command.args(["--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "--mca", "plm", "isolated"]);
    command.args(["--mca", "btl", "self,vader", "--mca", "btl_vader_single_copy_mechanism", "none"]);
    command.args(["--mca", "mpi_yield_when_idle", "1"]); // ranks that share a core give way to one another
    command.args(["--mca", "oob_tcp_if_include", "lo", "-n", &ranks.to_string(), PROGRAM]);
    command
}

/// What the program printed, on both ways, and its exit code; it has to end within two minutes.
fn end(mut command: Command) -> (Option<i32>, String) {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    ended(child.unwrap_or_else(|error| panic!("{command:?}: {error} (Debian: apt-get install openmpi-bin)")))
}

fn ended(mut child: Child) -> (Option<i32>, String) {
    let start = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        if start.elapsed() > Duration::from_secs(120) {
            child.kill().expect("SIGKILL");
            let Output { stdout, stderr, .. } = child.wait_with_output().expect("the end of the child");
            panic!("it hangs: {}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let Output { status, stdout, stderr } = child.wait_with_output().expect("the end of the child");
    (status.code(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

#[track_caller]
fn succeed(command: Command) -> String {
    let (code, told) = end(command);
    assert_eq!(code, Some(0), "{told}");
    told
}

fn lines(run: &Path) -> Vec<Value> {
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default();
    metrics.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The losses, rates and norms of two runs are the same, to what the order of f32 sums changes in 60 updates.
#[track_caller]
fn same_curve(found: &Path, expected: &Path) {
    let (found, expected) = (lines(found), lines(expected));
    assert_eq!(found.len(), expected.len());
    assert_eq!(found.len(), 60);
    let mut largest = 0.0_f64;
    for (found, expected) in found.iter().zip(&expected) {
        for name in ["step", "lr", "train_loss", "val_loss", "grad_norm"] {
            let (x, y) = (found[name].as_f64(), expected[name].as_f64());
            let apart = match (x, y) {
                (Some(x), Some(y)) => (x - y).abs() / y.abs(),
                _ => f64::from(u8::from(x != y)),
            };
            // f32 has 6e-8; the first update sees the same weights, the later ones what the earlier have changed.
            let bound = if expected["step"] == 1 { 2e-6 } else { 1e-5 };
            assert!(apart < bound, "{name} is {apart:e} apart: {found} beside {expected}");
            largest = largest.max(apart);
        }
    }
    println!("the curves are at most {largest:.1e} apart, relative");
}

#[test]
fn two_and_three_ranks_write_the_curve_of_one_process_to_rounding_and_only_the_first_prints() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path();
    let alone = place.join("alone");
    let introduced = |told: &str| told.matches("parameters: ").count();
    assert_eq!(introduced(&succeed(train(Command::new(PROGRAM), place, &alone, &[]))), 1);
    for ranks in [2, 3] {
        let run = place.join(format!("ranks-{ranks}"));
        let told = succeed(train(mpirun(ranks), place, &run, &["--threads=1"]));
        assert_eq!(introduced(&told), 1, "{told}");
        assert!(told.contains(&format!("{ranks} ranks of 1 thread")), "{told}");
        same_curve(&run, &alone);
        let eval = Command::new(PROGRAM).args(["eval", "--from"]).arg(&run).output().expect("a program");
        assert!(eval.status.success(), "{}", String::from_utf8_lossy(&eval.stderr));
    }
}

/// The process of a rank, by what mpirun has put into its environment.
fn process_of(mpirun: u32, rank: usize) -> Option<u32> {
    let parent = |pid: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    let is_rank = |pid: u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let wanted = format!("OMPI_COMM_WORLD_RANK={rank}");
        environment.split(|&byte| byte == 0).any(|entry| entry == wanted.as_bytes())
    };
    let entries = fs::read_dir("/proc").expect("Linux");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|&pid| parent(pid) == Some(mpirun)).find(|&pid| is_rank(pid))
}

#[test]
fn when_a_rank_is_killed_the_run_ends_with_a_message_and_goes_on_from_its_checkpoint_without_mpi() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path();
    let (alone, killed) = (place.join("alone"), place.join("killed"));
    succeed(train(Command::new(PROGRAM), place, &alone, &[]));
    let mut command = train(mpirun(2), place, &killed, &[]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("mpirun");
    let start = Instant::now();
    while lines(&killed).len() < 21 {
        assert!(start.elapsed() < Duration::from_secs(60), "no 21 lines within a minute");
        std::thread::sleep(Duration::from_millis(2));
    }
    let victim = process_of(child.id(), 1).expect("the process of rank 1");
    assert!(Command::new("kill").args(["-KILL", &victim.to_string()]).status().expect("kill").success());
    let (code, told) = ended(child);
    assert_ne!(code, Some(0), "{told}");
    assert!(told.contains("rank 1") && told.contains("signal 9"), "mpirun says which rank has died: {told}");
    assert!(lines(&killed).len() < 60, "the kill came too late to test anything");

    let mut resume = Command::new(PROGRAM);
    resume.args(["train", "--resume", "--out_dir"]).arg(&killed);
    succeed(resume);
    same_curve(&killed, &alone);
}

#[test]
fn a_run_that_one_process_began_goes_on_on_two_ranks() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path();
    let (alone, further) = (place.join("alone"), place.join("further"));
    succeed(train(Command::new(PROGRAM), place, &alone, &[]));
    succeed(train(Command::new(PROGRAM), place, &further, &["--max_iters=20", "--lr_decay_iters=60"]));
    let mut resume = mpirun(2);
    resume.args(["train", "--resume", "--max_iters=60", "--out_dir"]).arg(&further);
    succeed(resume);
    same_curve_of_losses(&further, &alone);
}

/// As [`same_curve`], but for the validation loss of step 20, which was one run's last and so the whole text's.
#[track_caller]
fn same_curve_of_losses(found: &Path, expected: &Path) {
    let (found, expected) = (lines(found), lines(expected));
    assert_eq!(found.len(), 60);
    for (found, expected) in found.iter().zip(&expected) {
        let (x, y) =
            (found["train_loss"].as_f64().unwrap_or(0.0), expected["train_loss"].as_f64().unwrap_or(1.0));
        assert!((x - y).abs() < 1e-5 * y, "{found} beside {expected}");
    }
}

#[test]
fn what_no_rank_can_do_ends_all_of_them_with_a_message() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path();
    let run = place.join("run");
    let told = |more: &[&str], parts: &[&str]| {
        let (code, told) = end(train(mpirun(2), place, &run, more));
        assert_eq!(code, Some(2), "{told}");
        for part in parts {
            assert!(told.contains(part), "{part:?} in {told}");
        }
    };
    told(&["--batch_size=1"], &["batch_size: 1 rows cannot be shared by 2 ranks", "rank 1 stops"]);
    told(&["--data=/nowhere/text.txt"], &["/nowhere/text.txt: ", "rank 1 stops, because rank 0 has failed"]);
    told(&["--learning_rate=1e30", "--min_lr=0"], &["update ", "is intact: go on from it by --resume"]);
    told(&[], &["this directory already holds a run", "rank 1 stops"]);
}
