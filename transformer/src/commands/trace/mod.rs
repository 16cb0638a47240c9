//! `trace`: one step of training, walked through: forward, backward, update.

mod lines;
mod show;
mod subject;
mod walk;
mod why;

use super::out::{print, say, warn};
use super::text::text_of_flag;
use crate::check::{self, plant, plant_in};
use crate::cli::{count, number};
use crate::error::{Error, Result};
use crate::files::{shell_word, write_atomically};
use crate::model::ModelConfig;
use crate::trace::build::build;
use crate::trace::checks;
use crate::trace::memory;
use crate::trace::page::page;
use crate::trace::schema::Trace;
use crate::train::presets::Preset;
use clap::Args;
use show::Look;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  transformer trace                                  runs/demo if it is there, else a model that has learned nothing
  transformer trace --from runs/char --text \"To be\" --backward
  transformer trace --preset tiny --backward --depth all
  transformer trace --step                           walk through it with the keyboard
  transformer trace --why \"blocks.0.W_Q[3,17]\"       which tokens made this entry of a gradient
  transformer trace --json trace.json                everything, as data
  transformer trace --html step.html                 a page that steps through it, in one file, offline

A trace runs at f64, by the textbook's ops and without dropout, and draws nothing at random: the same seed and text give
the same bytes. `--by fused` walks through the ops that training runs, `--by dropout` through dropout, always the same. `✓ 2e-16` is a contribution checked by itself against dual numbers; `8/8` are entries of the gradient that it
completes, each computed three ways: by the walk back, by dual numbers and by differences.";

/// How many levels of scopes are open at first: all of this model's, with identical blocks shown once.
const DEPTH: usize = 2;
/// How many entries of a gradient are checked: for a page to be read at leisure, and for a look.
const CHECKS: [usize; 2] = [64, 8];

/// How many GiB a trace takes at most if nothing else is said.
const MEMORY: f64 = 4.0;

/// The flags of `trace`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(rename_all = "snake_case", after_help = EXAMPLES)]
pub struct Flags {
    /// The directory of the run
    #[arg(long, alias = "out_dir", value_name = "DIR", conflicts_with = "preset")]
    pub from: Option<PathBuf>,
    /// A model that has learned nothing yet
    #[arg(long, value_enum)]
    pub preset: Option<Preset>,
    /// What the model sees, the last token as a target only; or FILE:path [default: how its validation text begins]
    #[arg(long, value_name = "TEXT")]
    pub text: Option<String>,
    /// Walk back as well, and show the update
    #[arg(long)]
    pub backward: bool,
    /// Show the first numbers of every tensor
    #[arg(long)]
    pub values: bool,
    /// How many levels of scopes to open, or `all`, which shows every block as well [default: 2]
    #[arg(long, value_name = "N", value_parser = depth)]
    pub depth: Option<Depth>,
    /// By which ops the model is computed [default: textbook; with --plant, the ones that the bug is in]
    #[arg(long, value_enum, value_name = "PATH")]
    pub by: Option<check::Path>,
    /// Plant a bug from the museum of `check --museum`, to see where it shows
    #[arg(long, value_name = "NAME")]
    pub plant: Option<String>,
    /// Walk from step to step with the keyboard
    #[arg(long, conflicts_with_all = ["json", "html", "why"])]
    pub step: bool,
    /// Say which tokens made an entry of a parameter's gradient, such as `blocks.0.W_Q[3,17]`, and through which steps
    #[arg(long, value_name = "ENTRY")]
    pub why: Option<String>,
    /// Of each gradient, how many entries to check in three ways; 0 checks nothing [default: 8, for --json and --html 64]
    #[arg(long, value_name = "N", value_parser = count)]
    pub checks: Option<usize>,
    /// How many GiB of memory it may take: every value, cotangent and contribution is kept at f64
    #[arg(long, value_name = "GIB", value_parser = number, default_value_t = MEMORY)]
    pub memory: f64,
    /// Write everything as JSON; - is the standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write a page that steps through it: one file, which a browser opens offline
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// How many levels of scopes are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// So many, and identical blocks are shown once.
    Levels(usize),
    /// All, and every block.
    All,
}

fn depth(text: &str) -> Result<Depth, String> {
    match text {
        "all" => Ok(Depth::All),
        _ => text.parse().map(Depth::Levels).map_err(|_| "give a whole number, or all".into()),
    }
}

/// Runs the step and shows it.
///
/// # Errors
/// If the run is missing or damaged, or the text does not fit the model.
pub fn run(flags: &Flags) -> Result<()> {
    let plant = flags.plant.as_deref().map(plant).transpose()?;
    let threads = super::use_threads(None);
    let text = flags.text.as_deref().map(|text| text_of_flag(text, "--text")).transpose()?;
    let checks = entries_to_check(flags);
    let checking = if checks > 0 { threads } else { 0 };
    let fits = |config: &ModelConfig, n| memory::fits(config, n, checking, flags.memory);
    let mut subject = subject::subject(flags.from.as_deref(), flags.preset, text, &fits)?;
    subject.path = flags.by.or(plant.map(check::Plant::path)).unwrap_or(check::Path::Textbook);
    subject.plant = plant.map(|plant| plant_in(plant, &subject.model, subject.path)).transpose()?;
    let recording = subject.record()?;
    let found = (checks > 0).then(|| checks::run(&subject, &recording, checks));
    let trace = build(&subject, &recording, found.as_ref(), &command(flags, checks));
    if let Some(path) = &flags.json {
        let json = serde_json::to_string(&trace).map_err(|error| Error::new(error.to_string()))?;
        if path == Path::new("-") {
            say(json); // and nothing else
        } else {
            say(write(path, &json, &trace)?);
        }
    }
    if let Some(path) = &flags.html {
        let told = write(path, &page(&trace)?, &trace)?;
        if flags.json.as_deref() == Some(Path::new("-")) { warn(told) } else { say(told) }
    }
    if flags.json.is_some() || flags.html.is_some() {
        return Ok(());
    }
    if flags.step {
        return walk::walk(&trace);
    }
    let depth = match flags.depth.unwrap_or(Depth::Levels(DEPTH)) {
        Depth::Levels(levels) => Some(levels),
        Depth::All => None,
    };
    let look = Look { depth, values: flags.values, backward: flags.backward, columns: show::columns() };
    match &flags.why {
        Some(question) => print(&why::why(question, &recording, &trace)?),
        None => print(&show::text(&trace, &look)),
    }
    Ok(())
}

/// Nothing is checked that is not shown.
fn entries_to_check(flags: &Flags) -> usize {
    let [page, look] = CHECKS;
    let written = flags.json.is_some() || flags.html.is_some();
    let shown = if written { page } else { look };
    match flags.checks {
        Some(checks) => checks,
        None if flags.why.is_some() => 0,
        None if written || flags.backward || flags.step => shown,
        None => 0,
    }
}

/// The command that makes the same trace again.
fn command(flags: &Flags, checks: usize) -> String {
    let mut words = vec!["transformer trace".to_owned()];
    if let Some(from) = &flags.from {
        words.push(format!("--from {}", shell_word(from)));
    }
    if let Some(preset) = flags.preset {
        words.push(format!("--preset {}", preset.name()));
    }
    if let Some(text) = &flags.text {
        words.push(format!("--text {}", shell_word(Path::new(text))));
    }
    if let Some(path) = flags.by {
        words.push(format!("--by {path}"));
    }
    if let Some(plant) = &flags.plant {
        words.push(format!("--plant {plant}"));
    }
    if flags.memory != MEMORY {
        words.push(format!("--memory {}", flags.memory));
    }
    words.push(format!("--checks {checks}"));
    words.join(" ")
}

/// Writes a file, and returns what there is to say of it.
fn write(path: &Path, content: &str, trace: &Trace) -> Result<String> {
    write_atomically(path, |file| file.write_all(content.as_bytes()))?;
    Ok(format!(
        "{}: {} steps over {} nodes, {:.2} MB{}",
        path.display(),
        trace.steps.len(),
        trace.nodes.len(),
        content.len() as f64 / 1e6,
        if trace.ok { "" } else { "; something is WRONG" }
    ))
}
