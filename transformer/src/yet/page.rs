//! The page: ability × scale, with the learning curves behind each cell; one file, offline.

use super::experiment::Experiment;
use super::ledger::{Ledger, Outcome};
use super::status::{Cell, Status};
use crate::chart::{escape, number};
use crate::error::Result;
use crate::files::write_atomically;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Writes the page.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, experiments: &[Experiment], ledger: &Ledger) -> Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(|error| crate::Error::io("make", directory, &error))?;
    }
    let page = html(experiments, ledger);
    write_atomically(path, |file| file.write_all(page.as_bytes()))
}

/// The page as HTML.
pub fn html(experiments: &[Experiment], ledger: &Ledger) -> String {
    let mut all: Vec<Status> = experiments.iter().map(|experiment| Status::of(experiment, ledger)).collect();
    all.sort_by_key(|status| status.works_since().map_or(usize::MAX, |cell| cell.rung));
    let mut rungs: BTreeMap<usize, [usize; 2]> = BTreeMap::new(); // the fewest and the most parameters
    for cell in all.iter().flat_map(|status| &status.cells) {
        let [fewest, most] = rungs.entry(cell.rung).or_insert([usize::MAX, 0]);
        (*fewest, *most) = ((*fewest).min(cell.parameters()), (*most).max(cell.parameters()));
    }
    let heads: String = rungs
        .iter()
        .map(|(rung, [fewest, most])| {
            let (fewest, most) = (number(*fewest as f64), number(*most as f64));
            format!("<th>rung {rung}<br><span class=soft>{fewest} to {most} parameters</span>")
        })
        .collect();
    let rows: String = all.iter().map(|status| row(status, rungs.keys().copied())).collect();
    let works = all.iter().filter(|status| status.works_since().is_some()).count();
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>Not yet</title><style>{css}</style>\
         <h1>What works since when, and what does not work yet</h1>\
         <p>{works} of {total} experiments work at some rung that was tried. A cell shows the share of exactly right answers \
         of the middle seed, and how it came about: a solid line a seed for the share of right answers, a dotted one for \
         ln p of the right answer (0 at the top), over the updates. A rung works (✓) if most of its seeds reach the \
         threshold.</p><div class=scroll><table><tr><th>experiment{heads}{rows}</table></div>{learnt}</html>",
        css = include_str!("../page.css"),
        total = all.len(),
        learnt = learnt(&all),
    )
}

fn row(status: &Status, rungs: impl Iterator<Item = usize>) -> String {
    let experiment = status.experiment;
    let mut out = format!(
        "<tr><td class=what><b>{}</b>: {}<br><span class=soft>{}; expected {}; works at {:.0} %</span>",
        escape(&experiment.name),
        escape(&experiment.question),
        status.verdict(),
        experiment.expectation(),
        100.0 * experiment.threshold
    );
    for rung in rungs {
        match status.at(rung) {
            None => out.push_str("<td class=\"cell empty\">not tried"),
            Some(cell) => out.push_str(&of_cell(cell, status.surprises().contains(&rung))),
        }
    }
    out
}

fn of_cell(cell: &Cell, surprising: bool) -> String {
    let (class, mark) = if cell.works() { ("yes", "✓") } else { ("no", "✗") };
    let surprise = if surprising { " <span title=\"not expected\">(!)</span>" } else { "" };
    let likelihoods: Vec<String> =
        cell.outcomes.iter().map(|outcome| format!("{:.2}", outcome.log_likelihood)).collect();
    let [low, high] = cell.middle().interval().map(|share| 100.0 * share);
    let missing = match cell.is_whole() {
        true => String::new(),
        false => format!(", {} of {} seeds", cell.outcomes.len(), cell.seeds),
    };
    format!(
        "<td class=\"cell {class}\"><b>{mark} {:.0} %</b> <span class=soft>({low:.0} to {high:.0}{missing})</span>{surprise}{}\
         <span class=soft>ln p {}</span>",
        100.0 * cell.median(),
        sparks(&cell.outcomes),
        likelihoods.join(", ")
    )
}

/// The learning curves of a cell: `[0, 1]` upwards, the updates of the recipe to the right.
fn sparks(outcomes: &[&Outcome]) -> String {
    const WIDTH: f64 = 120.0;
    const HEIGHT: f64 = 44.0;
    let likelihoods = outcomes.iter().flat_map(|outcome| outcome.curve.iter().map(|point| point.2));
    let lowest = likelihoods.fold(-1e-3, f64::min);
    let mut out = format!(
        "<svg class=spark viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=img aria-label=\"learning curves\"><path class=line \
         d=\"M0 {HEIGHT}H{WIDTH}\"/>"
    );
    for outcome in outcomes {
        let across = |updates: usize| 2.0 + (WIDTH - 4.0) * updates as f64 / outcome.recipe.updates as f64;
        let up = |share: f64| 2.0 + (HEIGHT - 4.0) * (1.0 - share);
        let path = |points: Vec<String>| format!("M{}", points.join("L"));
        let of = |value: &dyn Fn(&(usize, f64, f64)) -> f64| {
            path(
                outcome
                    .curve
                    .iter()
                    .map(|point| format!("{:.1} {:.1}", across(point.0), up(value(point))))
                    .collect(),
            )
        };
        let _ = write!(
            out,
            "<g class=p><title>seed {}: ln p of the right answer, down to {lowest:.2}</title><path \
             stroke-dasharray=\"1 3\" d=\"{}\"/></g><g><title>seed {}: {:.0} % right after {} updates</title><path \
             d=\"{}\"/></g>",
            outcome.seed,
            of(&|point| 1.0 - point.2 / lowest),
            outcome.seed,
            100.0 * outcome.value,
            outcome.updates,
            of(&|point| point.1),
        );
    }
    out.push_str("</svg>");
    out
}

fn learnt(all: &[Status]) -> String {
    let notes: String = all
        .iter()
        .flat_map(|status| status.notes.iter().map(|note| (status.experiment, note)))
        .map(|(experiment, note)| {
            format!(
                "<p class=learnt><b>{}</b>, expected {}: {}<br><span class=soft>learnt at rung {}:</span> {}</p>",
                escape(&experiment.name),
                experiment.expectation(),
                escape(&experiment.why),
                note.rung,
                escape(&note.learnt)
            )
        })
        .collect();
    if notes.is_empty() {
        notes
    } else {
        format!("<h2>What was not expected, and what was learnt</h2>{notes}")
    }
}
