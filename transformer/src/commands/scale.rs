//! `scale`: a ladder of models, the law that their losses follow, and a prediction that is checked.

use super::out::say;
use super::screen::{clock, thousands};
use super::{program, use_threads};
use crate::cli::{number, size, threads};
use crate::error::{Error, Result};
use crate::files::{read_json, remove};
use crate::lock::Lock;
use crate::scale::climb::{Climb, SCALING};
use crate::scale::plan::{Measured, plan};
use crate::scale::record::{Plan, Run, Scaling};
use crate::scale::sound::{check, check_plan};
use crate::scale::source::{Source, open};
use crate::scale::{checkpoint, page};
use autograd::kernels::threads::set_threads;
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const EXAMPLES: &str = "\
Examples:
  transformer scale                        ten minutes on the corpus `stories`, whose floor is known
  transformer scale --budget 60 --out_dir runs/scale-60
  transformer scale --data input.txt --budget 30 --out_dir runs/scale-text

After an interruption the same command goes on where it was. Rung r is a model of ⌈r/2⌉ layers, r heads, 16·r wide.";

/// The flags of `scale`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(rename_all = "snake_case", after_help = EXAMPLES)]
pub struct Flags {
    /// How long it may take
    #[arg(long, value_name = "MINUTES", value_parser = number, default_value = "10")]
    pub budget: f64,
    /// A text to train on [default: the embedded corpus `stories`]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// The directory of scaling.json, of the page, and of the runs that go on
    #[arg(long, value_name = "DIR", default_value = "runs/scale")]
    pub out_dir: PathBuf,
    /// Begin anew, whatever is there
    #[arg(long)]
    pub overwrite: bool,
    /// How many runs go on side by side, each on one thread [default: one for each core that it may use]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// Governs initial weights and batches
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,
    /// The rungs that are fitted, instead of those that fit the budget
    #[arg(long, value_name = "R,R,…", value_delimiter = ',', value_parser = size, requires_all = ["held_out", "updates"])]
    pub rungs: Vec<usize>,
    /// The rung that is predicted
    #[arg(long, value_name = "R", value_parser = size, requires = "rungs")]
    pub held_out: Option<usize>,
    /// The lengths of the runs, in updates
    #[arg(long, value_name = "U,U,…", value_delimiter = ',', value_parser = size, requires = "rungs")]
    pub updates: Vec<usize>,
}

/// Climbs the ladder: the fitted rungs, the fit, the prediction, the held-out rung.
///
/// # Errors
/// If the budget is too small, the text cannot be read, or the directory cannot be written.
pub fn run(flags: &Flags) -> Result<()> {
    let threads = use_threads(flags.threads);
    set_threads(1); // a thread a run
    let (source, vocab_size) = open(flags.data.as_deref())?;
    let directory = &flags.out_dir;
    let _lock = Lock::take(directory)?;
    let known = directory.join(SCALING);
    let scaling = if known.exists() && !flags.overwrite {
        go_on(flags, &source, vocab_size, &known)?
    } else {
        let plan = make_plan(flags, &source, vocab_size, threads)?;
        begin(flags, plan, source.floor())?
    };
    let plan = scaling.plan.clone();
    introduce(&plan, &scaling, threads);

    let climb = Climb::new(directory, &source, threads, scaling)?;
    climb.save()?;
    let begun = Instant::now();
    climb.climb(&plan.fitted(), told)?;
    if climb.scaling().fit.is_none() {
        climb.predict();
        climb.save()?;
    }
    tell_fit(&climb.scaling());
    climb.climb(&plan.predicted(), told)?;
    climb.compare();
    climb.save()?;

    let scaling = climb.scaling();
    tell_outcome(&scaling);
    let out = directory.join("scaling.html");
    page::write(&out, &scaling)?;
    say(format!("took {}; kept in {} and {}", clock(begun.elapsed()), known.display(), out.display()));
    Ok(())
}

fn make_plan(flags: &Flags, source: &Source, vocab_size: usize, threads: usize) -> Result<Plan> {
    let base = Plan {
        data: source.name().to_owned(),
        fingerprint: source.fingerprint().map(str::to_owned),
        budget_minutes: flags.budget,
        rungs: flags.rungs.clone(),
        held_out: flags.held_out.unwrap_or(0),
        updates: flags.updates.clone(),
        rows: source.rows(),
        seeds: vec![flags.seed],
        vocab_size,
    };
    if flags.rungs.is_empty() {
        let measured = Measured::on_this_machine(source, &base)?;
        return plan(base, &measured, threads);
    }
    let way_out = "give others, or leave out --rungs, --held_out and --updates: the ladder is then made to fit the budget";
    check_plan(&base, "--").map_err(|error| error.way_out(way_out))?;
    Ok(base)
}

/// A ladder that begins. What another one has left is removed if it may be.
fn begin(flags: &Flags, plan: Plan, floor: Option<f64>) -> Result<Scaling> {
    let left = checkpoint::all_in(&flags.out_dir)?;
    if let Some(file) = left.first().filter(|_| !flags.overwrite) {
        return Err(Error::new(format!("this was left by a ladder whose {SCALING} is no longer here"))
            .in_file(file)
            .way_out("remove it and the others of its kind by --overwrite, or give another --out_dir"));
    }
    left.iter().try_for_each(|path| remove(path))?;
    Ok(Scaling { plan, floor, runs: vec![], fit: None, prediction: vec![] })
}

fn go_on(flags: &Flags, source: &Source, vocab_size: usize, known: &Path) -> Result<Scaling> {
    let way_out = "give another --out_dir, or begin anew with --overwrite";
    let scaling: Scaling = read_json(known, way_out)?;
    check(&scaling).map_err(|error| error.in_file(known).way_out(way_out))?;
    let plan = &scaling.plan;
    if plan.data == source.name() && plan.fingerprint.as_deref() != source.fingerprint() {
        return Err(Error::new(format!("the text {} has changed since this ladder was begun", plan.data))
            .in_file(known)
            .way_out(way_out));
    }
    let same = plan.data == source.name()
        && plan.budget_minutes == flags.budget
        && plan.seeds == [flags.seed]
        && (plan.rows, plan.vocab_size) == (source.rows(), vocab_size)
        && (flags.rungs.is_empty()
            || (&plan.rungs, Some(plan.held_out), &plan.updates)
                == (&flags.rungs, flags.held_out, &flags.updates));
    match same {
        true => Ok(scaling),
        false => Err(Error::new(format!(
            "another ladder is kept here: {}, {} minutes, seeds {:?}, rungs {:?} and then {}, updates {:?}",
            plan.data, plan.budget_minutes, plan.seeds, plan.rungs, plan.held_out, plan.updates
        ))
        .in_file(known)
        .way_out(way_out)),
    }
}

fn introduce(plan: &Plan, scaling: &Scaling, threads: usize) {
    let done = scaling.runs.len();
    say(format!(
        "{}: rungs {:?}, each trained for {:?} updates of {} rows; then rung {}, predicted first",
        plan.data, plan.rungs, plan.updates, plan.rows, plan.held_out
    ));
    if let Some(floor) = scaling.floor {
        say(format!("the true floor of the validation part: {floor:.4} nats a token"));
    }
    let runs = plan.fitted().len() + plan.predicted().len();
    let s = if threads == 1 { "" } else { "s" };
    say(format!("{runs} runs on {threads} thread{s}, {done} of them done"));
    say("rung     weights       tokens         FLOPs    loss     time");
}

fn told(run: &Run) {
    say(format!(
        "{:>4} {:>11} {:>12} {:>13.2e}  {:.4} {:>8}",
        run.rung,
        thousands(run.weights as f64),
        thousands(run.tokens as f64),
        run.flops,
        run.loss,
        clock(Duration::from_secs_f64(run.seconds))
    ));
}

fn tell_fit(scaling: &Scaling) {
    let Some(fit) = &scaling.fit else { return };
    let (law, [e, a, alpha, b, beta]) = (&fit.law, fit.intervals);
    say(format!(
        "\nL(N, D) = E + A/N^α + B/D^β, fitted to {} runs",
        scaling.points(&scaling.plan.rungs).len()
    ));
    say(format!("  E = {:.4}   (95 % of the bootstrap: {:.4} to {:.4})", law.e, e[0], e[1]));
    if let Some(floor) = scaling.floor {
        let inside = if (e[0]..=e[1]).contains(&floor) { "inside" } else { "outside of" };
        say(format!(
            "      the true floor is {floor:.4}: {inside} the interval, {:+.1} % off",
            100.0 * (law.e / floor - 1.0)
        ));
    }
    say(format!(
        "  α = {:.3}    ({:.3} to {:.3})   ln A = {:.1} ({:.1} to {:.1})",
        law.alpha, alpha[0], alpha[1], law.ln_a, a[0], a[1]
    ));
    say(format!(
        "  β = {:.3}    ({:.3} to {:.3})   ln B = {:.1} ({:.1} to {:.1})",
        law.beta, beta[0], beta[1], law.ln_b, b[0], b[1]
    ));
    say(format!("  the worst of the fitted runs is {:.1} % off the law", 100.0 * fit.worst_residual));
    for said in &scaling.prediction {
        let [low, high] = said.interval;
        say(format!(
            "predicted: rung {} after {} tokens ends at {:.4} ({low:.4} to {high:.4})",
            said.rung,
            thousands(said.tokens as f64),
            said.predicted
        ));
    }
}

fn tell_outcome(scaling: &Scaling) {
    for said in &scaling.prediction {
        if let (Some(measured), Some(error)) = (said.measured, said.error()) {
            say(format!(
                "measured:  rung {} after {} tokens ends at {measured:.4}; the prediction was {:+.2} % off",
                said.rung,
                thousands(said.tokens as f64),
                100.0 * error
            ));
        }
    }
    if scaling.prediction.is_empty() {
        say(format!("nothing was predicted: {} scale --overwrite begins anew", program()));
    }
}
