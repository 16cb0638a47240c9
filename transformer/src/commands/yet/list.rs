//! The list: what works since when, and what does not work yet.

use super::program;
use crate::commands::out::say;
use crate::commands::screen::thousands;
use crate::yet::experiment::Experiment;
use crate::yet::ledger::Ledger;
use crate::yet::status::{Cell, Status};

/// Prints the experiments, those that work first, in the order of the rung.
pub fn print(experiments: &[Experiment], ledger: &Ledger) {
    let mut all: Vec<Status> = experiments.iter().map(|experiment| Status::of(experiment, ledger)).collect();
    all.sort_by_key(|status| status.works_since().map_or(usize::MAX, |cell| cell.rung));
    let (works, rest): (Vec<_>, Vec<_>) = all.iter().partition(|status| status.works_since().is_some());
    let (tried, untried): (Vec<&Status>, Vec<&Status>) =
        rest.into_iter().partition(|status| status.largest().is_some());
    say("WORKS                   since rung  (parameters)   exact (95 % of cases)         expected");
    for status in works {
        let Some(cell) = status.works_since() else { continue };
        let since = format!("{} ({})", cell.rung, thousands(cell.parameters() as f64));
        row(status, &since, cell);
    }
    say("\nNOT YET                 up to rung  (parameters)   best (95 % of cases)          expected");
    for status in tried {
        let (Some(best), Some(largest)) = (status.best(), status.cells.last()) else { continue };
        let up_to = format!("{} ({})", largest.rung, thousands(largest.parameters() as f64));
        row(status, &up_to, best);
    }
    if !untried.is_empty() {
        say("\nNOT TRIED");
    }
    for status in untried {
        say(format!("{}\n  {}", status.experiment.name, status.experiment.question));
    }
    say(format!("\nagain, and larger: {} yet rerun --budget MINUTES", program()));
}

fn row(status: &Status, rung: &str, cell: &Cell) {
    let experiment = status.experiment;
    let mark = if status.surprises().is_empty() { "" } else { "  (!)" };
    say(format!(
        "{:<24} {rung:<22} {:<29} {}{mark}",
        experiment.name,
        cell.middle().in_short(),
        experiment.expectation()
    ));
    for cell in status.cells.iter().filter(|cell| !cell.is_whole()) {
        say(format!("  rung {}: {} of {} seeds so far", cell.rung, cell.outcomes.len(), cell.seeds));
    }
    for note in &status.notes {
        say(format!("  learnt at rung {}: {}", note.rung, note.learnt));
    }
    if let Some(rung) = status.owes_a_line() {
        say(format!("  rung {rung} was not expected: {} yet learnt {} \"…\"", program(), experiment.name));
    }
}
