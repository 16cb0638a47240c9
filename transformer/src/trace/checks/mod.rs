//! Is each cotangent right? It is computed again, without any vjp.
//!
//! ```text
//! an entry        reverse     what the walk back has found
//!                 forward     replay with the tangent of this entry 1           exact (dual numbers)
//!                 difference  (f(x + h) − f(x − h))/2h by replay, two steps     no derivative at all
//! a contribution  Σ delta·u = Σ v̄ₖ·(tangent of fₖ along u), u random            only this one op: whose fault it is
//! ```
//!
//! All at f64, against the same computation at f64. How many entries are checked is a number, never a time, so that a trace
//! is the same on every machine.

mod contributions;
mod entries;

pub use entries::{Entry, Verdict};

use super::record::{Recording, Subject};
use super::schema::{Along, Broken, Fault};
use crate::check::Path;
use crate::check::nodes::{NodeReport, check_nodes};
use crate::check::reference::reference;
use autograd::kernels::threads::{for_each_piece, threads};
use autograd::{Dual, Tape, Tensor};
use contributions::contributions;
use entries::Tapes;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// What was found.
pub struct Found {
    /// The entries of each node that were checked.
    pub entries: BTreeMap<usize, Vec<Entry>>,
    /// The check of each contribution, in the order of [`Recording::contributions`].
    pub along: Vec<Along>,
    /// What is wrong with each op by itself.
    pub faults: Vec<Fault>,
    /// The first step that is wrong.
    pub broken: Option<Broken>,
}

/// Checks every contribution, and of every cotangent all entries if there are at most `most`, else `most` of them.
pub fn run(subject: &Subject, recording: &Recording, most: usize) -> Found {
    let nodes: Vec<usize> =
        (0..=recording.loss).filter(|&node| gradient(recording, node).is_some()).collect();
    let found = Mutex::new(BTreeMap::new());
    let gradients: BTreeMap<usize, &Tensor<f64>> =
        nodes.iter().map(|&node| (node, gradient(recording, node).expect("it has one"))).collect();
    let (batch, loss, pieces) = (&recording.batch, recording.loss, threads());
    for_each_piece(pieces, |piece| {
        let tapes = Tapes { numbers: subject.on_numbers(batch), duals: subject.on_duals(batch), loss };
        for &node in nodes.iter().skip(piece).step_by(pieces) {
            let entries = tapes.entries(node, gradients[&node], most);
            found.lock().expect("no piece has panicked").insert(node, entries);
        }
    });
    let duals = subject.on_duals(batch);
    let (along, broken) = contributions(recording, &duals);
    let (faults, first) = ops(subject, recording, &duals);
    Found {
        entries: found.into_inner().expect("no piece has panicked"),
        along,
        faults,
        broken: first.or(broken),
    }
}

/// Checks each op by itself: its value against the formula, if the textbook's ops ran, and its vjp against forward mode (see
/// [`crate::check::nodes`]). The first that is wrong: a value, or else the vjp that the walk back meets first.
fn ops(subject: &Subject, recording: &Recording, duals: &Tape<Dual<f64>>) -> (Vec<Fault>, Option<Broken>) {
    let batch = &recording.batch;
    let expected = match subject.path {
        Path::Textbook => reference(&subject.model, &batch.x, batch.shape(), &batch.y[batch.length - 1..]),
        Path::Fused | Path::Dropout => Vec::new(),
    };
    let reports = check_nodes(&recording.tape, duals, &expected, |_| true);
    let wrong_value = |report: &&NodeReport| {
        report.value.as_ref().is_some_and(|value| !value.ok) || report.dropout.is_some()
    };
    let value = reports.iter().find(wrong_value);
    let vjp = reports.iter().rev().find(|report| report.fault().is_some());
    let first = value.or(vjp).and_then(|report| {
        let slot = if wrong_value(&report) { None } else { report.rule.as_ref().map(|rule| rule.input) };
        Some(Broken { node: report.node, slot, why: report.fault()? })
    });
    let faults = reports.iter().filter_map(|report| Some(Fault { node: report.node, why: report.fault()? }));
    (faults.collect(), first)
}

/// The cotangent of a node that the walk back goes through.
fn gradient(recording: &Recording, node: usize) -> Option<&Tensor<f64>> {
    recording.gradients.get(recording.tape.var(node))
}
