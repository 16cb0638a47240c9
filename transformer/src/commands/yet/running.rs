//! Training experiments, one rung of one experiment after the other.

use super::{Place, program};
use crate::commands::out::{print, say};
use crate::commands::{cores, screen::clock};
use crate::error::{Error, Result};
use crate::scale::{ladder, pool};
use crate::yet::experiment::Experiment;
use crate::yet::ledger::{Ledger, Note, append};
use crate::yet::run::{again, differences, estimate_seconds, run as train};
use crate::yet::status::{Cell, Status};
use autograd::kernels::threads::set_threads;
use std::io::IsTerminal;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// One rung of one experiment, from each seed that has no line yet.
pub fn run(place: &Place, name: &str, rung: Option<usize>) -> Result<()> {
    let (experiment, ledger) = (place.experiment(name)?, place.ledger()?);
    let status = Status::of(&experiment, &ledger);
    let untried =
        experiment.rungs.iter().copied().find(|&rung| missing_seeds(&status, rung).next().is_some());
    let Some(rung) = rung.or(untried) else {
        say(format!("{name}: {}; all of its rungs {:?} have been tried", status.verdict(), experiment.rungs));
        say(format!("a larger one: {} yet run {name} --rung R", program()));
        return Ok(());
    };
    if !(ladder::LOWEST..=ladder::HIGHEST).contains(&rung) {
        return Err(Error::new(format!("there is no rung {rung}")).at("--rung").way_out(format!(
            "give one from {} to {}",
            ladder::LOWEST,
            ladder::HIGHEST
        )));
    }
    train_rung(place, &experiment, &ledger, rung)
}

fn missing_seeds<'a>(status: &'a Status, rung: usize) -> impl Iterator<Item = u64> + 'a {
    let has = move |seed: &u64| {
        status.at(rung).is_some_and(|cell| cell.outcomes.iter().any(|outcome| outcome.seed == *seed))
    };
    status.experiment.seeds.iter().copied().filter(move |seed| !has(seed))
}

fn train_rung(place: &Place, experiment: &Experiment, ledger: &Ledger, rung: usize) -> Result<()> {
    let seeds: Vec<u64> = missing_seeds(&Status::of(experiment, ledger), rung).collect();
    let (name, path, commit) = (&experiment.name, place.ledger_path(), commit());
    say(format!("{name}, rung {rung}: {}", experiment.question));
    say(format!("expected to work {}: {}", experiment.expectation(), experiment.why));
    set_threads(1); // a thread a run; and one run is then the same as any other of its kind
    let writing = Mutex::new(());
    pool::for_each(&seeds, place.threads.unwrap_or_else(cores), |&seed| {
        let outcome = train(experiment, rung, seed, &commit, |_, _| {})?;
        let _one_at_a_time = writing.lock();
        append(&path, &outcome)?;
        say(format!(
            "seed {seed}: {} of {} right, {} of the right answer, after {} updates in {:.1} s: {}",
            outcome.right,
            outcome.asked,
            outcome.in_short(),
            outcome.updates,
            outcome.seconds,
            if outcome.works { "works" } else { "not yet" }
        ));
        Ok(())
    })?;
    let ledger = Ledger::read(&path)?;
    let status = Status::of(experiment, &ledger);
    say(format!("{name}: {}", status.verdict()));
    match status.owes_a_line() {
        Some(rung) => ask_what_was_learnt(place, &status, rung),
        None => Ok(()),
    }
}

/// The outcome is not what was expected: that is worth a sentence.
fn ask_what_was_learnt(place: &Place, status: &Status, rung: usize) -> Result<()> {
    let (name, works) = (&status.experiment.name, status.at(rung).is_some_and(Cell::works));
    say(format!(
        "rung {rung} {}, which was not expected ({}). What is learnt from that?",
        if works { "works" } else { "does not work" },
        status.experiment.expectation()
    ));
    if !std::io::stdin().is_terminal() {
        say(format!("write it down: {} yet learnt {name} \"…\"", program()));
        return Ok(());
    }
    print("> ");
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .map_err(|error| Error::new(format!("the answer cannot be read: {error}")))?;
    match line.trim() {
        "" => Ok(()),
        learnt => {
            let note = Note { experiment: name.clone(), rung, learnt: learnt.to_owned() };
            append(&place.ledger_path(), &note)
        }
    }
}

/// The part of a budget that is planned: an update is timed alone, and runs go on side by side.
const OF_THE_BUDGET: f64 = 0.85;

/// All that do not work yet, each on the highest rung that its share of the budget allows.
pub fn rerun(place: &Place, budget: f64) -> Result<()> {
    if budget <= 0.0 {
        return Err(Error::new(format!("{budget} minutes are no budget"))
            .at("--budget")
            .way_out("give some"));
    }
    let (experiments, ledger) = (place.experiments()?, place.ledger()?);
    let failing = |experiment: &&Experiment| Status::of(experiment, &ledger).works_since().is_none();
    let open: Vec<&Experiment> = experiments.iter().filter(failing).collect();
    say(format!("{} of {} experiments do not work yet", open.len(), experiments.len()));
    let (begun, threads) = (Instant::now(), place.threads.unwrap_or_else(cores));
    set_threads(1);
    let (mut trained, mut enough) = (0, f64::INFINITY);
    for (i, experiment) in open.iter().enumerate() {
        let left = (60.0 * budget - begun.elapsed().as_secs_f64()).max(0.0);
        let share = OF_THE_BUDGET * left / (open.len() - i) as f64;
        let status = Status::of(experiment, &ledger);
        let largest = status.largest().unwrap_or(ladder::LOWEST - 1);
        let rounds = experiment.seeds.len().div_ceil(threads) as f64;
        let (mut fitting, mut needed) = (None, 0.0);
        for rung in largest + 1..=ladder::HIGHEST {
            needed = rounds * estimate_seconds(experiment, rung)?;
            if needed > share {
                break;
            }
            fitting = Some(rung);
        }
        match fitting {
            Some(rung) => {
                train_rung(place, experiment, &ledger, rung)?;
                trained += 1;
            }
            None => {
                let minutes = (needed * open.len() as f64 / OF_THE_BUDGET / 60.0).ceil();
                enough = minutes.min(enough);
                say(format!(
                    "{}: rung {} needs {} of the {} that are its share: give --budget {minutes:.0}",
                    experiment.name,
                    largest + 1,
                    clock(Duration::from_secs_f64(needed)),
                    clock(Duration::from_secs_f64(share)),
                ));
            }
        }
        say("");
    }
    if trained == 0 && enough.is_finite() {
        return Err(Error::new(format!("{budget} minutes are too few for a larger rung of any of them"))
            .at("--budget")
            .way_out(format!("give {enough:.0}, or run one alone: {} yet run NAME --rung R", program())));
    }
    Ok(())
}

/// One line of the ledger again; nothing is written.
pub fn line(place: &Place, number: usize) -> Result<()> {
    let ledger = place.ledger()?;
    let then = ledger.outcome_on(number).map_err(|error| error.in_file(place.ledger_path()))?;
    say(format!(
        "line {number}: {}, rung {}, seed {}, made by {} in {:.0} s",
        then.experiment, then.rung, then.seed, then.commit, then.seconds
    ));
    set_threads(place.threads.unwrap_or(1));
    let now = again(then, &commit())?;
    let found = differences(then, &now);
    if found.is_empty() {
        say(format!(
            "the same, bit for bit: {} of {} right, ln p {}, weights {}",
            now.right, now.asked, now.log_likelihood, now.weights
        ));
        return Ok(());
    }
    Err(Error::new(format!("what comes out now is different:\n  {}", found.join("\n  ")))
        .in_file(place.ledger_path())
        .at(format!("line {number}"))
        .way_out(format!(
            "another processor, or kernels that have changed since, round differently: run the commit {} on the machine \
             that wrote the line",
            then.commit
        )))
}

/// The version of the working directory that the program is called in; `+` if it has been changed.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output =
            Command::new("git").args(arguments).output().ok().filter(|output| output.status.success());
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=10", "HEAD"]) else { return "unknown".to_owned() };
    let changed = git(&["status", "--porcelain", "--untracked-files=no", "--", "*.rs", "*.toml"]);
    if changed.is_some_and(|changed| !changed.is_empty()) { format!("{commit}+") } else { commit }
}
