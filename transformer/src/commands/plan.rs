//! `plan`: what a run will cost on this machine, before it is run.

use super::out::say;
use super::screen::{clock, thousands};
use super::{train, use_threads};
use crate::data::large::Keep;
use crate::error::{Error, Result};
use crate::plan::calibrate::{Plan, plan};
use crate::plan::{LATER, Range};
use crate::train::config::{Dtype, TrainConfig};
use clap::Args;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  transformer plan                                     what the demo will take
  transformer plan --preset baby --data input.txt      the flags are those of train
  transformer plan --config runs/mine/config.toml --n_layer 12

It reads the data, makes real updates for about two seconds, and writes nothing.";

/// The flags of `plan`: those of `train`.
#[derive(Debug, Clone, Default, PartialEq, Args)]
#[command(rename_all = "snake_case", after_help = EXAMPLES)]
#[group(skip)] // the flags of `train` are the group of this name
pub struct Flags {
    /// Print a JSON object instead of lines
    #[arg(long)]
    pub json: bool,
    /// The run
    #[command(flatten)]
    pub train: train::Flags,
}

/// Measures, and tells.
///
/// # Errors
/// If the run could not be begun: a flag, the text or the machine does not allow it.
pub fn run(flags: &Flags) -> Result<()> {
    if flags.train.resume {
        return Err(Error::new("a plan is that of a whole run")
            .at("--resume")
            .way_out("give the run's flags: plan --config RUN/config.toml"));
    }
    let threads = use_threads(flags.train.threads);
    let (config, corpus, tokenizer) = train::prepare(&flags.train)?;
    let dataset = corpus.dataset(&tokenizer, config.model.block_size, Keep::Nowhere)?;
    let found = plan(&config, dataset)?;
    if flags.json {
        let json = serde_json::to_string_pretty(&found).map_err(|error| Error::new(error.to_string()))?;
        say(json);
    } else {
        let s = if threads == 1 { "" } else { "s" };
        let (updates, dtype) = (thousands(config.max_iters as f64), config.dtype.aside());
        say(format!("{updates} updates on {threads} thread{s} of this machine{dtype}:"));
        show(&found, &config);
    }
    Ok(())
}

fn show(found: &Plan, config: &TrainConfig) {
    let rate = found.flops_per_update / found.update.likely;
    say(format!("  parameters   {}", thousands(found.parameters as f64)));
    say(format!(
        "  arithmetic   {} an update, at {} of {} GFLOP/s: {:.0} % of the peak rate{}",
        amount(found.flops_per_update),
        gigas(rate),
        gigas(found.peak),
        100.0 * rate / found.peak,
        if config.dtype == Dtype::F32 { "" } else { " at f32" }
    ));
    let how = match (found.timed, found.rows == config.batch_size) {
        (0, _) => "not run, for one row alone would take too long: by the peak rate".to_owned(),
        (timed, true) => format!("{} were timed", thousands(timed as f64)),
        (timed, false) => {
            format!("{timed} were timed with {} rows of {}, and scaled", found.rows, config.batch_size)
        }
    };
    say(format!("  an update    {}; {how}", milliseconds(found.update)));
    say(format!("  memory       {}", found.peak_rss_mib.map_or("not told here".to_owned(), memory)));
    let [updates, evaluations, samples] =
        [found.updates.likely, found.evaluations, found.samples].map(seconds);
    let samples = if found.samples > 0.0 { format!(", {samples} of samples") } else { String::new() };
    say(format!("  time         {}", range(found.seconds)));
    say(format!("               {updates} of updates, {evaluations} of evaluations{samples}"));
}

fn amount(flops: f64) -> String {
    match flops {
        few if few < 1e9 => format!("{:.0} MFLOP", few / 1e6),
        some if some < 1e12 => format!("{:.1} GFLOP", some / 1e9),
        many => format!("{:.1} TFLOP", many / 1e12),
    }
}

fn gigas(rate: f64) -> String {
    format!("{:.0}", rate / 1e9)
}

fn milliseconds(time: Range) -> String {
    let ms = |seconds: f64| match seconds {
        s if s < 0.1 => format!("{:.2}", s * 1e3),
        s => thousands(s * 1e3),
    };
    format!("{} ms ({} to {})", ms(time.likely), ms(time.low), ms(time.high))
}

/// `57 to 71 MiB`
pub(super) fn memory(mib: f64) -> String {
    format!("{} to {} MiB", thousands(mib), thousands((1.0 + LATER) * mib))
}

/// `46 s (44 s to 51 s)`
pub(super) fn range(time: Range) -> String {
    let [low, likely, high] = [time.low, time.likely, time.high].map(seconds);
    format!("{likely} ({low} to {high})")
}

/// `4.2 s`, `46 s`, `2 min 05 s`
pub(super) fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s => clock(Duration::try_from_secs_f64(s).unwrap_or(Duration::MAX)),
    }
}
