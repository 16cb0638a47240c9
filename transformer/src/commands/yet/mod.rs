//! `yet`: the experiments, and what has come out of them so far.

mod add;
mod list;
mod running;

use super::out::{say, warn};
use super::program;
use crate::cli::{number, size, threads};
use crate::error::{Error, Result};
use crate::yet::experiment::Experiment;
use crate::yet::ledger::{Ledger, Note, append};
use crate::yet::page;
use crate::yet::status::Status;
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  transformer yet                          what works since when, and what does not work yet
  transformer yet run parity_16            train the lowest rung that has not been tried
  transformer yet run parity_16 --rung 6
  transformer yet rerun --budget 30        all that do not work yet, on the largest rungs that fit 30 minutes
  transformer yet rerun --line 12          line 12 of the ledger again: is it the same, bit for bit?
  transformer yet learnt parity_16 \"…\"     a line on what an unexpected outcome has taught
  transformer yet add                      write down an experiment: it asks
  transformer yet page                     ability × scale, with the learning curves, as one HTML file";

/// The flags of `yet`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(rename_all = "snake_case", after_help = EXAMPLES)]
pub struct Flags {
    #[command(subcommand)]
    pub(crate) action: Option<Action>,
    /// The directory of the experiments and of their ledger
    #[arg(long, global = true, value_name = "DIR", default_value = "experiments")]
    pub experiments: PathBuf,
    /// How many runs go on side by side, each on one thread [default: one for each core that it may use]
    #[arg(long, global = true, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Subcommand)]
#[command(rename_all = "snake_case")]
pub(crate) enum Action {
    /// Train an experiment at one rung, from each of its seeds
    Run {
        /// The experiment
        name: String,
        /// The rung [default: the lowest of the experiment's that has not been tried]
        #[arg(long, value_name = "R", value_parser = size)]
        rung: Option<usize>,
    },
    /// All that do not work yet, on the most capable rung that fits; or one line of the ledger again
    Rerun {
        /// How long all of it may take
        #[arg(long, value_name = "MINUTES", value_parser = number, default_value = "10")]
        budget: f64,
        /// Only compare the outcome on this line with what comes out now
        #[arg(long, value_name = "N", value_parser = size, conflicts_with = "budget")]
        line: Option<usize>,
    },
    /// Write down an experiment: asks the questions and writes the file
    Add,
    /// Add a line on what an unexpected outcome has taught
    Learnt {
        /// The experiment
        name: String,
        /// What was learnt, in a sentence
        text: String,
        /// The rung whose outcome had not been expected [default: the highest such]
        #[arg(long, value_name = "R", value_parser = size)]
        rung: Option<usize>,
    },
    /// Write the page: ability × scale, with the learning curves behind each cell
    Page {
        /// The file
        #[arg(long, value_name = "FILE", default_value = "runs/yet.html")]
        out: PathBuf,
    },
}

/// Does what is asked.
///
/// # Errors
/// If an experiment cannot be read, there is none of that name, or a file cannot be written.
pub fn run(flags: &Flags) -> Result<()> {
    let place = Place { directory: &flags.experiments, threads: flags.threads };
    match &flags.action {
        None => list::print(&place.experiments()?, &place.ledger()?),
        Some(Action::Run { name, rung }) => running::run(&place, name, *rung)?,
        Some(Action::Rerun { line: Some(line), .. }) => running::line(&place, *line)?,
        Some(Action::Rerun { budget, line: None }) => running::rerun(&place, *budget)?,
        Some(Action::Add) => add::ask(place.directory)?,
        Some(Action::Learnt { name, text, rung }) => learnt(&place, name, text, *rung)?,
        Some(Action::Page { out }) => {
            page::write(out, &place.experiments()?, &place.ledger()?)?;
            say(format!("written: {}", out.display()));
        }
    }
    Ok(())
}

/// Where the experiments are, and how many runs go on side by side.
struct Place<'a> {
    directory: &'a Path,
    threads: Option<usize>,
}

impl Place<'_> {
    fn experiments(&self) -> Result<Vec<Experiment>> {
        Experiment::read_all(self.directory)
    }

    fn experiment(&self, name: &str) -> Result<Experiment> {
        let all = self.experiments()?;
        let names: Vec<String> = all.iter().map(|experiment| experiment.name.clone()).collect();
        all.into_iter().find(|experiment| experiment.name == name).ok_or_else(|| {
            Error::new(format!("there is no experiment named {name:?}"))
                .in_file(self.directory)
                .way_out(format!("take one of {}; or write it down with `yet add`", names.join(", ")))
        })
    }

    fn ledger_path(&self) -> PathBuf {
        self.directory.join("ledger.jsonl")
    }

    /// The ledger; lines that are damaged are named.
    fn ledger(&self) -> Result<Ledger> {
        let ledger = Ledger::read(&self.ledger_path())?;
        ledger.damaged.iter().for_each(|error| warn(format!("warning: {error}")));
        Ok(ledger)
    }
}

fn learnt(place: &Place, name: &str, text: &str, rung: Option<usize>) -> Result<()> {
    let (experiment, ledger) = (place.experiment(name)?, place.ledger()?);
    let surprises = Status::of(&experiment, &ledger).surprises();
    let rung = match rung.or(surprises.last().copied()) {
        Some(rung) if surprises.contains(&rung) => rung,
        _ => {
            return Err(Error::new(format!("all that came out of {name} there had been expected"))
                .at("--rung")
                .way_out(format!("name a rung with a surprise; there are {surprises:?}")));
        }
    };
    let note = Note { experiment: name.to_owned(), rung, learnt: text.to_owned() };
    append(&place.ledger_path(), &note)
}
